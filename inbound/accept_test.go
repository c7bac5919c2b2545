package inbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

// TestOneCommit checks that a call is stored once, whole, with all that follows from it.
func TestOneCommit(t *testing.T) {
	r := newRig(t)
	source := r.source(with(func(s *postroom.SourceSettings) { s.EventType = "order.paid" }),
		doing(postroom.Action{Type: postroom.ActionAddSubscriber, Lists: []string{"Newsletter"}, Tags: []string{"lead"}},
			postroom.Action{Type: postroom.ActionApplyTag, Tags: []string{"vip"}, When: "body.score > 10"}))
	w := r.call(source, httpCall{body: `{"email":"John@Example.com","first_name":"John","score":11}`, headers: map[string]string{"X-Extra": "kept", "Cookie": "secret"}})
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("the answer is %d %s", w.Code, w.Body)
	}
	answer := r.told(w)
	got := r.last()
	if r.store.count("Commit") != 1 || got.ID != answer.RequestID || answer.Processed != 1 {
		t.Errorf("%d commits; the answer %+v is about %s", r.store.count("Commit"), answer, got.ID)
	}
	if got.State != postroom.RequestProcessed || got.Attempts != 1 || got.Records != 1 || got.Status != 200 || string(got.Answer) != w.Body.String() ||
		got.EventType != "order.paid" || got.Log.Error != nil || got.Sender != "192.0.2.1" || got.Method != "POST" {
		t.Errorf("the request is %+v", got)
	}
	if want := "/in/" + source.String() + "?token=***"; got.Target != want {
		t.Errorf("the target is %s, want %s", got.Target, want)
	}
	headers := fmt.Sprint(got.Headers)
	if !strings.Contains(headers, "{X-Extra kept}") || strings.Contains(headers, "secret") {
		t.Errorf("the headers are %s", headers)
	}
	john := r.store.people()["John@Example.com"]
	if john.FirstName != "John" || !slices.Equal(john.Tags, []string{"lead", "vip"}) || len(john.Lists) != 1 || john.Lists[0].Name != "Newsletter" || john.Source != "Signup form" {
		t.Errorf("the contact is %+v", john)
	}
	if want := []string{"order.paid", "contact.created", "contact.tagged", "contact.subscribed", "contact.tagged"}; !slices.Equal(r.store.types(), want) {
		t.Errorf("the events are %v, want %v", r.store.types(), want)
	}
	if len(got.Log.Events) != 5 || !slices.Equal(got.Log.Contacts, []postroom.ContactID{john.ID}) {
		t.Errorf("the log names the events %v and the contacts %v", got.Log.Events, got.Log.Contacts)
	}
	for i, result := range got.Log.Actions {
		if result.Action != i+1 || result.Event != 1 || result.Outcome != postroom.OutcomeDone || result.ContactID == nil || *result.ContactID != john.ID {
			t.Errorf("action %d: %+v", i+1, result)
		}
	}
	if c := r.store.consents[0]; c.Origin != postroom.OriginRequest || c.RequestID == nil || *c.RequestID != got.ID || c.IP != "192.0.2.1" {
		t.Errorf("the history of the contact says %+v", c)
	}
}

// TestCausedEventReplacesOwn checks that an event which an action causes is not published twice.
func TestCausedEventReplacesOwn(t *testing.T) {
	r := newRig(t)
	source := r.source(with(func(s *postroom.SourceSettings) { s.EventType = "contact.created" }), doing(postroom.Action{Type: postroom.ActionAddSubscriber}))
	r.post(source, `{"email":"ada@example.com"}`, 200)
	r.post(source, `{"email":"ada@example.com"}`, 200)
	if want := []string{"contact.created", "contact.created"}; !slices.Equal(r.store.types(), want) {
		t.Fatalf("the events are %v, want %v", r.store.types(), want)
	}
	if first, second := string(r.store.events[0].Data), string(r.store.events[1].Data); !strings.Contains(first, `"id":"con_`) || strings.Contains(second, `"id":"con_`) {
		t.Errorf("the first tells %s, and the second, which made nobody, %s", first, second)
	}
}

// TestDatabaseAway checks that nobody hears yes whose call is not stored.
func TestDatabaseAway(t *testing.T) {
	r := newRig(t)
	source := r.source()
	for _, operation := range []string{"SourceOf", "Commit"} {
		r.store.on(operation, func() error { return errors.New("the disk is full") })
		w := r.call(source, httpCall{body: "{}"})
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "disk") {
			t.Errorf("with %s failing the answer is %d %s", operation, w.Code, w.Body)
		}
		r.store.on(operation, nil)
	}
	r.post(source, "{}", 200)
}

// TestSlow checks that a caller does not wait for long: the call alone is stored, and the loop does the rest.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		source := r.source(doing(postroom.Action{Type: postroom.ActionAddSubscriber}))
		r.in.patience = patience
		slow := make(chan struct{})
		r.store.on("FindContacts", func() error { <-slow; return nil })
		begun := time.Now()
		answer := r.post(source, `{"email":"ada@example.com"}`, 202)
		if waited := time.Since(begun); waited != patience || answer.Processed != 0 {
			t.Errorf("the caller waited for %s, and heard %+v", waited, answer)
		}
		if got := r.last(); got.State != postroom.RequestWaiting || got.Attempts != 0 || got.Status != 202 || len(r.store.people()) != 0 {
			t.Errorf("stored is %+v", got)
		}
		r.store.on("FindContacts", nil)
		close(slow) // the first goes on, and must store nothing
		synctest.Wait()
		if got := r.last(); got.State != postroom.RequestWaiting || len(r.store.people()) != 0 {
			t.Errorf("what was overtaken has stored something: %+v", got)
		}
		r.run()
		synctest.Wait()
		if got := r.last(); got.State != postroom.RequestProcessed || got.Records != 1 || got.Status != 202 || len(r.store.people()) != 1 {
			t.Errorf("the loop has made %+v of it", got)
		}
		r.stop()
	})
}

// TestSlowCommit checks that a call which is being stored when the time is over is not stored twice.
func TestSlowCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		source := r.source(doing(postroom.Action{Type: postroom.ActionAddSubscriber}))
		r.in.patience = patience
		r.store.on("Commit", func() error { time.Sleep(3 * patience); return nil })
		r.post(source, `{"email":"ada@example.com"}`, 200)
		if len(r.store.all()) != 1 || r.store.count("Commit") != 1 {
			t.Errorf("%d requests in %d commits", len(r.store.all()), r.store.count("Commit"))
		}
	})
}

// TestCallerHangsUp checks that a call of which the body has come is done, whether its caller waits or not.
func TestCallerHangsUp(t *testing.T) {
	r := newRig(t)
	source := r.source(doing(postroom.Action{Type: postroom.ActionAddSubscriber}))
	ctx, cancel := context.WithCancel(t.Context())
	src, err := r.in.sources.get(ctx, source)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	a := &Arrival{Source: source, Method: "POST", Target: "/in/x?token=" + testToken, Header: http.Header{}, Body: []byte(`{"email":"ada@example.com"}`), At: time.Now()}
	if answer := r.in.Accept(ctx, a); answer.Status != 200 || len(r.store.people()) != 1 {
		t.Errorf("the answer is %d %s", answer.Status, answer.Body)
	}
	_ = src
}

// TestSameAtTheSameTime checks that of one event that many connections bring at once, one is acted on.
func TestSameAtTheSameTime(t *testing.T) {
	r := newRig(t)
	source := r.source(with(func(s *postroom.SourceSettings) { s.EventType = "order.paid" }),
		doing(postroom.Action{Type: postroom.ActionAddSubscriber, Tags: []string{"lead"}}))
	const n = 40
	var callers sync.WaitGroup
	counts := make([]int, n)
	for i := range n {
		callers.Go(func() {
			w := r.call(source, httpCall{body: `{"email":"ada@example.com"}`, headers: map[string]string{"Webhook-Id": "msg_1"}})
			if w.Code == 200 {
				counts[i] = 1 + r.told(w).Processed
			}
		})
	}
	callers.Wait()
	acted := 0
	for i, c := range counts {
		if c == 0 {
			t.Errorf("caller %d was not answered with 200", i)
		}
		acted += c - 1
	}
	states := map[postroom.RequestState]int{}
	for _, request := range r.store.all() {
		states[request.State]++
	}
	if acted != 1 || states[postroom.RequestProcessed] != 1 || states[postroom.RequestDuplicate] != n-1 || len(r.store.events) != 3 {
		t.Errorf("%d heard that it was processed; the states are %v, and there are %d events", acted, states, len(r.store.events))
	}
	for _, request := range r.store.all() {
		if request.State == postroom.RequestDuplicate && (len(request.Log.Warnings) != 1 || !strings.Contains(request.Log.Warnings[0].Message, "req_")) {
			t.Errorf("a duplicate does not say of what: %+v", request.Log)
		}
	}
}

// TestSameContactAtTheSameTime checks that calls about one contact do not undo what the others do.
func TestSameContactAtTheSameTime(t *testing.T) {
	r := newRig(t)
	source := r.source(with(func(s *postroom.SourceSettings) {
		s.Mapping = []postroom.MappingRow{{From: postroom.Paths{"email"}, To: "email"}, {From: postroom.Paths{"tag"}, To: "tags"}}
	}), doing(postroom.Action{Type: postroom.ActionAddSubscriber}))
	const n = 30
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() { r.post(source, fmt.Sprintf(`{"email":"ada@example.com","tag":"t%d"}`, i), 200) })
	}
	callers.Wait()
	people := r.store.people()
	if len(people) != 1 || len(people["ada@example.com"].Tags) != n {
		t.Errorf("there are %d contacts, and Ada has the tags %v", len(people), people["ada@example.com"].Tags)
	}
}

// TestChangedByOthers checks that what another node changes between reading and storing is not undone.
func TestChangedByOthers(t *testing.T) {
	r := newRig(t)
	source := r.source(doing(postroom.Action{Type: postroom.ActionAddSubscriber, Tags: []string{"a"}}))
	r.post(source, `{"email":"ada@example.com"}`, 200)
	other := false
	r.store.on("Commit", func() error {
		if other {
			return nil
		}
		other = true
		r.store.mu.Lock()
		defer r.store.mu.Unlock()
		for _, c := range r.store.contacts {
			c.Tags, c.Version = append(c.Tags, "z"), c.Version+1
		}
		return nil
	})
	second := r.source(doing(postroom.Action{Type: postroom.ActionAddSubscriber, Tags: []string{"b"}}))
	r.post(second, `{"email":"ada@example.com"}`, 200)
	if tags := r.store.people()["ada@example.com"].Tags; !slices.Equal(tags, []string{"a", "b", "z"}) {
		t.Errorf("Ada has the tags %v", tags)
	}
}

// TestSubscriptionsChange checks that a call is stored once when the subscriptions change under it.
func TestSubscriptionsChange(t *testing.T) {
	r := newRig(t)
	r.publisher.stale = 2
	source := r.source(doing(postroom.Action{Type: postroom.ActionAddSubscriber}))
	r.post(source, `{"email":"ada@example.com"}`, 200)
	if len(r.store.all()) != 1 || len(r.store.people()) != 1 || len(r.store.events) != 1 {
		t.Errorf("%d requests, %d contacts, %v", len(r.store.all()), len(r.store.people()), r.store.types())
	}
}

// TestUIDOfAnother checks that a clash which no further try can mend ends with a sentence about it.
func TestUIDOfAnother(t *testing.T) {
	r := newRig(t)
	source := r.source(with(func(s *postroom.SourceSettings) {
		s.Mapping = []postroom.MappingRow{{From: postroom.Paths{"email"}, To: "email"}, {From: postroom.Paths{"id"}, To: "uid"}}
	}), doing(postroom.Action{Type: postroom.ActionAddSubscriber}))
	r.post(source, `{"email":"ada@example.com","id":"7"}`, 200)
	r.post(source, `{"email":"bob@example.com","id":"7"}`, 202)
	got := r.last()
	if got.State != postroom.RequestRetry || got.Log.Error == nil || !strings.Contains(got.Log.Error.Message, `has the uid "7" already`) || got.Log.Error.Action != 1 {
		t.Errorf("the request is %+v with %+v", got.State, got.Log.Error)
	}
}
