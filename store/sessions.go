package store

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// CreateSession stores a session by the digest of its token.
func (s *Store) CreateSession(ctx context.Context, x postroom.Session, digest []byte) error {
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "session_insert", digest, x.PersonID, x.WorkspaceID, boolInt(x.Fresh), micros(x.CreatedAt), micros(x.ExpiresAt), x.UserAgent, x.Address)
		return err
	})
}

// Session finds the session that somebody presents. It reports CodeNotFound for an unknown one.
func (s *Store) Session(ctx context.Context, digest []byte) (postroom.Session, error) {
	all, err := s.sessions(ctx, "session_get", digest)
	if err == nil && len(all) == 0 {
		err = errNoRow
	}
	if err != nil {
		return postroom.Session{}, notFound(err, "session", "(presented)")
	}
	return all[0], nil
}

// Sessions lists a person's sessions, the one that was seen last first.
func (s *Store) Sessions(ctx context.Context, person postroom.PersonID) ([]postroom.Session, error) {
	return s.sessions(ctx, "session_list", person)
}

func (s *Store) sessions(ctx context.Context, name string, arg any) (all []postroom.Session, err error) {
	err = s.read(ctx, func(q querier) error {
		all = nil
		return q.each(ctx, name, func(row func(...any) error) error {
			var x postroom.Session
			var created, seen, expires int64
			err := row(&x.PersonID, &x.WorkspaceID, &x.Fresh, &created, &seen, &expires, &x.UserAgent, &x.Address)
			x.CreatedAt, x.SeenAt, x.ExpiresAt = fromMicros(created), fromMicros(seen), fromMicros(expires)
			all = append(all, x)
			return err
		}, arg)
	})
	return all, err
}

// SawSession notes that a session was used.
func (s *Store) SawSession(ctx context.Context, digest []byte, now time.Time) error {
	return s.sessionExec(ctx, "session_seen", digest, micros(now))
}

// MoveSession lets a session go on in another workspace.
func (s *Store) MoveSession(ctx context.Context, digest []byte, to postroom.Place) error {
	return s.sessionExec(ctx, "session_move", digest, to.Member.WorkspaceID)
}

// DeleteSession ends a session.
func (s *Store) DeleteSession(ctx context.Context, digest []byte) error {
	return s.sessionExec(ctx, "session_delete", digest)
}

// DeleteSessions ends all sessions of a person.
func (s *Store) DeleteSessions(ctx context.Context, person postroom.PersonID) error {
	return s.sessionExec(ctx, "session_delete_person", person)
}

func (s *Store) sessionExec(ctx context.Context, name string, args ...any) error {
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, name, args...)
		return err
	})
}

// CreateLink stores a link by the digest of its token; earlier links of the member are void.
func (s *Store) CreateLink(ctx context.Context, l postroom.SignInLink, digest []byte) error {
	return s.write(ctx, func(q querier) error {
		if _, err := q.exec(ctx, "link_delete_member", l.WorkspaceID, l.MemberID); err != nil {
			return err
		}
		_, err := q.exec(ctx, "link_insert", digest, l.WorkspaceID, l.MemberID, l.PersonID, boolInt(l.Resets), micros(l.CreatedAt), micros(l.ExpiresAt))
		return err
	})
}

// Link finds a link by the digest of its token. It reports CodeNotFound for one that is unknown or was used.
func (s *Store) Link(ctx context.Context, digest []byte) (l postroom.SignInLink, err error) {
	err = s.read(ctx, func(q querier) error {
		var created, expires int64
		err := q.one(ctx, "link_get", []any{&l.WorkspaceID, &l.MemberID, &l.PersonID, &l.Resets, &created, &expires}, digest)
		l.CreatedAt, l.ExpiresAt = fromMicros(created), fromMicros(expires)
		return err
	})
	return l, notFound(err, "link", "(presented)")
}

// UseLink uses up a link, and is false when somebody else was quicker.
func (s *Store) UseLink(ctx context.Context, digest []byte) (used bool, err error) {
	err = s.write(ctx, func(q querier) error {
		n, err := q.exec(ctx, "link_delete", digest)
		used = n > 0
		return err
	})
	return used, err
}
