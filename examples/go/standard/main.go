// Command standard receives webhooks of the dialect standard: Standard Webhooks, with its library.
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/postroom/postroom/examples/go/inbox"
)

func main() {
	secret := os.Getenv("WEBHOOK_SECRET")
	if secret == "" { // which the library would take for a key
		log.Fatal("Set WEBHOOK_SECRET to what Postroom showed: whsec_…")
	}
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		log.Fatal(err)
	}
	in, err := inbox.Open(cmp.Or(os.Getenv("INBOX"), "inbox"), work)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/standard", receive(webhook, in))
	server := &http.Server{
		Addr:              "127.0.0.1:" + cmp.Or(os.Getenv("PORT"), "8000"),
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
	}
	log.Print("Listening on http://", server.Addr)
	log.Fatal(server.ListenAndServe())
}

func receive(webhook *standardwebhooks.Webhook, in *inbox.Inbox) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		if err := webhook.Verify(body, r.Header); err != nil { // also when it is more than five minutes old
			http.Error(w, "invalid signature", http.StatusUnauthorized)
			return
		}
		if err := in.Keep(r.Header.Get("Webhook-Id"), body); err != nil {
			log.Print(err)
			http.Error(w, "the call cannot be stored", http.StatusInternalServerError) // it will be tried again
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// work does what the call is for. It may take its time.
func work(body []byte) error {
	var call struct {
		Type string
		Data struct {
			Contact struct{ Email string }
		}
	}
	if err := json.Unmarshal(body, &call); err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", call.Type, call.Data.Contact.Email)
	return nil
}
