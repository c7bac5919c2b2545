package server

import (
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/config"
)

// A request that panicked is counted, as are attempts that did, so that somebody notices.
func TestPanicsAreCounted(t *testing.T) {
	cfg, err := config.Load(config.Given{Flags: map[string][]string{"database": {"sqlite:" + filepath.Join(t.TempDir(), "postroom.db")}}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := open(t.Context(), cfg, "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.store.Close(); err != nil {
			t.Error(err)
		}
	}()
	m := newMetrics(p)
	m.observe(api.Observation{Method: "GET", Route: "/v1/events", Status: 200})
	m.observe(api.Observation{Method: "GET", Route: "/v1/events", Status: 500, Panicked: true})
	w := httptest.NewRecorder()
	m.handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{"postroom_http_panics_total 1\n", "postroom_attempt_panics_total 0\n",
		`postroom_http_request_seconds_count{method="GET",route="/v1/events",status="500"} 1` + "\n"} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("the metrics lack %q", line)
		}
	}
}
