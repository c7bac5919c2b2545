package contacts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/payload"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

func declared() []postroom.Field {
	return []postroom.Field{{Name: "age", Type: postroom.FieldNumber}, {Name: "vip", Type: postroom.FieldBoolean}, {Name: "size", Type: postroom.FieldChoice, Options: []string{"S", "Größe <L>"}},
		{Name: "since", Type: postroom.FieldDate}, {Name: "note", Type: postroom.FieldText}}
}

// world is what changes are drawn from: few names, so that they meet again.
type world struct {
	ids   postroom.IDs
	lists []postroom.List
	now   time.Time
}

func newWorld() *world {
	w := &world{now: epoch}
	for _, name := range []string{"Newsletter", "Nyheter & <erbjudanden>", "VIP"} {
		w.lists = append(w.lists, postroom.List{ID: postroom.Next[postroom.ListKind](&w.ids, epoch), Name: name})
	}
	return w
}

// words are what people write, good and bad.
func words(more ...string) *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom(more), rapid.SampledFrom([]string{"", " ", "Zoë <b>&", "a\nb", "\u2028", "ada@example.com"}), rapid.String())
}

func optional[T any](t *rapid.T, name string, g *rapid.Generator[T]) *T {
	if !rapid.Bool().Draw(t, "has "+name) {
		return nil
	}
	v := g.Draw(t, name)
	return &v
}

// named is the list with a name, as those who ask for a change find it: no two have the same.
func (w *world) named(name string) postroom.List {
	clean, _ := ListName(name)
	for _, list := range w.lists {
		if postroom.Fold(list.Name) == postroom.Fold(clean) {
			return list
		}
	}
	return postroom.List{Name: name}
}

func (w *world) change(t *rapid.T) postroom.ContactChange {
	emails := words("ada@example.com", "Ada@Example.com", " grace@example.org ", "x+y@sub.example.com")
	phones := words("+12025550143", "+1 (202) 555-0143", "0044 (0)20 7946 0958", "12025550143")
	ch := postroom.ContactChange{
		Ref:     postroom.ContactRef{Email: emails.Draw(t, "by email"), UID: words("17").Draw(t, "by uid")},
		Fields:  postroom.ContactFields{Email: optional(t, "email", emails), UID: optional(t, "uid", words("17", "18")), Phone: optional(t, "phone", phones), FirstName: optional(t, "first", words("Ada")), LastName: optional(t, "last", words("Lovelace")), Source: optional(t, "source", words("form")), Status: optional(t, "status", rapid.SampledFrom(append(postroom.ContactStatuses(), "gone")))},
		Tag:     rapid.SliceOfN(words("vip", " lead ", "x"), 0, 3).Draw(t, "tags"),
		Untag:   rapid.SliceOfN(words("vip", "lead"), 0, 2).Draw(t, "untags"),
		Pending: rapid.Bool().Draw(t, "pending"), MayMake: rapid.IntRange(0, 9).Draw(t, "may make") > 0, MayAlter: rapid.Bool().Draw(t, "may alter"),
		By: postroom.Author{Origin: postroom.OriginRequest, Request: postroom.Next[postroom.RequestKind](&w.ids, w.now), IP: "192.0.2.1"},
	}
	for range rapid.IntRange(0, 3).Draw(t, "joins") {
		list := rapid.SampledFrom(w.lists).Draw(t, "list")
		if rapid.Bool().Draw(t, "by name") {
			list = w.named(words("New one", "new ONE", " newsletter").Draw(t, "list name"))
		}
		ch.Join = append(ch.Join, list)
	}
	for range rapid.IntRange(0, 2).Draw(t, "leaves") {
		ch.Leave = append(ch.Leave, rapid.SampledFrom(w.lists).Draw(t, "left").ID)
	}
	values := rapid.SampledFrom([]string{`"18"`, `18`, `-2.50e3`, `123456789012345678901234567890`, `"yes"`, `0`, `null`, `""`, `"s"`, `"größe <l>"`, `"2026-03-15"`, `"2026-03-15T10:30:00+01:00"`,
		`[1, {"a": "<b>"}]`, `{}`, `"\u2028 &"`, `tru`, `"tomorrow"`})
	for range rapid.IntRange(0, 3).Draw(t, "custom fields") {
		if ch.Fields.CustomFields == nil {
			ch.Fields.CustomFields = map[string]json.RawMessage{}
		}
		name := words("age", "vip", "size", "since", "note", "any").Draw(t, "field")
		ch.Fields.CustomFields[name] = json.RawMessage(values.Draw(t, "value"))
	}
	return ch
}

func schemas(t testing.TB) map[string]*jsonschema.Schema {
	t.Helper()
	all, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	compiled := map[string]*jsonschema.Schema{}
	for _, typ := range all.Types() {
		if typ.Group != "contact" {
			continue
		}
		raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(typ.Schema))
		if err != nil {
			t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource("https://example.com/"+typ.Name, raw); err != nil {
			t.Fatal(err)
		}
		if compiled[typ.Name], err = compiler.Compile("https://example.com/" + typ.Name); err != nil {
			t.Fatal(err)
		}
	}
	return compiled
}

func TestPlanProperties(t *testing.T) {
	compiled := schemas(t)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		var before *postroom.Contact
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			w.now = w.now.Add(time.Second)
			ch := w.change(t)
			var original postroom.Contact
			if before != nil {
				original = clone(before)
			}
			write, events, err := Plan(before, ch, declared(), &w.ids, w.now)
			if before != nil && !cmp.Equal(original, *before) {
				t.Fatalf("Plan changed what it was given: %s", cmp.Diff(original, *before))
			}
			if err != nil {
				checkRefusal(t, before, ch, err)
				continue
			}
			checkWrite(t, before, &write, len(events))
			checkDifference(t, before, &write, events, ch.By)
			for _, e := range events {
				checkData(t, compiled, e, &write.Contact)
			}
			again, more, err := Plan(&write.Contact, ch, declared(), &w.ids, w.now.Add(time.Minute))
			if err != nil || again.Changes() || len(more) > 0 || len(again.Consents) > 0 || len(again.Lists) > 0 {
				t.Fatalf("the same change again gives %v, %d events %+v, %d consents: %v", again.Changes(), len(more), more, len(again.Consents), err)
			}
			if diff := cmp.Diff(write.Contact, again.Contact); diff != "" {
				t.Fatalf("the same change again gives another contact: %s", diff)
			}
			w.lists = append(w.lists, write.Lists...)
			before = &write.Contact
		}
	})
}

func checkRefusal(t *rapid.T, before *postroom.Contact, ch postroom.ContactChange, err error) {
	switch postroom.CodeOf(err) {
	case postroom.CodeNotFound:
		if before != nil || ch.MayMake {
			t.Fatalf("it was not found: %v", err)
		}
	case postroom.CodeInvalid:
	default:
		t.Fatalf("the error is no refusal: %v", err)
	}
}

func checkWrite(t *rapid.T, before *postroom.Contact, w *postroom.ContactWrite, events int) {
	c := w.Contact
	was := int64(0)
	if before != nil {
		was = before.Version
	}
	switch {
	case w.Was != was:
		t.Fatalf("the write is fenced by %d, and the contact is at %d", w.Was, was)
	case before == nil && !w.Changes(), events > 0 && !w.Changes():
		t.Fatalf("the write changes nothing, and there are %d events", events)
	case w.Changes() && c.Version != was+1:
		t.Fatalf("the version is %d after %d", c.Version, was)
	case c.ID.IsZero(), c.Email == "" && c.UID == nil && c.Phone == "":
		t.Fatalf("nobody can find the contact %+v", c)
	case !slices.IsSorted(c.Tags) || len(slices.Compact(slices.Clone(c.Tags))) != len(c.Tags):
		t.Fatalf("the tags are %q", c.Tags)
	}
	seen := map[postroom.ListID]bool{}
	for _, m := range c.Lists {
		if seen[m.ID] || m.ID.IsZero() {
			t.Fatalf("the lists are %+v", c.Lists)
		}
		seen[m.ID] = true
	}
}

// checkDifference says in its own way what events and consents there must be.
func checkDifference(t *rapid.T, before *postroom.Contact, w *postroom.ContactWrite, events []Event, by postroom.Author) {
	after := w.Contact
	was := postroom.Contact{}
	var want, consents []string
	if before == nil {
		want = append(want, "contact.created")
	} else {
		was = *before
		own := func(c postroom.Contact) postroom.Contact {
			c.Status, c.Lists, c.Tags, c.Version, c.UpdatedAt = "", nil, nil, 0, postroom.Timestamp{}
			if len(c.CustomFields) == 0 {
				c.CustomFields = nil
			}
			return c
		}
		if !cmp.Equal(own(was), own(after)) {
			want = append(want, "contact.updated")
		}
		if was.Status != after.Status {
			want = append(want, "contact.status_changed")
		}
	}
	if was.Status != after.Status {
		consents = append(consents, fmt.Sprintf(" %s>%s", was.Status, after.Status))
	}
	for _, tag := range was.Tags {
		if !slices.Contains(after.Tags, tag) {
			want = append(want, "contact.untagged")
		}
	}
	for _, tag := range after.Tags {
		if !slices.Contains(was.Tags, tag) {
			want = append(want, "contact.tagged")
		}
	}
	var joined []string
	for _, m := range after.Lists {
		from := statusOn(&was, m.ID)
		if from == m.Status {
			continue
		}
		consents = append(consents, fmt.Sprintf("%s %s>%s", m.ID, from, m.Status))
		switch m.Status {
		case postroom.MemberSubscribed:
			joined = append(joined, "contact.subscribed")
		case postroom.MemberUnsubscribed:
			want = append(want, "contact.unsubscribed")
		}
	}
	var got, gotConsents []string
	for _, e := range events {
		got = append(got, e.Type)
	}
	for _, c := range w.Consents {
		list := ""
		if c.ListID != nil {
			list = c.ListID.String()
		}
		gotConsents = append(gotConsents, fmt.Sprintf("%s %s>%s", list, c.From, c.To))
		if c.ContactID != after.ID || c.Origin != by.Origin || *c.RequestID != by.Request || c.KeyID != nil || c.IP != by.IP || !c.At.Equal(after.UpdatedAt.Time) {
			t.Fatalf("the consent is %+v, by %+v", c, by)
		}
	}
	if diff := cmp.Diff(append(want, joined...), got); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(consents, gotConsents); diff != "" {
		t.Fatalf("consents (-want +got):\n%s", diff)
	}
}

func checkData(t *rapid.T, compiled map[string]*jsonschema.Schema, e Event, c *postroom.Contact) {
	if err := payload.Valid(e.Data); err != nil {
		t.Fatalf("%s: %v in %s", e.Type, err, e.Data)
	}
	for _, escaped := range []string{`\u003c`, `\u003e`, `\u0026`} {
		if bytes.Contains(e.Data, []byte(escaped)) {
			t.Fatalf("%s has %s: %s", e.Type, escaped, e.Data)
		}
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.Data))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled[e.Type].Validate(value); err != nil {
		t.Fatalf("%s: %v in %s", e.Type, err, e.Data)
	}
	for _, raw := range c.CustomFields {
		if !bytes.Contains(e.Data, raw) {
			t.Fatalf("%s does not have %s as it is: %s", e.Type, raw, e.Data)
		}
	}
	event := postroom.Event{Data: e.Data}
	if err := payload.Describe(&event); err != nil || event.Contact == "" || c.Email != "" && event.Contact != c.Email {
		t.Fatalf("the event is found by %q (%v), and the contact's email is %q", event.Contact, err, c.Email)
	}
}

// TestMerge plans changes one after the other, and stores them at once.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		var before *postroom.Contact
		var merged postroom.ContactWrite
		consents, lists := 0, 0
		for range rapid.IntRange(2, 5).Draw(t, "changes") {
			write, _, err := Plan(before, w.change(t), declared(), &w.ids, w.now)
			if err != nil {
				continue
			}
			consents, lists = consents+len(write.Consents), lists+len(write.Lists)
			w.lists = append(w.lists, write.Lists...)
			if before == nil {
				merged = write
			} else {
				merged = Merge(merged, write)
			}
			before = &write.Contact
		}
		if before == nil {
			return
		}
		if merged.Was != 0 || len(merged.Consents) != consents || len(merged.Lists) != lists || !cmp.Equal(merged.Contact, *before) {
			t.Fatalf("merged into %+v", merged)
		}
	})
}
