package outbound

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

// TestLaneCounts has lanes in as many states as it can tell apart, and one attempt of each kind.
func TestLaneCounts(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		named := func(name string, change func(w *storedHook)) postroom.WebhookID {
			return r.webhook(name, func(w *storedHook) {
				w.Events, w.Retry.Schedule, w.Concurrency = []string{name}, manyTimes(50, time.Hour), 1
				if change != nil {
					change(w)
				}
			})
		}
		publish := func(eventType string, n int) {
			t.Helper()
			for i := range n {
				e := newEvent(r.workspace, strconv.Itoa(i))
				e.Type = eventType
				if err := r.engine.Publish(t.Context(), []*postroom.Outgoing{{Event: e}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		named("slow.one", nil)
		named("limited.one", func(w *storedHook) {
			w.RateLimit = &postroom.RateLimit{Limit: 1, Period: postroom.Duration(time.Minute)}
		})
		named("down.one", nil)
		paused := named("paused.one", nil)
		named("retrying.one", nil)
		r.out.on("slow.one", hang)
		r.out.on("down.one", status(500))
		r.out.on("retrying.one", status(503))
		publish("slow.one", 3)
		publish("limited.one", 3)
		publish("down.one", breakerAfter)
		publish("paused.one", 1)
		publish("retrying.one", 1)
		time.Sleep(time.Second)
		r.set(paused, withStatus(postroom.WebhookPaused))
		publish("paused.one", 1)
		time.Sleep(time.Second)
		synctest.Wait()

		c := r.engine.LaneCounts()
		idle := c.IdleWorkers
		c.IdleWorkers = 0
		want := LaneCounts{Stopped: 1, Open: 1, Active: 1, Limited: 1, Idle: 1, Workspaces: 1}
		if c != want || idle == 0 {
			t.Errorf("the lanes are %+v with %d idle workers, want %+v", c, idle, want)
		}
		if n := r.engine.Counts(); n.Workers != int64(idle)+1 || n.Results != 0 || n.Published == 0 || n.InFlight != 1 {
			t.Errorf("the counts are %+v", n)
		}
	})
}
