package store

import (
	"context"
	"errors"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// Finish ends attempts: it logs each, moves its delivery to its next state unless another claim is newer, and adds to
// the rollups, in one transaction with whatever else waits.
func (s *Store) Finish(ctx context.Context, fins []*postroom.Finish) error {
	if len(fins) == 0 {
		return nil
	}
	return s.finish(ctx, fins)
}

// Claim leases up to limit deliveries of a webhook that wait in state and are due now, until a time.
func (s *Store) Claim(ctx context.Context, webhook postroom.WebhookID, state postroom.DeliveryState, now, until time.Time, limit int) ([]*postroom.Job, error) {
	return s.claim(ctx, claim{webhook, state, now, until, limit})
}

// Renew prolongs the leases of jobs that this node still holds.
func (s *Store) Renew(ctx context.Context, jobs []*postroom.Job, until time.Time) error {
	changes := make([]dueChange, len(jobs))
	for i, j := range jobs {
		changes[i] = dueChange{j.Event.WorkspaceID, j.DeliveryID, j.Claim, postroom.StateLeased, until}
	}
	if len(changes) == 0 {
		return nil
	}
	return s.setDue(ctx, changes)
}

// Release puts jobs that were not attempted back into the queue, due now.
func (s *Store) Release(ctx context.Context, jobs []*postroom.Job, now time.Time) error {
	changes := make([]dueChange, len(jobs))
	for i, j := range jobs {
		changes[i] = dueChange{j.Event.WorkspaceID, j.DeliveryID, j.Claim, j.From, now}
		if j.From == postroom.StateLeased {
			changes[i].state = postroom.StateFresh
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return s.setDue(ctx, changes)
}

// Due lists up to limit webhooks, in the order of their ids and after one, for which deliveries wait in state, with the
// time when the first of them is due. It costs a few look-ups a webhook, however many deliveries wait.
func (s *Store) Due(ctx context.Context, state postroom.DeliveryState, after postroom.WebhookID, limit int) (all []postroom.Due, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "queue_webhooks", func(row func(...any) error) error {
			var d postroom.Due
			var at int64
			err := row(&d.WorkspaceID, &d.WebhookID, &at)
			d.At = fromMicros(at)
			all = append(all, d)
			return err
		}, int64(state), after[:], limit)
	})
	return all, err
}

// NextDue says when the first delivery of a webhook that waits in state is due; false when none waits.
func (s *Store) NextDue(ctx context.Context, webhook postroom.WebhookID, state postroom.DeliveryState) (at time.Time, some bool, err error) {
	var us int64
	err = s.read(ctx, func(q querier) error {
		return q.one(ctx, "queue_next_due", []any{&us}, int64(state), webhook)
	})
	if errors.Is(err, errNoRow) {
		return at, false, nil
	}
	return fromMicros(us), err == nil, err
}

// TakeOver puts back into the queue what was leased until before now, by a node that is gone, and says how many
// deliveries that were.
func (s *Store) TakeOver(ctx context.Context, now time.Time) (n int64, err error) {
	err = s.write(ctx, func(q querier) error {
		n, err = q.exec(ctx, "queue_take_over", micros(now), micros(now))
		failpoint.HitIf(n > 0, failpoint.TakeOverInTransaction)
		return err
	})
	return n, err
}

// Waiting counts a webhook's deliveries in the queue up to postroom.MaxWaiting, and says whether there are more and when the
// oldest was made.
func (s *Store) Waiting(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID) (n int64, more bool, since *time.Time, err error) {
	err = s.read(ctx, func(q querier) error {
		if n, more, since, err = waiting(ctx, q, "queue_waiting", workspace, webhook); err != nil || !more {
			return err
		}
		for _, state := range queueStates() { // but for what is leased, which was counted first
			var id postroom.DeliveryID
			err := q.one(ctx, "queue_oldest", []any{&id}, workspace, webhook, int64(state))
			if errors.Is(err, errNoRow) {
				continue
			}
			if err != nil {
				return err
			}
			if at := id.Time(); at.Before(*since) {
				since = &at
			}
		}
		return nil
	})
	return n, more, since, err
}

// WaitingOf is Waiting for all webhooks of a workspace, without what nodes have leased. When there are more, the oldest is that of
// those counted.
func (s *Store) WaitingOf(ctx context.Context, workspace postroom.WorkspaceID) (n int64, more bool, since *time.Time, err error) {
	err = s.read(ctx, func(q querier) error {
		n, more, since, err = waiting(ctx, q, "queue_waiting_workspace", workspace)
		return err
	})
	return n, more, since, err
}

func waiting(ctx context.Context, q querier, name string, args ...any) (n int64, more bool, since *time.Time, err error) {
	var oldest postroom.DeliveryID
	err = q.one(ctx, name, []any{&n, &oldest}, append(args, postroom.MaxWaiting+1)...)
	if errors.Is(err, errNoRow) {
		return 0, false, nil, nil
	}
	at := oldest.Time()
	return min(n, postroom.MaxWaiting), n > postroom.MaxWaiting, &at, err
}

// CountQueue counts a webhook's deliveries in the queue, however many there are. It is for what a person does, not for what is
// looked at again and again.
func (s *Store) CountQueue(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID) (n int64, err error) {
	err = s.read(ctx, func(q querier) error { return q.one(ctx, "queue_count", []any{&n}, workspace, webhook) })
	return n, err
}

// discardStep is how many deliveries one transaction of a discard takes.
const discardStep = 200

// DiscardQueue cancels what waits for a webhook and was made until a time, in small steps, and says how many deliveries
// that were. It calls progress after each step; what was discarded before an error stays so, and another call goes on. What is
// being attempted right now ends by itself.
func (s *Store) DiscardQueue(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID, until time.Time, reason string, progress func(n int64)) (total int64, err error) {
	_, last := bounds(time.Time{}, until.Add(time.Millisecond))
	defer func() { // what was made later may have lost its head
		if total > 0 {
			err = errors.Join(err, s.mendWebhook(context.WithoutCancel(ctx), webhook, until))
		}
	}()
	for {
		var n int64
		err := s.write(ctx, func(q querier) (err error) {
			n, err = q.exec(ctx, "queue_discard", workspace, webhook, reason, last, discardStep)
			return err
		})
		if err != nil || n == 0 {
			return total, err
		}
		total += n
		progress(n)
	}
}

// AddDeliveries stores further deliveries of an event that is stored already. They are in no order, whatever their order key.
func (s *Store) AddDeliveries(ctx context.Context, e *postroom.Event, deliveries []postroom.NewDelivery) error {
	return s.add(ctx, addedDeliveries{e, deliveries})
}

// insert stores the deliveries.
func (a addedDeliveries) insert(ctx context.Context, q querier) error {
	e := a.event
	for _, d := range a.deliveries {
		if _, err := q.exec(ctx, "delivery_insert", d.ID, e.WorkspaceID, e.ID, d.WebhookID, e.Type, int64(d.State), firstClaim(d.State),
			micros(d.DueAt), boolInt(d.Test), nil); err != nil {
			return err
		}
	}
	return nil
}
