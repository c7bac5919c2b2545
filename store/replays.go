package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// CreateReplay stores a replay that this node holds until a time.
func (s *Store) CreateReplay(ctx context.Context, r postroom.Replay, leaseTo time.Time) error {
	types, err := json.Marshal(r.Types)
	if err != nil {
		return err
	}
	var after any
	if !r.After.IsZero() {
		after = micros(r.After)
	}
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "replay_insert", r.ID, r.WorkspaceID, r.Webhook, after, micros(r.Before), string(r.Status), string(types), string(r.State),
			r.Total, boolInt(r.AtLeast), r.Cursor[:], r.CreatedBy[:], micros(r.CreatedAt), s.node[:], micros(leaseTo))
		return err
	})
}

// Replay finds one replay of a workspace.
func (s *Store) Replay(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ReplayID) (postroom.Replay, error) {
	found, err := s.replays(ctx, "replay_get", workspace, id)
	if err == nil && len(found) == 0 {
		err = errNoRow
	}
	if err != nil {
		return postroom.Replay{}, notFound(err, "replay", id.String())
	}
	return found[0], nil
}

// Replays lists up to limit replays of a workspace that are older than the cursor, newest first; or, when the cursor asks for
// newer ones, those, oldest first.
func (s *Store) Replays(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int) ([]postroom.Replay, error) {
	name, from := "replay_older", postroom.ReplayID{}
	for i := range from {
		from[i] = 0xff
	}
	if cursor != nil {
		from = cursor.ID
		if cursor.Newer {
			name = "replay_newer"
		}
	}
	return s.replays(ctx, name, workspace, from[:], limit)
}

// UnfinishedReplays lists up to limit replays of all workspaces with work to do that no other node holds now. The one that has waited
// longest for its next step is first.
func (s *Store) UnfinishedReplays(ctx context.Context, now time.Time, limit int) ([]postroom.Replay, error) {
	return s.replays(ctx, "replay_unfinished", s.node[:], micros(now), limit)
}

// LeaveReplays lets other nodes go on at once with what this one holds.
func (s *Store) LeaveReplays(ctx context.Context) error {
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "replay_leave", s.node[:])
		return err
	})
}

func (s *Store) replays(ctx context.Context, name string, args ...any) (all []postroom.Replay, err error) {
	err = s.read(ctx, func(q querier) error {
		all = nil
		return q.each(ctx, name, func(row func(...any) error) error {
			r, err := scanReplay(row)
			all = append(all, r)
			return err
		}, args...)
	})
	return all, err
}

func scanReplay(row func(...any) error) (r postroom.Replay, err error) {
	var after, ended *int64
	var before, created, updated int64
	var types string
	if err := row(&r.ID, &r.WorkspaceID, &r.Webhook, &after, &before, &r.Status, &types, &r.State, &r.Reason, &r.Total, &r.AtLeast, &r.Done, &r.Skipped,
		&r.Withdrawn, &r.Cursor, &r.CreatedBy, &created, &updated, &ended); err != nil {
		return r, err
	}
	if after != nil {
		r.After = fromMicros(*after)
	}
	if ended != nil {
		at := fromMicros(*ended)
		r.EndedAt = &at
	}
	r.Before, r.CreatedAt, r.UpdatedAt = fromMicros(before), fromMicros(created), fromMicros(updated)
	if err := json.Unmarshal([]byte(types), &r.Types); err != nil {
		return r, fmt.Errorf("the event types of replay %s cannot be read: %w", r.ID, err)
	}
	return r, nil
}

// replayPage is the text that looks at the deliveries of a filter after a place, from old to new, with its arguments. Of the webhook, the
// state, the types and the tests, it leaves to the caller what no index has: so a page always ends, and says how far it has come.
func replayPage(workspace postroom.WorkspaceID, f postroom.ReplayFilter, after postroom.DeliveryID, limit int) (name string, args []any) {
	from, to := bounds(f.After, f.Before)
	if !after.IsZero() {
		from = after
	}
	first, last := f.States()
	troubled := first == last && first != postroom.StateSucceeded
	switch {
	case troubled && !f.Webhook.IsZero():
		return "replay_page_webhook_trouble", []any{workspace, f.Webhook, int64(first), from[:], to[:], limit}
	case troubled:
		return "replay_page_trouble", []any{workspace, int64(first), from[:], to[:], limit}
	case !f.Webhook.IsZero():
		return "replay_page_webhook", []any{workspace, f.Webhook, from[:], to[:], limit}
	}
	return "replay_page_workspace", []any{workspace, from[:], to[:], limit}
}

// ReplayPage looks at up to limit deliveries after a place, from old to new: all that the filter chooses are among them, and
// others may be. Fewer than limit are the last.
func (s *Store) ReplayPage(ctx context.Context, workspace postroom.WorkspaceID, f postroom.ReplayFilter, after postroom.DeliveryID, limit int) (page []postroom.Replayable, err error) {
	name, args := replayPage(workspace, f, after, limit)
	err = s.read(ctx, func(q querier) error {
		page = nil
		return q.each(ctx, name, func(row func(...any) error) error {
			r := postroom.Replayable{Count: 1}
			err := row(&r.ID, &r.WebhookID, &r.Type, &r.State, &r.Test, &r.Deliverable)
			page = append(page, r)
			return err
		}, args...)
	})
	return page, err
}

// ReplayCounts counts what ReplayPage looks at, by all but the id. It looks at no more than limit deliveries; whole tells that
// there are no more.
func (s *Store) ReplayCounts(ctx context.Context, workspace postroom.WorkspaceID, f postroom.ReplayFilter, limit int) (groups []postroom.Replayable, whole bool, err error) {
	name, args := replayPage(workspace, f, postroom.DeliveryID{}, limit)
	err = s.read(ctx, func(q querier) error {
		groups = nil
		page, err := q.text(name)
		if err != nil {
			return err
		}
		return q.eachText(ctx, "replay counts", replayCounts(page), func(row func(...any) error) error {
			var r postroom.Replayable
			err := row(&r.WebhookID, &r.Type, &r.State, &r.Test, &r.Deliverable, &r.Count)
			groups = append(groups, r)
			return err
		}, args...)
	})
	var looked int64
	for _, g := range groups {
		looked += g.Count
	}
	return groups, looked < int64(limit), err
}

// replayCounts counts what a page finds.
func replayCounts(page string) string {
	return "SELECT webhook_id, event_type, state, test, deliverable, count(*) FROM (" + page + ") AS looked GROUP BY webhook_id, event_type, state, test, deliverable"
}

// WaitingPage looks at up to limit deliveries of a workspace that wait for replay, from one that the replay went past back to its first, and
// gives those of this replay; last is the one that it looked at last, and zero when it has seen all.
func (s *Store) WaitingPage(ctx context.Context, r *postroom.Replay, limit int) (ids []postroom.DeliveryID, last postroom.DeliveryID, err error) {
	from, _ := bounds(r.After, r.Before)
	tag, looked := micros(r.CreatedAt), 0
	err = s.read(ctx, func(q querier) error {
		ids, looked = nil, 0
		return q.each(ctx, "replay_waiting_page", func(row func(...any) error) error {
			var due int64
			looked++
			err := row(&last, &due)
			if due == tag {
				ids = append(ids, last)
			}
			return err
		}, r.WorkspaceID, from[:], r.Cursor[:], limit)
	})
	if looked < limit {
		last = postroom.DeliveryID{}
	}
	return ids, last, err
}

// errMoved tells that a replay is not where it was when the step was prepared.
var errMoved = errors.New("another step of the replay was stored first")

// StepReplay stores one step of a replay and changes r accordingly: a running one makes deliveries wait again, a cancelled one takes them
// back. Each delivery moves in the transaction that moves the replay on, so none is moved twice, whenever a node dies. It
// reports false, and stores nothing, when another node has moved the replay on or a person cancelled it meanwhile.
func (s *Store) StepReplay(ctx context.Context, r *postroom.Replay, step postroom.ReplayStep) (moved bool, err error) {
	next := *r
	err = s.write(ctx, func(q querier) error {
		next = *r
		n, err := s.moveReplayed(ctx, q, r, step.IDs)
		if err != nil {
			return err
		}
		done, skipped, withdrawn := n, int64(len(step.IDs))-n, int64(0)
		if r.State == postroom.ReplayCancelled {
			done, skipped, withdrawn = 0, 0, n
		}
		now := micros(step.Now)
		touched, err := q.exec(ctx, "replay_move", r.WorkspaceID, r.ID, string(r.State), r.Cursor[:], step.Cursor[:], done, skipped, withdrawn, now, s.node[:], micros(step.LeaseTo))
		if err != nil {
			return err
		}
		if touched == 0 {
			return errMoved
		}
		failpoint.HitIf(n > 0, failpoint.ReplayInTransaction)
		next.Cursor, next.Done, next.Skipped, next.Withdrawn, next.UpdatedAt = step.Cursor, r.Done+done, r.Skipped+skipped, r.Withdrawn+withdrawn, step.Now
		if step.End == "" {
			return nil
		}
		next.State, next.Reason, next.EndedAt = step.End, step.Reason, &step.Now
		if step.End == postroom.ReplayDone {
			next.Total, next.AtLeast = next.Done+next.Skipped, false
		}
		_, err = q.exec(ctx, "replay_end", r.WorkspaceID, r.ID, string(step.End), step.Reason, now)
		return err
	})
	if errors.Is(err, errMoved) {
		return false, nil
	}
	if err == nil {
		failpoint.HitIf(len(step.IDs) > 0, failpoint.ReplayCommitted)
		*r = next
	}
	return err == nil, err
}

// moveReplayed makes deliveries wait again or takes them back, whichever the replay does, and says how many.
func (s *Store) moveReplayed(ctx context.Context, q querier, r *postroom.Replay, ids []postroom.DeliveryID) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	list := idList(s.dialect, ids)
	if r.State == postroom.ReplayCancelled {
		return q.exec(ctx, "replay_withdraw", r.WorkspaceID, list, micros(r.CreatedAt))
	}
	first, last := r.States()
	return q.exec(ctx, "replay_requeue", r.WorkspaceID, list, int64(first), int64(last), micros(r.CreatedAt))
}

// idList is a list of ids as the named texts of a database take it: a JSON array of hexadecimal texts, or an array.
func idList[K interface{ ~[16]byte }](d dialect, ids []K) any {
	list, texts := make([][]byte, len(ids)), make([]string, len(ids))
	for i, id := range ids {
		b := [16]byte(id)
		list[i], texts[i] = b[:], hex.EncodeToString(b[:])
	}
	if d == postgres {
		return list
	}
	return `["` + strings.Join(texts, `","`) + `"]`
}

// CancelReplay ends a replay that runs, or is done, and lets this node take back what waits. It reports false when it has failed or was cancelled already.
func (s *Store) CancelReplay(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ReplayID, now, leaseTo time.Time) (done bool, err error) {
	err = s.write(ctx, func(q querier) error {
		n, err := q.exec(ctx, "replay_cancel", workspace, id, micros(now), s.node[:], micros(leaseTo))
		done = n > 0
		return err
	})
	return done, err
}

// ReplayWaiting counts the deliveries of a replay that wait and were not begun, up to limit.
func (s *Store) ReplayWaiting(ctx context.Context, r *postroom.Replay, limit int) (n int64, err error) {
	err = s.read(ctx, func(q querier) error {
		if r.Webhook.IsZero() {
			return q.one(ctx, "replay_waiting", []any{&n}, r.WorkspaceID, micros(r.CreatedAt), limit)
		}
		return q.one(ctx, "replay_waiting_webhook", []any{&n}, r.WorkspaceID, r.Webhook, micros(r.CreatedAt), limit)
	})
	return n, err
}
