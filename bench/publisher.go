package bench

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// target is what is published to: the bare forwarder, or Postroom.
type target struct {
	name      string
	url       string
	key       string // both get the same request, API key and all; empty for none
	sign      []byte // the secret that bodies are signed with; nil for no signature
	accepts   int    // the status of a good answer; 202 if zero
	transport *http.Transport
	server    *child
	processes []process // the server, and its database where that is started for it
}

// load is what is published, and how.
type load struct {
	eventType string
	events    int
	lanes     int // of the receiver that each event must arrive in
	lines     int // events in a request, as NDJSON; 0 for one that is no list
	rate      int // events a second; 0 for as many as go
}

// published is what a publisher has seen.
type published struct {
	startUS  int64 // when the first was sent, in µs since 1970
	took     time.Duration
	accepted int     // events
	refused  int     // events
	refusal  string  // how the first one was refused
	latency  []int64 // of each request, µs
}

// publisher publishes a load from several connections.
type publisher struct {
	target target
	load   load
	first  int64 // number of the first event
	start  time.Time

	template *http.Request // every request is a shallow copy
	next     atomic.Int64  // index of the event that nobody has taken yet

	mu  sync.Mutex
	sum published
}

// publish sends the load, the events numbered from first on, and returns when every request was answered. What was
// refused is counted and not tried again; the error is that ctx has ended.
func publish(ctx context.Context, t target, l load, first int64, workers int) (published, error) {
	template, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, nil)
	if err != nil {
		return published{}, err
	}
	if t.key != "" {
		template.Header.Set("Authorization", "Bearer "+t.key)
	}
	template.Header.Set("Content-Type", "application/json")
	if l.lines > 0 {
		template.Header.Set("Content-Type", "application/x-ndjson")
	}
	p := &publisher{target: t, load: l, first: first, start: time.Now(), template: template}
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() { p.work(ctx) })
	}
	wait.Wait()
	p.sum.startUS = p.start.UnixMicro()
	p.sum.took = time.Since(p.start)
	return p.sum, ctx.Err()
}

// work takes events until there are none.
func (p *publisher) work(ctx context.Context) {
	var own published
	var sign *signer
	if p.target.sign != nil {
		sign = newSigner(p.target.sign)
	}
	perRequest := max(p.load.lines, 1)
	e := newEvent(p.load.eventType)
	body := make([]byte, 0, perRequest*(eventBytes+1))
	for ctx.Err() == nil {
		from := int(p.next.Add(int64(perRequest))) - perRequest
		if from >= p.load.events {
			break
		}
		n := min(perRequest, p.load.events-from)
		sent := p.awaitTurn(ctx, from)
		body = body[:0]
		for i := range n {
			e.set(p.first+int64(from+i), sent.UnixMicro())
			body = append(body, e.bytes...)
			if p.load.lines > 0 {
				body = append(body, '\n')
			}
		}
		refused, err := p.post(sign, body, n)
		own.latency = append(own.latency, time.Since(sent).Microseconds())
		own.accepted += n - refused
		own.refused += refused
		if err != nil && own.refusal == "" {
			own.refusal = err.Error()
		}
	}
	p.add(own)
}

// awaitTurn waits until event i is due, where the load has a rate, and returns the time that counts as when it was sent.
// A publisher that comes late, since all of them were kept waiting, does not hide that: then it is the time at which
// the event was due.
func (p *publisher) awaitTurn(ctx context.Context, i int) time.Time {
	if p.load.rate == 0 {
		return time.Now()
	}
	due := p.start.Add(time.Duration(i) * time.Second / time.Duration(p.load.rate))
	wait := time.Until(due)
	if wait <= 0 {
		return due
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return time.Now()
}

// lineError begins the result of a line of NDJSON that was refused.
const lineError = `{"error":`

// post sends one request with so many events, and reads its answer. It returns how many were refused, and how.
func (p *publisher) post(sign *signer, body []byte, events int) (refused int, err error) {
	req := *p.template
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.ContentLength = int64(len(body))
	if sign != nil {
		req.Header = maps.Clone(req.Header)
		req.Header[signatureHeader] = []string{sign.sign(body)}
	}
	resp, err := p.target.transport.RoundTrip(&req)
	if err != nil {
		return events, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != cmp.Or(p.target.accepts, http.StatusAccepted) {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500)) // what there is of it is enough
		drain(resp.Body)
		return events, fmt.Errorf("%s %s", resp.Status, bytes.TrimSpace(text))
	}
	if p.load.lines == 0 {
		drain(resp.Body)
		return 0, nil
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return events, fmt.Errorf("the answer broke off: %w", err)
	}
	if refused = bytes.Count(text, []byte(lineError)); refused > 0 {
		at := bytes.Index(text, []byte(lineError))
		return min(refused, events), fmt.Errorf("%.500s", text[at:])
	}
	return 0, nil
}

// add adds what one of the workers has seen.
func (p *publisher) add(own published) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum.accepted += own.accepted
	p.sum.refused += own.refused
	p.sum.latency = append(p.sum.latency, own.latency...)
	if p.sum.refusal == "" {
		p.sum.refusal = own.refusal
	}
}
