package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// waitFor answers well, but only after a while.
func waitFor(d time.Duration) func(arrival) reply {
	return func(arrival) reply {
		<-time.After(d)
		return reply{}
	}
}

// TestStop stops a server under load, several times: what was acknowledged arrives, and only once, since attempts under
// way may end and their results are stored.
func TestStop(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		set.flags = append(set.flags, "--shutdown-timeout", "20s")
		s := startServer(t, set)
		x := newTenant(t, s)
		random := seeded(t)
		w := x.webhook("/steady", client.WebhookInput{Concurrency: 8})
		x.r.answer("/steady", waitFor(50*time.Millisecond))
		load := startLoad(x, 4, 10*time.Millisecond, random)
		for i, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGTERM} {
			before := load.count()
			testenv.Eventually(t, arrivalTimeout, func() error {
				if n := load.count() - before; n < 50 {
					return fmt.Errorf("%d events were acknowledged", n)
				}
				return nil
			})
			began := time.Now()
			s.signal(t, sig)
			if status := s.exit(t, 20*time.Second); status != 0 {
				t.Errorf("stop %d ended with status %d", i+1, status)
			}
			t.Logf("stop %d took %v", i+1, time.Since(began).Round(time.Millisecond))
			s.start(t)
		}
		x.api = newClient(t, s, x.key)
		acknowledged := load.stop(t)
		x.r.answer("/steady", nil)
		x.arrivedAll("/steady", acknowledged, arrivalTimeout)
		x.allSucceeded(w.ID, arrivalTimeout)
		for id, times := range x.r.taken("/steady") {
			if len(times) != 1 {
				t.Errorf("%s arrived %d times although the server was stopped in an orderly way", id, len(times))
			}
		}
	})
}

// TestStopCutsOff stops a server whose receiver does not answer: attempts are cut off after half of the time, do not
// count, and are made again by the next run.
func TestStopCutsOff(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		set.flags = append(set.flags, "--shutdown-timeout", "4s")
		s := startServer(t, set)
		x := newTenant(t, s)
		w := x.webhook("/hook", client.WebhookInput{Timeout: postroom.Duration(time.Minute), Concurrency: 2})
		x.r.answer("/hook", always(reply{hang: true}))
		ids := x.publishMany("e", "email.opened", 5)
		x.r.wait(t, "/hook", 2)
		messages := make(chan string)
		x.tail("", messages) // who only watches does not hold the stop up
		s.signal(t, syscall.SIGTERM)
		if status := s.exit(t, 8*time.Second); status != 0 {
			t.Errorf("the stop ended with status %d", status)
		}
		if _, more := <-messages; more {
			t.Error("a tail went on")
		}
		x.r.answer("/hook", nil)
		s.start(t)
		x.api = newClient(t, s, x.key)
		arrived := x.r.wait(t, "/hook", 2+len(ids))
		arrivedOnce(t, arrived[2:], ids)
		for _, d := range x.settled(w.ID, times(len(ids), postroom.DeliverySucceeded)...) {
			if len(d.Attempts) != 1 || d.AttemptCount != 1 {
				t.Errorf("the delivery of %s has %d attempts, %d of them logged; one that was cut off does not count", d.EventID, d.AttemptCount, len(d.Attempts))
			}
		}
	})
}

// TestSecondSignal ends a server that waits for its attempts.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	s := startServer(t, settings{flags: append(devFlags(), "--shutdown-timeout", "5m")})
	x := newTenant(t, s)
	x.webhook("/hook", client.WebhookInput{Timeout: postroom.Duration(time.Minute)})
	x.r.answer("/hook", always(reply{hang: true}))
	x.publish("e", "email.opened", `{}`)
	x.r.wait(t, "/hook", 1)
	s.signal(t, syscall.SIGTERM)
	testenv.Eventually(t, arrivalTimeout, func() error {
		if !strings.Contains(s.log.String(), "stopping") {
			return fmt.Errorf("the log does not say that it stops")
		}
		return nil
	})
	if s.hasEnded() {
		t.Fatal("the server did not wait for its attempt")
	}
	began := time.Now()
	s.signal(t, syscall.SIGTERM)
	if status := s.exit(t, 10*time.Second); status == 0 {
		t.Errorf("the status is %d, as if all had ended well", status)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the second signal took %v", took)
	}
	// Nothing is lost by that either.
	x.r.answer("/hook", nil)
	s.start(t)
	x.r.wait(t, "/hook", 2)
}

// TestStopTakesNoMore checks that a server which stops refuses new calls instead of acknowledging what it could not store.
func TestStopTakesNoMore(t *testing.T) {
	t.Parallel()
	s := startServer(t, settings{flags: devFlags()})
	x := newTenant(t, s)
	load := startLoad(x, 8, 0, rand.New(rand.NewPCG(1, 1)))
	testenv.Eventually(t, arrivalTimeout, func() error {
		if n := load.count(); n < 100 {
			return fmt.Errorf("%d events were acknowledged", n)
		}
		return nil
	})
	s.signal(t, syscall.SIGTERM)
	if status := s.exit(t, 20*time.Second); status != 0 {
		t.Errorf("the status is %d", status)
	}
	acknowledged := load.stop(t)
	s.start(t)
	x.api = newClient(t, s, x.key)
	stored := map[string]bool{}
	for e, err := range x.api.Events(t.Context(), postroom.EventFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		stored[e.ID] = true
	}
	for id := range acknowledged {
		if !stored[id] {
			t.Errorf("%s was acknowledged and is not stored", id)
		}
	}
}
