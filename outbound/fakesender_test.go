package outbound

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

// receivers are the outside world of these tests: a Sender that answers by host, and remembers each call.
type receivers struct {
	mu      sync.Mutex
	answers map[string]answer
	got     []received
	active  map[string]int // calls under way, by host
	most    map[string]int // the most at once
}

// received is one call, as it came.
type received struct {
	at       time.Time
	url      string
	host     string
	header   http.Header
	body     []byte
	delivery string
	n        string // the event's data.n
}

// answer is what a receiver does with a call.
type answer func(ctx context.Context, call received) (*egress.Result, error)

func newReceivers() *receivers {
	return &receivers{answers: map[string]answer{}, active: map[string]int{}, most: map[string]int{}}
}

// Do makes receivers a Sender.
func (r *receivers) Do(ctx context.Context, req *http.Request, _ egress.Limits) (*egress.Result, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return &egress.Result{}, err
	}
	var event struct{ Data struct{ N json.Number } }
	if err := json.Unmarshal(body, &event); err != nil {
		return &egress.Result{}, err
	}
	call := received{at: time.Now(), url: req.URL.String(), host: req.URL.Host, header: req.Header, body: body,
		delivery: req.Header.Get(headerDelivery), n: event.Data.N.String()}
	r.mu.Lock()
	r.got = append(r.got, call)
	r.active[call.host]++
	r.most[call.host] = max(r.most[call.host], r.active[call.host])
	reply := r.answers[call.host]
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.active[call.host]--
	}()
	if reply == nil {
		reply = status(http.StatusOK)
	}
	result, err := reply(ctx, call)
	if result != nil {
		result.Phases.Total = time.Since(call.at)
	}
	return result, err
}

// on sets what a host answers from now on.
func (r *receivers) on(host string, reply answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[host] = reply
}

// calls are those that a host got so far; of all hosts if it is empty.
func (r *receivers) calls(host string) (calls []received) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, call := range r.got {
		if host == "" || call.host == host {
			calls = append(calls, call)
		}
	}
	return calls
}

// mostAtOnce is how many calls to a host were under way at the same time.
func (r *receivers) mostAtOnce(host string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most[host]
}

// status answers with a status code at once.
func status(code int) answer {
	return func(context.Context, received) (*egress.Result, error) {
		return &egress.Result{StatusCode: code, Header: http.Header{}}, nil
	}
}

// inTurn gives one answer after the other, and the last one ever after.
func inTurn(replies ...answer) answer {
	var mu sync.Mutex
	return func(ctx context.Context, call received) (*egress.Result, error) {
		mu.Lock()
		reply := replies[0]
		if len(replies) > 1 {
			replies = replies[1:]
		}
		mu.Unlock()
		return reply(ctx, call)
	}
}

// slow answers after a while, unless the call ends earlier.
func slow(d time.Duration, reply answer) answer {
	return func(ctx context.Context, call received) (*egress.Result, error) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return reply(ctx, call)
		case <-ctx.Done():
			return &egress.Result{}, ctx.Err()
		}
	}
}

// hang answers nothing until the call ends.
func hang(ctx context.Context, _ received) (*egress.Result, error) {
	<-ctx.Done()
	return &egress.Result{}, ctx.Err()
}

// plain is an Opener of what was never sealed.
type plain struct{}

func (plain) Open(_ string, sealed []byte) ([]byte, error) { return sealed, nil }

// newEvent makes an event of a workspace with data {"n":…}.
func newEvent(workspace postroom.WorkspaceID, n string) *postroom.Event {
	now := time.Now()
	return &postroom.Event{ID: postroom.NewID[postroom.EventKind](now), WorkspaceID: workspace, Type: "email.opened", Time: now,
		Data: []byte(`{"n":` + n + `}`)}
}

// sender is a Sender that answers by itself.
type sender func(*http.Request) (*egress.Result, error)

func (s sender) Do(_ context.Context, req *http.Request, _ egress.Limits) (*egress.Result, error) {
	return s(req)
}
