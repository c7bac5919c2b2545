package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// ClaimRequests leases up to limit requests of all sources that are due now, until a time, the oldest first. What another node has leased is
// due again once its lease has run out. Sources take equal shares, so that one with many does not keep the others waiting.
func (s *Store) ClaimRequests(ctx context.Context, now, until time.Time, limit int) (claimed []*postroom.Request, err error) {
	sources, err := s.dueSources(ctx, micros(now), limit)
	if err != nil || len(sources) == 0 { // mostly nothing is due, and nothing is written
		return nil, err
	}
	err = s.write(ctx, func(q querier) error {
		claimed = nil
		for sources := slices.Clone(sources); len(sources) > 0 && len(claimed) < limit; {
			share := max(1, (limit-len(claimed))/len(sources))
			more := sources[:0]
			for _, source := range sources {
				wanted := min(share, limit-len(claimed))
				if wanted == 0 {
					break
				}
				before := len(claimed)
				if err := q.each(ctx, "request_claim", func(row func(...any) error) error {
					r, err := scanRequest(row, true)
					claimed = append(claimed, &r)
					return err
				}, source.id, micros(now), micros(until), wanted); err != nil {
					return err
				}
				if len(claimed)-before == wanted {
					more = append(more, source)
				}
			}
			sources = more
		}
		failpoint.HitIf(len(claimed) > 0, failpoint.RequestClaimInTransaction)
		return nil
	})
	failpoint.HitIf(err == nil && len(claimed) > 0, failpoint.RequestClaimCommitted)
	slices.SortFunc(claimed, func(a, b *postroom.Request) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return claimed, err
}

// dueSource is a source of which something is due.
type dueSource struct {
	id postroom.SourceID
	at int64 // the first
}

// dueSources lists up to limit sources of which something is due, those first that have waited longest.
func (s *Store) dueSources(ctx context.Context, until int64, limit int) (all []dueSource, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "request_due_sources", func(row func(...any) error) error {
			var d dueSource
			err := row(&d.id, &d.at)
			all = append(all, d)
			return err
		}, until, limit, make([]byte, len(postroom.SourceID{})))
	})
	return all, err
}

// NextRequest says when the first request of any source is due, or its lease ends; false when none waits.
func (s *Store) NextRequest(ctx context.Context) (at time.Time, some bool, err error) {
	first, err := s.dueSources(ctx, math.MaxInt64, 1)
	if err != nil || len(first) == 0 {
		return time.Time{}, false, err
	}
	return fromMicros(first[0].at), true, nil
}

const (
	requestColumnsBare = "id, workspace_id, source_id, state, claim, due_at, attempts, event_type, sender, at, records, duration_us, status, " +
		"resent_from, method, target, headers, log, answer"
	requestState = "state = %d AND state <> 10" // as the partial index of all that was not processed at once has it
)

// scanRequest reads a row of a request, with its body or without.
func scanRequest(row func(...any) error, withBody bool) (r postroom.Request, err error) {
	var eventType, sender *string
	var dueAt, at, duration int64
	var from []byte
	var headers string
	var log []byte
	dest := []any{&r.ID, &r.WorkspaceID, &r.SourceID, &r.State, &r.Claim, &dueAt, &r.Attempts, &eventType, &sender, &at, &r.Records, &duration, &r.Status,
		&from, &r.Method, &r.Target, &headers, &log, (*[]byte)(&r.Answer)}
	if withBody {
		dest = append(dest, &r.Body)
	}
	if err := row(dest...); err != nil {
		return r, err
	}
	if dueAt != 0 {
		r.DueAt = fromMicros(dueAt)
	}
	r.At, r.Duration, r.Headers = fromMicros(at), time.Duration(duration)*time.Microsecond, parseHeaderLines(headers)
	if eventType != nil {
		r.EventType = *eventType
	}
	if sender != nil {
		r.Sender = *sender
	}
	if from != nil {
		r.ResentFrom = (*postroom.RequestID)(from)
	}
	if log != nil {
		if err := json.Unmarshal(log, &r.Log); err != nil {
			return r, fmt.Errorf("the log of request %s cannot be read: %w", r.ID, err)
		}
	}
	return r, nil
}

// Request finds one request of a workspace, whole.
func (s *Store) Request(ctx context.Context, workspace postroom.WorkspaceID, id postroom.RequestID) (r postroom.Request, err error) {
	err = errNoRow
	if failed := s.read(ctx, func(q querier) error {
		return q.each(ctx, "request_get", func(row func(...any) error) error {
			r, err = scanRequest(row, true)
			return err
		}, workspace, id)
	}); failed != nil {
		return r, failed
	}
	return r, notFound(err, "request", id.String())
}

// Requests lists up to limit requests of a workspace that the filter lets through, without their bodies, newest first; or, when the
// cursor asks for newer ones, those, oldest first. rest is how far it looked, if it gave up before it had found as many.
func (s *Store) Requests(ctx context.Context, workspace postroom.WorkspaceID, f postroom.RequestFilter, cursor *postroom.Cursor, limit int) (all []postroom.Request, rest *[16]byte, err error) {
	l, some := requestListing(workspace, f, cursor)
	if !some {
		return nil, nil, nil
	}
	l.window = s.listWindow
	text, args := l.sql(limit)
	err = s.read(ctx, func(q querier) error {
		return q.eachText(ctx, "requests", translate(s.dialect, text), func(row func(...any) error) error {
			r, err := scanRequest(row, false)
			all = append(all, r)
			return err
		}, args...)
	})
	if err != nil {
		return nil, nil, err
	}
	return looked(ctx, s, l, all, limit, func(r postroom.Request) [16]byte { return r.ID })
}

// requestListing makes a list, with the conditions that an index meets and the filters that see a window of rows; false where the filter lets
// nothing through.
func requestListing(workspace postroom.WorkspaceID, f postroom.RequestFilter, cursor *postroom.Cursor) (l *listing, some bool) {
	l = newListing(cursor, "id", requestColumnsBare, "requests")
	l.where(is("workspace_id = $", workspace))
	l.between(f.After, f.Before)
	l.index = "sqlite_autoindex_requests_1"
	troubled := "requests_trouble"
	if !f.Source.IsZero() {
		l.where(is("source_id = $", f.Source))
		l.index, troubled = "requests_source", "requests_source_trouble"
	}
	states := f.Status.States()
	switch {
	case f.Status == "":
	case len(states) == 0:
		return nil, false
	case f.Status == postroom.StatusProcessed: // most are
		l.filter(is("state = $", int64(postroom.RequestProcessed)))
	default:
		l.index = troubled
		for _, state := range states {
			l.either = append(l.either, fmt.Sprintf(requestState, state))
		}
	}
	if f.EventType != "" {
		if c, _, some := patternOf("event_type", f.EventType); some {
			l.filter(c)
		}
	}
	if f.Sender != "" {
		l.filter(is("sender = $", f.Sender))
	}
	return l, true
}

// RetryRequest makes a request wait to be processed again, due now. One that is being processed right now is left alone, and so is one
// that was refused; then it reports false.
func (s *Store) RetryRequest(ctx context.Context, workspace postroom.WorkspaceID, id postroom.RequestID, now time.Time) (done bool, err error) {
	err = s.write(ctx, func(q querier) error {
		n, err := q.exec(ctx, "request_requeue", workspace, id, micros(now))
		done = n > 0
		return err
	})
	return done, err
}

// clearStep is how many requests one transaction of a clearing takes.
const clearStep = 200

// ClearRequests deletes the log of a source, in small steps, and says how many requests that were: all that is stored now and is not in
// the queue. It calls progress after each step; what was deleted before an error stays so, and another call goes on. What the source has seen
// stays known, so that what is sent again is still a duplicate.
func (s *Store) ClearRequests(ctx context.Context, workspace postroom.WorkspaceID, source postroom.SourceID, progress func(n int64)) (total int64, err error) {
	var place, last postroom.RequestID
	err = s.read(ctx, func(q querier) error { return q.one(ctx, "request_newest", []any{&last}, workspace, source) })
	if errors.Is(err, errNoRow) {
		return 0, nil
	}
	for err == nil && place != last {
		end := place
		if err = s.read(ctx, func(q querier) error {
			return q.each(ctx, "request_clear_page", func(row func(...any) error) error { return row(&end) }, workspace, source, place[:], last, clearStep)
		}); err != nil || end == place {
			return total, err
		}
		var n int64
		err = s.write(ctx, func(q querier) (err error) {
			n, err = q.exec(ctx, "request_clear", workspace, source, place[:], end)
			return err
		})
		if place = end; err == nil && n > 0 {
			total += n
			progress(n)
		}
		if err == nil {
			err = ctx.Err()
		}
	}
	return total, err
}

// RequestCounts says how many requests sources have had. Those of more than about a year ago are forgotten, as RollupSteps has it.
func (s *Store) RequestCounts(ctx context.Context, workspace postroom.WorkspaceID, ids []postroom.SourceID) (counts map[postroom.SourceID]postroom.RequestCounts, err error) {
	err = s.read(ctx, func(q querier) error {
		counts = make(map[postroom.SourceID]postroom.RequestCounts, len(ids))
		for _, id := range ids {
			var c postroom.RequestCounts
			if err := q.one(ctx, "request_counts", []any{&c.Total, &c.Failed}, workspace, id); err != nil {
				return err
			}
			counts[id] = c
		}
		return nil
	})
	return counts, err
}

// SourceStats sums what happened to a source's requests, as Stats does for a webhook: attempts are requests that came, succeeded
// those that were processed, failed those that were given up, and retried the tries that failed and are followed by another. All of it
// counts in the minute in which the request came. The latency is the time of processing.
func (s *Store) SourceStats(ctx context.Context, workspace postroom.WorkspaceID, source postroom.SourceID, after, before time.Time, step time.Duration) (postroom.Stats, error) {
	return s.Stats(ctx, workspace, postroom.WebhookID(source), after, before, step)
}

// CountRefused counts calls that were refused and are not stored, since there were too many of them.
func (s *Store) CountRefused(ctx context.Context, workspace postroom.WorkspaceID, source postroom.SourceID, at time.Time, n int64) error {
	one := sums{attempts: n, refused: n} // what was answered last is that of a request that is stored
	node := s.node                       // not a committer's: it would wait for this
	node[len(node)-1] ^= refusedNode
	minute := micros(at.Truncate(time.Minute))
	args := []any{workspace, source, minute, node}
	for _, value := range one.values() {
		args = append(args, value)
	}
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "rollup_add", args...)
		return err
	})
}

// refusedNode tells the rows that CountRefused writes from those of this node's other writers.
const refusedNode = 0x80
