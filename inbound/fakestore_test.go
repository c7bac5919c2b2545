package inbound

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// fakeStore is the database of these tests: sources, requests with their claims, keys and contacts, in memory, as the store keeps them. A test may
// have something happen before an operation, or after it.
type fakeStore struct {
	mu       sync.Mutex
	sources  map[postroom.SourceID]postroom.StoredSource
	requests map[postroom.RequestID]*postroom.Request
	order    []postroom.RequestID // in which they were stored
	keys     map[string]postroom.RequestID
	contacts map[postroom.ContactID]*postroom.Contact
	lists    map[string]postroom.List
	consents []postroom.Consent
	health   map[postroom.SourceID]postroom.SourceHealth
	events   []*postroom.Event
	fields   []postroom.Field
	calls    map[string]int
	before   map[string]func() error // by operation; an error is the operation's, which is then not done
}

func newFakeStore() *fakeStore {
	return &fakeStore{sources: map[postroom.SourceID]postroom.StoredSource{}, requests: map[postroom.RequestID]*postroom.Request{},
		keys: map[string]postroom.RequestID{}, contacts: map[postroom.ContactID]*postroom.Contact{}, lists: map[string]postroom.List{},
		health: map[postroom.SourceID]postroom.SourceHealth{}, calls: map[string]int{}, before: map[string]func() error{}}
}

// do runs one operation as a transaction of its own.
func (s *fakeStore) do(operation string, f func() error) error {
	s.mu.Lock()
	s.calls[operation]++
	before := s.before[operation]
	s.mu.Unlock()
	if before != nil {
		if err := before(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}

func (s *fakeStore) on(operation string, f func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before[operation] = f
}

func (s *fakeStore) count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[operation]
}

func (s *fakeStore) SourceOf(_ context.Context, id postroom.SourceID) (found postroom.StoredSource, err error) {
	err = s.do("SourceOf", func() error {
		var ok bool
		if found, ok = s.sources[id]; !ok {
			return postroom.Errorf(postroom.CodeNotFound, "There is no source %s.", id)
		}
		return nil
	})
	return found, err
}

func (s *fakeStore) Commit(_ context.Context, c *postroom.Commit) error {
	return s.do("Commit", func() error {
		c.Taken, c.Stale, c.Lost = false, false, false
		s.check(c)
		if !c.Stored() {
			return nil
		}
		r := *c.Request
		if _, had := s.requests[r.ID]; !had {
			s.order = append(s.order, r.ID)
		}
		s.requests[r.ID] = &r
		for _, k := range c.Keys {
			s.keys[r.SourceID.String()+k.Key] = r.ID
		}
		for _, w := range c.Contacts {
			for _, l := range w.Lists {
				s.lists[postroom.Fold(l.Name)] = l
			}
			contact := w.Contact
			s.contacts[contact.ID] = &contact
			s.consents = append(s.consents, w.Consents...)
		}
		if c.Health != nil {
			s.health[r.SourceID] = *c.Health
		}
		for _, p := range c.Publications {
			s.events = append(s.events, p.Event)
		}
		return nil
	})
}

// check finds out whether a commit fits what is stored.
func (s *fakeStore) check(c *postroom.Commit) {
	if had, ok := s.requests[c.Request.ID]; ok && (had.State != postroom.RequestLeased || had.Claim != c.Request.Claim) {
		c.Lost = true
	}
	for i := range c.Keys {
		if request, taken := s.keys[c.Request.SourceID.String()+c.Keys[i].Key]; taken {
			c.Taken, c.Keys[i].Request = true, request
		}
	}
	for i := range c.Contacts {
		w := &c.Contacts[i]
		var was int64
		if had, ok := s.contacts[w.Contact.ID]; ok {
			was = had.Version
		}
		w.Stale = was != w.Was
		for id, other := range s.contacts {
			same := w.Contact.Email != "" && postroom.Fold(other.Email) == postroom.Fold(w.Contact.Email) ||
				w.Contact.UID != nil && other.UID != nil && *other.UID == *w.Contact.UID
			w.Stale = w.Stale || id != w.Contact.ID && same
		}
		for _, l := range w.Lists {
			if _, exists := s.lists[postroom.Fold(l.Name)]; exists {
				w.Stale = true
			}
		}
		c.Stale = c.Stale || w.Stale
	}
}

func (s *fakeStore) ClaimRequests(_ context.Context, now, until time.Time, limit int) (claimed []*postroom.Request, err error) {
	err = s.do("ClaimRequests", func() error {
		var due []*postroom.Request
		for _, r := range s.requests {
			if r.State < postroom.RequestProcessed && !r.DueAt.After(now) {
				due = append(due, r)
			}
		}
		slices.SortFunc(due, func(a, b *postroom.Request) int {
			return cmp.Or(a.DueAt.Compare(b.DueAt), strings.Compare(a.ID.String(), b.ID.String()))
		})
		for _, r := range due[:min(limit, len(due))] {
			r.State, r.DueAt = postroom.RequestLeased, until
			r.Claim++
			copied := *r
			claimed = append(claimed, &copied)
		}
		return nil
	})
	return claimed, err
}

func (s *fakeStore) NextRequest(context.Context) (at time.Time, some bool, err error) {
	err = s.do("NextRequest", func() error {
		for _, r := range s.requests {
			if r.State < postroom.RequestProcessed && (!some || r.DueAt.Before(at)) {
				at, some = r.DueAt, true
			}
		}
		return nil
	})
	return at, some, err
}

func (s *fakeStore) FindContacts(_ context.Context, _ postroom.WorkspaceID, refs []postroom.ContactRef) (found []*postroom.Contact, err error) {
	err = s.do("FindContacts", func() error {
		found = make([]*postroom.Contact, len(refs))
		for i, ref := range refs {
			for _, c := range s.contacts {
				if is(c, ref) {
					copied := *c
					found[i] = &copied
				}
			}
		}
		return nil
	})
	return found, err
}

// is tells whether a reference means a contact.
func is(c *postroom.Contact, ref postroom.ContactRef) bool {
	switch {
	case !ref.ID.IsZero():
		return c.ID == ref.ID
	case ref.Email != "":
		return postroom.Fold(c.Email) == postroom.Fold(ref.Email)
	case ref.UID != "":
		return c.UID != nil && *c.UID == ref.UID
	default:
		return ref.Phone != "" && c.Phone == ref.Phone
	}
}

func (s *fakeStore) ListsNamed(_ context.Context, _ postroom.WorkspaceID, names []string) (found map[string]postroom.List, err error) {
	found = map[string]postroom.List{}
	err = s.do("ListsNamed", func() error {
		for _, name := range names {
			if list, ok := s.lists[postroom.Fold(name)]; ok {
				found[postroom.Fold(name)] = list
			}
		}
		return nil
	})
	return found, err
}

func (s *fakeStore) Fields(context.Context, postroom.WorkspaceID) ([]postroom.Field, error) {
	return s.fields, nil
}

func (s *fakeStore) SourceHealth(_ context.Context, id postroom.SourceID) (h postroom.SourceHealth, some bool, err error) {
	err = s.do("SourceHealth", func() error {
		h, some = s.health[id]
		return nil
	})
	return h, some, err
}

// all are the stored requests, in the order in which they came.
func (s *fakeStore) all() (requests []postroom.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.order {
		requests = append(requests, *s.requests[id])
	}
	return requests
}

// people are the stored contacts by their email.
func (s *fakeStore) people() map[string]postroom.Contact {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]postroom.Contact{}
	for _, c := range s.contacts {
		all[c.Email] = *c
	}
	return all
}

// types are those of the events that were stored, in their order.
func (s *fakeStore) types() (types []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		types = append(types, e.Type)
	}
	return types
}

// fakePublisher gives each event that is addressed one delivery, and no other any.
type fakePublisher struct {
	ids   postroom.IDs
	stale int // how often the subscriptions change under a publication
}

// PublishWith is like that of the engine, without lanes.
func (p *fakePublisher) PublishWith(ctx context.Context, events []*postroom.Outgoing, store func(context.Context, []*postroom.Publication) error) error {
	for {
		pubs := make([]*postroom.Publication, len(events))
		for i, o := range events {
			pubs[i] = &postroom.Publication{Event: o.Event}
			for _, to := range o.To {
				pubs[i].Deliveries = append(pubs[i].Deliveries, postroom.NewDelivery{ID: postroom.Next[postroom.DeliveryKind](&p.ids, time.Now()), WebhookID: to})
			}
			pubs[i].Stale = p.stale > 0
		}
		if p.stale > 0 && len(pubs) > 0 {
			p.stale--
		}
		if err := store(ctx, pubs); err != nil || len(pubs) == 0 || !pubs[0].Stale {
			return err
		}
	}
}
