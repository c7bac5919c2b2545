package ui

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/postroom/postroom"
)

// App is what the dashboard needs of the application: [app.App] is one. Each area says its part.
type App interface {
	signInApp
	accountApp
	memberApp
	keyApp
	auditApp
	settingsApp
	overviewApp
	webhookApp
	deliveryApp
	eventApp
	sourceApp
	requestApp
	contactApp
	listApp
	portalApp
}

// Config is what the dashboard is made of.
type Config struct {
	App       App
	PublicURL string        // at which browsers reach it
	Retention time.Duration // for how long the log is kept; zero if it is not known
	Log       *slog.Logger  // nil for none
	Now       func() time.Time
	// ClientAddr says who calls; behind proxies, that is more than the connection tells.
	ClientAddr func(*http.Request) netip.Addr
	// Violation is told of each report that a browser makes of the content security policy. May be nil.
	Violation func()
}

// dashboard is the handler that New returns.
type dashboard struct {
	Config
	https   bool
	mux     *http.ServeMux
	routes  []route
	same    *http.CrossOriginProtection
	assets  assets
	pages   pages
	reports *rate.Limiter // of violations, for the log
}

// New makes the dashboard, which is to be mounted at /.
func New(c Config) (http.Handler, error) { return newDashboard(c) }

func newDashboard(c Config) (*dashboard, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.ClientAddr == nil {
		c.ClientAddr = func(r *http.Request) netip.Addr {
			a, _ := netip.ParseAddrPort(r.RemoteAddr) // zero for what is no address
			return a.Addr()
		}
	}
	public, err := url.Parse(c.PublicURL)
	if err != nil {
		return nil, err
	}
	d := &dashboard{Config: c, https: public.Scheme == "https", mux: http.NewServeMux(), same: http.NewCrossOriginProtection(), reports: rate.NewLimiter(1, 10)}
	if d.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if d.pages, err = loadPages(d.assets); err != nil {
		return nil, err
	}
	d.mux.HandleFunc("GET "+assetPath+"{hash}/{name}", d.assets.serve)
	d.mux.HandleFunc("POST "+reportPath, d.report)
	for _, area := range areas() {
		for _, r := range area {
			d.routes = append(d.routes, r)
			d.mux.Handle(r.method+" "+r.path, d.guard(r))
		}
	}
	d.mux.Handle("GET /", d.guard(route{method: http.MethodGet, path: "/", handle: func(*call) error {
		return postroom.Errorf(postroom.CodeNotFound, "There is no such page.")
	}}))
	return d, nil
}

// policy lets a page have scripts and styles from this server only, as files.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; report-uri " + reportPath

// ServeHTTP answers one request.
func (d *dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if d.https {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	defer func() {
		if p := recover(); p != nil {
			d.panicked(w, r, p)
		}
	}()
	d.mux.ServeHTTP(w, r)
}

func (d *dashboard) panicked(w http.ResponseWriter, r *http.Request, p any) {
	if err, is := p.(error); is && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	d.Log.LogAttrs(r.Context(), slog.LevelError, "panic while answering a page", slog.String("path", r.URL.Path), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	http.Error(w, "Something went wrong in Postroom. Its log has the cause.", http.StatusInternalServerError)
}

// reportPath is where browsers report what the policy has refused.
const (
	reportPath = "/csp-report"
	maxReport  = 16 << 10
)

// report counts and logs what a browser has refused. Anybody can call it, so the log is bounded.
func (d *dashboard) report(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxReport)); err != nil {
		http.Error(w, "The report is too large.", http.StatusRequestEntityTooLarge)
		return
	}
	if d.Violation != nil {
		d.Violation()
	}
	if d.reports.Allow() {
		d.Log.Warn("a browser refused what the content security policy forbids", "report", strings.ToValidUTF8(body.String(), "?"))
	}
	w.WriteHeader(http.StatusNoContent)
}

// logCause logs an error that is Postroom's own fault, or the database's.
func (d *dashboard) logCause(ctx context.Context, path string, err error) {
	if ctx.Err() == nil {
		d.Log.LogAttrs(ctx, slog.LevelError, "page failed", slog.String("path", path), slog.Any("error", err))
	}
}
