package dialect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/payload"
)

const all = "title: All\nout:\n  events: {\"*\": \"*\", email.sent: sent}\n  bodies:\n    postroom.webhook.*: '2'\n    postroom.*: '1'\n    \"*\": '0'\n    postroom.test: '3'\n  headers:\n    postroom.*: {x-a: \"1\", x-b: \"1\"}\n    \"*\": {x-c: \"0\", x-a: \"0\"}\n  test: postroom.test\n"

func TestNames(t *testing.T) {
	o := &compile(t, whole).Out
	for eventType, want := range map[string]string{"email.sent": "sent", "email.opened": "opened", "contact.created": "opened", "postroom.test": "", "order.paid": ""} {
		name, ok := o.Name(eventType)
		if ok != (want != "") || ok && name != want || o.Offers(eventType) != ok {
			t.Errorf("%s is %q, %v", eventType, name, ok)
		}
	}
	for name, want := range map[string][]string{"sent": {"email.sent"}, "SENT": {"email.sent"}, "opened": {"contact.created", "email.opened"}, "email.sent": nil, "x": nil} {
		if diff := cmp.Diff(want, o.Types(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if types, others := o.Named(); others || len(types) != 3 || types[0] != "contact.created" {
		t.Errorf("%v, %v", types, others)
	}

	o = &compile(t, all).Out
	if name, ok := o.Name("order.paid"); name != "order.paid" || !ok || !o.Offers("anything") {
		t.Errorf("%s, %v", name, ok)
	}
	if diff := cmp.Diff([]string{"order.paid"}, o.Types("order.paid")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"email.sent"}, o.Types("Sent")); diff != "" {
		t.Error(diff)
	}
}

// The more specific pattern counts, wherever it stands.
func TestBodies(t *testing.T) {
	o := &compile(t, all).Out
	for eventType, want := range map[string]string{"email.sent": "0", "order.paid": "0", "postroom.x": "1", "postroom.webhook.disabled": "2", "postroom.test": "3"} {
		if b := o.Body(eventType); b == nil || b.Source != want {
			t.Errorf("%s has the body %+v, want %s", eventType, b, want)
		}
	}
	order := ""
	for _, b := range o.Bodies() {
		order += b.Source
	}
	if order != "0123" {
		t.Errorf("the order is %s", order)
	}
	o = &compile(t, whole).Out
	if o.Body("contact.created").Events != "*" || o.Body("email.opened").Events != "email.*" || o.Body("email.sent").Events != "email.sent" {
		t.Error("the bodies are mixed up")
	}
	e := &postroom.Event{Type: "opened", Time: time.UnixMicro(0), Data: []byte(`{"contact":{"email":"ada@example.com"}}`)}
	if got, _, err := o.Body("email.opened").Template.Render(nil, &payload.Input{Event: e}); err != nil || string(got) != `{"event":"opened","who":"ada@example.com"}` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestHeaders(t *testing.T) {
	lines := func(o *dialect.Out, eventType string) (s string) {
		for _, h := range o.Headers(eventType) {
			s += h.Name + "=" + h.Source + " "
		}
		return s
	}
	o := &compile(t, all).Out
	for eventType, want := range map[string]string{"email.sent": "X-C=0 X-A=0 ", "postroom.test": "X-C=0 X-A=1 X-B=1 "} {
		if got := lines(o, eventType); got != want {
			t.Errorf("%s has %s, want %s", eventType, got, want)
		}
	}
	if o.Reserved("") {
		t.Error("nothing is reserved")
	}
	o = &compile(t, whole).Out
	if got := lines(o, "email.sent"); got != "X-Acme-Event=mail X-Acme-Time={iso(timestamp)} X-Acme-Email={contact_email?} " {
		t.Error(got)
	}
	for name, want := range map[string]bool{"X-Acme-Event": true, "X-Acme-Email": true, "X-Acme-Signature": true, "X-Other": false, "": false} {
		if o.Reserved(name) != want {
			t.Errorf("%q is reserved: %v", name, !want)
		}
	}
	if groups := o.HeaderGroups(); len(groups) != 2 || groups[0].Events != "*" || len(groups[1].Headers) != 2 {
		t.Errorf("%+v", groups)
	}
}

func TestLoad(t *testing.T) {
	files := fstest.MapFS{
		"acme/dialect.yaml":   {Data: []byte(whole)},
		"all/dialect.yaml":    {Data: []byte(all)},
		"all/testdata/x":      {},
		"README.md":           {Data: []byte("#")},
		"no-dialect/x.yaml":   {},
		".git/dialect.yaml":   {Data: []byte("x")},
		"standard/.gitignore": {},
	}
	set, err := dialect.Load(files, "dir", known())
	if err != nil || strings.Join(set.Names(), " ") != "acme all" {
		t.Fatalf("%v, %v", set.Names(), err)
	}
	if hint := set.Hint("acmee"); hint != " (did you mean acme?)" {
		t.Error(hint)
	}
	files["bad/dialect.yaml"] = &fstest.MapFile{Data: []byte("title: Bad\nouts: 1\n")}
	files["Worse/dialect.yaml"] = &fstest.MapFile{Data: []byte(whole)}
	_, err = dialect.Load(files, "dir", known())
	want := "dir/Worse/dialect.yaml: the folder's name is the dialect's: up to 32 small letters, digits and hyphens, a letter first\n" +
		"dir/bad/dialect.yaml:1: a dialect has a part out\ndir/bad/dialect.yaml:2: a dialect has no outs (did you mean out?)"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

// Folders of a deployment are often links.
func TestLoadLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "..data", "acme"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "..data", "acme", "dialect.yaml"), []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, link := range [][2]string{{"..data/acme", "acme"}, {"nowhere", "broken"}} {
		if err := os.Symlink(link[0], filepath.Join(dir, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	set, err := dialect.Load(os.DirFS(dir), dir, known())
	if err != nil || strings.Join(set.Names(), " ") != "acme" {
		t.Errorf("%v, %v", set.Names(), err)
	}
	// A dialect.yaml that cannot be read is told.
	if err := os.MkdirAll(filepath.Join(dir, "odd", "dialect.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := dialect.Load(os.DirFS(dir), dir, known()); err == nil || !strings.HasPrefix(err.Error(), dir+"/odd/dialect.yaml: ") {
		t.Errorf("%v", err)
	}
	if _, err := dialect.Load(os.DirFS(filepath.Join(dir, "absent")), "absent", known()); err == nil || !strings.Contains(err.Error(), "absent cannot be listed") {
		t.Errorf("%v", err)
	}
}
