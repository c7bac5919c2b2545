package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

func TestExport(t *testing.T) {
	s := newServer(t)
	evil := s.delivery()
	evil.EventUID, evil.EventType, evil.LastErrorKind, evil.LastAt = "=HYPERLINK(1)", "-1+2", "@x,\"y\"", nil
	s.exported = []postroom.Delivery{s.delivery(), evil}

	w := s.call("GET", "/v1/deliveries/export?format=csv", "")
	if got := w.Header(); got.Get("Content-Type") != "text/csv; charset=utf-8; header=present" || got.Get("Content-Disposition") != `attachment; filename="deliveries.csv"` {
		t.Errorf("headers %v", got)
	}
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	const id = "01kg95vh9ze00r00820c20a1g7"
	at := s.delivery()
	made := postroom.Timestamp{Time: at.CreatedAt()}.String()
	want := [][]string{
		app.DeliveryColumns(),
		{"dlv_" + id, made, "succeeded", "order-1", "email.opened", "whk_" + id, "1", "200", "", "2026-01-31T09:30:00.127Z", "", "false"},
		{"dlv_" + id, made, "succeeded", "'=HYPERLINK(1)", "'-1+2", "whk_" + id, "1", "200", "'@x,\"y\"", "", "", "false"},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}

	for _, path := range []string{"/v1/deliveries/export", "/v1/deliveries/export?format=ndjson"} {
		w = s.call("GET", path, "")
		lines := strings.Split(strings.TrimSuffix(w.Body.String(), "\n"), "\n")
		if w.Header().Get("Content-Type") != "application/x-ndjson" || len(lines) != 2 || parse(t, []byte(lines[1]))["event_id"] != "=HYPERLINK(1)" {
			t.Errorf("headers %v: %q", w.Header(), lines)
		}
	}
	s.refused(postroom.CodeInvalid, []string{"?format"}, "GET", "/v1/deliveries/export?format=xls", "")

	s.exported = nil
	if w := s.call("GET", "/v1/deliveries/export", ""); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	// An error before anything was sent is a problem as any other.
	s.exportErr = errors.New("secret")
	s.refused(postroom.CodeInternal, nil, "GET", "/v1/deliveries/export", "")
	if !strings.Contains(s.log.String(), "secret") {
		t.Errorf("log %s", s.log)
	}
}

func TestExportAttempts(t *testing.T) {
	s := newServer(t)
	evil := s.delivery()
	evil.EventUID, evil.EventType = "\n=1", "@x"
	s.exported = []postroom.Delivery{s.delivery(), evil}
	w := s.call("GET", "/v1/attempts/export?format=csv&webhook=crm&status=failed", "")
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="attempts.csv"` {
		t.Errorf("Content-Disposition %q", got)
	}
	if f := s.asked.(postroom.DeliveryFilter); f.Webhook != s.webhook.ID || f.Status != "failed" {
		t.Errorf("asked %+v", f)
	}
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	const id = "01kg95vh9ze00r00820c20a1g7"
	rest := []string{"1", "2026-01-31T09:30:00.127Z", "500", "status", "The receiver answered 500.", "41.7", "0", "0", "0", "0", "POST", "https://example.com/hooks"}
	want := [][]string{csvAttemptNames(), append([]string{"dlv_" + id, "order-1", "email.opened", "whk_" + id}, rest...),
		append([]string{"dlv_" + id, "'\n=1", "'@x", "whk_" + id}, rest...)}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}

	w = s.call("GET", "/v1/attempts/export", "")
	lines := strings.Split(strings.TrimSuffix(w.Body.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	got := parse(t, []byte(lines[0]))
	request, response := got["request"].(map[string]any), got["response"].(map[string]any)
	if got["delivery_id"] != "dlv_"+id || got["event_id"] != "order-1" || got["number"] != 1.0 || request["body"] != "{}" || response["body_base64"] != "//4=" {
		t.Errorf("%v", got)
	}
	s.exportErr = errors.New("secret")
	s.exported = nil
	s.refused(postroom.CodeInternal, nil, "GET", "/v1/attempts/export", "")
}

func TestTail(t *testing.T) {
	s := newServer(t)
	s.api.heartbeat = time.Hour
	ts := httptest.NewServer(s.api)
	defer ts.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", ts.URL+"/v1/events/tail?type=email.*,+order.paid", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer prk_viewer")
	answer, err := ts.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("status %d, headers %v", answer.StatusCode, answer.Header)
	}
	if diff := cmp.Diff([]string{"email.*", "order.paid"}, s.asked); diff != "" {
		t.Error(diff)
	}
	lines := bufio.NewScanner(answer.Body)
	next := func() string {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the stream ended: %v", lines.Err())
		}
		return lines.Text()
	}
	next() // the first comment
	next()
	for range 2 {
		s.watched <- s.event()
		data, ok := strings.CutPrefix(next(), "data: ")
		if got := parse(t, []byte(data)); !ok || got["id"] != "order-1" || next() != "" {
			t.Errorf("message %q", data)
		}
	}
	close(s.watched)
	if lines.Scan() {
		t.Errorf("after the end: %q", lines.Text())
	}
}

// Comments come at their time, and a stream ends with its request.
func TestTailHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		ctx, cancel := context.WithTimeout(t.Context(), 2*heartbeat+time.Second)
		defer cancel()
		w := httptest.NewRecorder()
		s.api.ServeHTTP(w, request("GET", "/v1/events/tail", "").WithContext(ctx))
		if got := strings.Count(w.Body.String(), ": still here\n\n"); got != 2 || !w.Flushed {
			t.Errorf("%d heartbeats: %q", got, w.Body)
		}
		if !slices.Equal(s.asked.([]string), nil) {
			t.Errorf("asked for %v", s.asked)
		}
	})
}
