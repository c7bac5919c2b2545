package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// session is what the runs of a benchmark share: the receiver, a directory, the numbers of events.
type session struct {
	cfg       Config
	dir       string
	adminKey  string // the same for all servers, since a database may be used by several of them in turn
	secretKey string

	receiver *child
	address  string       // of the receiver
	caller   *http.Client // asks the receiver
	nextSeq  int64
}

func openSession(ctx context.Context, cfg Config) (*session, error) {
	dir, err := os.MkdirTemp(cfg.Dir, "postroom-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a directory for databases: %w", err)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	s := &session{
		cfg: cfg, dir: dir, caller: newCaller(), nextSeq: firstSeq,
		adminKey: "prk_" + (rand.Text() + rand.Text())[:40], secretKey: base64.StdEncoding.EncodeToString(key),
	}
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL's account goes through it to its own
		return nil, errors.Join(err, s.close())
	}
	if s.receiver, s.address, err = startRole(ctx, cfg.Executable, dir, roleReceiver); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *session) close() error {
	s.caller.CloseIdleConnections()
	return errors.Join(s.receiver.end(syscall.SIGTERM), os.RemoveAll(s.dir))
}

// at is a URL of the receiver.
func (s *session) at(path string) string { return "http://" + s.address + path }

// lane is the URL that what belongs to lane i is posted to.
func (s *session) lane(i int) string { return s.at(lanePath + strconv.Itoa(i)) }

// lanes are n webhooks that get every measured event.
func (s *session) lanes(n int) (hooks []hook) {
	for i := range n {
		hooks = append(hooks, hook{url: s.lane(i), eventType: measuredType})
	}
	return hooks
}

// numbers hands out n numbers of events, and returns the first.
func (s *session) numbers(n int) int64 {
	first := s.nextSeq
	s.nextSeq += int64(n)
	return first
}

// withForwarder starts a bare forwarder, warms it up, and measures it.
func (s *session) withForwarder(ctx context.Context, l load) (m Measurement, err error) {
	server, address, err := startRole(ctx, s.cfg.Executable, s.dir, roleForwarder,
		"--to", s.lane(0), "--workers", strconv.Itoa(forwarderWorkers))
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, server.end(syscall.SIGTERM)) }()
	t := target{
		name: "bare forwarder", url: "http://" + address + "/v1/events", key: s.adminKey,
		transport: newTransport(s.cfg.Publishers), server: server,
		processes: []process{{name: roleForwarder, child: server}},
	}
	defer t.transport.CloseIdleConnections()
	if err := s.warmUp(ctx, t, 1); err != nil {
		return m, err
	}
	return s.measure(ctx, t, l)
}

// withPostroom starts a server with the webhooks, warms it up in so many of their lanes, and has measure work with it.
func (s *session) withPostroom(ctx context.Context, db database, hooks []hook, lanes int, measure func(target) error) (err error) {
	g, err := s.startPostroom(ctx, db, hooks)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.close(ctx)) }()
	t := g.target(s)
	defer t.transport.CloseIdleConnections()
	if err := s.warmUp(ctx, t, lanes); err != nil {
		return err
	}
	return measure(t)
}

// warmUp publishes what is not measured: connections are opened, caches filled, heaps grown.
func (s *session) warmUp(ctx context.Context, t target, lanes int) error {
	m, err := s.measure(ctx, t, load{eventType: measuredType, events: s.cfg.Warmup, lanes: lanes})
	if err != nil {
		return err
	}
	if err := m.loss(); err != nil {
		return fmt.Errorf("the warm-up of the %s failed: %w", t.name, err)
	}
	return nil
}

// newCaller makes a client for the few calls that are not measured.
func newCaller() *http.Client {
	return &http.Client{Transport: newTransport(1), Timeout: time.Minute}
}

// call sends in as JSON, unless it is nil, and decodes the answer into out, unless that is nil.
func call(ctx context.Context, c *http.Client, method, url string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s was answered with %s: %s", method, url, resp.Status, strings.TrimSpace(string(text)))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
