package contacts

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

// batchOf is a batch that knows some contacts, each with version 3.
func batchOf(emails ...string) *Batch {
	ids := &postroom.IDs{}
	now := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	b := NewBatch(BatchConfig{Workspace: postroom.Next[postroom.WorkspaceKind](ids, now), IDs: ids, Now: now})
	for _, email := range emails {
		uid := "u-" + email
		b.Know(&postroom.Contact{ID: postroom.Next[postroom.ContactKind](ids, now), WorkspaceID: b.Workspace, Email: email, UID: &uid, Phone: "+12025550143", Status: postroom.ContactSubscribed, Version: 3})
	}
	b.Know(nil)
	return b
}

func byEmail(email string) postroom.ContactRef { return postroom.ContactRef{Email: email} }

// wanting is a change of a contact, which is made if it is not there.
func wanting(email, first string, lists ...string) postroom.ContactChange {
	ch := postroom.ContactChange{Ref: byEmail(email), MayMake: true, MayAlter: true}
	if first != "" {
		ch.Fields.FirstName = &first
	}
	for _, list := range lists {
		ch.Join = append(ch.Join, postroom.List{Name: list})
	}
	return ch
}

// typesOf are the types of a batch's events.
func typesOf(b *Batch) string {
	var types []string
	for _, e := range b.Events() {
		types = append(types, strings.TrimPrefix(e.Type, "contact."))
	}
	return strings.Join(types, " ")
}

// Several changes of one contact are one write, which is fenced by what was stored; each event tells of the contact as it was after its change.
func TestBatchMergesChanges(t *testing.T) {
	b := batchOf("ada@example.com")
	for i, ch := range []postroom.ContactChange{wanting("ADA@example.com", "Ada"), wanting("new@example.com", "N"), wanting(" ada@example.com ", "Augusta", "News"), wanting("New@example.com", "M", "NEWS ", "Deals"), wanting("ada@example.com", "Augusta")} {
		if _, err := b.Apply(ch); err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
	}
	writes := b.Writes()
	if len(writes) != 2 || writes[0].Was != 3 || writes[0].Contact.Version != 5 || writes[1].Was != 0 || writes[1].Contact.Version != 2 || b.Version() != 4 {
		t.Fatalf("the writes are %+v", writes)
	}
	if len(writes[0].Lists) != 1 || len(writes[1].Lists) != 1 || writes[1].Lists[0].Name != "Deals" || writes[0].Contact.Lists[0].ID != writes[1].Contact.Lists[0].ID {
		t.Errorf("lists are made %+v, then %+v", writes[0].Lists, writes[1].Lists)
	}
	if len(writes[0].Consents) != 1 || len(writes[1].Consents) != 3 {
		t.Errorf("the consents are %+v and %+v", writes[0].Consents, writes[1].Consents)
	}
	if got, want := typesOf(b), "updated created updated subscribed updated subscribed subscribed"; got != want {
		t.Errorf("the events are %s, want %s", got, want)
	}
	outgoing, err := b.Outgoing()
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outgoing {
		if o.Event.WorkspaceID != b.Workspace || o.Event.Contact == "" || o.State != postroom.StateFresh || i > 0 && string(o.Event.ID[:]) <= string(outgoing[i-1].Event.ID[:]) {
			t.Errorf("event %d is %+v", i, o.Event)
		}
	}
}

// An email or a uid that another contact of the batch has is refused, and the refusal leaves the batch as it was.
func TestBatchRefusesWhatAnotherHas(t *testing.T) {
	b := batchOf("ada@example.com", "eve@example.com")
	take := func(email, uid string) postroom.ContactChange {
		ch := postroom.ContactChange{Ref: byEmail("eve@example.com"), MayAlter: true}
		if email != "" {
			ch.Fields.Email = &email
		}
		if uid != "" {
			ch.Fields.UID = &uid
		}
		return ch
	}
	_, err := b.Apply(take("ADA@example.com", "u-ada@example.com"))
	if postroom.CodeOf(err) != postroom.CodeConflict || !strings.Contains(err.Error(), "/email") || !strings.Contains(err.Error(), "/uid") || b.Version() != 0 {
		t.Errorf("%v, version %d", err, b.Version())
	}
	// What one lets go, another may have in the same batch, and is then found by it.
	if _, err := b.Apply(postroom.ContactChange{Ref: byEmail("ada@example.com"), MayAlter: true, Fields: postroom.ContactFields{Email: new(string)}}); err != nil {
		t.Fatal(err)
	}
	eve, err := b.Apply(take("ada@example.com", ""))
	if err != nil {
		t.Fatal(err)
	}
	if found := b.Find(byEmail("ada@example.com")); found == nil || found.ID != eve.ID || b.Find(byEmail("eve@example.com")) != nil {
		t.Errorf("by the email is found %+v", found)
	}
	if _, err := b.Apply(postroom.ContactChange{Ref: byEmail("nobody@example.com"), MayAlter: true}); postroom.CodeOf(err) != postroom.CodeNotFound {
		t.Errorf("a change of nobody: %v", err)
	}
}

func TestBatchDeletes(t *testing.T) {
	b := batchOf("ada@example.com")
	ada := b.Find(postroom.ContactRef{UID: "u-ada@example.com"})
	if phone := b.Find(postroom.ContactRef{Phone: "+1 202 555 0143"}); ada == nil || phone != ada || b.Find(postroom.ContactRef{}) != nil {
		t.Fatalf("found %+v and %+v", ada, phone)
	}
	b.Delete(ada)
	if w := b.Writes(); len(w) != 1 || !w[0].Deleted || w[0].Was != 3 || typesOf(b) != "deleted" || b.Find(byEmail("ada@example.com")) != nil {
		t.Errorf("%+v, %s", w, typesOf(b))
	}
	id := postroom.Next[postroom.ContactKind](b.IDs, b.Now)
	b.Erased(id)
	if diff := cmp.Diff(`{"contact":{"id":"`+id.String()+`"}}`, string(b.Events()[1].Data)); diff != "" || b.Events()[1].Type != "contact.deleted" {
		t.Error(diff)
	}
}

// Whoever holds a contact keeps others from it, in whichever order they ask for how many.
