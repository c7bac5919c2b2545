package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var atTerminal = Terminal{Stdin: true, Stdout: true, Stderr: true, Width: 80}

// TestTerminal shows what is different on a terminal: tables without being asked for, colours, and cut lines.
func TestTerminal(t *testing.T) {
	all := ""
	for _, args := range [][]string{
		{"webhooks", "create", "-u", "https://example.com/hooks", "-e", "*"}, {"webhooks", "list"}, {"webhooks", "test", "crm-sync"},
		{"events", "list"}, {"deliveries", "show", dlv1}, {"webhooks", "get", "gone"},
	} {
		for _, environ := range [][]string{nil, {"NO_COLOR=1"}} {
			r := run(t, newFakeServer(t), given{terminal: atTerminal, environ: environ}, args...)
			if environ != nil && strings.Contains(r.stdout+r.stderr, "\x1b") {
				t.Errorf("%v: there are colours though NO_COLOR is set", args)
			}
			all += transcript(args, r) + "\n"
		}
	}
	golden(t, "terminal.txt", strings.ReplaceAll(all, "\x1b", "␛"))
}

func TestFormatFollowsWhereResultsGo(t *testing.T) {
	piped := run(t, newFakeServer(t), given{terminal: Terminal{Stdin: true, Stderr: true}}, "webhooks", "list")
	if !strings.HasPrefix(piped.stdout, "[\n") {
		t.Errorf("piped, the list is %s", piped.stdout)
	}
	asked := run(t, newFakeServer(t), given{terminal: atTerminal}, "webhooks", "list", "-o", "json")
	if asked.stdout != piped.stdout {
		t.Errorf("asked for, the list is %s", asked.stdout)
	}
}

func TestDeletingAsks(t *testing.T) {
	for _, tc := range []struct {
		name, stdin string
		args        []string
		question    string
		deleted     bool
	}{
		{"webhook yes", "y\n", []string{"webhooks", "delete", whk1}, "Delete webhook " + whk1 + " (Production Webhook) to https://example.com/hooks? Deliveries that wait for it are cancelled. [y/N] ", true},
		{"webhook by uid", "YES\r\n", []string{"webhooks", "delete", "crm-sync"}, "Delete webhook " + whk2 + " (CRM sync) to https://crm.example.com/hooks? Deliveries that wait for it are cancelled. [y/N] ", true},
		{"webhook no", "n\n", []string{"webhooks", "delete", whk1}, "", false},
		{"webhook return", "\n", []string{"webhooks", "delete", whk1}, "", false},
		{"webhook end", "", []string{"webhooks", "delete", whk1}, "", false},
		{"key", "y\n", []string{"keys", "delete", key1}, "Delete key " + key1 + " (Shop)? It stops working at once. [y/N] ", true},
		{"workspace", "y\n", []string{"workspaces", "delete", wsp1}, "Delete workspace " + wsp1 + " (Acme) with all its webhooks, events and keys? [y/N] ", true},
		{"event type", "y\n", []string{"event-types", "delete", "order.paid"}, "Delete event type order.paid? Events of it can no longer be published. [y/N] ", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFakeServer(t)
			f.answers["DELETE /v1/webhooks/"+whk2] = "204 "
			r := run(t, f, given{terminal: atTerminal, stdin: tc.stdin}, tc.args...)
			last := r.asked
			if n := len(last); n > 0 {
				last = last[n-1:]
			}
			if deleted := strings.HasPrefix(strings.Join(last, ""), "DELETE"); deleted != tc.deleted {
				t.Errorf("the last call is %q", last)
			}
			if !strings.HasPrefix(r.stderr, tc.question) {
				t.Errorf("it asked %q\nwant     %q", r.stderr, tc.question)
			}
			wantExit := exitOK
			if !tc.deleted {
				wantExit = exitFailed
				if !strings.Contains(r.stderr, "nothing was deleted") {
					t.Errorf("it said %q", r.stderr)
				}
			}
			if r.exit != wantExit {
				t.Errorf("exit %d", r.exit)
			}
		})
	}
}

// TestReplayingAndResumingAsk sees to it that people hear how much it is before they say yes.
func TestReplayingAndResumingAsk(t *testing.T) {
	const many = `Replay at least 100,000 deliveries (1,000 cancelled, 99,000 failed)? [y/N] `
	resume := func(fate string) string {
		return "1,200 deliveries are held since Jan 31 09:00:00. Resume webhook " + whk1 + " (Production Webhook) and " + fate + " them? [y/N] "
	}
	for _, tc := range []struct {
		name, stdin string
		args        []string
		stderr      string
		calls       int
		last        string
		exit        int
	}{
		{"replay yes", "y\n", []string{"webhooks", "replay", "crm-sync"}, many, 2,
			`POST /v1/webhooks/crm-sync/replay {"before":"2026-01-31T09:30:00.000Z"}`, exitOK},
		{"replay no", "\n", []string{"webhooks", "replay", "crm-sync"}, many + "postroom: nothing was replayed\n", 1,
			`POST /v1/webhooks/crm-sync/replay {"dry_run":true}`, exitFailed},
		{"nothing to replay", "", []string{"webhooks", "replay", "quiet"}, "", 1, `POST /v1/webhooks/quiet/replay {"dry_run":true}`, exitOK},
		{"resume yes", "y\n", []string{"webhooks", "resume", whk1}, resume("send"), 2,
			`POST /v1/webhooks/` + whk1 + `/resume {"held":"release"}`, exitOK},
		{"discard no", "n\n", []string{"webhooks", "resume", whk1, "--held", "discard"}, resume("discard") + "postroom: the webhook was not resumed\n",
			1, `POST /v1/webhooks/` + whk1 + `/resume {"dry_run":true}`, exitFailed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFakeServer(t)
			r := run(t, f, given{terminal: atTerminal, stdin: tc.stdin, environ: []string{"NO_COLOR=1"}}, tc.args...)
			if r.stderr != tc.stderr || r.exit != tc.exit {
				t.Errorf("exit %d, it said %q\nwant %q", r.exit, r.stderr, tc.stderr)
			}
			if len(r.asked) != tc.calls || r.asked[len(r.asked)-1] != tc.last {
				t.Errorf("the calls are %q, want %d and the last %q", r.asked, tc.calls, tc.last)
			}
		})
	}
}

// TestInterruptedQuestion sees to it that Ctrl-C ends a command that waits for an answer.
func TestInterruptedQuestion(t *testing.T) {
	f := newFakeServer(t)
	silent, never := io.Pipe()
	defer func() { _ = never.Close() }()
	ctx, interrupt := context.WithCancel(t.Context())
	asked := make(chan string, 1)
	exited := make(chan int, 1)
	go func() {
		exited <- Run(ctx, []string{"webhooks", "delete", whk1}, Config{
			Stdin: silent, Stdout: io.Discard, Terminal: atTerminal, Now: time.Now, Zone: time.UTC,
			Stderr:  writerFunc(func(b []byte) { asked <- string(b) }),
			Environ: []string{"POSTROOM_API_KEY=prk_test", "POSTROOM_URL=" + f.URL},
		})
	}()
	if question := <-asked; !strings.Contains(question, "[y/N]") {
		t.Errorf("it asked %q", question)
	}
	interrupt()
	if said := <-asked; !strings.Contains(said, "interrupted") {
		t.Errorf("it said %q", said)
	}
	if exit := <-exited; exit != exitFailed {
		t.Errorf("exit %d", exit)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(bytes.Clone(b))
	return len(b), nil
}

func TestKeyIsNeeded(t *testing.T) {
	r := run(t, newFakeServer(t), given{environ: []string{"POSTROOM_API_KEY="}}, "webhooks", "list")
	want := "postroom: an API key is needed\n  Set POSTROOM_API_KEY, or give --api-key. The first start of `postroom serve` prints a key; `postroom keys create` makes more.\n"
	if r.exit != exitUsage || r.stderr != want || len(r.asked) > 0 {
		t.Errorf("exit %d, calls %v, %s", r.exit, r.asked, r.stderr)
	}
}

func TestFlagsWinOverEnvironment(t *testing.T) {
	f := newFakeServer(t)
	r := run(t, f, given{environ: []string{"POSTROOM_API_KEY=prk_other", "POSTROOM_URL=http://127.0.0.1:1"}},
		"--url", f.URL, "webhooks", "list", "--api-key", "prk_test")
	if r.exit != exitOK || len(r.asked) != 1 {
		t.Errorf("exit %d, calls %v, %s", r.exit, r.asked, r.stderr)
	}
}

func TestUnreachable(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close() // nothing listens at its address any more
	r := run(t, newFakeServer(t), given{}, "--url", gone.URL+"/", "webhooks", "list")
	want := "postroom: nothing answers at " + gone.URL + "\n  Is `postroom serve` running there? POSTROOM_URL or --url names another address.\n"
	if r.exit != exitFailed || r.stderr != want {
		t.Errorf("exit %d, %s", r.exit, r.stderr)
	}
	s := &session{global: globals{URL: "http://hooks.example.com"}}
	for want, err := range map[string]error{
		"there is no host hooks.example.com":                       &url.Error{Err: &net.DNSError{Name: "hooks.example.com", IsNotFound: true}},
		"http://hooks.example.com did not answer in time":          &url.Error{Err: context.DeadlineExceeded},
		"the call to http://hooks.example.com failed: broken pipe": &url.Error{Err: syscall.EPIPE},
		"no call was made": errors.New("no call was made"),
	} {
		if got, _ := s.unreachable(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestStdin(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"data":   {[]string{"events", "send", "--type", "order.paid", "--data", "-"}, `POST /v1/events {"type":"order.paid","data":{"a":1}}`},
		"lines":  {[]string{"events", "send", "--ndjson", "-"}, `POST /v1/events {"a": 1}`},
		"secret": {[]string{"webhooks", "rotate-secret", whk1, "--secret", "-"}, "POST /v1/webhooks/" + whk1 + `/secrets {"secret":"{\"a\": 1}"}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, newFakeServer(t), given{stdin: "{\"a\": 1}\n"}, tc.args...)
			if diff := cmp.Diff([]string{tc.want}, r.asked); diff != "" || r.exit != exitOK {
				t.Errorf("exit %d, %s-want +got:\n%s", r.exit, r.stderr, diff)
			}
		})
	}
}

func TestAuthFlags(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hush\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	kinds := given{environ: []string{"HUSH=from env", "KEY=-----BEGIN\nkey\n"}, stdin: `{"type":"oauth2","grant":"jwt_bearer","claims":{"a":"b"},"tls":null}`}
	for _, tc := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--no-auth"}, `{"type":"none"}`},
		{[]string{"--auth-bearer", "t"}, `{"token":"t","type":"bearer"}`},
		{[]string{"--auth-basic", "user:pass:word"}, `{"password":"pass:word","type":"basic","username":"user"}`},
		{[]string{"--auth-api-key", "@" + secret}, `{"key":"hush","type":"api_key"}`},
		{[]string{"--auth-api-key", "k", "--auth-api-key-header", "X-K"}, `{"header":"X-K","key":"k","type":"api_key"}`},
		{[]string{"--auth-header", "A=1", "--auth-header", "B=@" + secret}, `{"headers":{"A":"1","B":"hush"},"type":"header"}`},
		{[]string{"--auth-query", "key=a=b"}, `{"query":{"key":"a=b"},"type":"query"}`},
		{[]string{"--auth-bearer", "env:HUSH"}, `{"token":"from env","type":"bearer"}`},
		{[]string{"--auth-token-url", "https://a/t", "--auth-client-id", "me", "--auth-client-secret", "@" + secret, "--auth-scope", "a,b", "--auth-audience", "x", "--auth-client-in", "body", "--auth-param", "p=env:HUSH"},
			`{"audience":"x","client_auth":"body","client_id":"me","client_secret":"hush","grant":"client_credentials","params":{"p":"from env"},"scopes":["a","b"],"token_url":"https://a/t","type":"oauth2"}`},
		{[]string{"--auth-private-key", "env:KEY", "--auth-issuer", "i", "--auth-subject", "s", "--auth-key-id", "k"},
			`{"grant":"jwt_bearer","issuer":"i","key_id":"k","private_key":"-----BEGIN\nkey\n","subject":"s","type":"oauth2"}`},
		{[]string{"--auth-scope", "a"}, `{"scopes":["a"]}`},
		{[]string{"--auth", "-"}, `{"claims":{"a":"b"},"grant":"jwt_bearer","tls":null,"type":"oauth2"}`},
		{[]string{"--tls-certificate", "PEM\n", "--tls-key", "@" + secret, "--tls-ca", "CA"}, `{"tls":{"ca":"CA","certificate":"PEM\n","key":"hush\r\n"}}`},
		{[]string{"--auth-bearer", "t", "--no-tls"}, `{"tls":null,"token":"t","type":"bearer"}`},
	} {
		r := run(t, newFakeServer(t), kinds, append([]string{"webhooks", "update", whk1}, tc.flags...)...)
		if want := []string{"PATCH /v1/webhooks/" + whk1 + ` {"auth":` + tc.want + `}`}; !cmp.Equal(want, r.asked) {
			t.Errorf("%v asked %v, want %v; %s", tc.flags, r.asked, want, r.stderr)
		}
	}
}

// TestListsHaveSeveralPages asks for more than one page holds.
func TestListsHaveSeveralPages(t *testing.T) {
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next := map[string]string{"": `"c1"`, "c1": `"c2"`, "c2": "null"}[r.URL.Query().Get("cursor")]
		var limit int
		_, _ = fmt.Sscan(r.URL.Query().Get("limit"), &limit)
		items := strings.Repeat(","+webhookJSON, min(limit, 100))[1:]
		_, _ = io.WriteString(w, `{"data":[`+items+`],"next_cursor":`+next+`,"prev_cursor":null}`)
	}))
	defer pages.Close()
	for limit, want := range map[string]struct {
		rows int
		more bool
	}{"0": {300, false}, "150": {150, true}, "7": {7, true}, "300": {300, false}} {
		r := run(t, newFakeServer(t), given{}, "--url", pages.URL, "-o", "table", "webhooks", "list", "--limit", limit)
		if rows := strings.Count(r.stdout, whk1); rows != want.rows {
			t.Errorf("--limit %s gives %d rows", limit, rows)
		}
		if more := strings.HasSuffix(r.stdout, "There are more: --limit 0 shows all.\n"); more != want.more {
			t.Errorf("--limit %s ends with %q", limit, r.stdout[len(r.stdout)-60:])
		}
	}
}

func TestEmptyLists(t *testing.T) {
	for line, args := range map[string][]string{
		"GET /v1/webhooks": {"webhooks", "list"}, "GET /v1/events": {"events", "list"}, "GET /v1/deliveries": {"deliveries", "list"},
	} {
		f := newFakeServer(t)
		f.answers[line] = page()
		if r := run(t, f, given{terminal: atTerminal}, args...); !strings.HasPrefix(r.stdout, "There are no ") {
			t.Errorf("%v says %q", args, r.stdout)
		}
		if r := run(t, f, given{}, args...); r.stdout != "[]\n" {
			t.Errorf("%v says %q", args, r.stdout)
		}
	}
}

// TestProgress publishes many lines on a terminal whose clock runs, and looks at what is shown meanwhile.
func TestProgress(t *testing.T) {
	lines := strings.Repeat(`{"type":"order.paid"}`+"\n", 2500)
	clock := time.Date(2026, 1, 31, 10, 30, 0, 0, time.UTC)
	r := run(t, newFakeServer(t), given{terminal: atTerminal, stdin: lines, change: func(c *Config) {
		c.Now = func() time.Time { clock = clock.Add(time.Millisecond); return clock }
	}}, "events", "send", "--ndjson", "-")
	shown := strings.Split(r.stderr, "\r\x1b[K")
	if len(shown) < 10 || shown[len(shown)-1] != "" {
		t.Fatalf("shown are %q", shown)
	}
	if want := "201 events published, 501 a second"; shown[5] != want {
		t.Errorf("shown is %q, want %q", shown[5], want)
	}
	if !strings.HasSuffix(r.stdout, "2,500 events published\n") {
		t.Errorf("it said %q", r.stdout)
	}
	quiet := run(t, newFakeServer(t), given{stdin: lines}, "events", "send", "--ndjson", "-")
	if quiet.stderr != "" {
		t.Errorf("without a terminal it showed %q", quiet.stderr)
	}
}

// TestSendingBreaksOff tells what was published before the server failed.
func TestSendingBreaksOff(t *testing.T) {
	calls := 0
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if calls++; calls > 1 {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"title":"No","detail":"The key is gone.","status":403,"code":"forbidden"}`)
			return
		}
		_, _ = io.WriteString(w, publishLines(string(body))[4:])
	}))
	defer failing.Close()
	r := run(t, newFakeServer(t), given{stdin: strings.Repeat("{}\n", 1500)}, "--url", failing.URL, "-o", "table", "events", "send", "--ndjson", "-")
	if r.exit != exitFailed || !strings.Contains(r.stdout, "1,000 events published") || r.stderr != "postroom: The key is gone.\n" {
		t.Errorf("exit %d, %s%s", r.exit, r.stdout, r.stderr)
	}
}

func TestExportToFile(t *testing.T) {
	f := newFakeServer(t)
	file := filepath.Join(t.TempDir(), "deliveries.csv")
	r := run(t, f, given{}, "deliveries", "export", "--format", "csv", "--output", file)
	text, err := os.ReadFile(file)
	if err != nil || string(text) != "id,status\r\n"+dlv1+",failed\r\n" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if want := "✓ 50 bytes written to " + file + "\n"; r.stderr != want || r.stdout != "" {
		t.Errorf("it said %q, want %q", r.stderr, want)
	}

	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "id,status\r\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer broken.Close()
	other := filepath.Join(filepath.Dir(file), "other.csv")
	r = run(t, f, given{}, "--url", broken.URL, "deliveries", "export", "--output", other)
	if r.exit != exitFailed || !strings.Contains(r.stderr, "the export broke off") {
		t.Errorf("exit %d, %s", r.exit, r.stderr)
	}
	left, err := filepath.Glob(other + "*")
	if err != nil || left != nil {
		t.Errorf("left behind are %v, %v", left, err)
	}
	r = run(t, f, given{}, "deliveries", "export", "--output", "/does/not/exist/x.csv")
	if r.exit != exitUsage || !strings.Contains(r.stderr, "/does/not/exist/x.csv") {
		t.Errorf("exit %d, %s", r.exit, r.stderr)
	}
}

func TestOutputThatCannotBeWritten(t *testing.T) {
	r := run(t, newFakeServer(t), given{change: func(c *Config) { c.Stdout = fullDisk{} }}, "webhooks", "list")
	if r.exit != exitFailed || r.stderr != "postroom: the result could not be written: the disk is full\n" {
		t.Errorf("exit %d, %s", r.exit, r.stderr)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }
