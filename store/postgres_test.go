package store

import (
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testenv"
)

// TestPostgresLocale lists by groups of event types in a database that sorts text as English does, where "email.opened"
// comes before "emails" and the dot counts for little.
func TestPostgresLocale(t *testing.T) {
	address := testenv.PostgresFast(t)
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Path += "_english"
	name := pgx.Identifier{u.Path[1:]}.Sanitize()
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0 LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := conn.Exec(t.Context(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	}()
	s, err := Open(t.Context(), Config{URL: u.String(), Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	f := newFixture(t, s)
	workspace := f.workspace("one")
	for _, name := range someTypes() {
		p := f.publication(workspace, noon(), postroom.StateFresh)
		p.Event.Type = name
		f.publish(p)
	}
	for _, pattern := range somePatterns() {
		want := 0
		for _, name := range someTypes() {
			if matches(pattern, name) {
				want++
			}
		}
		events, _, err := s.Events(f.ctx, workspace, postroom.EventFilter{Type: pattern}, nil, 100)
		f.must(err)
		if len(events) != want {
			t.Errorf("%q lets %d of %d events through, want %d", pattern, len(events), len(someTypes()), want)
		}
	}
}

// TestPostgresReadOnly looks at a database that another node uses.
func TestPostgresReadOnly(t *testing.T) {
	db := newPostgres(t)
	f := newFixture(t, db.open())
	workspace := f.workspace("one")
	looking := db.config()
	looking.ReadOnly = true
	ro := db.openWith(looking)
	if w, err := ro.Workspace(f.ctx, workspace); err != nil || w.Name != "one" {
		t.Errorf("who looks sees %+v, %v", w, err)
	}
	if _, err := ro.Info(f.ctx); err != nil {
		t.Error(err)
	}
	if err := ro.SetMeta(f.ctx, "k", []byte("x")); err == nil {
		t.Error("who may only look has changed something")
	}
	if err := ro.Publish(f.ctx, []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh)}); err == nil {
		t.Error("who may only look has published")
	}
}

// TestPostgresUnreachable says what is wrong and keeps the password to itself.
func TestPostgresUnreachable(t *testing.T) {
	for what, url := range map[string]string{
		"no server":   "postgres://ada:hunter2@127.0.0.1:1/postroom?connect_timeout=5",
		"a wrong URL": "postgres://ada:hunter2@127.0.0.1:port/postroom",
		"an option":   "postgresql://ada:hunter2@127.0.0.1:1/postroom?sslmode=perhaps",
	} {
		db := database{t, url}
		text := db.refuses(db.config())
		if contains(t, what, text, "127.0.0.1"); strings.Contains(text, "hunter2") {
			t.Errorf("%s: the message shows the password: %s", what, text)
		}
	}
}
