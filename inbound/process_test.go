package inbound

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

// broken is a source whose action fails for what has no email.
func (r *rig) broken() postroom.SourceID {
	return r.source(with(func(s *postroom.SourceSettings) { s.EventType = "order.paid" }), doing(postroom.Action{Type: postroom.ActionAddSubscriber}))
}

// TestRetries checks when a request that fails is tried again, and how often.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		source := r.broken()
		begun := time.Now()
		answer := r.post(source, `{"a":1}`, 202)
		if answer.Processed != 0 || !strings.Contains(answer.Message, "tried again") {
			t.Errorf("the sender hears %+v", answer)
		}
		at := begun
		for i, wait := range postroom.RequestRetries() {
			got := r.last()
			if at = at.Add(wait); got.State != postroom.RequestRetry || got.Attempts != i+1 || !got.DueAt.Equal(at) || got.Status != 202 {
				t.Fatalf("after %d tries, %s in, the request is %+v", i+1, time.Since(begun), got.RequestResult)
			}
			time.Sleep(time.Until(at) - time.Second)
			synctest.Wait()
			if got := r.last(); got.Attempts != i+1 {
				t.Fatalf("it was tried before its time: %+v", got.RequestResult)
			}
			time.Sleep(time.Second + time.Millisecond)
			synctest.Wait()
		}
		got := r.last()
		if got.State != postroom.RequestFailed || got.Attempts != postroom.MaxRequestAttempts || got.Log.Error == nil || len(r.store.events) != 0 {
			t.Errorf("at the end it is %+v with %+v", got.RequestResult, got.Log)
		}
		// A person mends the source, and has it tried again.
		r.change(source, func(s *postroom.SourceSettings) { s.Actions = nil })
		r.store.mu.Lock()
		r.store.requests[got.ID].State, r.store.requests[got.ID].Attempts, r.store.requests[got.ID].DueAt = postroom.RequestWaiting, 0, time.Now()
		r.store.mu.Unlock()
		r.in.Wake()
		synctest.Wait()
		if got := r.last(); got.State != postroom.RequestProcessed || got.Log.Error != nil || got.Records != 1 {
			t.Errorf("mended it is %+v with %+v", got.RequestResult, got.Log)
		}
		r.stop()
	})
}

// TestUnreadable checks that a body which cannot be read is kept, refused with the reason, and not tried again by itself.
func TestUnreadable(t *testing.T) {
	r := newRig(t)
	source := r.source()
	w := r.call(source, httpCall{body: `{"a":`})
	got := r.last()
	if w.Code != 400 || !strings.Contains(w.Body.String(), "JSON") || got.State != postroom.RequestFailed || got.Status != 400 || string(got.Body) != `{"a":` || got.Log.Error.Kind != "body" {
		t.Errorf("the answer is %d %s, the request %+v with %+v", w.Code, w.Body, got.RequestResult, got.Log.Error)
	}
}

// TestFailing checks that the workspace is told of a source that keeps failing: once, until a request succeeds.
func TestFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		source := r.broken()
		failing := func() (n int) {
			for _, eventType := range r.store.types() {
				if eventType == eventFailing {
					n++
				}
			}
			return n
		}
		begun := time.Now()
		for i := range 7 {
			r.post(source, `{"a":1}`, 202)
			if want := min(1, (i+1)/failingAfter); failing() != want {
				t.Errorf("after %d failures there are %d events, want %d", i+1, failing(), want)
			}
			r.again(t) // a further try of the same request is no further failure
			time.Sleep(time.Second)
		}
		if h := r.store.health[source]; h.Failures != 7 || !h.Told || !h.FailingSince.Equal(begun.Truncate(time.Millisecond)) {
			t.Errorf("the health is %+v", h)
		}
		event := r.store.events[slices.Index(r.store.types(), eventFailing)]
		for _, part := range []string{`"id":"` + source.String(), `"failures":5`, `"code":"action"`, `"kind":"generic"`} {
			if !strings.Contains(string(event.Data), part) {
				t.Errorf("the event %s has no %s", event.Data, part)
			}
		}
		r.post(source, `{"email":"ada@example.com"}`, 200)
		if h := r.store.health[source]; h != (postroom.SourceHealth{}) {
			t.Errorf("after a success the health is %+v", h)
		}
		for range failingAfter {
			r.post(source, `{"a":1}`, 202)
		}
		if failing() != 2 {
			t.Errorf("of a second row of failures there are %d events", failing()-1)
		}
	})
}

// TestPanic checks that a defect in the processing of one request is a failure of it alone, and counted.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		source := r.broken()
		r.store.on("FindContacts", func() error { panic("a defect") })
		r.post(source, `{"email":"ada@example.com"}`, 202)
		if got := r.last(); got.State != postroom.RequestRetry || got.Log.Error.Kind != "internal" || strings.Contains(got.Log.Error.Message, "defect") || r.in.Counts().Panics != 1 {
			t.Errorf("the request is %+v with %+v", got.RequestResult, got.Log.Error)
		}
		r.store.on("FindContacts", nil)
		other := r.source()
		r.post(other, `{}`, 200) // nothing is held any more that others need
		time.Sleep(5*time.Minute + time.Second)
		synctest.Wait()
		if all := r.store.all(); all[0].State != postroom.RequestProcessed || r.in.Counts().Processing != 0 {
			t.Errorf("without the defect it is %+v", all[0].RequestResult)
		}
		r.stop()
	})
}

// TestBadOnesStopNobody checks that requests which hang hold up no others, and end as failed tries.
func TestBadOnesStopNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		source := r.broken()
		r.in.patience = patience
		hang := make(chan struct{})
		var hanging atomic.Int64
		r.store.on("FindContacts", func() error { hanging.Add(1); <-hang; return nil })
		for range maxWorkers - 1 {
			r.post(source, `{"email":"ada@example.com"}`, 202)
		}
		r.run()
		synctest.Wait()
		quick := r.source(with(func(s *postroom.SourceSettings) { s.EventType = "order.paid" }))
		r.store.mu.Lock()
		stored := postroom.Request{ID: postroom.NewID[postroom.RequestKind](time.Now()), WorkspaceID: r.workspace, SourceID: quick, At: time.Now(),
			Method: "POST", Target: "/in/x", Body: []byte("{}"), RequestResult: postroom.RequestResult{State: postroom.RequestWaiting, DueAt: time.Now()}}
		r.store.requests[stored.ID], r.store.order = &stored, append(r.store.order, stored.ID)
		r.store.mu.Unlock()
		time.Sleep(pollEvery) // nobody wakes it: another node has stored that one
		synctest.Wait()
		if got := r.last(); got.State != postroom.RequestProcessed {
			t.Errorf("the one that is good waits behind those that hang: %+v", got.RequestResult)
		}
		time.Sleep(processTime)
		synctest.Wait()
		for _, got := range r.store.all()[:maxWorkers-1] {
			if got.State != postroom.RequestRetry || got.Attempts != 1 || !strings.Contains(got.Log.Error.Message, "within") {
				t.Fatalf("one that hangs is %+v with %+v", got.RequestResult, got.Log.Error)
			}
		}
		close(hang)
		r.stop()
	})
}

// TestLost checks that a result whose lease another node has taken over changes nothing, and that a request which ends process after process is
// given up.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		source := r.broken()
		r.in.patience = patience
		r.store.on("FindContacts", func() error { time.Sleep(3 * time.Second); return nil })
		r.post(source, `{"email":"ada@example.com"}`, 202)
		claim := func() *postroom.Request {
			claimed, err := r.store.ClaimRequests(t.Context(), time.Now(), time.Now().Add(time.Second), 1)
			if err != nil || len(claimed) != 1 {
				t.Fatalf("%d are claimed: %v", len(claimed), err)
			}
			return claimed[0]
		}
		mine := claim()
		time.Sleep(time.Second)
		claim() // another node's
		r.in.again(t.Context(), mine)
		if got := r.last(); got.State != postroom.RequestLeased || len(r.store.people()) != 0 {
			t.Errorf("the loser has stored something: %+v", got.RequestResult)
		}
		r.store.on("FindContacts", nil)
		r.store.mu.Lock()
		r.store.requests[mine.ID].Claim = maxLost
		r.store.mu.Unlock()
		time.Sleep(time.Second)
		r.in.again(t.Context(), claim())
		if got := r.last(); got.State != postroom.RequestFailed || !strings.Contains(got.Log.Error.Message, fmt.Sprint(maxLost+1)) {
			t.Errorf("after many lost claims it is %+v with %+v", got.RequestResult, got.Log.Error)
		}
		synctest.Wait()
	})
}

// TestStop checks that a stop waits for what is being processed, and stores what was refused.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		source := r.broken()
		r.in.patience = patience
		r.store.on("FindContacts", func() error { time.Sleep(5 * time.Second); return nil })
		r.post(source, `{"email":"ada@example.com"}`, 202)
		r.run()
		synctest.Wait()
		r.call(source, httpCall{body: "{}", query: "-"})
		r.stop()
		all := r.store.all()
		if len(all) != 2 || all[0].State != postroom.RequestProcessed || all[1].State != postroom.RequestRefused {
			t.Errorf("after the stop there are %+v", all)
		}
	})
}

// TestDeletedSource checks that what waits for a source that is gone ends.
func TestDeletedSource(t *testing.T) {
	r := newRig(t)
	source := r.broken()
	r.post(source, `{"a":1}`, 202)
	r.store.mu.Lock()
	delete(r.store.sources, source)
	r.store.mu.Unlock()
	r.in.Changed(source)
	r.again(t)
	if got := r.last(); got.State != postroom.RequestFailed || got.Log.Error.Message != "The source is deleted." {
		t.Errorf("it is %+v with %+v", got.RequestResult, got.Log.Error)
	}
	if w := r.call(source, httpCall{body: "{}"}); w.Code != 401 {
		t.Errorf("a call is answered %d", w.Code)
	}
}

// TestOutdatedSettings checks that calls to a source whose settings have become wrong are kept, and processed when they are mended.
func TestOutdatedSettings(t *testing.T) {
	r := newRig(t)
	source := r.source(with(func(s *postroom.SourceSettings) { s.EventType = "order.gone" }))
	r.post(source, `{"a":1}`, 202)
	if got := r.last(); got.State != postroom.RequestRetry || !strings.Contains(got.Log.Error.Message, "order.gone") {
		t.Errorf("it is %+v with %+v", got.RequestResult, got.Log.Error)
	}
	r.change(source, func(s *postroom.SourceSettings) { s.EventType = "order.paid" })
	r.again(t)
	if got := r.last(); got.State != postroom.RequestProcessed {
		t.Errorf("mended it is %+v", got.RequestResult)
	}
}

// TestWatch checks that followers get the requests of their source, whole, and those that are refused too.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		source, other := r.source(), r.source()
		one, all := r.in.Watch(t.Context(), r.workspace, source), r.in.Watch(t.Context(), r.workspace, postroom.SourceID{})
		none := r.in.Watch(t.Context(), postroom.NewID[postroom.WorkspaceKind](time.Now()), postroom.SourceID{})
		r.post(source, `{"n":1}`, 200)
		r.post(other, `{"n":2}`, 200)
		r.call(source, httpCall{body: `{"n":3}`, query: "-"})
		synctest.Wait()
		r.in.StopWatching()
		bodies := func(from <-chan postroom.Request) (got []string) {
			for request := range from {
				got = append(got, string(request.Body)+" "+string(request.State.Status()))
			}
			return got
		}
		if got, want := bodies(one), []string{`{"n":1} processed`, `{"n":3} refused`}; !slices.Equal(got, want) {
			t.Errorf("the follower of the source got %v", got)
		}
		if got := bodies(all); len(got) != 3 {
			t.Errorf("the follower of the workspace got %v", got)
		}
		if got := bodies(none); len(got) != 0 {
			t.Errorf("the follower of another workspace got %v", got)
		}
		r.stop()
	})
}
