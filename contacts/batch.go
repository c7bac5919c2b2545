package contacts

import (
	"slices"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// BatchConfig is what a Batch needs.
type BatchConfig struct {
	Workspace postroom.WorkspaceID
	Fields    []postroom.Field // that the workspace declared
	IDs       *postroom.IDs
	Now       time.Time
}

// Batch gathers changes of contacts that are stored together. Each is planned on what those before it have made of its contact, and a list that
// one of them makes is there for the next. What was planned on must be in the batch: every contact that a change may mean, or whose email or
// uid it may claim, is made known first.
//
// A Batch is not safe for concurrent use.
type Batch struct {
	BatchConfig
	known  map[string]*entry
	order  []*entry // those that are changed, in the order in which that began
	made   map[string]postroom.List
	events []Event // of all changes, in their order
	count  int     // of changes
}

// entry is a contact in a batch.
type entry struct {
	now     postroom.Contact
	changed bool
	write   postroom.ContactWrite // what is to be stored, if it is changed
}

// NewBatch makes an empty batch.
func NewBatch(c BatchConfig) *Batch {
	return &Batch{BatchConfig: c, known: map[string]*entry{}, made: map[string]postroom.List{}}
}

// Know adds a contact as it is stored; nil, which is what the store gives for one that is not there, adds nothing.
func (b *Batch) Know(c *postroom.Contact) {
	if c != nil && b.known["i"+c.ID.String()] == nil {
		b.index(&entry{now: *c})
	}
}

// Find is the contact that a reference means, as the changes so far have made it; nil for none. It is not to be changed.
func (b *Batch) Find(ref postroom.ContactRef) *postroom.Contact {
	if e := b.find(ref); e != nil {
		return &e.now
	}
	return nil
}

func (b *Batch) find(ref postroom.ContactRef) *entry {
	if r, err := Ref(ref); err == nil {
		ref = r
	}
	switch {
	case !ref.ID.IsZero():
		return b.known["i"+ref.ID.String()]
	case ref.Email != "":
		return b.known["e"+postroom.Fold(ref.Email)]
	case ref.UID != "":
		return b.known["u"+ref.UID]
	}
	return b.known["p"+ref.Phone] // which nobody has, if it is empty
}

// keysOf are what a contact is found by.
func keysOf(c *postroom.Contact) []string {
	keys := []string{"i" + c.ID.String()}
	if c.Email != "" {
		keys = append(keys, "e"+postroom.Fold(c.Email))
	}
	if c.UID != nil {
		keys = append(keys, "u"+*c.UID)
	}
	if c.Phone != "" {
		keys = append(keys, "p"+c.Phone)
	}
	return keys
}

func (b *Batch) index(e *entry) {
	for _, key := range keysOf(&e.now) {
		if b.known[key] == nil { // of a phone number, the first that has it
			b.known[key] = e
		}
	}
}

func (b *Batch) unindex(e *entry) {
	for _, key := range keysOf(&e.now) {
		if b.known[key] == e {
			delete(b.known, key)
		}
	}
}

// Apply plans a change, and gives the contact as it becomes. Its errors are those of Plan, and CodeConflict where another contact of the batch
// has the email or the uid that it claims; after an error the batch is as it was.
func (b *Batch) Apply(ch postroom.ContactChange) (*postroom.Contact, error) {
	e := b.find(ch.Ref)
	var before *postroom.Contact
	if e != nil {
		before = &e.now
	}
	ch.WorkspaceID = b.Workspace
	ch.Join = slices.Clone(ch.Join)
	for i, list := range ch.Join {
		if made, ok := b.made[postroom.Fold(trim(list.Name))]; ok && list.ID.IsZero() {
			ch.Join[i] = made
		}
	}
	w, events, err := Plan(before, ch, b.Fields, b.IDs, b.Now)
	if err != nil {
		return nil, err
	}
	if err := b.claimed(e, &w.Contact); err != nil {
		return nil, err
	}
	for _, list := range w.Lists {
		b.made[postroom.Fold(list.Name)] = list
	}
	if e == nil {
		e = &entry{now: w.Contact}
	}
	if w.Changes() {
		b.changed(e, w, events)
	}
	return &e.now, nil
}

// claimed refuses an email or a uid that another contact has.
func (b *Batch) claimed(e *entry, c *postroom.Contact) error {
	var p postroom.Problems
	if c.Email != "" {
		if other := b.find(postroom.ContactRef{Email: c.Email}); other != nil && other != e {
			p.AddCode(postroom.CodeConflict, "/email", "the contact %s has this email already", other.now.ID)
		}
	}
	if c.UID != nil {
		if other := b.find(postroom.ContactRef{UID: *c.UID}); other != nil && other != e {
			p.AddCode(postroom.CodeConflict, "/uid", "the contact %s has this uid already", other.now.ID)
		}
	}
	return p.Err()
}

// Delete removes a contact that the batch knows.
func (b *Batch) Delete(c *postroom.Contact) {
	if e := b.known["i"+c.ID.String()]; e != nil {
		w, events := Remove(&e.now)
		b.unindex(e)
		b.changed(e, w, events)
		b.unindex(e)
	}
}

// Erased tells that a contact is gone without a trace: the event says nothing of it but its id.
func (b *Batch) Erased(id postroom.ContactID) {
	dst := payload.AppendString(append([]byte(`{"contact":{`), `"id":`...), id.String())
	b.events = append(b.events, Event{Type: "contact.deleted", Data: append(dst, "}}"...)})
}

func (b *Batch) changed(e *entry, w postroom.ContactWrite, events []Event) {
	b.unindex(e)
	if e.changed {
		w = Merge(e.write, w)
	} else {
		b.order = append(b.order, e)
	}
	e.now, e.write, e.changed = w.Contact, w, true
	b.count++
	b.index(e)
	b.events = append(b.events, events...)
}

// Writes are what is to be stored: one for each contact that has changed.
func (b *Batch) Writes() []postroom.ContactWrite {
	writes := make([]postroom.ContactWrite, len(b.order))
	for i, e := range b.order {
		writes[i] = e.write
	}
	return writes
}

// Version grows with each change that changes anything.
func (b *Batch) Version() int { return b.count }

// Events are what follows from the changes so far, in their order.
func (b *Batch) Events() []Event { return b.events }

// Outgoing are the events that follow from the changes, as they are published.
func (b *Batch) Outgoing() ([]*postroom.Outgoing, error) {
	all := make([]*postroom.Outgoing, len(b.events))
	for i, event := range b.events {
		e := &postroom.Event{ID: postroom.Next[postroom.EventKind](b.IDs, b.Now), WorkspaceID: b.Workspace, Type: event.Type,
			Time: b.Now.UTC().Truncate(time.Microsecond), Data: event.Data}
		if err := payload.Describe(e); err != nil {
			return nil, err
		}
		all[i] = &postroom.Outgoing{Event: e, State: postroom.StateFresh}
	}
	return all, nil
}
