package egress

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"net/netip"
	"sync"
	"time"
)

// Phases tells where the time of a call went. The first three are zero on a connection that was used before. They do not
// add up to Total, which also has what lies between them.
type Phases struct {
	// DNS is the time of the name's look-up.
	DNS time.Duration
	// Connect is the time of the TCP connect, from the first address that was tried.
	Connect time.Duration
	// TLS is the time of the TLS handshake.
	TLS time.Duration
	// FirstByte is the wait from the last byte of the request to the first of the answer.
	FirstByte time.Duration
	// Total is the time of the whole call, to the last byte of the body that was read.
	Total time.Duration
}

// stage is how far a call has come.
type stage int

const (
	stageNone    stage = iota // nothing was tried, or it is not known
	stageResolve              // the name is looked up
	stageConnect              // TCP, or the wait for a free connection
	stageTLS
	stageSend // the request is on its way
	stageWait // nothing has come back
	stageHeader
	stageBody
)

// trace notes when a call came how far. The transport calls its hooks from several goroutines, and even after the call has
// ended: a dial goes on when another connection was free sooner.
type trace struct {
	mu sync.Mutex
	marks
}

type marks struct {
	got       time.Time // asked for a connection
	resolve   span
	connect   span
	tls       span
	connected time.Time
	wrote     time.Time
	firstByte time.Time
	answered  time.Time // the header was read
	reused    bool
	remote    netip.AddrPort
}

type span struct{ from, to time.Time }

func (s *span) start() {
	if s.from.IsZero() {
		s.from = time.Now()
	}
}

func (s *span) end() { s.to = time.Now() }

// took returns the span's length; one that has not ended lasts until now.
func (s *span) took(now time.Time) time.Duration {
	switch {
	case s.from.IsZero():
		return 0
	case s.to.IsZero():
		return now.Sub(s.from)
	default:
		return s.to.Sub(s.from)
	}
}

// traceKey is the context's key for the *trace of a call.
type traceKey struct{}

// into returns a context that makes the transport call t's hooks. There is none for informational answers: without one, the
// transport bounds them all together by the size of the header.
func (t *trace) into(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(context.WithValue(ctx, traceKey{}, t), &httptrace.ClientTrace{
		GetConn: func(string) {
			t.mu.Lock()
			t.marks = marks{got: time.Now()} // forget the connection that failed before this one
			t.mu.Unlock()
		},
		TLSHandshakeStart: func() { t.with(func(m *marks) { m.tls.start() }) },
		TLSHandshakeDone:  func(tls.ConnectionState, error) { t.with(func(m *marks) { m.tls.end() }) },
		GotConn: func(info httptrace.GotConnInfo) {
			t.mu.Lock()
			t.connected, t.reused = time.Now(), info.Reused
			if a, ok := info.Conn.RemoteAddr().(*net.TCPAddr); ok {
				t.remote = a.AddrPort()
			}
			t.mu.Unlock()
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				t.with(func(m *marks) { m.wrote = time.Now() })
			}
		},
		GotFirstResponseByte: func() { t.with(func(m *marks) { m.firstByte = time.Now() }) },
	})
}

// dial connects through d. The hooks that only this needs are added here, since most calls get by with a connection that
// is there already.
func dial(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
	if t, ok := ctx.Value(traceKey{}).(*trace); ok {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			DNSStart:     func(httptrace.DNSStartInfo) { t.with(func(m *marks) { m.resolve.start() }) },
			DNSDone:      func(httptrace.DNSDoneInfo) { t.with(func(m *marks) { m.resolve.end() }) },
			ConnectStart: func(string, string) { t.with(func(m *marks) { m.connect.start() }) },
			ConnectDone:  func(string, string, error) { t.with(func(m *marks) { m.connect.end() }) },
		})
	}
	return d.DialContext(ctx, network, address)
}

func (t *trace) with(set func(*marks)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	set(&t.marks)
}

// gotAnswer notes that the answer's header was read.
func (t *trace) gotAnswer() { t.with(func(m *marks) { m.answered = time.Now() }) }

// read returns a copy of what was noted so far.
func (t *trace) read() marks {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.marks
}

// stage tells how far the call has come.
func (m *marks) stage() stage {
	switch {
	case !m.answered.IsZero():
		return stageBody
	case !m.firstByte.IsZero():
		return stageHeader
	case !m.wrote.IsZero():
		return stageWait
	case !m.connected.IsZero():
		return stageSend
	case !m.tls.from.IsZero():
		return stageTLS
	case !m.resolve.from.IsZero() && m.connect.from.IsZero():
		return stageResolve
	case !m.got.IsZero():
		return stageConnect
	default:
		return stageNone
	}
}

// phases sums the notes up for a call that began at start and ended at now.
func (m *marks) phases(start, now time.Time) Phases {
	p := Phases{Total: now.Sub(start)}
	if !m.reused {
		p.DNS, p.Connect, p.TLS = m.resolve.took(now), m.connect.took(now), m.tls.took(now)
	}
	wait := span{m.wrote, m.firstByte}
	p.FirstByte = max(0, wait.took(now)) // some receivers answer before they have read everything
	return p
}
