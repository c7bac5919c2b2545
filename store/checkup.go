package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/postroom/postroom"
)

// What the doctor asks. All of it is about the whole database and not one workspace, and none of it changes anything.

// Ailing is a webhook as the doctor shows it: how it is doing, and what waits for it.
type Ailing struct {
	WebhookID    postroom.WebhookID
	Name         string
	Status       string // of the webhook, or deleted
	RateLimit    *postroom.RateLimit
	Failures     int        // attempts that failed in a row
	FailingSince *time.Time // nil for a healthy one
	OpenUntil    *time.Time // nil while its breaker is closed

	// Of Backlog only.
	Waiting int64
	Due     *time.Time // when the first is or was due; nil when none waits for its time
	Stuck   int64      // leased ones whose lease ran out more than a minute ago
}

// Backlog lists the webhooks for which most waits. It reads the index of the whole queue.
func (s *Store) Backlog(ctx context.Context, now time.Time, limit int) (all []Ailing, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "queue_backlog", func(row func(...any) error) error {
			var a Ailing
			var due *int64
			err := a.scan(func(dest ...any) error {
				return row(dest[0], dest[1], dest[2], &a.Waiting, &due, &a.Stuck, dest[3], dest[4], dest[5])
			})
			a.Due = timeOf(due)
			all = append(all, a)
			return err
		}, micros(now.Add(-time.Minute)), limit)
	})
	return all, err
}

// LongestFailing lists the webhooks that have been failing the longest.
func (s *Store) LongestFailing(ctx context.Context, limit int) (all []Ailing, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "webhook_failing", func(row func(...any) error) error {
			var a Ailing
			err := a.scan(row)
			all = append(all, a)
			return err
		}, limit)
	})
	return all, err
}

func (a *Ailing) scan(row func(...any) error) error {
	var settings []byte
	var failures, since, until *int64
	if err := row(&a.WebhookID, &settings, &a.Status, &failures, &since, &until); err != nil {
		return err
	}
	if failures != nil {
		a.Failures, a.FailingSince, a.OpenUntil = int(*failures), timeOf(since), timeOf(until)
	}
	if settings == nil {
		return nil
	}
	var known postroom.WebhookSettings
	if err := json.Unmarshal(settings, &known); err != nil {
		return err
	}
	a.Name, a.RateLimit = known.Name, known.RateLimit
	return nil
}

func timeOf(us *int64) *time.Time {
	if us == nil {
		return nil
	}
	at := fromMicros(*us)
	return &at
}

// Stuck counts the deliveries whose lease ran out before a time, and that nobody has taken over.
func (s *Store) Stuck(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.read(ctx, func(q querier) error { return q.one(ctx, "queue_stuck", []any{&n}, micros(before)) })
	return n, err
}

// Sealed is something of a webhook that is sealed.
type Sealed struct {
	ID        postroom.SecretID // of a signing secret
	WebhookID postroom.WebhookID
	Sealed    []byte
}

// SealedSecrets lists up to limit secrets of all workspaces in the order of their ids, after one.
func (s *Store) SealedSecrets(ctx context.Context, after postroom.SecretID, limit int) (all []Sealed, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "webhook_sealed", func(row func(...any) error) error {
			var one Sealed
			err := row(&one.ID, &one.WebhookID, &one.Sealed)
			all = append(all, one)
			return err
		}, after[:], limit)
	})
	return all, err
}

// SealedAuths lists the credentials of up to limit webhooks of all workspaces in the order of their ids, after one.
func (s *Store) SealedAuths(ctx context.Context, after postroom.WebhookID, limit int) (all []Sealed, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "webhook_sealed_auth", func(row func(...any) error) error {
			var one Sealed
			err := row(&one.WebhookID, &one.Sealed)
			all = append(all, one)
			return err
		}, after[:], limit)
	})
	return all, err
}

// Oldest is when the oldest event was published; zero when there is none.
func (s *Store) Oldest(ctx context.Context) (at time.Time, err error) {
	var id postroom.EventID
	err = s.read(ctx, func(q querier) error { return q.one(ctx, "event_oldest", []any{&id}) })
	switch {
	case errors.Is(err, errNoRow):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	}
	return id.Time(), nil
}

// OpenSince says when the oldest minute was of which the statistics have not been moved; false for none.
func (s *Store) OpenSince(ctx context.Context) (minute time.Time, some bool, err error) {
	var us int64
	err = s.read(ctx, func(q querier) error { return q.one(ctx, "rollup_open_oldest", []any{&us}) })
	if errors.Is(err, errNoRow) {
		return minute, false, nil
	}
	return fromMicros(us), err == nil, err
}

// Server is what PostgreSQL says of itself that bears on what can be lost.
type Server struct {
	Recovery bool // it is a standby, which cannot be written
	// Settings are fsync, full_page_writes and synchronous_commit, as they hold for a connection of Postroom.
	Settings map[string]string
}

// Server asks PostgreSQL about itself; nil on SQLite.
func (s *Store) Server(ctx context.Context) (*Server, error) {
	if s.dialect != postgres {
		return nil, nil
	}
	found := &Server{}
	err := s.read(ctx, func(q querier) error {
		found.Settings = map[string]string{}
		if err := q.eachText(ctx, "settings", "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')",
			func(row func(...any) error) error {
				var name, setting string
				err := row(&name, &setting)
				found.Settings[name] = setting
				return err
			}); err != nil {
			return err
		}
		return q.eachText(ctx, "recovery", "SELECT pg_is_in_recovery()", func(row func(...any) error) error { return row(&found.Recovery) })
	})
	return found, err
}

// Size is how many bytes the database takes up.
func (s *Store) Size(ctx context.Context) (bytes int64, err error) {
	text := "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	if s.dialect == postgres {
		text = "SELECT pg_database_size(current_database())"
	}
	err = s.read(ctx, func(q querier) error {
		return q.eachText(ctx, "size", text, func(row func(...any) error) error { return row(&bytes) })
	})
	return bytes, err
}
