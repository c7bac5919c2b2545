// Command cocoonmail receives webhooks of the dialect cocoonmail. Nothing is signed: the Authorization header proves who calls.
package main

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
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
	token := os.Getenv("WEBHOOK_TOKEN")
	if token == "" {
		log.Fatal("Set WEBHOOK_TOKEN to a long random text: openssl rand -hex 32")
	}
	in, err := inbox.Open(cmp.Or(os.Getenv("INBOX"), "inbox"), work)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks/cocoonmail", receive(token, in))
	server := &http.Server{
		Addr:              "127.0.0.1:" + cmp.Or(os.Getenv("PORT"), "8000"),
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
	}
	log.Print("Listening on http://", server.Addr)
	log.Fatal(server.ListenAndServe())
}

// verify compares digests: they are equally long, so that time does not tell the token's length.
func verify(authorization, token string) bool {
	given, want := sha256.Sum256([]byte(authorization)), sha256.Sum256([]byte("Bearer "+token))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1
}

func receive(token string, in *inbox.Inbox) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !verify(r.Header.Get("Authorization"), token) { // before the body is read
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		// What the headers say is enough to sort calls before their bodies are looked into.
		log.Printf("%s of %s", r.Header.Get("X-Cocoon-Event-Type"), r.Header.Get("X-Cocoon-Event-Datetime"))
		if err := in.Keep(r.Header.Get("Postroom-Delivery"), body); err != nil {
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
		EventType string `json:"event_type"`
		Email     string `json:"contact_email"`
	}
	if err := json.Unmarshal(body, &call); err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", call.EventType, call.Email)
	return nil
}
