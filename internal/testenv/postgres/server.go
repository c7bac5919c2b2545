//go:build unix

package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom/internal/testenv/scratch"
)

// How long a server may take. A start after a crash replays the log first; these are bounds for a busy machine, and
// an idle one needs a tenth of a second.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 30 * time.Second
)

// Config says what kind of server to make.
type Config struct {
	// Scratch holds the server's files and ends it when this process ends.
	Scratch *scratch.Dir
	// Fast turns fsync and full-page writes off. What was committed then survives a crash of the server, but not one
	// of the machine; figures of speed taken on it mean nothing.
	Fast bool
}

// A Server is a private PostgreSQL, which can be stopped, crashed and started again on the same port with the same data.
// Its methods may be called from several goroutines.
type Server struct {
	config   Config
	account  account
	programs string // folder of initdb and postgres
	dir      string // holds data/ and log, mode 0700
	password string

	mu    sync.Mutex
	port  int           // 0 until the first start
	cmd   *exec.Cmd     // nil while stopped
	ended chan struct{} // closed when cmd has ended
}

// New makes a server's data directory (encoding UTF-8, locale C) and starts the server.
func New(config Config) (*Server, error) {
	programs, err := findPrograms(candidates())
	if err != nil {
		return nil, err
	}
	runAs, err := serverAccount()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(config.Scratch.Path(), "postgres-")
	if err != nil {
		return nil, err
	}
	if err := runAs.own(dir); err != nil {
		return nil, err
	}
	s := &Server{config: config, account: runAs, programs: programs, dir: dir, password: rand.Text()}
	if err := s.initdb(); err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) initdb() error {
	passwordFile := filepath.Join(s.dir, "password")
	if err := os.WriteFile(passwordFile, []byte(s.password+"\n"), 0o600); err != nil {
		return err
	}
	if err := s.account.own(passwordFile); err != nil {
		return err
	}
	cmd := s.account.command(s.dir, filepath.Join(s.programs, "initdb"),
		"--pgdata=data", "--encoding=UTF8", "--locale=C", "--username=postgres",
		// The password crosses the loopback interface in the clear, and spares tests SCRAM's deliberate slowness.
		"--auth=password", "--pwfile=password",
		// The files are new and temporary; commits made later are synced all the same.
		"--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return os.Remove(passwordFile)
}

// URL is the address of a database of this server, for its superuser. "postgres" always exists.
func (s *Server) URL(database string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url(database)
}

func (s *Server) url(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword("postgres", s.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Start starts a server that was stopped or has crashed, and returns when it answers. The port is chosen at the first
// start and kept, so that URLs stay valid; until then another program may take a port that was free a moment ago, and
// another one is tried.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		select {
		case <-s.ended: // by itself, or by a test that knows its process id
			if err := s.end(syscall.SIGQUIT); err != nil {
				return err
			}
		default:
			return errors.New("this PostgreSQL server is running already")
		}
	}
	if s.port != 0 {
		return s.startOnPort()
	}
	var err error
	for range 5 {
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err = s.startOnPort(); err == nil {
			return nil
		}
		s.port = 0
		if !strings.Contains(err.Error(), "could not bind") {
			break
		}
	}
	return err
}

func (s *Server) startOnPort() error {
	cmd := s.account.command(s.dir, filepath.Join(s.programs, "postgres"), s.arguments()...)
	logFile, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.cmd, s.ended = cmd, make(chan struct{})
	adoptErr := s.config.Scratch.Adopt(cmd.Process.Pid)
	go func(ended chan<- struct{}) {
		_ = cmd.Wait() // how it ended is in its log; whoever stopped it knows why
		close(ended)
	}(s.ended)
	if err := errors.Join(adoptErr, s.waitReady()); err != nil {
		return errors.Join(fmt.Errorf("start PostgreSQL: %w\n%s", err, s.log()), s.end(syscall.SIGQUIT))
	}
	return nil
}

func (s *Server) arguments() []string {
	settings := []string{
		"port=" + strconv.Itoa(s.port),
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=", // none: their paths have a length limit that temporary directories reach
		"max_connections=300",      // a test process has many small pools at once
		"log_timezone=UTC",
		"timezone=UTC",
	}
	if s.config.Fast {
		settings = append(settings, "fsync=off", "full_page_writes=off")
	}
	arguments := []string{"-D", "data"}
	for _, setting := range settings {
		arguments = append(arguments, "-c", setting)
	}
	return arguments
}

// waitReady returns when the server accepts a connection, has ended, or takes too long.
func (s *Server) waitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return errors.New("it ended at once; its log says why")
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %w", startTimeout, err)
		}
	}
}

// Stop shuts the server down in good order: connections are cut, what was committed is written, and the next start
// has nothing to recover. Stopping a stopped server does nothing.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end(syscall.SIGINT)
}

// Crash ends the server at once, as a power failure would end it: no checkpoint, and the next start replays the log.
func (s *Server) Crash() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end(syscall.SIGQUIT)
}

// Close ends the server and removes its data.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.end(syscall.SIGQUIT), os.RemoveAll(s.dir))
}

// end sends the signal and waits. The process is still ours to signal, since its Wait is what closes s.ended; when it
// has ended by itself meanwhile, Signal says so and sends nothing.
func (s *Server) end(signal syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	err := s.cmd.Process.Signal(signal)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	select {
	case <-s.ended:
	case <-time.After(stopTimeout):
		err = errors.Join(err, fmt.Errorf("PostgreSQL did not stop within %v and was killed\n%s", stopTimeout, s.log()), s.cmd.Process.Kill())
		<-s.ended
	}
	err = errors.Join(err, s.config.Scratch.Release(s.cmd.Process.Pid))
	s.cmd = nil
	return err
}

func (s *Server) logPath() string { return filepath.Join(s.dir, "log") }

// log returns the last lines of the server's log since its start, indented, for an error message.
func (s *Server) log() string {
	text, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return "  " + string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n  ")))
}

// freePort returns a port that nothing listens on at this moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}
