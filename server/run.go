package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/inbound"
	"github.com/postroom/postroom/inbound/scheme"
	"github.com/postroom/postroom/ui"
)

// Options are what Run needs besides the settings.
type Options struct {
	Version string
	Stdout  io.Writer // for people: the address and, at the first start, the key
	Stderr  io.Writer // for the log
	// CPUProfile is a file that a CPU profile of the whole run is written to; empty for none.
	CPUProfile string
	// Started, if not nil, is called with the address once the server listens.
	Started func(addr net.Addr)
}

// Run starts Postroom and serves until ctx ends; then it stops in an orderly way, for as long as the settings allow.
func Run(ctx context.Context, cfg config.Config, o Options) (err error) {
	log := logger(cfg, o.Stderr)
	defer runtime.KeepAlive(ballast())
	stopProfile, err := profile(o.CPUProfile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()

	// The port comes first: it tells quickly when a server runs here already.
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", cfg.Listen, err)
	}
	defer func() { _ = listener.Close() }() // closed already when the server has run

	if cfg.PublicURL == "" {
		cfg.PublicURL = config.URLOf(listener.Addr().String())
	}
	p, err := open(ctx, cfg, o.Version, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.store.Close()) }()
	defer p.endTraces(ctx, cfg, log)
	shown, err := p.app.Bootstrap(ctx, cfg.AdminKey.Reveal())
	if err != nil {
		return err
	}
	greet(o.Stdout, o.Version, cfg, cfg.PublicURL, shown)
	if o.Started != nil {
		o.Started(listener.Addr())
	}
	return p.serve(ctx, cfg, listener, log)
}

// greet tells people where the server is.
func greet(out io.Writer, version string, cfg config.Config, url string, shown app.Shown) {
	if out == nil {
		return
	}
	_, _ = fmt.Fprintf(out, "Postroom %s is running at %s\n  Database:       %s\n  Documentation:  %s/docs\n", version, url, cfg.Database, url)
	if shown.Link != "" {
		_, _ = fmt.Fprintf(out, "  Sign in:        %s   (works once, within 3 days)\n", shown.Link)
	}
	if key := shown.Key; key != "" {
		_, _ = fmt.Fprintf(out, "  API key:        %s   (shown once: keep it)\n\n  export POSTROOM_URL=%s POSTROOM_API_KEY=%s\n", key, url, key)
	}
}

func logger(cfg config.Config, out io.Writer) *slog.Logger {
	if out == nil {
		return slog.New(slog.DiscardHandler)
	}
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == config.LogText {
		return slog.New(slog.NewTextHandler(out, options))
	}
	return slog.New(slog.NewJSONHandler(out, options))
}

// ballast is memory that is never touched, so that it costs address space only. What Postroom keeps in memory is small,
// and the garbage collector would run dozens of times a second under load; it lets the heap grow in proportion to what is
// allocated, and so it runs when some 64 MiB more have been used (docs/performance.md). Where more is in use, the heap grows by half
// of that rather than to twice as much, unless GOGC says otherwise.
func ballast() []byte {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	return make([]byte, 128<<20)
}

func profile(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("the CPU profile cannot be written: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// endTraces hands over the spans that are left; a collector that does not answer does not hold up a stop for long.
func (p *parts) endTraces(ctx context.Context, cfg config.Config, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(2*time.Second, cfg.ShutdownTimeout/4))
	defer cancel()
	if err := p.trace.Shutdown(ctx); err != nil {
		log.Warn("the last traces could not be handed to the collector", "error", err)
	}
}

// The times that a client gets. Bodies and answers have no bound of their own here: an export may stream for long, and
// the API bounds what it reads.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
)

// root serves the paths that are nobody else's: people get the dashboard. A program, which brings a key, is told by the API that there is nothing: it
// cannot read pages. Basic auth is not a program's: a proxy in front may ask people for it.
func root(pages, faces http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(kind, "Bearer") {
			faces.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// serve serves until ctx ends or something breaks, and then stops: first the listening, then the calls under way, then
// the intake, which publishes, and last the engine.
func (p *parts) serve(ctx context.Context, cfg config.Config, listener net.Listener, log *slog.Logger) error {
	metrics := newMetrics(p)
	mux := http.NewServeMux()
	pages, err := ui.New(ui.Config{App: p.app, PublicURL: cfg.PublicURL, Retention: cfg.Retention, Log: log, Violation: metrics.violations.Inc,
		ClientAddr: func(r *http.Request) netip.Addr { return scheme.ClientAddr(r.RemoteAddr, r.Header, cfg.TrustedProxies) }})
	if err != nil {
		return err
	}
	faces := api.New(api.Config{App: p.app, Version: p.version, MaxBody: cfg.MaxBody, Log: log, Observe: metrics.observe})
	mux.Handle("/", root(pages, faces))
	for _, path := range api.Paths() {
		mux.Handle(path, faces)
	}
	mux.Handle("GET /metrics", metrics.handler())
	for _, path := range inbound.Paths() {
		mux.Handle(path, p.intake)
	}

	streams, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	server := &http.Server{Handler: p.trace.Handler(mux), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return streams }, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}

	engineCtx, stopEngine := context.WithCancel(context.WithoutCancel(ctx))
	defer stopEngine()
	intakeCtx, stopIntake := context.WithCancel(context.WithoutCancel(ctx))
	defer stopIntake()
	upkeepCtx, stopUpkeep := context.WithCancel(ctx)
	defer stopUpkeep()
	var group, intake sync.WaitGroup
	broken := make(chan error, 3)
	intake.Go(func() {
		if err := p.intake.Run(intakeCtx); err != nil {
			broken <- err
		}
	})
	group.Go(func() {
		if err := p.engine.Run(engineCtx); err != nil {
			broken <- err
		}
	})
	group.Go(func() { p.upkeep(upkeepCtx, cfg, log) })
	group.Go(func() { p.app.RunReplays(upkeepCtx) })
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			broken <- err
		}
	}()
	log.Info("started", "version", p.version, "address", listener.Addr().String(), "settings", cfg)

	var cause error
	select {
	case <-ctx.Done():
	case cause = <-broken:
	}
	log.Info("stopping", "timeout", cfg.ShutdownTimeout)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout/2)
	defer cancel()
	// Calls that only watch would never end by themselves; others finish on their own, within the timeout.
	p.app.StopWatching()
	p.intake.StopWatching()
	if err := server.Shutdown(stopping); err != nil {
		endStreams()
		_ = server.Close()
	}
	<-served
	stopUpkeep()
	stopIntake()
	intake.Wait()
	stopEngine()
	group.Wait()
	log.Info("stopped")
	return cause
}
