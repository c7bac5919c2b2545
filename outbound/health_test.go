package outbound

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestNextHealth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h postroom.Health
		now := time.Unix(1000, 0)
		failures := 0
		for range rapid.IntRange(1, 100).Draw(t, "attempts") {
			now = now.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "seconds")) * time.Second)
			state := rapid.SampledFrom([]postroom.DeliveryState{postroom.StateSucceeded, postroom.StateRetry, postroom.StateRetry, postroom.StateRetry,
				postroom.StateRetry, postroom.StateRetry, postroom.StateFailed}).Draw(t, "state")
			before := h
			h = nextHealth(h, postroom.Outcome{State: state}, now, now)
			if state == postroom.StateSucceeded {
				failures = 0
				if !h.Healthy() {
					t.Fatalf("after a success: %+v", h)
				}
				continue
			}
			if failures++; h.Failures != failures || h.FailingSince.IsZero() {
				t.Fatalf("after %d failures: %+v", failures, h)
			}
			if h.Open() != (failures >= breakerAfter) {
				t.Fatalf("after %d failures the breaker is open: %v", failures, h.Open())
			}
			if wait := h.OpenUntil.Sub(now); h.Opens > before.Opens && (wait < firstProbe || wait > lastProbe || now.Before(before.OpenUntil)) {
				t.Fatalf("the next probe is after %s; the one before was not until %s", wait, before.OpenUntil)
			}
		}
	})
}

func TestDisableReason(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	h := postroom.Health{Failures: 40, FailedDeliveries: 3, FailingSince: now.Add(-2 * time.Hour)}
	for _, test := range []struct {
		after postroom.DisableAfter
		h     postroom.Health
		want  string
	}{
		{postroom.DisableAfter{}, h, ""},
		{postroom.DisableAfter{Failures: 4}, h, ""},
		{postroom.DisableAfter{Failures: 3}, h, "3 deliveries in a row"},
		{postroom.DisableAfter{For: postroom.Duration(3 * time.Hour)}, h, ""},
		{postroom.DisableAfter{For: postroom.Duration(2 * time.Hour)}, h, "Nothing has succeeded for 2h"},
		{postroom.DisableAfter{Failures: 9, For: postroom.Duration(time.Hour)}, h, "for 1h"},
		{postroom.DisableAfter{Failures: 1, For: postroom.Duration(time.Minute)}, postroom.Health{}, ""},
	} {
		if got := disableReason(test.h, test.after, now); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%+v: %q, want %q", test.after, got, test.want)
		}
	}
}

// A receiver that is down gets single probes, further and further apart, and everything that has waited when it is back.
func TestBreaker(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", func(w *storedHook) { w.Retry.Schedule = manyTimes(50, time.Minute) })
		r.out.on("a", status(500))
		r.publish(0, 100)
		time.Sleep(9 * time.Second)
		if n := len(r.out.calls("a")); n < breakerAfter || n > breakerAfter+8 {
			t.Fatalf("%d calls before the breaker opened", n)
		}
		if c := r.engine.Counts(); c.Held > 2 { // one may have been on its way into the lane
			t.Errorf("%d deliveries are held for a receiver that is down", c.Held)
		}
		r.publish(100, 20) // those wait in the database from the start
		before := len(r.out.calls("a"))
		time.Sleep(10 * time.Minute)
		if n := len(r.out.calls("a")) - before; n < 4 || n > 7 { // after 10, 20, 40, 80, 160, 320 seconds
			t.Errorf("%d probes in ten minutes", n)
		}
		r.out.on("a", status(200))
		time.Sleep(15 * time.Minute)
		r.expect(id, succeeded(120))
		if h := r.health(id); !h.Healthy() {
			t.Errorf("stored health: %+v", h)
		}
	})
}

// A node that starts knows which receivers are down.
func TestBreakerSurvivesRestart(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", func(w *storedHook) { w.Retry.Schedule = manyTimes(50, time.Minute) })
		r.out.on("a", status(500))
		r.publish(0, 50)
		time.Sleep(5 * time.Minute)
		r.stop()
		before := len(r.out.calls("a"))
		again := r.another()
		again.run()
		time.Sleep(time.Second)
		if n := len(r.out.calls("a")) - before; n > 1 {
			t.Errorf("%d calls at once after the restart", n)
		}
		r.out.on("a", status(200))
		time.Sleep(15 * time.Minute)
		again.expect(id, succeeded(50))
		again.stop()
	})
}

func TestResumeClosesTheBreaker(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", func(w *storedHook) { w.Retry.Schedule = manyTimes(50, time.Minute) })
		r.out.on("a", status(500))
		r.publish(0, 50)
		time.Sleep(5 * time.Minute)
		r.out.on("a", status(200))
		r.set(id, func(w *storedHook) { w.Timeout = postroom.Duration(time.Second) }) // as a person who mends something
		time.Sleep(61 * time.Second)
		r.expect(id, succeeded(50))
	})
}

func TestFailuresDisable(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", func(w *storedHook) {
			w.Retry.Schedule, w.Disable = []postroom.Duration{}, postroom.DisableAfter{Failures: 3}
			w.Events, w.Name, w.URL = []string{"email.*"}, "CRM sync", "https://a/hook?token=secret"
		})
		own := r.webhook("own", func(w *storedHook) { w.Events = []string{"postroom.*"} })
		r.out.on("a", status(500))
		r.publish(0, 3)
		time.Sleep(time.Second)
		if w := r.hook(id); w.Status != postroom.WebhookDisabled || !strings.Contains(w.StatusReason, "3 deliveries in a row") {
			t.Fatalf("status %s, %s", w.Status, w.StatusReason)
		}
		r.publish(3, 2)
		time.Sleep(time.Minute)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateFailed: 3, postroom.StateFresh: 2}) // held
		r.expect(own, succeeded(4))                                                                   // three failed deliveries, one disabled webhook
		types := map[string]int{}
		for _, e := range r.events() {
			types[e.Type]++
			if strings.HasPrefix(e.Type, ownPrefix) {
				checkOwn(t, e)
			}
		}
		if types[eventGivenUp] != 3 || types[eventDisabled] != 1 {
			t.Errorf("events: %v", types)
		}
		r.out.on("a", status(200))
		r.set(id, withStatus(postroom.WebhookActive))
		time.Sleep(time.Second)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateFailed: 3, postroom.StateSucceeded: 2})
	})
}

// TestDisabledTellsWhatIsHeld counts what waits for a webhook when it is disabled.
func TestDisabledTellsWhatIsHeld(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.webhook("a", func(w *storedHook) {
			w.Retry.Schedule, w.Disable, w.Concurrency = []postroom.Duration{}, postroom.DisableAfter{Failures: 1}, 1
		})
		r.out.on("a", status(500))
		r.publish(0, 5)
		time.Sleep(time.Second)
		for _, e := range r.events() {
			if e.Type == eventDisabled {
				checkOwn(t, e)
				if !strings.Contains(string(e.Data), `"held":4`) {
					t.Errorf("the event's data are %s, and four deliveries are held", e.Data)
				}
				return
			}
		}
		t.Error("no event tells that the webhook was disabled")
	})
}

func TestRecovered(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.webhook("a", func(w *storedHook) { w.Retry.Schedule = manyTimes(50, time.Minute) })
		r.out.on("a", status(500))
		r.publish(0, 20)
		time.Sleep(time.Minute)
		r.out.on("a", status(200))
		time.Sleep(20 * time.Minute)
		n := 0
		for _, e := range r.events() {
			if e.Type == eventRecovered {
				n++
				checkOwn(t, e)
			}
		}
		if n != 1 {
			t.Errorf("%d events tell of the recovery", n)
		}
	})
}

// A webhook that fails on Postroom's own events must not cause more of them.
func TestOwnEventsCauseNone(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.webhook("a", func(w *storedHook) { w.Retry.Schedule = []postroom.Duration{} })
		r.out.on("a", status(400))
		r.publish(0, 1)
		time.Sleep(time.Hour)
		if n := len(r.events()); n != 2 {
			t.Errorf("%d events, want the one and that it has failed", n)
		}
	})
}

func manyTimes(n int, d time.Duration) (schedule []postroom.Duration) {
	for range n {
		schedule = append(schedule, postroom.Duration(d))
	}
	return schedule
}

// checkOwn holds the data of one of Postroom's own events against the catalogue.
func checkOwn(t *testing.T, e *postroom.Event) {
	t.Helper()
	types, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	found, ok := types.Lookup(e.Type)
	if !ok {
		t.Fatalf("%s is not in the catalogue", e.Type)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(found.Schema)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var data any
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatalf("%s: %v", e.Data, err)
	}
	if err := schema.Validate(data); err != nil {
		t.Errorf("%s %s: %v", e.Type, e.Data, err)
	}
	if strings.Contains(string(e.Data), "secret") {
		t.Errorf("%s shows the query of the URL", e.Data)
	}
}

// events are those that are stored.
func (r *rig) events() []*postroom.Event {
	synctest.Wait()
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	return slices.Clone(r.store.published)
}

func (r *rig) health(id postroom.WebhookID) postroom.Health {
	synctest.Wait()
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	return r.store.health[id]
}

func (r *rig) hook(id postroom.WebhookID) storedHook {
	synctest.Wait()
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	return *r.store.webhooks[id]
}
