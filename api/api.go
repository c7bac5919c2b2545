package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
)

// Config is what the API is made of.
type Config struct {
	App App // required

	Version string       // of Postroom, for /healthz and the pages; "dev" if empty
	MaxBody int64        // the most bytes of a body, and of a line of NDJSON; 1 MiB if zero
	Log     *slog.Logger // nothing is logged if nil

	// Ready tells whether the server can store, for /readyz; its errors have CodeUnavailable. If nil, App.Ready is asked.
	Ready func(context.Context) error
	// Observe is told of every answer, for metrics. It must be safe for concurrent use. May be nil.
	Observe func(Observation)
}

// Observation is one answered request.
type Observation struct {
	Method   string
	Route    string // the path of the operation, such as "/v1/webhooks/{id}"; empty when the path is not one of the API's
	Status   int
	Duration time.Duration
	Panicked bool // a defect: the handler panicked
}

const (
	defaultMaxBody = 1 << 20
	heartbeat      = 15 * time.Second // between comments in an event stream
	publishPath    = "/v1/events"
)

// api is the handler that New returns.
type api struct {
	Config
	kinds     map[postroom.Code]problemKind
	mux       *http.ServeMux
	document  *huma.OpenAPI
	pages     pages
	headers   headers
	heartbeat time.Duration
}

// headers are header values that every answer has, shared by all: net/http only reads them.
type headers struct {
	nosniff, noStore, policy, json []string
}

// Paths are the patterns at which a server mounts the API.
func Paths() []string {
	return []string{"/v1/", "/compat/", "/openapi.json", "/docs", "/docs/", "/healthz", "/readyz"}
}

// New makes the handler of the API: everything under /v1 and /compat, and /openapi.json, /docs, /healthz and /readyz.
func New(c Config) http.Handler { return newAPI(c) }

func newAPI(c Config) *api {
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Ready == nil {
		c.Ready = c.App.Ready
	}
	a := &api{
		Config:    c,
		kinds:     map[postroom.Code]problemKind{},
		mux:       http.NewServeMux(),
		heartbeat: heartbeat,
		headers: headers{
			nosniff: []string{"nosniff"},
			noStore: []string{"no-store"},
			policy:  []string{"default-src 'none'; frame-ancestors 'none'"},
			json:    []string{"application/json"},
		},
	}
	for _, kind := range problemKinds() {
		a.kinds[kind.code] = kind
	}
	rt := newRouter(a)
	a.routeEvents(rt)
	a.routeEventTypes(rt)
	a.routeDialects(rt)
	a.routeWebhooks(rt)
	a.routeSources(rt)
	a.routeIntake(rt)
	a.routeDeliveries(rt)
	a.routeReplays(rt)
	a.routeStats(rt)
	a.routeContacts(rt)
	a.routeLists(rt)
	a.routeTags(rt)
	a.routeTeam(rt)
	a.routePortal(rt)
	a.routeKeys(rt)
	a.routeWorkspaces(rt)
	a.routeSystem(rt)
	a.routeCakemail()
	a.routeSendook()
	a.document = rt.document()
	a.pages = newPages(a.document, rt.ids, c.Version)
	a.routePages()
	return a
}
