package outbound

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

func rate(limit int, period time.Duration) *postroom.RateLimit {
	return &postroom.RateLimit{Limit: limit, Period: postroom.Duration(period)}
}

// However often it is asked, the limit is never passed by more than the burst in any span of one period.
func TestRateLimitHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 50).Draw(t, "limit")
		period := time.Duration(rapid.IntRange(100, 5000).Draw(t, "period ms")) * time.Millisecond
		var p pace
		now := time.Unix(1000, 0)
		p.set(8, rate(limit, period), 0, now)
		var made []time.Time
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if at := p.ready(now); at.After(now) {
				if rapid.Bool().Draw(t, "wait as told") {
					now = at
				} else {
					now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "ms")) * time.Millisecond)
				}
				continue
			}
			p.take()
			made = append(made, now)
		}
		most := float64(limit) + p.burst()
		for i, from := range made {
			n := 0
			for _, at := range made[i:] {
				if at.Sub(from) < period {
					n++
				}
			}
			if float64(n) > most+1e-6 {
				t.Fatalf("%d attempts in %s, and the limit is %d", n, period, limit)
			}
		}
	})
}

// Who waits as long as it is told may go.
func TestReadyKeepsItsWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p pace
		now := time.Unix(1000, 0)
		p.set(1, rate(rapid.IntRange(1, 1_000_000).Draw(t, "limit"), time.Duration(rapid.IntRange(100, 86_400_000).Draw(t, "period ms"))*time.Millisecond), 3, now)
		for range 20 {
			for tries := 0; p.ready(now).After(now); tries++ {
				now = p.ready(now)
				if tries == 3 {
					t.Fatal("told to wait again and again")
				}
			}
			p.take()
		}
	})
}

func TestPaceAdapts(t *testing.T) {
	var p pace
	now := time.Unix(1000, 0)
	p.set(64, nil, 0, now)
	if p.atOnce() != 64 {
		t.Fatalf("begins with %d at once", p.atOnce())
	}
	for range 10 { // they were made together, so they count once
		p.answered(false, time.Second, now)
	}
	if p.atOnce() != 32 {
		t.Errorf("after failures at one time: %d at once, want 32", p.atOnce())
	}
	for range 10 {
		now = now.Add(time.Second)
		p.answered(false, time.Second, now)
	}
	if p.atOnce() != 1 {
		t.Errorf("after ten more: %d at once, want 1", p.atOnce())
	}
	for range 3000 {
		p.answered(true, 10*time.Millisecond, now)
	}
	if p.atOnce() != 64 {
		t.Errorf("after successes: %d at once, want 64", p.atOnce())
	}
	for range 50 {
		now = now.Add(time.Second)
		p.answered(true, 5*time.Second, now)
	}
	if n := p.atOnce(); n >= 64 {
		t.Errorf("the receiver became slow: %d at once", n)
	}
	p.set(2, nil, 0, now)
	if n := p.atOnce(); n > 2 {
		t.Errorf("the webhook allows 2: %d at once", n)
	}
}

func TestRateLimitedDeliveriesWait(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		slow := r.webhook("slow", func(w *storedHook) { w.RateLimit = rate(10, time.Second) })
		fast := r.webhook("fast")
		start := time.Now()
		r.publish(0, 1)
		wait(time.Second) // both lanes know their webhooks
		r.publish(1, 40)
		wait(time.Millisecond)
		r.expect(fast, succeeded(41)) // the other lane is not held up
		if n := len(r.out.calls("slow")); n > 3 {
			t.Errorf("%d calls went out at once", n)
		}
		if c := r.engine.Counts(); c.InFlight != 0 {
			t.Errorf("%d workers are held by what waits", c.InFlight)
		}
		wait(2 * time.Second)
		if n := len(r.out.calls("slow")); n < 19 || n > 24 {
			t.Errorf("%d calls after three seconds", n)
		}
		wait(3 * time.Second)
		r.expect(slow, succeeded(41))
		r.inOrder("slow", 41)
		if took := r.out.calls("slow")[40].at.Sub(start); took < 4500*time.Millisecond {
			t.Errorf("41 calls went out within %s, and the limit is 10 a second", took)
		}
	})
}

// A lane that is forgotten while its bucket is empty would begin again with a full one.
func TestRateLimitSurvivesRests(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.webhook("a", func(w *storedHook) { w.RateLimit = rate(1, time.Second) })
		for i := range 30 { // three a second, and each has gone out before the next comes, if it may
			r.publish(i, 1)
			wait(333 * time.Millisecond)
		}
		if n := len(r.out.calls("a")); n > 12 {
			t.Errorf("%d calls in ten seconds, and the limit is one a second", n)
		}
		wait(time.Minute)
		r.once("a", 30)
		if c := r.engine.Counts(); c.Lanes != 0 {
			t.Errorf("%d lanes are kept", c.Lanes)
		}
	})
}

func TestConcurrencyShrinksWhenTheReceiverFails(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.webhook("a", withConcurrency(16))
		failing := true
		r.out.on("a", func(ctx context.Context, call received) (*egress.Result, error) {
			wait(time.Second)
			if failing {
				return status(500)(ctx, call)
			}
			return status(200)(ctx, call)
		})
		r.publish(0, 200)
		wait(20 * time.Second)
		if c := r.engine.Counts(); c.InFlight > 2 {
			t.Errorf("%d calls at once to a receiver that fails", c.InFlight)
		}
		failing = false
		wait(time.Hour)
	})
}
