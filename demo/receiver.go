package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

// receiver is what a customer would write: it verifies each call with the library of the Standard Webhooks
// specification. Every seventh event it fails at first, as receivers do.
type receiver struct {
	url     string
	server  *http.Server
	account *account

	mu       sync.Mutex
	webhooks map[string]*subscription // by path
	names    map[postroom.WebhookID]string
	missing  map[string]bool // event id and webhook, of what is expected and has not arrived
	early    map[string]bool // the same, of what arrived before it was expected
	seen     map[string]int  // calls, by the same
	count    totals
	changed  chan struct{}
}

type subscription struct {
	id       postroom.WebhookID
	name     string
	verifier *standardwebhooks.Webhook
}

// totals are what the receiver got.
type totals struct{ arrived, failed, bad int }

func startReceiver(a *account) (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + listener.Addr().String(), account: a, webhooks: map[string]*subscription{}, names: map[postroom.WebhookID]string{},
		missing: map[string]bool{}, early: map[string]bool{}, seen: map[string]int{}, changed: make(chan struct{}, 1)}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(listener) }() // ends with stop
	return r, nil
}

func (r *receiver) stop() { _ = r.server.Close() }

// expectFrom tells the receiver of a webhook, and with which secret it signs.
func (r *receiver) expectFrom(w client.CreatedWebhook) error {
	verifier, err := standardwebhooks.NewWebhook(w.Secret)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.webhooks[w.URL[len(r.url):]] = &subscription{w.ID, w.Name, verifier}
	r.names[w.ID] = w.Name
	return nil
}

func place(event string, webhook postroom.WebhookID) string { return event + " " + webhook.String() }

// expect notes what is to arrive. It may have arrived already.
func (r *receiver) expect(p postroom.Published) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range p.Webhooks {
		if at := place(p.ID, w); !r.early[at] {
			r.missing[at] = true
		}
	}
}

// ServeHTTP takes a call: 401 for a signature that does not verify, 503 for a failure on purpose, else 204.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	r.mu.Lock()
	hook := r.webhooks[req.URL.Path]
	r.mu.Unlock()
	if err != nil || hook == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var event struct {
		Type string `json:"type"`
		Data struct {
			Contact struct {
				Email string `json:"email"`
			} `json:"contact"`
			Campaign struct {
				Name string `json:"name"`
			} `json:"campaign"`
		} `json:"data"`
	}
	err = errors.Join(hook.verifier.Verify(body, req.Header), json.Unmarshal(body, &event))
	status, note := r.judge(place(req.Header.Get("webhook-id"), hook.id), err)
	w.WriteHeader(status)
	who := event.Data.Contact.Email
	if who == "" {
		who = event.Data.Campaign.Name
	}
	r.account.call(status == http.StatusNoContent, hook.name, event.Type, who, note)
}

// judge counts a call and says how it is answered.
func (r *receiver) judge(at string, err error) (status int, note string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() {
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}()
	if err != nil {
		r.count.bad++
		return http.StatusUnauthorized, "the signature does not verify: " + err.Error()
	}
	r.seen[at]++
	if r.seen[at] == 1 && len(r.seen)%7 == 0 {
		r.count.failed++
		return http.StatusServiceUnavailable, "answered 503 on purpose: Postroom will try again"
	}
	r.count.arrived++
	r.early[at] = true
	delete(r.missing, at)
	if n := r.seen[at]; n > 1 {
		return http.StatusNoContent, fmt.Sprintf("signature verified, attempt %d", n)
	}
	return http.StatusNoContent, "signature verified"
}

func (r *receiver) totals() totals {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// wait waits until all that is expected has arrived.
func (r *receiver) wait(ctx context.Context, most time.Duration) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		r.mu.Lock()
		missing := len(r.missing)
		r.mu.Unlock()
		if missing == 0 {
			return nil
		}
		select {
		case <-r.changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return fmt.Errorf("%d deliveries have not arrived within %s", missing, most)
		}
	}
}
