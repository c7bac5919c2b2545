package store

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// expireStep is how many rows one transaction of the retention deletes: few enough that a publisher who waits behind
// it does not notice.
const expireStep = 200

// Expire deletes what is older than before, and what has ended by now: old keys of events, stored answers and
// secrets. It works in small steps, and calls progress, if not nil, after each.
func (s *Store) Expire(ctx context.Context, before, now time.Time, progress func(rows int64)) error {
	if progress == nil {
		progress = func(int64) {}
	}
	rows := int64(0)
	if err := s.expire(ctx, before, func(n int64) {
		rows += n
		progress(n)
	}); err != nil {
		return err
	}
	if rows > 0 {
		if err := s.mendAll(ctx, now); err != nil {
			return err
		}
	}
	small := []struct {
		name  string
		bound int64
	}{
		{"expire_event_keys", micros(now.Add(-keyLife))}, {"expire_idempotency", micros(now)},
		{"expire_rollups", micros(before)}, {"expire_replays", micros(before)}, {"expire_secrets", micros(now)},
	}
	for _, e := range small {
		if err := deleteInSteps(ctx, s.backend, e.name, e.bound, progress); err != nil {
			return err
		}
	}
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "webhook_delete_gone", micros(before))
		return err
	})
}

// expireByDelete deletes old attempts, deliveries and events row by row, attempts first, so that nothing is left that
// names what is gone.
func expireByDelete(ctx context.Context, b backend, before time.Time, progress func(int64)) error {
	first := postroom.FirstID[postroom.DeliveryKind](before)
	for _, name := range []string{"expire_attempts", "expire_deliveries", "expire_events"} {
		if err := deleteInSteps(ctx, b, name, first[:], progress); err != nil {
			return err
		}
	}
	return nil
}

func deleteInSteps(ctx context.Context, b backend, name string, bound any, progress func(int64)) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var n int64
		err := b.write(ctx, func(q querier) (err error) {
			n, err = q.exec(ctx, name, bound, expireStep)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
		progress(n)
	}
}
