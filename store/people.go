package store

import (
	"context"
	"errors"
	"time"

	"github.com/postroom/postroom"
)

// failureLife is for how long a failed sign-in counts.
const failureLife = 24 * time.Hour

// AnyPerson tells whether anybody can sign in at all.
func (s *Store) AnyPerson(ctx context.Context) (bool, error) {
	var id postroom.PersonID
	err := s.read(ctx, func(q querier) error { return q.one(ctx, "person_any", []any{&id}) })
	if errors.Is(err, errNoRow) {
		return false, nil
	}
	return err == nil, err
}

// PersonByEmail finds who signs in with an email.
func (s *Store) PersonByEmail(ctx context.Context, email string) (postroom.Person, error) {
	return s.person(ctx, "person_by_email", email, postroom.Fold(email))
}

// Person finds a person.
func (s *Store) Person(ctx context.Context, id postroom.PersonID) (postroom.Person, error) {
	return s.person(ctx, "person_get", id.String(), id)
}

func (s *Store) person(ctx context.Context, name, ref string, arg any) (p postroom.Person, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.one(ctx, name, []any{&p.ID, &p.Email, &p.Password, &p.Operator}, arg)
	})
	return p, notFound(err, "person", ref)
}

// SetPassword changes a person's password. It ends all sessions but that of keep, which is not fresh any more, and voids all links.
func (s *Store) SetPassword(ctx context.Context, id postroom.PersonID, password string, keep []byte, now time.Time) error {
	return s.write(ctx, func(q querier) error {
		if err := touched(q.exec(ctx, "person_password", id, password, micros(now)))("person", id.String()); err != nil {
			return err
		}
		if _, err := q.exec(ctx, "session_delete_others", id, keep); err != nil {
			return err
		}
		if _, err := q.exec(ctx, "session_settle", keep); err != nil {
			return err
		}
		_, err := q.exec(ctx, "link_delete_person", id)
		return err
	})
}

// SetEmail changes a person's email; CodeConflict when it is somebody else's.
func (s *Store) SetEmail(ctx context.Context, id postroom.PersonID, email string, now time.Time) error {
	return s.write(ctx, func(q querier) error {
		n, err := q.exec(ctx, "person_email", id, email, postroom.Fold(email), micros(now))
		if err == nil && n == 0 {
			return postroom.Invalid(postroom.CodeConflict, "/email", "this cannot be used")
		}
		return err
	})
}

// CountSignIn counts a try to sign in for each subject, as if it failed, unless one of them must wait: then it gives until when, and
// counts nothing. next says how long a subject must wait after so many failures. That it is counted before it is known how the try
// ends keeps many tries at once from going past the bound.
func (s *Store) CountSignIn(ctx context.Context, subjects [][]byte, now time.Time, next func(subject int, failures int64) time.Duration) (until time.Time, err error) {
	locked := errors.New("locked")
	err = s.write(ctx, func(q querier) error {
		until = time.Time{}
		for i, subject := range subjects {
			var failures, wait int64
			if err := q.one(ctx, "failure_count", []any{&failures, &wait}, subject, micros(now), micros(now.Add(-failureLife))); err != nil {
				return err
			}
			if wait > micros(now) {
				until = fromMicros(wait)
				return locked
			}
			if _, err := q.exec(ctx, "failure_until", subject, micros(now.Add(next(i, failures)))); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, locked) {
		return until, nil
	}
	return time.Time{}, err
}

// SignInSucceeded forgets the failures of one subject, and takes the last one back from the others.
func (s *Store) SignInSucceeded(ctx context.Context, forget []byte, others ...[]byte) error {
	return s.write(ctx, func(q querier) error {
		for _, subject := range others {
			if _, err := q.exec(ctx, "failure_take_back", subject); err != nil {
				return err
			}
		}
		_, err := q.exec(ctx, "failure_forget", forget)
		return err
	})
}
