package store

import (
	"context"
	"errors"
	"time"

	"github.com/postroom/postroom"
)

// QueueReading is what one state of the queue holds, on all nodes and of all workspaces.
type QueueReading struct {
	State  postroom.DeliveryState
	Count  int64
	Oldest time.Time // when the oldest was made, held ones too; zero for none, and for those that are leased
	Due    time.Time // since when the first is due that should go out by now; zero for none. Of one that is not due yet, when it is
}

// ReadQueue looks at each state of the queue. It reads the queue's index, so who asks often should not ask at once again.
func (s *Store) ReadQueue(ctx context.Context) (all []QueueReading, err error) {
	err = s.read(ctx, func(q querier) error {
		all = nil
		for _, state := range queueStates() {
			r, err := readState(ctx, q, state)
			if err != nil {
				return err
			}
			all = append(all, r)
		}
		return nil
	})
	return all, err
}

func readState(ctx context.Context, q querier, state postroom.DeliveryState) (QueueReading, error) {
	r := QueueReading{State: state}
	if err := q.one(ctx, "queue_state_count", []any{&r.Count}, int64(state)); err != nil || r.Count == 0 || state == postroom.StateLeased {
		return r, err
	}
	var id postroom.DeliveryID
	switch err := q.one(ctx, "queue_state_oldest", []any{&id}, int64(state)); {
	case err == nil:
		r.Oldest = id.Time()
	case !errors.Is(err, errNoRow):
		return r, err
	}
	if state == postroom.StateParked { // it waits for the one before it, not for a time
		return r, nil
	}
	var due int64
	switch err := q.one(ctx, "queue_state_due", []any{&due}, int64(state)); {
	case err == nil:
		r.Due = fromMicros(due)
	case !errors.Is(err, errNoRow):
		return r, err
	}
	return r, nil
}
