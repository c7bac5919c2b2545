package e2e

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

const otherSecretKey = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

// says checks a sentence for what it must tell.
func says(t *testing.T, sentence string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(sentence, part) {
			t.Errorf("it says %q, and should say %q", sentence, part)
		}
	}
}

// TestFirstStart checks what the first start makes, and that the key that it shows works, once and for all.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	s := newServer(t, settings{env: []string{"POSTROOM_ADMIN_KEY="}})
	s.start(t)
	shown := regexp.MustCompile(`prk_[a-z2-7]{40}`).FindString(s.out.String())
	if shown == "" {
		t.Fatalf("no key is shown:\n%s", s.out.String())
	}
	w := must(newClient(t, s, shown).Workspaces(t.Context()))(t)
	if len(w) != 1 || w[0].Name != "default" {
		t.Errorf("there are the workspaces %+v", w)
	}
	for name, mode := range map[string]os.FileMode{"postroom-data": 0o700 | os.ModeDir, "postroom-data/secret.key": 0o600} {
		info, err := os.Stat(filepath.Join(s.dir, name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s is %v (%v), want %v", name, info.Mode(), err, mode)
		}
	}
	s.signal(t, syscall.SIGTERM)
	s.exit(t, startTimeout)
	s.start(t)
	if strings.Contains(s.out.String(), "prk_") {
		t.Errorf("the second start shows a key:\n%s", s.out.String())
	}
	must(newClient(t, s, shown).Workspaces(t.Context()))(t)

	// A key that is given later is added.
	s.kill(t)
	s.env = nil
	s.start(t)
	for _, key := range []string{shown, operatorKey} {
		if keys := must(newClient(t, s, key).Keys(t.Context()))(t); len(keys) != 2 {
			t.Errorf("there are %d keys, want the two", len(keys))
		}
	}
	for _, secret := range []string{shown, operatorKey} {
		if strings.Contains(s.log.String(), secret) {
			t.Error("the log holds a key")
		}
	}
}

// TestSecretsAtRest looks for secrets in everything that is stored.
func TestSecretsAtRest(t *testing.T) {
	t.Parallel()
	s := startServer(t, settings{flags: devFlags()})
	x := newTenant(t, s)
	w := x.webhook("/hook", client.WebhookInput{Auth: &postroom.Auth{Type: "bearer", Token: "hush-hush-hush"}})
	x.s.do(t, call{method: http.MethodPost, path: "/v1/webhooks/" + w.ID.String() + "/secrets", key: x.key, body: `{"secret":"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}`,
		header: map[string]string{"Idempotency-Key": "k"}}).is(t, http.StatusCreated)
	x.publish("e", "email.opened", `{"marker":"shown-shown-shown"}`)
	x.r.wait(t, "/hook", 1)
	x.settled(w.ID, postroom.DeliverySucceeded)
	s.signal(t, syscall.SIGTERM)
	s.exit(t, startTimeout)
	found := false
	for _, name := range must(filepath.Glob(filepath.Join(s.dir, "postroom-data", "postroom.db*")))(t) {
		content := must(os.ReadFile(name))(t)
		found = found || bytes.Contains(content, []byte("shown-shown-shown"))
		for what, secret := range map[string]string{"a token": "hush-hush-hush", "an API key": x.key, "the operator's key": operatorKey, "a signing secret": strings.TrimPrefix(w.Secret, "whsec_"),
			"a given signing secret": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="} {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s holds %s", filepath.Base(name), what)
			}
		}
	}
	if !found {
		t.Error("the event's data is not found, so that nothing is said about the rest")
	}
}

func TestRefusedStarts(t *testing.T) {
	t.Parallel()
	running := startServer(t, settings{flags: devFlags()})
	database := "sqlite:" + filepath.Join(running.dir, "postroom-data", "postroom.db")
	stopped := startServer(t, settings{})
	stopped.signal(t, syscall.SIGTERM)
	stopped.exit(t, startTimeout)
	data := filepath.Join(stopped.dir, "postroom-data")

	t.Run("a database in use", func(t *testing.T) {
		says(t, refusesToStart(t, settings{database: database}, 1), "postroom.db", "in use by another Postroom")
		if err := running.ready(); err != nil {
			t.Errorf("the one that runs: %v", err)
		}
	})
	t.Run("a port in use", func(t *testing.T) {
		l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
		defer func() { _ = l.Close() }()
		says(t, refusesToStart(t, settings{flags: []string{"--listen", l.Addr().String()}}, 1), "--listen", l.Addr().String(), "address already in use")
	})
	t.Run("another secret key", func(t *testing.T) {
		says(t, refusesToStart(t, settings{dir: stopped.dir, env: []string{"POSTROOM_SECRET_KEY=" + otherSecretKey}}, 1), "POSTROOM_SECRET_KEY", "not the one")
	})
	t.Run("a lost secret key", func(t *testing.T) {
		key := filepath.Join(data, "secret.key")
		content := must(os.ReadFile(key))(t)
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		says(t, refusesToStart(t, settings{dir: stopped.dir}, 1), "secret.key", "POSTROOM_SECRET_KEY")
		if _, err := os.Stat(key); err == nil {
			t.Error("it made a new key for an old database")
		}
		if err := os.WriteFile(key, []byte("short"), 0o600); err != nil {
			t.Fatal(err)
		}
		says(t, refusesToStart(t, settings{dir: stopped.dir}, 1), "secret.key", "32 bytes in base64")
		if err := os.WriteFile(key, content, 0o600); err != nil {
			t.Fatal(err)
		}
		stopped.start(t) // all is well again
		stopped.kill(t)
	})
	t.Run("a file that is no database", func(t *testing.T) {
		dir := t.TempDir()
		name := filepath.Join(dir, "postroom.db")
		if err := os.WriteFile(name, []byte(strings.Repeat("This is no database. ", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		says(t, refusesToStart(t, settings{dir: dir, database: "sqlite:" + name, env: []string{"POSTROOM_SECRET_KEY=" + secretKey}}, 1), name, "not a database")
	})
	t.Run("a folder that is a file", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "data"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		says(t, refusesToStart(t, settings{dir: dir, database: "sqlite:data/postroom.db"}, 1), "data", "not a directory")
	})
	t.Run("a folder that cannot be written", func(t *testing.T) { readOnlyFolder(t) })
	t.Run("wrong settings", func(t *testing.T) {
		says(t, refusesToStart(t, settings{flags: []string{"--retention", "5m"}}, 2), "--retention", "5m", "at least 1h")
		says(t, refusesToStart(t, settings{env: []string{"POSTROOM_MAX_BODY=lots"}}, 2), "POSTROOM_MAX_BODY", "lots", "1KiB to 256MiB")
	})
}

// readOnlyFolder starts a server where it may not write. Root may write everywhere, so it runs as nobody then.
func readOnlyFolder(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "postroom")
	if err := os.Link(testenv.Binary(t), binary); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	for name, mode := range map[string]os.FileMode{data: 0o555, dir: 0o755, filepath.Dir(dir): 0o755} {
		if err := os.MkdirAll(name, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	set := settings{binary: binary, dir: dir, database: "sqlite:" + filepath.Join(data, "postroom.db")}
	if os.Geteuid() == 0 {
		set.as = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	says(t, refusesToStart(t, set, 1), data, "permission denied")
}

func TestRefusedStartsOnPostgres(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	s := startServer(t, settings{database: url})
	s.signal(t, syscall.SIGTERM)
	s.exit(t, startTimeout)
	password := regexp.MustCompile(`://[^:]+:([^@]+)@`).FindStringSubmatch(url)[1]
	for name, c := range map[string]struct {
		set    settings
		status int
		says   []string
	}{
		"no secret key":      {settings{database: url, env: []string{"POSTROOM_SECRET_KEY="}}, 2, []string{"POSTROOM_SECRET_KEY", "PostgreSQL", "32 bytes in base64"}},
		"another secret key": {settings{database: url, env: []string{"POSTROOM_SECRET_KEY=" + otherSecretKey}}, 1, []string{"POSTROOM_SECRET_KEY", "not the one"}},
		"no server":          {settings{database: "postgres://u:hush@127.0.0.1:1/postroom"}, 1, []string{"127.0.0.1", "refused"}},
		"no such database":   {settings{database: url[:strings.LastIndex(url, "/")] + "/absent" + query(url)}, 1, []string{"absent", "does not exist"}},
		"another password":   {settings{database: strings.Replace(url, password, "wrong", 1)}, 1, []string{"password"}},
	} {
		t.Run(name, func(t *testing.T) {
			said := refusesToStart(t, c.set, c.status)
			says(t, said, c.says...)
			if strings.Contains(said, "hush") || strings.Contains(said, password) {
				t.Errorf("it shows a password: %s", said)
			}
		})
	}
}

func query(url string) string {
	if i := strings.IndexByte(url, '?'); i >= 0 {
		return url[i:]
	}
	return ""
}
