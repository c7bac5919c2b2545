package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

func TestContacts(t *testing.T) {
	s := newServer(t)
	got := s.ok(200, "GET", "/v1/contacts?email=a@x.org&phone=%2B1&status=pending&list=News&tag=vip&field=plan&value=pro&q=ad&after=2026-01-31T09:30:00.127Z&limit=2", "")
	want := []any{app.ContactSearch{ListRef: "News", ContactFilter: postroom.ContactFilter{Email: "a@x.org", Phone: "+1", Status: postroom.ContactPending, Tag: "vip", Field: "plan", Value: "pro", Text: "ad", After: testTime}},
		postroom.PageQuery{Limit: 2}}
	if diff := cmp.Diff(want, s.asked); diff != "" || len(got["data"].([]any)) != 1 {
		t.Errorf("%v %s", got, diff)
	}
	s.refused(postroom.CodeInvalid, []string{"?status"}, "GET", "/v1/contacts?status=asleep", "")

	text := func(s string) *string { return &s }
	status := postroom.ContactBounced
	w := s.call("PUT", "/v1/contacts/new@x.org", `{"first_name":"","last_name":null,"status":"bounced","custom_fields":{"n":1.50,"gone":null},"tags":["a"],"lists":["News"],"double_opt_in":true}`)
	in := app.ContactInput{Fields: postroom.ContactFields{FirstName: text(""), Status: &status, CustomFields: map[string]json.RawMessage{"n": json.RawMessage("1.50"), "gone": json.RawMessage("null")}},
		Tags: []string{"a"}, Lists: []string{"News"}, Pending: true}
	if diff := cmp.Diff([]any{"new@x.org", in}, s.asked); diff != "" || w.Code != 201 || w.Header().Get("ETag") != `"7"` || w.Header().Get("Location") == "" {
		t.Errorf("status %d, %v %s", w.Code, w.Header(), diff)
	}
	if w := s.call("PUT", "/v1/contacts/old@x.org", `{}`); w.Code != 200 || !strings.Contains(w.Body.String(), `"custom_fields":{"company":"<A&B>","n":12345678901234567890}`) {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	s.refused(postroom.CodeBadJSON, nil, "PUT", "/v1/contacts/a@x.org", "")
	s.refused(postroom.CodeUnknownField, []string{"/id"}, "POST", "/v1/contacts", `{"id":"con_x"}`)

	s.ok(200, "PATCH", "/v1/contacts/a@x.org", `{"first_name":null,"status":null,"tags":["new"],"custom_fields":{"n":null,"m":{"a":null,"b":1}}}`, "If-Match", `"7"`)
	patched := app.ContactSettings{Email: "ada@example.com", Status: postroom.ContactSubscribed, Tags: []string{"new"},
		CustomFields: map[string]json.RawMessage{"company": json.RawMessage(`"<A&B>"`), "m": json.RawMessage(`{"b":1}`)}}
	if diff := cmp.Diff(patched, s.asked); diff != "" {
		t.Error(diff)
	}
	s.refused(postroom.CodePreconditionFailed, nil, "PATCH", "/v1/contacts/a@x.org", `{}`, "If-Match", `"6"`)
	s.ok(204, "DELETE", "/v1/contacts/a@x.org", "", "If-Match", `"7", "8"`)
	if s.asked != int64(7) {
		t.Errorf("asked %v", s.asked)
	}
	if w := s.call("GET", "/v1/contacts/a@x.org", "", "If-None-Match", `W/"7"`); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	s.refused(postroom.CodeNotFound, nil, "GET", "/v1/contacts/gone", "")
	s.ok(200, "POST", "/v1/contacts/a@x.org/tags", `{"add":["a"],"remove":["b"]}`)
	if diff := cmp.Diff([]any{[]string{"a"}, []string{"b"}}, s.asked); diff != "" {
		t.Error(diff)
	}
}

func TestListsTagsAndFields(t *testing.T) {
	s := newServer(t)
	s.ok(200, "POST", "/v1/lists/a%20b/members", `{"contacts":["a@x.org"],"double_opt_in":true}`)
	if diff := cmp.Diff([]any{"a b", []string{"a@x.org"}, true}, s.asked); diff != "" {
		t.Error(diff)
	}
	for _, test := range []struct {
		method, path, body string
		want               any
	}{
		{"DELETE", "/v1/lists/News/members/a%2Fb@x.org", "", []any{"remove", "News", "a/b@x.org"}},
		{"POST", "/v1/lists/News/members/con_x/confirm", "", []any{"confirm", "News", "con_x"}},
		{"PATCH", "/v1/lists/News", `{"description":null,"uid":"n"}`, app.ListInput{Name: "Newsletter", UID: new(string)}},
		{"PATCH", "/v1/tags/a%2Fb", `{"name":"c"}`, []any{"a/b", "c"}},
		{"PATCH", "/v1/fields/plan", `{"type":"text","options":null}`, app.FieldInput{Name: "plan", Title: "Plan", Type: postroom.FieldText}},
	} {
		if in, ok := test.want.(app.ListInput); ok {
			*in.UID = "n"
		}
		s.ok(200, test.method, test.path, test.body)
		if diff := cmp.Diff(test.want, s.asked); diff != "" {
			t.Errorf("%s %s: %s", test.method, test.path, diff)
		}
	}
	if w := s.call("POST", "/v1/fields", `{"name":"a b"}`); w.Code != 201 || !cmp.Equal(s.asked, app.FieldInput{Name: "a b", Type: postroom.FieldText}) {
		t.Errorf("status %d, asked %+v", w.Code, s.asked)
	}
}

func TestImport(t *testing.T) {
	s := newServer(t)
	w := s.call("POST", "/v1/contacts/import?list=A,B&tag=%5B%22x,y%22%5D&update=false&double_opt_in=true", "email\na@x.org\n", "Content-Type", "text/csv; charset=utf-8")
	want := []any{app.ImportOptions{Format: app.FormatCSV, Lists: []string{"A", "B"}, Tags: []string{"x,y"}, Keep: true, Pending: true}, "email\na@x.org\n"}
	if diff := cmp.Diff(want, s.asked); diff != "" || w.Code != 201 || !strings.HasPrefix(w.Header().Get("Location"), "/v1/imports/imp_") {
		t.Errorf("status %d, %v %s", w.Code, w.Header(), diff)
	}
	if got := s.ok(200, "POST", "/v1/contacts/import?dry_run=true", "{}", "Content-Type", "application/x-ndjson"); got["id"] != nil || got["created"] != 1.0 {
		t.Errorf("%v", got)
	}
	csv := []string{"Content-Type", "text/csv"}
	s.refused(postroom.CodeInvalid, []string{"?update", "?dry_run"}, "POST", "/v1/contacts/import?update=no&dry_run=1", "", csv...)
	s.refused(postroom.CodeInvalid, []string{"?list"}, "POST", "/v1/contacts/import?list=a&list=b", "", csv...)
	s.refused(postroom.CodeUnsupportedMedia, nil, "POST", "/v1/contacts/import", "{}")
	s.refused(postroom.CodeUnsupportedMedia, nil, "POST", "/v1/contacts/import", "x", "Content-Type", "")
	s.refused(postroom.CodeUnsupportedMedia, nil, "POST", "/v1/contacts/import", "x", append(csv, "Content-Encoding", "gzip")...)
	s.refused(postroom.CodeForbidden, nil, "POST", "/v1/contacts/import", "x", append(csv, "Authorization", "Bearer prk_publisher")...)
	s.failWith = postroom.Errorf(postroom.CodeUnavailable, "Not now.")
	s.refused(postroom.CodeUnavailable, nil, "POST", "/v1/contacts/import", "email\n", csv...)
	// A file that is too large breaks off, with a sentence that says so; with a key it is kept whole, and less is enough.
	r := request("POST", "/v1/contacts/import", "")
	r.Header.Set("Content-Type", "text/csv")
	r.Header.Set("Idempotency-Key", "k")
	r.ContentLength = maxKeyedLinesBody + 1
	s.problemOf(s.do(r), postroom.CodeTooLarge, nil)
	if _, err := (wholeFile{http.MaxBytesReader(nil, readCloser{strings.NewReader("too much")}, 3)}).Read(make([]byte, 100)); postroom.CodeOf(err) != postroom.CodeTooLarge {
		t.Error(err)
	}
}

// readCloser is a reader that need not be closed.
type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestErase(t *testing.T) {
	s := newServer(t)
	if got := s.ok(200, "POST", "/v1/contacts/a@x.org/erase", ""); got["rows"] != 40.0 || got["done"] != true || got["contact_id"] == nil {
		t.Errorf("%v", got)
	}
	w := s.call("POST", "/v1/contacts/a@x.org/erase", "", "Accept", "application/x-ndjson")
	lines := bytes.Split(bytes.TrimSpace(w.Body.Bytes()), []byte("\n"))
	if len(lines) != 2 || string(lines[0]) != `{"contact_id":null,"rows":20,"done":false}` || !bytes.HasSuffix(lines[1], []byte(`"rows":40,"done":true}`)) || w.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	s.refused(postroom.CodeNotFound, nil, "POST", "/v1/contacts/gone/erase", "", "Accept", "application/x-ndjson")
	// One that fails on the way is cut off, and not taken for done.
	s.exportErr = errors.New("the disk is gone")
	defer func() {
		if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // it is the value itself
			t.Errorf("it ends with %v", got)
		}
	}()
	s.call("POST", "/v1/contacts/a@x.org/erase", "", "Accept", "application/x-ndjson")
	t.Error("it is not cut off")
}

func TestExportContacts(t *testing.T) {
	s := newServer(t)
	s.exported = []postroom.Delivery{s.delivery()}
	w := s.call("GET", "/v1/contacts/export?format=csv&tag=vip", "")
	head, row, _ := strings.Cut(w.Body.String(), "\r\n")
	if head != "id,email,uid,phone,first_name,last_name,status,lists,pending_lists,tags,source,custom_field.plan,custom_fields,created_at,updated_at" ||
		!strings.Contains(row, `,ada@example.com,,,,,subscribed,Newsletter,,vip,,,"{""company"":""<A&B>"",""n"":12345678901234567890}",`) ||
		w.Header().Get("Content-Disposition") != `attachment; filename="contacts.csv"` {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	if diff := cmp.Diff(app.ContactSearch{ContactFilter: postroom.ContactFilter{Tag: "vip"}}, s.asked); diff != "" {
		t.Error(diff)
	}
	if got := s.call("GET", "/v1/contacts/export", "").Body.String(); !strings.HasPrefix(got, `{"id":"con_`) || !strings.Contains(got, `"n":12345678901234567890`) {
		t.Error(got)
	}
}
