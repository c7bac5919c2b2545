package store

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

func result(f postroom.Finish) *op {
	return &op{fins: []*postroom.Finish{&f}}
}

func ordinary() *op {
	return result(postroom.Finish{Job: &postroom.Job{}, Outcome: postroom.Outcome{State: postroom.StateSucceeded}})
}

func hurried() *op { return &op{change: func(querier) error { return nil }} }

// gathered runs f in a bubble, and checks which writes share a commit and how long that took.
func gathered(t *testing.T, name string, want int, wait time.Duration, f func(ops chan *op) []*op) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			got := f(make(chan *op, 5000))
			if took := time.Since(began); len(got) != want || took != wait {
				t.Errorf("%d writes after %s, want %d after %s", len(got), took, want, wait)
			}
		})
	})
}

func TestGather(t *testing.T) {
	later := func(ops chan *op, after time.Duration, o ...*op) {
		time.AfterFunc(after, func() {
			for _, o := range o {
				ops <- o
			}
		})
	}
	key := "k"
	gathered(t, "a publisher is not kept waiting", 1, 0, func(ops chan *op) []*op {
		ops <- hurried()
		later(ops, time.Millisecond, hurried())
		return newGatherer(ops).next(time.Second)
	})
	gathered(t, "all that waits shares a commit", 3, 0, func(ops chan *op) []*op {
		ops <- hurried()
		ops <- ordinary()
		ops <- hurried()
		return newGatherer(ops).next(time.Second)
	})
	gathered(t, "a result waits for company", 1, patience, func(ops chan *op) []*op {
		ops <- ordinary()
		return newGatherer(ops).next(0)
	})
	gathered(t, "a result goes with the next publisher", 2, time.Millisecond, func(ops chan *op) []*op {
		ops <- ordinary()
		later(ops, time.Millisecond, hurried())
		later(ops, 2*time.Millisecond, hurried())
		return newGatherer(ops).next(0)
	})
	for name, o := range map[string]*op{
		"in order":     result(postroom.Finish{Job: &postroom.Job{OrderKey: &key}, Outcome: postroom.Outcome{State: postroom.StateSucceeded}}),
		"a failure":    result(postroom.Finish{Job: &postroom.Job{}, Outcome: postroom.Outcome{State: postroom.StateRetry}}),
		"a test":       result(postroom.Finish{Job: &postroom.Job{Test: true}, Outcome: postroom.Outcome{State: postroom.StateSucceeded}}),
		"a recovery":   result(postroom.Finish{Job: &postroom.Job{}, Outcome: postroom.Outcome{State: postroom.StateSucceeded}, Health: &postroom.Health{}}),
		"many results": {fins: make([]*postroom.Finish, fewResults)},
	} {
		gathered(t, "a result that matters at once: "+name, 1, 0, func(ops chan *op) []*op {
			ops <- o
			return newGatherer(ops).next(0)
		})
	}
	crowded := func(ops chan *op) *gatherer {
		g := newGatherer(ops)
		for range crowd {
			ops <- hurried()
		}
		g.next(0)
		return g
	}
	gathered(t, "after a crowd, a commit waits as long as the last one took", 2, 2*time.Millisecond, func(ops chan *op) []*op {
		g := crowded(ops)
		ops <- hurried()
		later(ops, time.Millisecond, hurried())
		later(ops, 3*time.Millisecond, hurried())
		return g.next(2 * time.Millisecond)
	})
	gathered(t, "but not for long", 1, maxGathering, func(ops chan *op) []*op {
		g := crowded(ops)
		ops <- hurried()
		return g.next(time.Minute)
	})
	gathered(t, "a transaction is bounded", maxRowsPerCommit, 0, func(ops chan *op) []*op {
		for range maxRowsPerCommit + 10 {
			ops <- hurried()
		}
		return newGatherer(ops).next(0)
	})
	gathered(t, "the end does not wait", 1, 0, func(ops chan *op) []*op {
		ops <- ordinary()
		close(ops)
		return newGatherer(ops).next(0)
	})
	gathered(t, "after the end there is nothing", 0, 0, func(ops chan *op) []*op {
		close(ops)
		return newGatherer(ops).next(0)
	})
}
