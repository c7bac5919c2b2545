package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/testenv"
)

const (
	// operatorKey is the fixed key of every server that the tests start.
	operatorKey = "prk_end-to-end-tests-operator-0001"
	// secretKey is 32 bytes in base64, for servers on PostgreSQL.
	secretKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

	// raceDetector makes a program that is built with the race detector end without waiting a second for reports.
	raceDetector = "GORACE=atexit_sleep_ms=0"

	startTimeout = 60 * time.Second // on a busy machine; an idle one needs a few tenths of a second
)

// settings say how a server is started.
type settings struct {
	binary   string              // the program; that of testenv.Binary if empty
	dir      string              // its working directory, where it keeps its SQLite database; a new one if empty
	database string              // as --database has it; the default, SQLite in dir, if empty
	flags    []string            // of serve, besides --listen and --database
	env      []string            // NAME=value, besides the key of the operator
	as       *syscall.Credential // who it runs as; who runs the test if nil
}

// server is a postroom server that a test starts, ends and starts again. Its methods may be called concurrently.
type server struct {
	settings
	http *http.Client
	log  tail // of all its runs

	mu    sync.Mutex
	url   string // of the present run, or the last one
	cmd   *exec.Cmd
	out   *tail         // stdout of the present run
	ended chan struct{} // closed when the present run has ended
}

// newServer makes a server that does not run yet. What it logged is shown when the test fails; a data race or a panic in
// it fails the test.
func newServer(t *testing.T, s settings) *server {
	t.Helper()
	if s.binary == "" {
		s.binary = testenv.Binary(t)
	}
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	x := &server{settings: s, http: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(func() {
		x.kill(t)
		x.http.CloseIdleConnections()
		log := x.log.String()
		for _, defect := range []string{"DATA RACE", "panic"} {
			if strings.Contains(log, defect) {
				t.Errorf("the server's log holds %q", defect)
			}
		}
		if t.Failed() {
			t.Logf("the end of the log of the server in %s:\n%s", x.dir, lastLines(log, 40))
		}
	})
	return x
}

// startServer starts a server and waits until it is ready.
func startServer(t *testing.T, s settings) *server {
	t.Helper()
	x := newServer(t, s)
	x.start(t)
	return x
}

// devFlags let a server call loopback over http.
func devFlags() []string { return []string{"--dev"} }

// command is the program with one of the commands that take the settings of a server.
func (s settings) command(name string, args ...string) *exec.Cmd {
	args = append(append([]string{name}, s.flags...), args...)
	if s.database != "" {
		args = append(args, "--database", s.database)
	}
	cmd := exec.Command(s.binary, args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "POSTROOM_ADMIN_KEY=" + operatorKey, raceDetector}
	if strings.HasPrefix(s.database, "postgres:") {
		cmd.Env = append(cmd.Env, "POSTROOM_SECRET_KEY="+secretKey)
	}
	cmd.Env = append(cmd.Env, s.env...) // of one name, the last counts
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

// launch starts the program, and does not wait for anything.
func (s *server) launch(t testing.TB) {
	t.Helper()
	var listen []string
	if !slices.Contains(s.flags, "--listen") {
		listen = []string{"--listen", "127.0.0.1:0"}
	}
	out := &tail{}
	cmd := s.command("serve", listen...)
	cmd.Stdout, cmd.Stderr = out, &s.log
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // exit reads the state
	}()
	s.cmd, s.out, s.ended, s.url = cmd, out, ended, ""
}

// start starts the program and waits until it is ready.
func (s *server) start(t testing.TB) {
	t.Helper()
	s.launch(t)
	if !s.becomesReady(t) {
		t.Fatalf("the server ended at its start:\n%s%s", s.out.String(), s.log.String())
	}
}

// becomesReady waits until the present run is ready; it is false when the run has ended before.
func (s *server) becomesReady(t testing.TB) bool {
	t.Helper()
	testenv.Eventually(t, startTimeout, func() error {
		if s.hasEnded() {
			return nil
		}
		m := runningAt.FindStringSubmatch(s.out.String())
		if m == nil {
			return errors.New("the server has not told its address")
		}
		s.setAddress(m[1])
		return s.ready()
	})
	return !s.hasEnded()
}

var runningAt = regexp.MustCompile(`(?m)^Postroom \S+ is running at (http://\S+)$`)

func (s *server) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address()+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s", resp.Status)
	}
	return nil
}

func (s *server) setAddress(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.url = url
}

// address is the server's URL; empty while it is not known.
func (s *server) address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url
}

func (s *server) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// signal sends a signal to the process of the present run.
func (s *server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// kill ends the present run with SIGKILL, if there is one.
func (s *server) kill(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	s.signal(t, syscall.SIGKILL)
	<-s.ended
}

// exit waits for the end of the present run and gives its exit status; -1 when a signal ended it.
func (s *server) exit(t testing.TB, within time.Duration) int {
	t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		t.Fatalf("the server still runs after %v", within)
	}
	return s.cmd.ProcessState.ExitCode()
}

// refusesToStart starts a server that must end at once, and gives what it said on stderr, which is one line.
func refusesToStart(t *testing.T, s settings, status int) string {
	t.Helper()
	x := newServer(t, s)
	x.launch(t)
	got := x.exit(t, startTimeout)
	said := x.log.String()
	if got != status {
		t.Errorf("the exit status is %d, want %d", got, status)
	}
	if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "postroom: ") {
		t.Errorf("it says, and should say in one line that begins with its name:\n%s", said)
	}
	if out := x.out.String(); out != "" {
		t.Errorf("it writes to stdout:\n%s", out)
	}
	return strings.TrimSpace(said)
}

func lastLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// tail keeps the last of what is written to it.
type tail struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const tailLength = 256 << 10

// Write keeps p.
func (b *tail) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.text.Len() > 2*tailLength {
		b.text.Next(b.text.Len() - tailLength)
	}
	return b.text.Write(p)
}

func (b *tail) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// onBoth runs a test on each database, with the settings of a server for it.
func onBoth(t *testing.T, test func(t *testing.T, s settings)) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			s := settings{flags: devFlags()}
			if database == "postgres" {
				s.database = testenv.Postgres(t)
			}
			test(t, s)
		})
	}
}
