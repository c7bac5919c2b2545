package outbound

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

// read takes what a follower has been given so far.
func read(events <-chan postroom.Event) (all []postroom.Event, open bool) {
	synctest.Wait()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return all, false
			}
			all = append(all, e)
		default:
			return all, true
		}
	}
}

func TestWatch(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.publish(100, 1) // before: not seen
		ctx, cancel := context.WithCancel(context.Background())
		mine := r.engine.Watch(ctx, r.workspace)
		second := r.engine.Watch(context.Background(), r.workspace)
		other := r.engine.Watch(context.Background(), postroom.NewID[postroom.WorkspaceKind](time.Now()))
		r.publish(0, 3)
		got, open := read(mine)
		if len(got) != 3 || !open {
			t.Fatalf("got %d events, open: %v", len(got), open)
		}
		for i, e := range got {
			if string(e.Data) != `{"n":`+strconv.Itoa(i)+`}` {
				t.Errorf("event %d: %s", i, e.Data)
			}
		}
		if got, _ := read(second); len(got) != 3 {
			t.Errorf("a second follower got %d events", len(got))
		}
		if got, open := read(other); len(got) != 0 || !open {
			t.Errorf("another workspace's follower got %d events", len(got))
		}
		cancel()
		if _, open := read(mine); open {
			t.Error("the follower's channel is open after its context has ended")
		}
		r.publish(3, 1)
		if got, open := read(second); len(got) != 1 || !open {
			t.Errorf("the other follower got %d events", len(got))
		}
		r.engine.StopWatching()
		if _, open := read(second); open {
			t.Error("a channel is open after StopWatching")
		}
		if _, open := read(other); open {
			t.Error("a channel is open after StopWatching")
		}
		r.engine.StopWatching() // again, with nobody there
		r.publish(4, 1)
	})
}

func TestSlowWatcherMissesEvents(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		slow := r.engine.Watch(context.Background(), r.workspace)
		r.publish(0, watchBuffer+100) // does not wait for anybody
		got, _ := read(slow)
		if len(got) != watchBuffer || string(got[0].Data) != `{"n":0}` {
			t.Errorf("got %d events, the first %s", len(got), got[0].Data)
		}
		r.publish(7, 1)
		if got, _ := read(slow); len(got) != 1 || string(got[0].Data) != `{"n":7}` {
			t.Errorf("after that: %v", got)
		}
		r.engine.StopWatching()
	})
}

// Only what was stored is told.
func TestWatchSeesNoDuplicates(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		events := r.engine.Watch(context.Background(), r.workspace)
		for range 2 {
			if err := r.engine.Publish(context.Background(), []*postroom.Outgoing{{Event: newEvent(r.workspace, "1"), Keys: []string{"k"}}}); err != nil {
				t.Fatal(err)
			}
		}
		if got, _ := read(events); len(got) != 1 {
			t.Errorf("got %d events", len(got))
		}
		r.engine.StopWatching()
	})
}

func TestWatchWithAContextThatHasEnded(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, open := read(r.engine.Watch(ctx, r.workspace)); open {
			t.Error("the channel is open")
		}
	})
}
