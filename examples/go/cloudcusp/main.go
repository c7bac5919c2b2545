// Command cloudcusp receives webhooks of the dialect cloudcusp.
package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/postroom/postroom/examples/go/inbox"
)

func main() {
	secret := os.Getenv("WEBHOOK_SECRET")
	if secret == "" {
		log.Fatal("Set WEBHOOK_SECRET: without it, anybody could sign")
	}
	in, err := inbox.Open(cmp.Or(os.Getenv("INBOX"), "inbox"), work)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/cloudcusp", receive(secret, in))
	server := &http.Server{
		Addr:              "127.0.0.1:" + cmp.Or(os.Getenv("PORT"), "8000"),
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
	}
	log.Print("Listening on http://", server.Addr)
	log.Fatal(server.ListenAndServe())
}

func verify(body []byte, signature, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	expected := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(signature), []byte(expected))
}

func receive(secret string, in *inbox.Inbox) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		if !verify(body, r.Header.Get("X-Webhook-Signature"), secret) {
			http.Error(w, "invalid signature", http.StatusUnauthorized)
			return
		}
		// The id is in the body, where the signature covers it, if the webhook adds it there (see README.md).
		var call struct{ ID string }
		if err := json.Unmarshal(body, &call); err != nil {
			http.Error(w, "the body is no JSON", http.StatusBadRequest)
			return
		}
		if err := in.Keep(cmp.Or(call.ID, r.Header.Get("Postroom-Delivery")), body); err != nil {
			log.Print(err)
			http.Error(w, "the call cannot be stored", http.StatusInternalServerError) // it will be tried again
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"success":true,"message":"Webhook stored","processed_records":1}`)
	}
}

// work does what the call is for. It may take its time.
func work(body []byte) error {
	var call struct {
		EventType  string `json:"event_type"`
		Subscriber struct{ Email string }
	}
	if err := json.Unmarshal(body, &call); err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", call.EventType, call.Subscriber.Email)
	return nil
}
