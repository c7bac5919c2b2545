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
// secrets, and what a crash has left of deleted lists and erased contacts. It works in small steps, and calls progress, if not nil, after each.
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
		{"expire_replays", micros(before)}, {"expire_secrets", micros(now)}, {"expire_imports", micros(before)}, {"expire_audit", micros(now.Add(-auditLife))},
		{"expire_sessions", micros(now)}, {"expire_links", micros(now)}, {"expire_failures", micros(now.Add(-failureLife))},
	}
	for _, e := range small {
		if err := deleteInSteps(ctx, s.backend, e.name, progress, e.bound); err != nil {
			return err
		}
	}
	// What a source has seen is known as long as its requests are kept.
	first := postroom.FirstID[postroom.RequestKind](before)
	if err := deleteInSteps(ctx, s.backend, "expire_request_keys", progress, first[:]); err != nil {
		return err
	}
	for _, step := range RollupSteps() {
		if err := expireRollups(ctx, s.backend, step, now, progress); err != nil {
			return err
		}
	}
	if err := s.endDeletedLists(ctx, now, progress); err != nil {
		return err
	}
	if err := s.endErasures(ctx, now, progress); err != nil {
		return err
	}
	return s.write(ctx, func(q querier) error {
		if _, err := q.exec(ctx, "webhook_delete_gone", micros(before)); err != nil {
			return err
		}
		_, err := q.exec(ctx, "source_delete_gone", micros(before))
		return err
	})
}

// expireByDelete deletes old attempts, deliveries, events and requests row by row, attempts first, so that nothing is left that
// names what is gone.
func expireByDelete(ctx context.Context, b backend, before time.Time, progress func(int64)) error {
	first := postroom.FirstID[postroom.DeliveryKind](before)
	for _, name := range []string{"expire_attempts", "expire_deliveries", "expire_events", "expire_requests"} {
		if err := deleteInSteps(ctx, b, name, progress, first[:]); err != nil {
			return err
		}
	}
	return nil
}

// expireRollups deletes the rollups of one step that are older than they are kept. One step more is left, so that a span of
// just that length is whole.
func expireRollups(ctx context.Context, b backend, step RollupStep, now time.Time, progress func(int64)) error {
	return deleteInSteps(ctx, b, "expire_rollups", progress, int64(step.Length/time.Second), micros(now.Add(-step.Keep-step.Length)))
}

// deleteInSteps runs a text that deletes up to its last argument of rows until none is left.
func deleteInSteps(ctx context.Context, b backend, name string, progress func(int64), args ...any) error {
	args = append(args, expireStep)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var n int64
		err := b.write(ctx, func(q querier) (err error) {
			n, err = q.exec(ctx, name, args...)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
		progress(n)
	}
}
