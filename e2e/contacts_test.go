package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func contactCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"a contact's life, and the events that tell of it": contactLife,
		"filters and pages":                  contactFilters,
		"many upserts of one email at once":  contactRace,
		"versions":                           contactVersions,
		"what is refused":                    contactRefusals,
		"lists, tags and fields come and go": audienceParts,
		"a person is erased":                 contactErased,
		"what was done is in the audit log":  audited,
	}
}

func TestContacts(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		s := startServer(t, set)
		for name, test := range contactCases() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				x := newTenant(t, s)
				test(x)
			})
		}
	})
}

// told waits until a path has got these events, in order, and gives what they tell of the contact.
func (x *tenant) told(path string, types ...string) []arrival {
	x.t.Helper()
	arrivals := x.r.wait(x.t, path, len(types))
	var got []string
	for _, a := range arrivals {
		got = append(got, a.event.Type)
	}
	if diff := cmp.Diff(types, got); diff != "" {
		x.t.Errorf("the events (-want +got)\n%s", diff)
	}
	return arrivals
}

// text gives a pointer to a text, for the client's inputs.
func text(s string) *string { return &s }

func contactLife(x *tenant) {
	ctx, t := x.t.Context(), x.t
	x.webhook("/hook", client.WebhookInput{Events: []string{"contact.*"}, Ordering: postroom.OrderingWebhook})
	made := must(x.api.UpsertContact(ctx, "Ada@Example.com", client.ContactInput{FirstName: text("Ada"), Phone: text("+1 (202) 555-0143"), Tags: []string{"vip", "lead"}, Lists: []string{"Newsletter"},
		CustomFields: map[string]any{"n": json.RawMessage("12345678901234567890")}}))(t)
	if made.Email != "Ada@Example.com" || made.Phone != "+12025550143" || made.Status != postroom.ContactSubscribed || made.Source != "api" || made.Version != 1 ||
		string(made.CustomFields["n"]) != "12345678901234567890" || len(made.Lists) != 1 || fmt.Sprint(made.Tags) != "[lead vip]" {
		t.Errorf("the contact is %+v", made)
	}
	same := must(x.api.UpsertContact(ctx, "ada@example.com", client.ContactInput{FirstName: text("Ada"), Tags: []string{"vip"}, Lists: []string{"newsletter"}}))(t)
	if same.ID != made.ID || same.Version != 1 || same.Email != "Ada@Example.com" {
		t.Errorf("the same again makes of it %+v", same)
	}
	must(x.api.UpdateContact(ctx, "ada@example.com", 0, map[string]any{"last_name": "Lovelace", "first_name": nil, "tags": []string{"vip", "new"}, "uid": "u-1"}))(t)
	must(x.api.UpdateContact(ctx, "u-1", 0, map[string]any{"status": "bounced"}))(t)
	must(x.api.TagContact(ctx, made.ID.String(), []string{"vip"}, []string{"new"}))(t)
	must(x.api.RemoveMember(ctx, "NEWSLETTER", "u-1"))(t)
	must(x.api.AddMembers(ctx, "newsletter", []string{"u-1"}, true))(t)
	pending := must(x.api.Contact(ctx, "u-1"))(t)
	if pending.Lists[0].Status != postroom.MemberPending || pending.LastName != "Lovelace" || pending.FirstName != "" {
		t.Errorf("before it confirms it is %+v", pending)
	}
	confirmed := must(x.api.ConfirmMember(ctx, "newsletter", "u-1"))(t)
	arrivals := x.told("/hook", "contact.created", "contact.tagged", "contact.tagged", "contact.subscribed",
		"contact.updated", "contact.untagged", "contact.tagged", "contact.status_changed", "contact.untagged", "contact.unsubscribed", "contact.subscribed")
	var last struct{ Contact, List map[string]any }
	if err := json.Unmarshal(arrivals[len(arrivals)-1].event.Data, &last); err != nil {
		t.Fatal(err)
	}
	if last.Contact["id"] != made.ID.String() || last.Contact["uid"] != "u-1" || last.Contact["status"] != "bounced" || last.List["name"] != "Newsletter" {
		t.Errorf("the last event tells %s", arrivals[len(arrivals)-1].event.Data)
	}
	history := must(x.api.Consents(ctx, "u-1"))(t)
	var tos []string
	for _, h := range history {
		tos = append(tos, h.From+">"+h.To)
		if h.Origin != postroom.OriginAPI || h.KeyID == nil {
			t.Errorf("an entry of the history is %+v", h)
		}
	}
	slices.Sort(tos) // some came at the same time
	if diff := cmp.Diff([]string{">subscribed", ">subscribed", "pending>subscribed", "subscribed>bounced", "subscribed>unsubscribed", "unsubscribed>pending"}, tos); diff != "" {
		t.Errorf("the history (-want +got)\n%s", diff)
	}
	events := must(x.api.ContactEventPage(ctx, "u-1", postroom.PageQuery{}))(t)
	deliveries := must(x.api.ContactDeliveryPage(ctx, "u-1", postroom.PageQuery{}))(t)
	if len(events.Data) != 11 || len(deliveries.Data) != 11 {
		t.Errorf("it has %d events and %d deliveries", len(events.Data), len(deliveries.Data))
	}
	if err := x.api.DeleteContact(ctx, "u-1"); err != nil {
		t.Fatal(err)
	}
	gone := x.r.wait(t, "/hook", 12)[11]
	if gone.event.Type != "contact.deleted" || !strings.Contains(string(gone.event.Data), confirmed.Email) {
		t.Errorf("the last event is %s %s", gone.event.Type, gone.event.Data)
	}
	x.do(http.MethodGet, "/v1/contacts/u-1", "").refused(t, 404, postroom.CodeNotFound, "")
	if l := must(x.api.List(ctx, "Newsletter"))(t); l.Members != 0 {
		t.Errorf("the list has %d members", l.Members)
	}
}

func contactFilters(x *tenant) {
	ctx, t := x.t.Context(), x.t
	must(x.api.CreateField(ctx, client.FieldInput{Name: "plan", Type: postroom.FieldChoice, Options: []string{"free", "pro"}}))(t)
	for i := range 120 {
		in := client.ContactInput{FirstName: text(fmt.Sprintf("First%d", i%2)), CustomFields: map[string]any{"plan": []string{"free", "pro"}[i%2]}}
		if i%3 == 0 {
			in.Tags = []string{"third"}
		}
		if i%4 == 0 {
			in.Lists, in.Status = []string{"Fourths"}, postroom.ContactUnsubscribed
		}
		if i == 7 {
			in.Phone = text("+12025550143")
		}
		must(x.api.UpsertContact(ctx, fmt.Sprintf("person-%03d@example.com", i), in))(t)
	}
	for _, test := range []struct {
		name string
		f    client.ContactFilter
		want int
	}{
		{"all", client.ContactFilter{}, 120},
		{"tag", client.ContactFilter{ContactFilter: postroom.ContactFilter{Tag: "third"}}, 40},
		{"list", client.ContactFilter{ListRef: "fourths"}, 30},
		{"status", client.ContactFilter{ContactFilter: postroom.ContactFilter{Status: postroom.ContactUnsubscribed}}, 30},
		{"tag and list", client.ContactFilter{ListRef: "Fourths", ContactFilter: postroom.ContactFilter{Tag: "third"}}, 10},
		{"field", client.ContactFilter{ContactFilter: postroom.ContactFilter{Field: "plan", Value: "pro"}}, 60},
		{"field as JSON", client.ContactFilter{ContactFilter: postroom.ContactFilter{Field: "plan", Value: `"pro"`}}, 60},
		{"email", client.ContactFilter{ContactFilter: postroom.ContactFilter{Email: "PERSON-007@example.com"}}, 1},
		{"phone", client.ContactFilter{ContactFilter: postroom.ContactFilter{Phone: "+1 202 555 0143"}}, 1},
		{"text", client.ContactFilter{ContactFilter: postroom.ContactFilter{Text: "son-01"}}, 10},
		{"a name", client.ContactFilter{ContactFilter: postroom.ContactFilter{Text: "first1"}}, 60},
		{"nothing", client.ContactFilter{ContactFilter: postroom.ContactFilter{Tag: "no such"}}, 0},
	} {
		seen, last := map[postroom.ContactID]bool{}, ""
		for c, err := range x.api.Contacts(ctx, test.f) {
			if err != nil {
				t.Fatal(err)
			}
			if last != "" && c.ID.String() >= last {
				t.Errorf("%s: %s comes after %s", test.name, c.ID, last)
			}
			seen[c.ID], last = true, c.ID.String()
		}
		if len(seen) != test.want {
			t.Errorf("%s: %d contacts, want %d", test.name, len(seen), test.want)
		}
	}
	// Page by page, there and back.
	first := must(x.api.ContactPage(ctx, client.ContactFilter{}, postroom.PageQuery{Limit: 50}))(t)
	second := must(x.api.ContactPage(ctx, client.ContactFilter{}, postroom.PageQuery{Limit: 50, Cursor: *first.NextCursor}))(t)
	back := must(x.api.ContactPage(ctx, client.ContactFilter{}, postroom.PageQuery{Limit: 50, Cursor: *second.PrevCursor}))(t)
	if len(first.Data) != 50 || len(second.Data) != 50 || first.PrevCursor != nil || !slices.EqualFunc(first.Data, back.Data, func(a, b postroom.Contact) bool { return a.ID == b.ID }) {
		t.Errorf("the pages have %d, %d and %d contacts", len(first.Data), len(second.Data), len(back.Data))
	}
	members := 0
	for _, err := range x.api.Members(ctx, "Fourths") {
		if err != nil {
			t.Fatal(err)
		}
		members++
	}
	if l := must(x.api.List(ctx, "Fourths"))(t); members != 30 || l.Members != 30 {
		t.Errorf("the list has %d members, and lists %d", l.Members, members)
	}
	for query, pointer := range map[string]string{"status=x": "?status", "list=nope": "?list", "field=plan": "?field", "value=x": "?field", "after=x": "?after", "q=%00": "?q", "limit=0": "?limit"} {
		x.do(http.MethodGet, "/v1/contacts?"+query, "").refused(t, 422, postroom.CodeInvalid, pointer)
	}
}

// contactRace has many connections upsert one email, and checks that each change was made on what the one before had left.
func contactRace(x *tenant) {
	ctx, t := x.t.Context(), x.t
	const callers, rounds = 16, 5
	var group sync.WaitGroup
	failed := make(chan error, callers*rounds)
	for i := range callers {
		group.Go(func() {
			for n := range rounds {
				_, err := x.api.UpsertContact(ctx, []string{"ada@example.com", "ADA@example.com"}[n%2], client.ContactInput{LastName: text(fmt.Sprintf("%d-%d", i, n)), Tags: []string{fmt.Sprint("t", n)}})
				failed <- err
			}
		})
	}
	group.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			t.Fatal(err)
		}
	}
	all := must(x.api.ContactPage(ctx, client.ContactFilter{}, postroom.PageQuery{}))(t).Data
	if len(all) != 1 || len(all[0].Tags) != rounds {
		t.Fatalf("there are %d contacts: %+v", len(all), all)
	}
	type told struct {
		Contact struct {
			LastName string `json:"last_name"`
		}
		Previous struct {
			LastName string `json:"last_name"`
		}
	}
	counts, was, after := map[string]int{}, map[string]string{}, map[string]bool{}
	for e, err := range x.api.Events(ctx, postroom.EventFilter{Type: "contact.*"}) {
		if err != nil {
			t.Fatal(err)
		}
		var d told
		if err := json.Unmarshal(e.Data, &d); err != nil {
			t.Fatal(err)
		}
		counts[e.Type]++
		if e.Type == "contact.updated" || e.Type == "contact.created" {
			if other, twice := was[d.Previous.LastName]; twice {
				t.Errorf("%q became both %q and %q", d.Previous.LastName, other, d.Contact.LastName)
			}
			was[d.Previous.LastName], after[d.Contact.LastName] = d.Contact.LastName, true
		}
	}
	if counts["contact.created"] != 1 || counts["contact.updated"] != callers*rounds-1 || counts["contact.tagged"] != rounds || len(after) != callers*rounds {
		t.Errorf("the events are %v", counts)
	}
}

func contactVersions(x *tenant) {
	ctx, t := x.t.Context(), x.t
	made := must(x.api.CreateContact(ctx, client.ContactInput{Email: text("ada@example.com")}))(t)
	changed := must(x.api.UpdateContact(ctx, made.ID.String(), made.Version, map[string]any{"first_name": "Ada"}))(t)
	if changed.Version != made.Version+1 {
		t.Errorf("the version after a change is %d", changed.Version)
	}
	_, err := x.api.UpdateContact(ctx, made.ID.String(), made.Version, map[string]any{"first_name": "Eve"})
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code != postroom.CodePreconditionFailed {
		t.Errorf("a change of an old version: %v", err)
	}
	path := "/v1/contacts/ada@example.com"
	with := func(method, header, value string) answer {
		return x.s.do(t, call{method: method, path: path, key: x.key, header: map[string]string{header: value}})
	}
	with(http.MethodGet, "If-None-Match", `"2"`).is(t, http.StatusNotModified)
	with(http.MethodGet, "If-None-Match", `"1"`).is(t, http.StatusOK)
	with(http.MethodDelete, "If-Match", `"1"`).refused(t, 412, postroom.CodePreconditionFailed, "")
	with(http.MethodDelete, "If-Match", `"2"`).is(t, http.StatusNoContent)
	with(http.MethodDelete, "If-Match", `*`).refused(t, 404, postroom.CodeNotFound, "")
}

func contactRefusals(x *tenant) {
	ctx, t := x.t.Context(), x.t
	must(x.api.CreateField(ctx, client.FieldInput{Name: "age", Type: postroom.FieldNumber}))(t)
	must(x.api.CreateContact(ctx, client.ContactInput{Email: text("ada@example.com"), UID: text("u-1")}))(t)
	must(x.api.CreateContact(ctx, client.ContactInput{Phone: text("+12025550143")}))(t)
	for _, test := range []struct {
		method, path, body string
		status             int
		code               postroom.Code
		pointer            string
	}{
		{"POST", "/v1/contacts", `{}`, 422, postroom.CodeInvalid, "/email"},
		{"POST", "/v1/contacts", `{"email":"ada"}`, 422, postroom.CodeInvalid, "/email"},
		{"POST", "/v1/contacts", `{"email":"ADA@example.com"}`, 409, postroom.CodeConflict, "/email"},
		{"POST", "/v1/contacts", `{"email":"eve@example.com","uid":"u-1"}`, 409, postroom.CodeConflict, "/uid"},
		{"POST", "/v1/contacts", `{"email":"eve@example.com","phone":"12"}`, 422, postroom.CodeInvalid, "/phone"},
		{"POST", "/v1/contacts", `{"email":"eve@example.com","status":"asleep"}`, 422, postroom.CodeInvalid, "/status"},
		{"POST", "/v1/contacts", `{"email":"eve@example.com","first_name":"a\u0000"}`, 422, postroom.CodeInvalid, "/first_name"},
		{"POST", "/v1/contacts", `{"email":"eve@example.com","custom_fields":{"age":"old"}}`, 422, postroom.CodeInvalid, "/custom_fields/age"},
		{"POST", "/v1/contacts", `{"email":"eve@example.com","tags":[""]}`, 422, postroom.CodeInvalid, "/tags/0"},
		{"POST", "/v1/contacts", `{"email":"eve@example.com","lists":["ok",""]}`, 422, postroom.CodeInvalid, "/lists/1"},
		{"POST", "/v1/contacts", `{"email":"eve@example.com","lists":["lst_01jd3v8x2mf4k8c0q9r7t5y1za"]}`, 422, postroom.CodeInvalid, "/lists/0"},
		{"POST", "/v1/contacts", `{"email":"eve@example.com","Email":"x"}`, 422, postroom.CodeUnknownField, "/Email"},
		{"PUT", "/v1/contacts/eve", `{}`, 422, postroom.CodeInvalid, "/email"},
		{"PUT", "/v1/contacts/eve@example.com", `{"email":"other@example.com"}`, 422, postroom.CodeInvalid, "/email"},
		{"PUT", "/v1/contacts/eve@example.com", `{"uid":"u-1"}`, 409, postroom.CodeConflict, "/uid"},
		{"PATCH", "/v1/contacts/u-1", `{"email":"","uid":null}`, 422, postroom.CodeInvalid, "/email"},
		{"PATCH", "/v1/contacts/u-1", `{"lists":[]}`, 422, postroom.CodeUnknownField, "/lists"},
		{"PATCH", "/v1/contacts/nobody", `{}`, 404, postroom.CodeNotFound, ""},
		{"POST", "/v1/contacts/nobody@example.com/erase", ``, 404, postroom.CodeNotFound, ""},
		{"POST", "/v1/lists", `{"name":""}`, 422, postroom.CodeInvalid, "/name"},
		{"POST", "/v1/lists/nowhere/members", `{"contacts":["u-1"]}`, 404, postroom.CodeNotFound, ""},
		{"POST", "/v1/fields", `{"name":"age"}`, 409, postroom.CodeConflict, "/name"},
		{"POST", "/v1/fields", `{"name":"size","type":"choice"}`, 422, postroom.CodeInvalid, "/options"},
		{"PATCH", "/v1/fields/age", `{"name":"other"}`, 422, postroom.CodeInvalid, "/name"},
		{"PATCH", "/v1/tags/none", `{"name":"x"}`, 404, postroom.CodeNotFound, ""},
		{"GET", "/v1/imports/imp_x", "", 404, postroom.CodeNotFound, ""},
		{"GET", "/v1/contacts/%00", "", 404, postroom.CodeNotFound, ""},
		{"GET", "/v1/lists/%FF", "", 404, postroom.CodeNotFound, ""},
		{"DELETE", "/v1/tags/%00", "", 404, postroom.CodeNotFound, ""},
	} {
		t.Run(test.method+" "+test.path+" "+test.body, func(t *testing.T) {
			x.s.do(t, call{method: test.method, path: test.path, key: x.key, body: test.body}).refused(t, test.status, test.code, test.pointer)
		})
	}
	if all := must(x.api.ContactPage(ctx, client.ContactFilter{}, postroom.PageQuery{}))(t).Data; len(all) != 2 {
		t.Errorf("there are %d contacts", len(all))
	}
	if page := must(x.api.ListPage(ctx, postroom.PageQuery{}))(t); len(page.Data) != 0 {
		t.Errorf("a refused contact has left the lists %+v", page.Data)
	}
}

func audienceParts(x *tenant) {
	ctx, t := x.t.Context(), x.t
	x.webhook("/hook", client.WebhookInput{Events: []string{"contact.untagged", "contact.tagged", "contact.unsubscribed"}})
	l := must(x.api.CreateList(ctx, client.ListInput{UID: "news", Name: "News", Description: "Old."}))(t)
	changed := must(x.api.UpdateList(ctx, "news", map[string]any{"name": "Newsletter", "description": nil}))(t)
	if changed.ID != l.ID || changed.Name != "Newsletter" || changed.Description != "" || *changed.UID != "news" {
		t.Errorf("the list is %+v", changed)
	}
	x.do(http.MethodPost, "/v1/lists", `{"name":"NEWSLETTER"}`).refused(t, 409, postroom.CodeConflict, "/name")
	const people = 250 // more than a transaction changes
	var file strings.Builder
	file.WriteString("email\n")
	for i := range people {
		fmt.Fprintf(&file, "p%d@example.com\n", i)
	}
	must(x.api.ImportContacts(ctx, client.ImportInput{Format: client.ExportCSV, Lists: []string{"newsletter"}, Tags: []string{"lead"}}, strings.NewReader(file.String())))(t)
	tag := must(x.api.RenameTag(ctx, "lead", "prospect"))(t)
	if tag.Contacts != people {
		t.Errorf("the tag is %+v", tag)
	}
	if err := errors.Join(x.api.DeleteTag(ctx, "prospect"), x.api.DeleteList(ctx, "newsletter")); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, a := range x.r.wait(t, "/hook", people*5) {
		counts[a.event.Type]++
	}
	if counts["contact.tagged"] != 2*people || counts["contact.untagged"] != 2*people || counts["contact.unsubscribed"] != people {
		t.Errorf("the events are %v", counts)
	}
	if tags := must(x.api.Tags(ctx))(t); len(tags) != 0 {
		t.Errorf("the tags are %+v", tags)
	}
	if c := must(x.api.Contact(ctx, "p7@example.com"))(t); len(c.Tags)+len(c.Lists) != 0 {
		t.Errorf("a contact is %+v", c)
	}
	x.do(http.MethodGet, "/v1/lists/news", "").refused(t, 404, postroom.CodeNotFound, "")

	must(x.api.CreateField(ctx, client.FieldInput{Name: "size", Type: postroom.FieldChoice, Options: []string{"S", "M"}}))(t)
	c := must(x.api.UpsertContact(ctx, "p7@example.com", client.ContactInput{CustomFields: map[string]any{"size": "m"}}))(t)
	if string(c.CustomFields["size"]) != `"M"` {
		t.Errorf("the field is %s", c.CustomFields["size"])
	}
	f := must(x.api.UpdateField(ctx, "size", map[string]any{"type": "text", "title": "Size"}))(t)
	if f.Type != postroom.FieldText || f.Options != nil || f.Title != "Size" {
		t.Errorf("the field is %+v", f)
	}
	if err := x.api.DeleteField(ctx, "size"); err != nil {
		t.Fatal(err)
	}
	if c := must(x.api.Contact(ctx, "p7@example.com"))(t); string(c.CustomFields["size"]) != `"M"` {
		t.Errorf("without its declaration the field is %s", c.CustomFields["size"])
	}
}
