package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
	"github.com/postroom/postroom/internal/testenv"
)

// intakePoints are the places between the steps of taking a call, and of processing what is queued.
func intakePoints() []failpoint.Name {
	return []failpoint.Name{failpoint.IntakeVerified, failpoint.CommitBegun, failpoint.CommitInTransaction, failpoint.CommitCommitted, failpoint.IntakeStored,
		failpoint.RequestClaimInTransaction, failpoint.RequestClaimCommitted}
}

// TestIntakeKilled kills the server between the steps of taking calls, while senders go on and repeat what was not answered. Of what was acknowledged
// nothing is lost, and nothing is done twice.
func TestIntakeKilled(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		set.binary, set.flags = testenv.FailpointsBinary(t), append(set.flags, "--lease", shortLease.String(), "--shutdown-timeout", "10s")
		x := newTenant(t, startServer(t, set))
		k := &killed{tenant: x, good: x.source(doc{"actions": []doc{add(doc{"tags": []string{"one"}, "lists": []string{"List"}})}}),
			late: x.source(doc{"mapping": []doc{{"from": "nothing", "to": "email"}}, "actions": []doc{add(doc{"tags": []string{"one"}})}})}
		for _, point := range intakePoints() {
			k.round(point)
		}
		k.s.env = nil
		k.s.start(t)
		k.api = newClient(t, k.s, k.key)
		k.send()
		k.settle()
	})
}

// killed is a run with kills: a source whose calls are processed at once, and one whose calls fail until its owner mends it.
type killed struct {
	*tenant
	good, late postroom.Source
	sent       int
	again      []int    // calls that got no answer
	emails     []string // of contacts that there must be
	failed     []string // requests that are to be tried again
}

// round starts the server so that it is killed at a place, and sends calls until it is.
func (k *killed) round(point failpoint.Name) {
	k.t.Helper()
	claims := strings.HasPrefix(string(point), "request-claim.")
	passes := 5
	if claims {
		passes = 1
	}
	k.s.kill(k.t)
	k.s.env = []string{fmt.Sprintf("%s=%s:%d", failpointVariable, point, passes)}
	startAgain(k.t, k.s)
	if !k.s.hasEnded() {
		k.api = newClient(k.t, k.s, k.key)
		k.send()
	}
	if claims && !k.s.hasEnded() {
		k.mend()
	}
	if k.s.exit(k.t, 3*patience) != -1 {
		k.t.Errorf("the server did not come by %s", point)
	}
}

// send sends calls from some connections. One that gets no answer is sent again after the next start, with the same id.
func (k *killed) send() {
	k.t.Helper()
	var mu sync.Mutex
	var senders sync.WaitGroup
	for range 4 {
		first := k.sent
		k.sent += 5
		senders.Go(func() {
			for i := first; i < first+5; i++ {
				email := fmt.Sprintf("p%d@example.com", i)
				got, err := k.s.try(call{method: http.MethodPost, path: target(k.t, k.good), body: fmt.Sprintf(`{"email":%q}`, email),
					header: map[string]string{"Webhook-Id": fmt.Sprintf("msg_%d", i)}})
				mu.Lock()
				if err == nil && got.status != http.StatusOK && got.status != http.StatusAccepted { // 202 where the machine is slow
					k.t.Errorf("a call is answered %d %s", got.status, got.body)
				}
				var queued heard
				switch {
				case err != nil:
					k.again = append(k.again, i)
				case got.status == http.StatusAccepted && json.Unmarshal(got.body, &queued) == nil:
					k.failed = append(k.failed, queued.RequestID)
				}
				k.emails = append(k.emails, email)
				mu.Unlock()
				if err != nil {
					continue
				}
				var answer heard
				late, err := k.s.try(call{method: http.MethodPost, path: target(k.t, k.late), body: fmt.Sprintf(`{"email":"late-%s"}`, email)})
				if err != nil {
					continue // it has no id, so that it is not sent again
				}
				// Once it is mended, whether the server was killed in the middle of that or not, it does not fail any more.
				if late.status != http.StatusAccepted && late.status != http.StatusOK || json.Unmarshal(late.body, &answer) != nil {
					k.t.Errorf("a call that may fail is answered %d %s", late.status, late.body)
				}
				mu.Lock()
				k.failed, k.emails = append(k.failed, answer.RequestID), append(k.emails, "late-"+email)
				mu.Unlock()
			}
		})
	}
	senders.Wait()
}

// mend lets the calls of the source that fails succeed from now on, and has those that failed tried again. The server may be killed meanwhile.
func (k *killed) mend() {
	_, _ = k.api.UpdateSource(k.t.Context(), k.late.ID.String(), 0, doc{"mapping": []doc{{"from": "email", "to": "email"}}})
	for _, id := range k.failed {
		_, _ = k.api.RetryRequest(k.t.Context(), id)
	}
}

// settle repeats what was not answered, has all that failed tried again, and then counts what was done.
func (k *killed) settle() {
	k.t.Helper()
	for _, i := range k.again {
		k.post(k.good, fmt.Sprintf(`{"email":"p%d@example.com"}`, i), http.StatusOK, "Webhook-Id", fmt.Sprintf("msg_%d", i))
	}
	must(k.api.UpdateSource(k.t.Context(), k.late.ID.String(), 0, doc{"mapping": []doc{{"from": "email", "to": "email"}}}))(k.t)
	testenv.Eventually(k.t, time.Minute, func() error {
		waiting := 0
		for _, id := range k.failed {
			if r := k.request(id); r.Status != postroom.StatusProcessed {
				_, _ = k.api.RetryRequest(k.t.Context(), id) // refused while a lease runs
				waiting++
			}
		}
		if waiting > 0 {
			return fmt.Errorf("%d requests are not processed", waiting)
		}
		return nil
	})
	done := map[string]map[string]int{} // by email and type
	for _, eventType := range []string{"contact.created", "contact.tagged", "contact.subscribed"} {
		for e, err := range k.api.Events(k.t.Context(), postroom.EventFilter{Type: eventType}) {
			if err != nil {
				k.t.Fatal(err)
			}
			var data struct{ Contact struct{ Email string } }
			if err := json.Unmarshal(e.Data, &data); err != nil {
				k.t.Fatal(err)
			}
			if done[data.Contact.Email] == nil {
				done[data.Contact.Email] = map[string]int{}
			}
			done[data.Contact.Email][eventType]++
		}
	}
	for _, email := range k.emails {
		want := map[string]int{"contact.created": 1, "contact.tagged": 1}
		if !strings.HasPrefix(email, "late-") {
			want["contact.subscribed"] = 1
		}
		if fmt.Sprint(done[email]) != fmt.Sprint(want) {
			k.t.Errorf("of %s there are %v, want %v", email, done[email], want)
		}
	}
	for email, types := range done {
		for eventType, n := range types {
			if n > 1 {
				k.t.Errorf("of %s there are %d events %s", email, n, eventType)
			}
		}
	}
	k.t.Logf("%d calls to one source (%d sent again), %d to the other; %d contacts", k.sent, len(k.again), len(k.failed), len(done))
}
