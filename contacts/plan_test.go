package contacts

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func ptr[T any](v T) *T { return &v }

func TestEmail(t *testing.T) {
	for in, want := range map[string]string{
		"ada@example.com": "ada@example.com", "  Ada.Lovelace+news@Example.COM\n": "Ada.Lovelace+news@Example.COM", "o'neil@example.ie": "o'neil@example.ie",
		"zoë@exämple.se": "zoë@exämple.se", "root@localhost": "root@localhost", strings.Repeat("a", 64) + "@example.com": strings.Repeat("a", 64) + "@example.com",
		"": "", "ada": "", "ada@": "", "@example.com": "", "ada@example..com": "", "ada@.com": "", "ada@example.com.": "", ".ada@example.com": "", "a..b@example.com": "",
		"Ada <ada@example.com>": "", "<ada@example.com>": "", "ada@example.com (Ada)": "", `"a b"@example.com`: "", "ada@[192.0.2.1]": "", "a b@example.com": "",
		"ada@exa_mple.com": "", "ada@-example.com": "", "a@b@example.com": "", "ada@example.com, grace@example.com": "", "a\x00b@example.com": "", "a\u200bb@example.com": "",
		strings.Repeat("a", 65) + "@example.com": "", "a@" + strings.Repeat("a.", 130) + "com": "", "ada@" + strings.Repeat("a", 64) + ".com": "", "a\xff@example.com": "",
	} {
		got, err := Email(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Email(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestPhone(t *testing.T) {
	for in, want := range map[string]string{
		"+12025550143": "+12025550143", "+1 (202) 555-0143": "+12025550143", "001 202.555.0143": "+12025550143", "tel:+1-202-555-0143": "+12025550143",
		"+44 (0)20 7946 0958": "+442079460958", "0044 20/7946/0958": "+442079460958", "\u202a+46\u00a070\u2011174\u202f06 05\u202c": "+46701740605",
		"2025550143": "", "020 7946 0958": "", "+0123456789": "", "+1": "", "+1234567890123456": "", "+1 202 555 0143 ext. 5": "", "call me": "", "+1+2025550143": "", "": "",
		"+1202555０143": "", strings.Repeat("+12025550143 ", 9): "",
	} {
		got, err := Phone(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Phone(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestValue(t *testing.T) {
	field := func(typ postroom.FieldType) postroom.Field {
		return postroom.Field{Name: "f", Type: typ, Options: []string{"Small", "Large"}}
	}
	const refused = "refused"
	for _, test := range []struct {
		typ      postroom.FieldType
		in, want string
	}{
		{postroom.FieldText, `"a <b>"`, `"a <b>"`}, {postroom.FieldText, `18.50`, `"18.50"`}, {postroom.FieldText, `true`, `"true"`}, {postroom.FieldText, `""`, `""`},
		{postroom.FieldText, `[]`, refused}, {postroom.FieldText, `null`, ""},
		{postroom.FieldNumber, `18`, `18`}, {postroom.FieldNumber, `"18"`, `18`}, {postroom.FieldNumber, `" -2.50 "`, `-2.50`}, {postroom.FieldNumber, `12345678901234567890`, `12345678901234567890`},
		{postroom.FieldNumber, `"12345678901234567890"`, `12345678901234567890`}, {postroom.FieldNumber, `""`, ""}, {postroom.FieldNumber, `"1,5"`, refused}, {postroom.FieldNumber, `true`, refused},
		{postroom.FieldNumber, `"0x10"`, refused}, {postroom.FieldNumber, `"018"`, refused}, {postroom.FieldNumber, `{}`, refused},
		{postroom.FieldBoolean, `true`, `true`}, {postroom.FieldBoolean, `"Yes"`, `true`}, {postroom.FieldBoolean, `1`, `true`}, {postroom.FieldBoolean, `"off"`, `false`},
		{postroom.FieldBoolean, `2`, refused}, {postroom.FieldBoolean, `"maybe"`, refused}, {postroom.FieldBoolean, `" "`, ""},
		{postroom.FieldDate, `"2026-03-15"`, `"2026-03-15"`}, {postroom.FieldDate, `"2026-03-15T10:30:00.5+02:00"`, `"2026-03-15T10:30:00.5+02:00"`}, {postroom.FieldDate, `"2026-02-30"`, refused},
		{postroom.FieldDate, `"15.03.2026"`, refused}, {postroom.FieldDate, `1773570600`, refused},
		{postroom.FieldChoice, `"Small"`, `"Small"`}, {postroom.FieldChoice, `" large"`, `"Large"`}, {postroom.FieldChoice, `"huge"`, refused}, {postroom.FieldChoice, `["Small"]`, refused},
		{postroom.FieldJSON, ` { "a" : [ 1 , "<" ] } `, `{"a":[1,"<"]}`}, {postroom.FieldJSON, `1e400`, `1e400`}, {postroom.FieldJSON, `nul`, refused}, {postroom.FieldJSON, `{"a":1}x`, refused},
	} {
		got, err := Value(field(test.typ), json.RawMessage(test.in))
		switch {
		case test.want == refused && (err == nil || got != nil), test.want != refused && (err != nil || string(got) != test.want):
			t.Errorf("%s of %s: %s, %v, want %s", test.typ, test.in, got, err, test.want)
		}
	}
}

// TestRefusals says where the fault is, all at once.
func TestRefusals(t *testing.T) {
	var ids postroom.IDs
	ch := postroom.ContactChange{MayMake: true, Tag: []string{"ok", " "}, Join: []postroom.List{{Name: strings.Repeat("x", 201)}},
		Fields: postroom.ContactFields{Email: ptr("ada"), Phone: ptr("123"), FirstName: ptr("a\nb"), LastName: ptr(strings.Repeat("é", 256)), Status: ptr(postroom.ContactStatus("gone")),
			UID: ptr("\xff"), CustomFields: map[string]json.RawMessage{"age": json.RawMessage(`"old"`), "a/b~": json.RawMessage(`x`), "": json.RawMessage(`1`)}}}
	_, _, err := Plan(nil, ch, declared(), &ids, epoch)
	var e *postroom.Error
	if !errors.As(err, &e) || e.Code != postroom.CodeInvalid {
		t.Fatalf("the error is %v", err)
	}
	var pointers []string
	for _, f := range e.Fields {
		pointers = append(pointers, f.Pointer)
		if !strings.Contains(f.Detail, " ") {
			t.Errorf("%s: %q is no sentence", f.Pointer, f.Detail)
		}
	}
	want := []string{"/uid", "/email", "/phone", "/first_name", "/last_name", "/status", "/custom_fields/", "/custom_fields/a~1b~0", "/custom_fields/age", "/tags/1", "/lists/0"}
	if diff := cmp.Diff(want, pointers); diff != "" {
		t.Errorf("pointers (-want +got):\n%s", diff)
	}

	for what, ch := range map[string]postroom.ContactChange{
		"nobody":          {MayMake: true, Fields: postroom.ContactFields{FirstName: ptr("Ada")}},
		"blank":           {MayMake: true, Ref: postroom.ContactRef{Email: "  "}},
		"too many tags":   {MayMake: true, Ref: postroom.ContactRef{UID: "1"}, Tag: many(postroom.MaxContactTags + 1)},
		"a large field":   {MayMake: true, Ref: postroom.ContactRef{UID: "1"}, Fields: postroom.ContactFields{CustomFields: map[string]json.RawMessage{"a": json.RawMessage(`"` + strings.Repeat("x", postroom.MaxContactDocument) + `"`)}}},
		"too many fields": {MayMake: true, Ref: postroom.ContactRef{UID: "1"}, Fields: postroom.ContactFields{CustomFields: manyFields(postroom.MaxContactFields + 1)}},
	} {
		if _, _, err := Plan(nil, ch, nil, &ids, epoch); postroom.CodeOf(err) != postroom.CodeInvalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func many(n int) (all []string) {
	for i := range n {
		all = append(all, strings.Repeat("x", i%90+1)+string(rune('a'+i/90)))
	}
	return all
}

func manyFields(n int) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for _, name := range many(n) {
		all[name] = json.RawMessage("1")
	}
	return all
}

// TestMay says what a change does with a contact that exists, and with one that does not.
func TestMay(t *testing.T) {
	var ids postroom.IDs
	ref := postroom.ContactRef{Email: "Ada@Example.com", UID: "17"}
	if _, _, err := Plan(nil, postroom.ContactChange{Ref: ref}, nil, &ids, epoch); postroom.CodeOf(err) != postroom.CodeNotFound {
		t.Errorf("it may not be made: %v", err)
	}
	byID := postroom.ContactRef{ID: postroom.Next[postroom.ContactKind](&ids, epoch)}
	if _, _, err := Plan(nil, postroom.ContactChange{Ref: byID, MayMake: true}, nil, &ids, epoch); postroom.CodeOf(err) != postroom.CodeNotFound {
		t.Errorf("nobody may choose an id: %v", err)
	}
	workspace := postroom.Next[postroom.WorkspaceKind](&ids, epoch)
	made, events, err := Plan(nil, postroom.ContactChange{WorkspaceID: workspace, Ref: ref, MayMake: true}, nil, &ids, epoch)
	if err != nil || made.Contact.Email != "Ada@Example.com" || *made.Contact.UID != "17" || made.Contact.Status != postroom.ContactSubscribed || made.Contact.WorkspaceID != workspace || len(events) != 1 {
		t.Fatalf("made %+v, %d events: %v", made.Contact, len(events), err)
	}
	alter := postroom.ContactChange{Ref: ref, Tag: []string{"vip"}, Fields: postroom.ContactFields{Email: ptr("ADA@example.com"), FirstName: ptr("Ada"), Status: ptr(postroom.ContactUnsubscribed)}}
	kept, _, err := Plan(&made.Contact, alter, nil, &ids, epoch)
	if err != nil || kept.Contact.FirstName != "" || kept.Contact.Status != postroom.ContactSubscribed || !slices.Equal(kept.Contact.Tags, []string{"vip"}) {
		t.Errorf("it may not be altered, and is %+v: %v", kept.Contact, err)
	}
	alter.MayAlter = true
	altered, events, err := Plan(&made.Contact, alter, nil, &ids, epoch)
	if err != nil || altered.Contact.FirstName != "Ada" || altered.Contact.Email != "Ada@Example.com" || len(events) != 3 {
		t.Errorf("altered to %+v, %+v: %v", altered.Contact, events, err)
	}
	if got := string(events[0].Data); events[0].Type != "contact.updated" || !strings.HasSuffix(got, `,"previous":{"first_name":null}}`) {
		t.Errorf("the first event is %s %s", events[0].Type, got)
	}
	if got := string(events[1].Data); events[1].Type != "contact.status_changed" || !strings.HasSuffix(got, `,"previous":{"status":"subscribed"}}`) {
		t.Errorf("the second event is %s %s", events[1].Type, got)
	}
	if _, _, err := Plan(&made.Contact, postroom.ContactChange{MayAlter: true, Fields: postroom.ContactFields{Email: ptr(""), UID: ptr("")}}, nil, &ids, epoch); postroom.CodeOf(err) != postroom.CodeInvalid {
		t.Errorf("nobody could find it: %v", err)
	}
}

// TestDoubleOptIn goes from the wish to join a list to its confirmation.
func TestDoubleOptIn(t *testing.T) {
	var ids postroom.IDs
	list := postroom.List{ID: postroom.Next[postroom.ListKind](&ids, epoch), Name: "News & <more>"}
	wish := postroom.ContactChange{Ref: postroom.ContactRef{Email: "ada@example.com"}, MayMake: true, Join: []postroom.List{list}, Pending: true}
	w, events, err := Plan(nil, wish, nil, &ids, epoch)
	if err != nil || w.Contact.Status != postroom.ContactPending || w.Contact.Lists[0].Status != postroom.MemberPending || len(events) != 1 || !strings.Contains(string(events[0].Data), `"lists":[]`) {
		t.Fatalf("the wish gives %+v, %+v: %v", w.Contact, events, err)
	}
	confirm := postroom.ContactChange{Join: []postroom.List{list}}
	w, events, err = Plan(&w.Contact, confirm, nil, &ids, epoch)
	if err != nil || w.Contact.Status != postroom.ContactSubscribed || w.Contact.Lists[0].Status != postroom.MemberSubscribed || len(w.Consents) != 2 {
		t.Fatalf("the confirmation gives %+v: %v", w, err)
	}
	if last := events[len(events)-1]; len(events) != 2 || last.Type != "contact.subscribed" || !strings.HasSuffix(string(last.Data), `,"list":{"id":"`+list.ID.String()+`","name":"News & <more>"}}`) {
		t.Errorf("the events are %+v", events)
	}
	again, _, err := Plan(&w.Contact, wish, nil, &ids, epoch)
	if err != nil || again.Changes() {
		t.Errorf("a wish to join what it is on changes %+v: %v", again.Contact, err)
	}
	left, events, err := Plan(&w.Contact, postroom.ContactChange{Leave: []postroom.ListID{list.ID}}, nil, &ids, epoch)
	if err != nil || left.Contact.Lists[0].Status != postroom.MemberUnsubscribed || len(events) != 1 || events[0].Type != "contact.unsubscribed" || !strings.Contains(string(events[0].Data), `"lists":[]`) {
		t.Errorf("left with %+v, %+v: %v", left.Contact, events, err)
	}
}

// TestData shows the bytes of an event whole.
func TestData(t *testing.T) {
	var ids postroom.IDs
	ch := postroom.ContactChange{Ref: postroom.ContactRef{Email: "zoe@example.com"}, MayMake: true, Join: []postroom.List{{Name: " Nyheter & <mer> "}}, Tag: []string{"vip", "förhandsvisning"},
		Fields: postroom.ContactFields{FirstName: ptr("Zoë"), CustomFields: map[string]json.RawMessage{"points": json.RawMessage("90071992547409931234"), "b": json.RawMessage(` [ 1.50 ] `)}}}
	w, events, err := Plan(nil, ch, nil, &ids, epoch)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"contact":{"id":"` + w.Contact.ID.String() + `","uid":null,"email":"zoe@example.com","phone":null,"first_name":"Zoë","last_name":null,"status":"subscribed",` +
		`"lists":[{"id":"` + w.Lists[0].ID.String() + `","name":"Nyheter & <mer>"}],"tags":["förhandsvisning","vip"],"custom_fields":{"b":[1.50],"points":90071992547409931234},` +
		`"source":null,"created_at":"2026-03-01T12:00:00.123Z","updated_at":"2026-03-01T12:00:00.123Z"}}`
	if got := string(events[0].Data); got != want {
		t.Errorf("the data is\n%s\nand not\n%s", got, want)
	}
	gone, events := Remove(&w.Contact)
	if !gone.Deleted || !gone.Changes() || gone.Was != w.Contact.Version || len(events) != 1 || events[0].Type != "contact.deleted" || string(events[0].Data) != want {
		t.Errorf("the deletion is %+v, %+v", gone, events)
	}
}

func TestCheckField(t *testing.T) {
	f, err := CheckField(postroom.Field{Name: " size ", Type: postroom.FieldChoice, Options: []string{" S", "L"}})
	if err != nil || f.Name != "size" || !slices.Equal(f.Options, []string{"S", "L"}) {
		t.Errorf("the field is %+v: %v", f, err)
	}
	for what, f := range map[string]postroom.Field{
		"no name": {Type: postroom.FieldText}, "no type": {Name: "a"}, "no options": {Name: "a", Type: postroom.FieldChoice}, "options of a text": {Name: "a", Type: postroom.FieldText, Options: []string{"a"}},
		"an option twice": {Name: "a", Type: postroom.FieldChoice, Options: []string{"a", " a"}}, "a title with a line break": {Name: "a", Type: postroom.FieldText, Title: "a\nb"},
	} {
		if _, err := CheckField(f); postroom.CodeOf(err) != postroom.CodeInvalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestRef(t *testing.T) {
	got, err := Ref(postroom.ContactRef{Email: " Ada@example.com ", Phone: "001 202 555 0143", UID: " 17 "})
	if want := (postroom.ContactRef{Email: "Ada@example.com", Phone: "+12025550143", UID: "17"}); err != nil || got != want {
		t.Errorf("the reference is %+v: %v", got, err)
	}
	if _, err := Ref(postroom.ContactRef{Email: "ada"}); postroom.CodeOf(err) != postroom.CodeInvalid {
		t.Errorf("no address: %v", err)
	}
}
