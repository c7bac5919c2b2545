package store

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"github.com/postroom/postroom"
)

// Deliveries of one order key stand in a line, in the order in which their publications were committed. The head is the one that
// may be claimed; the others are parked, and when each was due tells its place. The head keeps its place until it ends, however
// often it is attempted.
//
// Whoever publishes or ends deliveries of a key does so alone: on SQLite because there is one writer, on PostgreSQL because it
// holds a lock of the key. Whatever else takes deliveries out of the queue may leave a line without its head: it mends the
// line afterwards, and if it dies before that, the engine does.

// orderKey is what deliveries of one webhook stay in order by.
type orderKey struct {
	webhook postroom.WebhookID
	key     string
}

// orderLocks is how many locks the order keys share on PostgreSQL, of which a server has a few thousand. Two keys that share one
// wait for each other at times, and no more.
const orderLocks = 1024

// lock is the number of the key's lock, the same on every node.
func (k orderKey) lock() int64 {
	h := fnv.New64a()
	_, _ = h.Write(k.webhook[:]) // it never fails
	_, _ = h.Write([]byte(k.key))
	return orderLockBase + int64(h.Sum64()%orderLocks)
}

// orderLockBase sets these locks apart from migrationLock: "order" in hexadecimal, and room.
const orderLockBase = 0x6f726465720000

// line is the end of the line of a key, as a transaction sees it that has the key for itself.
type line struct {
	busy bool  // something of the key is in the queue
	last int64 // the place of the last that is parked; 0 for none
}

// lineOf is the line that ends with a delivery in a state.
func lineOf(state postroom.DeliveryState, due int64) line {
	if state != postroom.StateParked {
		due = 0
	}
	return line{busy: true, last: due}
}

// join puts a new delivery at the end of the line, and says how it is to be stored: as it was prepared, if nobody is before it.
// Its place is behind the last one even if that was made by a clock which is ahead.
func (l *line) join(d *postroom.NewDelivery) (state postroom.DeliveryState, due int64) {
	d.Parked = l.busy
	if !l.busy {
		l.busy = true
		return d.State, micros(d.DueAt)
	}
	l.last = max(micros(d.ID.Time()), l.last+1)
	return postroom.StateParked, l.last
}

// orderKeyOf is the key of a job; false for one that is in no order.
func orderKeyOf(j *postroom.Job) (k orderKey, ordered bool) {
	if j.OrderKey == nil {
		return k, false
	}
	return orderKey{j.WebhookID, *j.OrderKey}, true
}

// frees tells whether a result ends a delivery, so that the next of its order key may go.
func frees(f *postroom.Finish) (k orderKey, ends bool) {
	if !f.Outcome.Ended() {
		return k, false
	}
	return orderKeyOf(f.Job)
}

// MendOrder looks at up to limit order keys, those after one, and makes the first of each line its head that has none: what was
// before it has been deleted, discarded or taken out of its order. It gives where to go on, which is the zero value at the end,
// and the webhooks for which something waits now in StateFresh.
func (s *Store) MendOrder(ctx context.Context, after postroom.OrderCursor, now time.Time, limit int) (next postroom.OrderCursor, freed []postroom.Due, err error) {
	var headless []orderKey
	next = after
	err = s.read(ctx, func(q querier) error {
		for range limit {
			d := postroom.Due{At: now}
			var state postroom.DeliveryState
			err := q.one(ctx, "order_next", []any{&d.WorkspaceID, &next.WebhookID, &next.Key, &state}, next.WebhookID[:], next.Key)
			if errors.Is(err, errNoRow) {
				next = postroom.OrderCursor{}
				return nil
			}
			if err != nil {
				return err
			}
			if state != postroom.StateParked {
				continue
			}
			headless = append(headless, orderKey{next.WebhookID, next.Key})
			if d.WebhookID = next.WebhookID; len(freed) == 0 || freed[len(freed)-1] != d {
				freed = append(freed, d)
			}
		}
		return nil
	})
	if err != nil || len(headless) == 0 {
		return next, nil, err
	}
	n, err := s.promote(ctx, headless, now)
	if err != nil {
		return after, nil, err
	}
	if n == 0 { // they have got their heads meanwhile
		freed = nil
	}
	return next, freed, nil
}

// mendStep is how many order keys one step looks at when all are looked at.
const mendStep = 200

// mendWebhook mends all lines of one webhook.
func (s *Store) mendWebhook(ctx context.Context, webhook postroom.WebhookID, now time.Time) error {
	if _, err := s.promote(ctx, []orderKey{{webhook, ""}}, now); err != nil { // the cursor begins after this key
		return err
	}
	for at := (postroom.OrderCursor{WebhookID: webhook}); at.WebhookID == webhook; {
		next, _, err := s.MendOrder(ctx, at, now, mendStep)
		if err != nil {
			return err
		}
		at = next
	}
	return nil
}

// mendAll mends all lines.
func (s *Store) mendAll(ctx context.Context, now time.Time) error {
	var at postroom.OrderCursor
	for {
		next, _, err := s.MendOrder(ctx, at, now, mendStep)
		if err != nil || next == (postroom.OrderCursor{}) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		at = next
	}
}
