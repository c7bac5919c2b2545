package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// Commit stores all of a commit in one transaction, or nothing of it, durably, together with whatever else waits to be stored. When
// it was refused it says why: Lost, Taken or Stale, or that its publications are stale. It does not give up before the outcome is known.
//
//	claim ─▶ keys ─▶ contacts ─▶ subscriptions ─▶ request, events, deliveries, health, audit, statistics
//	Lost     Taken   Stale       Stale (of all publications)
//
// What may refuse it comes first. SQLite goes through the steps one by one, and writes nothing before it knows that nothing refuses it, so
// that the others of the transaction do not notice (sqlite_commit.go). PostgreSQL takes each step for all commits together, and when one of
// them was refused it begins anew with the others (postgres_commit.go).
func (s *Store) Commit(ctx context.Context, c *postroom.Commit) error {
	whole, err := prepareCommit(c)
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.CommitBegun)
	err = s.commitWhole(ctx, whole)
	failpoint.HitIf(err == nil, failpoint.CommitCommitted)
	return err
}

// wholeCommit is a commit with what the database wants of it. That is made before it waits for the others of its transaction, by
// whoever wants it stored.
type wholeCommit struct {
	*postroom.Commit
	keys    []requestKey // each once
	headers string
	log     []byte // JSON; nil for an empty one
	about   []about
}

// requestKey is a key as it is stored: as a digest, so that it may be of any length and hold anything.
type requestKey struct {
	digest [16]byte
	at     []int // where in the commit's keys
}

func digestOf(key string) (digest [16]byte) {
	sum := sha256.Sum256([]byte(key))
	copy(digest[:], sum[:])
	return digest
}

// about is something that only one commit of a transaction may be about, since whether a second one is refused depends on what becomes of
// the first: a request, a key of one, a contact, an email or uid that a contact gets, or the name of a new list.
type about struct {
	owner  [16]byte // a source or a workspace; zero for a request
	digest [16]byte
	key    string
}

func prepareCommit(c *postroom.Commit) (*wholeCommit, error) {
	w := &wholeCommit{Commit: c}
	if err := w.aboutContacts(); err != nil {
		return nil, err
	}
	if c.Request == nil {
		if len(c.Keys) > 0 || c.Health != nil {
			return nil, fmt.Errorf("a commit without a request has keys, or the health of a source")
		}
		return w, nil
	}
	w.about = append(w.about, about{digest: c.Request.ID})
	w.headers = storable(headerLines(c.Request.Headers))
	if l := &c.Request.Log; l.Error != nil || l.Warnings != nil || l.Actions != nil || l.Events != nil || l.Contacts != nil {
		var err error
		if w.log, err = json.Marshal(l); err != nil {
			return nil, fmt.Errorf("the log of request %s: %w", c.Request.ID, err)
		}
	}
	for i, k := range c.Keys {
		digest, known := digestOf(k.Key), false
		for j := range w.keys {
			if w.keys[j].digest == digest {
				w.keys[j].at, known = append(w.keys[j].at, i), true
			}
		}
		if !known {
			w.keys = append(w.keys, requestKey{digest, []int{i}})
			w.about = append(w.about, about{owner: c.Request.SourceID, digest: digest})
		}
	}
	return w, nil
}

// aboutContacts notes which contacts the commit is about. What cannot be stored is refused here, before others share its transaction.
func (w *wholeCommit) aboutContacts() error {
	for i := range w.Contacts {
		c := &w.Contacts[i]
		if c.Contact.WorkspaceID.IsZero() || c.Contact.WorkspaceID != w.Contacts[0].Contact.WorkspaceID {
			return errManyWorkspaces
		}
		for name, value := range c.Contact.CustomFields {
			if !json.Valid(value) {
				return fmt.Errorf("the custom field %q of contact %s is not JSON", name, c.Contact.ID)
			}
		}
		owner := [16]byte(c.Contact.WorkspaceID)
		for _, list := range c.Lists {
			for _, key := range listKeys(list) {
				w.about = append(w.about, about{owner: owner, key: key})
			}
		}
		if !c.Changes() {
			continue
		}
		w.about = append(w.about, about{owner: owner, digest: c.Contact.ID})
		if c.Contact.Email != "" {
			w.about = append(w.about, about{owner: owner, key: emailKey(postroom.Fold(c.Contact.Email))})
		}
		if c.Contact.UID != nil {
			w.about = append(w.about, about{owner: owner, key: uidKey(*c.Contact.UID)})
		}
	}
	return nil
}

// rows is how much work the commit is, roughly.
func (w *wholeCommit) rows() int {
	n := 2 + len(w.keys) + 5*len(w.Contacts) + len(w.Audit)
	for _, p := range w.Publications {
		n += 1 + len(p.Deliveries) + len(p.Keys)
	}
	return n
}

// reset forgets the outcome of an earlier try.
func (w *wholeCommit) reset() {
	w.Taken, w.Stale, w.Lost = false, false, false
	for i := range w.Keys {
		w.Keys[i].Request = postroom.RequestID{}
	}
	for i := range w.Contacts {
		w.Contacts[i].Stale = false
	}
	for _, p := range w.Publications {
		p.Duplicate, p.Stale = nil, false
	}
}

// takenBy notes which request has a key. That may be the commit's own request, if it is processed again: then it acted on that event before. One
// that is new has its keys only if it was stored by an earlier try to commit it, whose outcome was not known.
func (w *wholeCommit) takenBy(k requestKey, request postroom.RequestID) {
	if request == w.Request.ID && !w.claimed() {
		return
	}
	w.Taken = true
	for _, i := range k.at {
		w.Keys[i].Request = request
	}
}

// claimed tells whether the commit ends a claim of a request that is stored already.
func (w *wholeCommit) claimed() bool { return w.Request != nil && w.Request.Claim > 0 }

// due is when the request is due; 0 for never.
func due(r *postroom.Request) int64 {
	if r.DueAt.IsZero() {
		return 0
	}
	return micros(r.DueAt)
}

// answerOf is the answer to a request; null for none.
func answerOf(r *postroom.Request) any {
	if len(r.Answer) == 0 {
		return nil
	}
	return []byte(r.Answer)
}

// bytesOrNull keeps nothing as null.
func bytesOrNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// addRequest counts a request under its source, in the minute in which it arrived: its arrival, where it is new, and how a try to
// process it ended. So those of a minute add up: each of them was processed, given up, a duplicate or refused, or is on its way.
func (r *rollups) addRequest(q *postroom.Request) {
	one := sums{at: micros(q.At), statusCode: int64(q.Status)}
	if q.Claim == 0 {
		one.attempts = 1
	}
	switch q.State {
	case postroom.RequestProcessed:
		one.succeeded = 1
	case postroom.RequestFailed:
		one.failed = 1
	case postroom.RequestRetry:
		one.retried = 1
	case postroom.RequestDuplicate:
		one.duplicates = 1
	case postroom.RequestRefused:
		one.refused = 1
	}
	if one.succeeded+one.failed+one.retried > 0 {
		one.took(q.Duration, &r.bounds)
	}
	r.sum(rollupKey{q.WorkspaceID, postroom.WebhookID(q.SourceID), micros(q.At.Truncate(time.Minute))}).plus(&one)
}
