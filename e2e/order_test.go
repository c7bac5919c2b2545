package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

func orderCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"a failing head blocks its key":           failingHead,
		"an ordered webhook gets one at a time":   orderedWebhook,
		"the contact is the ordering key":         orderByContact,
		"what waits in order is held and counted": orderHeld,
		"a person may ask out of turn":            outOfTurn,
		"what is given up lets the next one go":   givenUpInOrder,
		"the ordering of a webhook changes":       orderingChanges,
	}
}

// line writes an event of a key as a line of NDJSON; its id tells its place.
func line(key string, n int) string {
	return fmt.Sprintf(`{"id":"%s-%d","type":"email.opened","ordering_key":%q,"data":{"key":%q,"n":%d}}`+"\n", key, n, key, key, n)
}

// publishLines publishes lines of NDJSON in one call.
func (x *tenant) publishLines(lines string) {
	x.t.Helper()
	a := x.s.do(x.t, call{method: http.MethodPost, path: "/v1/events", key: x.key, body: lines,
		header: map[string]string{"Content-Type": "application/x-ndjson"}}).is(x.t, http.StatusAccepted)
	if got, want := strings.Count(string(a.body), `"duplicate":false`), strings.Count(lines, "\n"); got != want {
		x.t.Fatalf("%d of %d events were taken: %s", got, want, a.body)
	}
}

func failingHead(x *tenant) {
	x.webhook("/key", client.WebhookInput{Ordering: postroom.OrderingKey})
	var others sync.WaitGroup
	others.Add(40)
	x.r.answer("/key", func(a arrival) reply {
		switch {
		case a.id[0] != 'a':
			others.Done()
		case a.id == "a-0" && a.times <= 2:
			return reply{status: http.StatusInternalServerError}
		case a.id == "a-0":
			others.Wait() // if they waited for this, it would take too long
		}
		return reply{}
	})
	var lines strings.Builder
	for n := range 20 {
		for _, key := range []string{"a", "b", "c"} {
			lines.WriteString(line(key, n))
		}
	}
	x.publishLines(lines.String())
	got := idsOf(x.r.wait(x.t, "/key", 62))
	byKey := map[string][]string{}
	for _, id := range got {
		byKey[id[:1]] = append(byKey[id[:1]], id)
	}
	for _, key := range []string{"a", "b", "c"} {
		var want []string
		for n := range 20 {
			want = append(want, fmt.Sprintf("%s-%d", key, n))
		}
		if key == "a" {
			want = append([]string{"a-0", "a-0"}, want...)
		}
		if !slices.Equal(byKey[key], want) {
			x.t.Errorf("of the key %s came %v", key, byKey[key])
		}
	}
	if first := slices.Index(got, "a-1"); first < slices.Index(got, "b-19") || first < slices.Index(got, "c-19") {
		x.t.Errorf("the other keys waited for the failing one: %v", got)
	}
}

func orderedWebhook(x *tenant) {
	w := x.webhook("/line", client.WebhookInput{Ordering: postroom.OrderingWebhook, Concurrency: 8})
	var under, most atomic.Int64
	x.r.answer("/line", func(a arrival) reply {
		most.Store(max(most.Load(), under.Add(1)))
		defer under.Add(-1)
		if strings.HasSuffix(a.id, "5") && a.times == 1 {
			return reply{status: http.StatusServiceUnavailable}
		}
		return reply{}
	})
	want := x.publishMany("one", "email.opened", 40)
	want = append(want, x.publishMany("two", "email.sent", 40)...)
	x.r.wait(x.t, "/line", 88)
	x.settled(w.ID, times(80, postroom.DeliverySucceeded)...)
	if got := slices.Compact(idsOf(x.r.on("/line"))); !slices.Equal(got, want) {
		x.t.Errorf("came\n%v\nwant\n%v", got, want)
	}
	if most.Load() != 1 {
		x.t.Errorf("%d calls were under way at once", most.Load())
	}
}

func orderByContact(x *tenant) {
	x.webhook("/key", client.WebhookInput{Ordering: postroom.OrderingKey})
	hanging := make(chan struct{})
	x.r.answer("/key", func(a arrival) reply {
		if strings.HasSuffix(a.id, "-0") {
			<-hanging
		}
		return reply{}
	})
	contacts := map[string]string{"mail": `{"email":"Ada@example.com","id":17}`, "id": `{"id":17}`, "uid": `{"uid":"crm-1"}`, "phone": `{"phone":"+12025550143"}`}
	for who, contact := range contacts {
		for n := range 2 {
			x.publish(fmt.Sprintf("%s-%d", who, n), "email.opened", fmt.Sprintf(`{"contact":%s}`, contact))
		}
	}
	x.publish("mail-2", "email.sent", `{"contact":{"email":"ada@EXAMPLE.com"}}`) // the same, in other letters
	x.publish("nobody-1", "email.opened", `{}`)
	x.publish("nobody-2", "email.opened", `{}`)
	got := idsOf(x.r.wait(x.t, "/key", len(contacts)+2))
	for _, id := range got {
		if !strings.HasSuffix(id, "-0") && !strings.HasPrefix(id, "nobody") {
			x.t.Errorf("%s came while the one before it was under way", id)
		}
	}
	close(hanging)
	got = idsOf(x.r.wait(x.t, "/key", 2*len(contacts)+3))
	if slices.Index(got, "mail-2") < slices.Index(got, "mail-1") {
		x.t.Errorf("came %v", got)
	}
}

func orderHeld(x *tenant) {
	w := x.webhook("/key", client.WebhookInput{Ordering: postroom.OrderingKey, Status: postroom.WebhookPaused})
	for n := range 4 {
		x.publishLines(line("a", n) + line("b", n))
	}
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliveryHeld: 8})
	held := 0
	for _, err := range x.api.Deliveries(x.t.Context(), client.DeliveryFilter{Webhook: w.ID.String(), Status: postroom.DeliveryHeld}) {
		if err != nil {
			x.t.Fatal(err)
		}
		held++
	}
	stats := must(x.api.WebhookStats(x.t.Context(), w.ID.String(), client.StatsQuery{}))(x.t)
	if held != 8 || stats.Waiting != 8 {
		x.t.Errorf("%d are listed as held, and %d as waiting", held, stats.Waiting)
	}
	x.do(http.MethodPost, "/v1/webhooks/"+w.ID.String()+"/resume", `{"held":"discard"}`).is(x.t, http.StatusOK)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliveryCancelled: 8})
	x.publishLines(line("a", 4) + line("a", 5))
	if got := idsOf(x.r.wait(x.t, "/key", 2)); !slices.Equal(got, []string{"a-4", "a-5"}) {
		x.t.Errorf("after the discard came %v", got)
	}
}

func outOfTurn(x *tenant) {
	w := x.webhook("/line", client.WebhookInput{Ordering: postroom.OrderingWebhook, Retry: &client.RetryInput{Schedule: []postroom.Duration{postroom.Duration(time.Hour)}}})
	x.r.answer("/line", func(a arrival) reply {
		if a.id == "a-0" && a.times == 1 {
			return reply{status: http.StatusInternalServerError}
		}
		return reply{}
	})
	for n := range 4 {
		x.publishLines(line("a", n))
	}
	x.r.wait(x.t, "/line", 1)
	all := x.settled(w.ID, times(4, postroom.DeliveryPending)...)
	slices.Reverse(all)
	if all[1].NextAttemptAt != nil {
		x.t.Errorf("one that waits for its turn says when it comes: %v", all[1].NextAttemptAt)
	}
	retry := func(n int) {
		must(x.api.RetryDelivery(x.t.Context(), all[n].ID.String()))(x.t)
	}
	retry(2)
	x.r.wait(x.t, "/line", 2)
	retry(0) // the head stays the head
	if got := idsOf(x.r.wait(x.t, "/line", 5)); !slices.Equal(got, []string{"a-0", "a-2", "a-0", "a-1", "a-3"}) {
		x.t.Errorf("came %v", got)
	}
	x.settled(w.ID, times(4, postroom.DeliverySucceeded)...)
}

func givenUpInOrder(x *tenant) {
	w := x.webhook("/line", client.WebhookInput{Ordering: postroom.OrderingWebhook, Retry: quick(1)})
	x.r.answer("/line", func(a arrival) reply {
		if a.id == "a-1" {
			return reply{status: http.StatusInternalServerError}
		}
		return reply{}
	})
	for n := range 3 {
		x.publishLines(line("a", n))
	}
	if got := idsOf(x.r.wait(x.t, "/line", 4)); !slices.Equal(got, []string{"a-0", "a-1", "a-1", "a-2"}) {
		x.t.Errorf("came %v", got)
	}
	x.settled(w.ID, postroom.DeliverySucceeded, postroom.DeliveryFailed, postroom.DeliverySucceeded)
}

func orderingChanges(x *tenant) {
	w := x.webhook("/line", client.WebhookInput{Ordering: postroom.OrderingWebhook})
	hanging := make(chan struct{})
	x.r.answer("/line", func(a arrival) reply {
		if a.id == "a-0" {
			<-hanging
		}
		return reply{}
	})
	x.publishLines(line("a", 0) + line("a", 1) + line("a", 2))
	x.r.wait(x.t, "/line", 1)
	x.do(http.MethodPatch, "/v1/webhooks/"+w.ID.String(), `{"ordering":"none"}`).is(x.t, http.StatusOK)
	x.publishLines(line("b", 0))
	if got := idsOf(x.r.wait(x.t, "/line", 2)); !slices.Equal(got, []string{"a-0", "b-0"}) {
		x.t.Errorf("came %v", got)
	}
	close(hanging)
	if got := idsOf(x.r.wait(x.t, "/line", 4)); !slices.Equal(got[2:], []string{"a-1", "a-2"}) {
		x.t.Errorf("what waited came as %v", got)
	}
}

// TestOrderCrash kills the server with SIGKILL while publishers go on: nothing overtakes another event of its key.
func TestOrderCrash(t *testing.T) {
	for database, kills := range map[string]int{"sqlite": 6, "postgres": 4} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			// What a node had leased when it was killed waits on PostgreSQL until the lease is over, and with it its key.
			s := settings{flags: append(devFlags(), "--log-level", "warn", "--lease", shortLease.String())}
			if database == "postgres" {
				s.database = testenv.Postgres(t)
			}
			x := newTenant(t, startServer(t, s))
			failing := func(a arrival) reply {
				if a.times == 1 && strings.HasSuffix(a.id, "7") {
					return reply{status: http.StatusInternalServerError}
				}
				return reply{}
			}
			hooks := map[string]postroom.WebhookID{}
			for path, ordering := range map[string]postroom.Ordering{"/key": postroom.OrderingKey, "/line": postroom.OrderingWebhook} {
				hooks[path] = x.webhook(path, client.WebhookInput{Ordering: ordering}).ID
				x.r.answer(path, failing)
			}
			p := startSequences(x, 4)
			for range kills {
				runFor(x.s, 700*time.Millisecond)
				x.s.kill(t)
				x.s.start(t)
			}
			runFor(x.s, 300*time.Millisecond)
			last := p.stop()
			x.api = newClient(t, x.s, x.key)
			for path, webhook := range hooks {
				x.allSucceeded(webhook, 2*time.Minute)
				inSequence(t, path, x.r.on(path), failing, last)
			}
		})
	}
}

// sequences are publishers, each of which publishes one event after the other with a key of its own, over crashes of the server.
type sequences struct {
	*load
	mu   sync.Mutex
	last map[string]int // by key: the number of the last that was acknowledged
}

func startSequences(x *tenant, publishers int) *sequences {
	p := &sequences{load: &load{key: x.key, stopping: make(chan struct{})}, last: map[string]int{}}
	for i := range publishers {
		key := fmt.Sprintf("p%d", i)
		p.group.Go(func() {
			for n := 0; !p.isStopping(); n++ {
				c := call{method: http.MethodPost, path: "/v1/events", key: x.key, body: line(key, n)}
				for {
					a, err := x.s.try(c)
					if err == nil && a.status == http.StatusAccepted {
						break
					}
					if p.pause(20 * time.Millisecond); p.isStopping() {
						return
					}
				}
				p.mu.Lock()
				p.last[key] = n
				p.mu.Unlock()
				p.pause(15 * time.Millisecond)
			}
		})
	}
	return p
}

// stop ends the publishers, and gives the number of the last event of each key that was acknowledged.
func (p *sequences) stop() map[string]int {
	close(p.stopping)
	p.group.Wait()
	return p.last
}

// inSequence checks that no event of a key came before the one before it was taken, and that all came.
func inSequence(t *testing.T, path string, arrivals []arrival, answer func(arrival) reply, last map[string]int) {
	t.Helper()
	next := map[string]int{}
	for _, a := range arrivals {
		var data struct {
			Key string
			N   int
		}
		if err := json.Unmarshal(a.event.Data, &data); err != nil {
			t.Fatal(err)
		}
		if data.N > next[data.Key] {
			t.Fatalf("%s: %s came when %d was the next of its key", path, a.id, next[data.Key])
		}
		if data.N == next[data.Key] && answer(a).status == 0 {
			next[data.Key]++
		}
	}
	for key, n := range last {
		if next[key] <= n || n < 5 {
			t.Errorf("%s: of %s came %d of %d", path, key, next[key], n+1)
		}
	}
}

// TestOrderTwoNodes publishes to two nodes in turns, each time after the answer of the other, while another publisher keeps both
// busy.
func TestOrderTwoNodes(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	one := startServer(t, settings{flags: devFlags(), database: url})
	two := startServer(t, settings{flags: devFlags(), database: url})
	x := newTenant(t, one)
	w := x.webhook("/key", client.WebhookInput{Ordering: postroom.OrderingKey})
	line2 := x.webhook("/line", client.WebhookInput{Ordering: postroom.OrderingWebhook})
	busy := startSequences(x, 2)
	const n = 200
	for i := range n {
		c := call{method: http.MethodPost, path: "/v1/events", key: x.key, body: line("turns", i)}
		[]*server{one, two}[i%2].do(t, c).is(t, http.StatusAccepted)
	}
	last := busy.stop()
	last["turns"] = n - 1
	for path, webhook := range map[string]postroom.WebhookID{"/key": w.ID, "/line": line2.ID} {
		x.allSucceeded(webhook, time.Minute)
		inSequence(t, path, x.r.on(path), always(reply{}), last)
	}
}
