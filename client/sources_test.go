package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

const (
	srcID = "src_01jd3v8x2mf4k8c0q9r7t5y1za"
	reqID = "req_01jd3v8x2mf4k8c0q9r7t5y1za"

	sourceJSON = `{"id":"` + srcID + `","uid":"shop","name":"Shop","kind":"generic","status":"active","url":"https://example.com/in/x?token=***","mapping":[{"from":"a","to":"email","transform":["trim",{"join":" "}]}],` +
		`"requests":{"total":3,"failed":1},"created_at":"2026-01-31T09:30:00.000Z","updated_at":"2026-01-31T09:30:00.000Z"}`
	requestJSON = `{"id":"` + reqID + `","source_id":"` + srcID + `","received_at":"2026-01-31T09:30:00.000Z","status":"failed","records":2,"error":{"kind":"mapping","message":"No.","row":2},"body":"{}"}`
)

func sourceRoutes() []route {
	return []route{
		{"CreateSource", sourceJSON, func(ctx context.Context, c *client.Client) (any, error) {
			s, err := c.CreateSource(ctx, map[string]any{"name": "Shop"})
			return []any{s.ID.String(), s.Version, s.Mapping[0].Transform[1].Name}, err
		}, `POST /v1/sources {"name":"Shop"}`, []any{srcID, int64(7), "join"}},
		{"SourcePage", `{"data":[` + sourceJSON + `],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.SourcePage(ctx, postroom.PageQuery{Limit: 1})
			return len(p.Data), err
		}, "GET /v1/sources?limit=1", 1},
		{"Sources", `{"data":[` + sourceJSON + `],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			for s, err := range c.Sources(ctx) {
				return s.Name, err
			}
			return nil, errors.New("there is none")
		}, "GET /v1/sources?limit=250", "Shop"},
		{"Source", sourceJSON, func(ctx context.Context, c *client.Client) (any, error) {
			s, err := c.Source(ctx, "a/b", false)
			return s.Requests.Total, err
		}, "GET /v1/sources/a%2Fb", int64(3)},
		{"Source with its token", sourceJSON, func(ctx context.Context, c *client.Client) (any, error) {
			s, err := c.Source(ctx, "shop", true)
			return s.URL, err
		}, "GET /v1/sources/shop?show_token=true", "https://example.com/in/x?token=***"},
		{"UpdateSource", sourceJSON, func(ctx context.Context, c *client.Client) (any, error) {
			s, err := c.UpdateSource(ctx, "shop", 0, map[string]any{"rate_limit": nil})
			return s.Version, err
		}, `PATCH /v1/sources/shop {"rate_limit":null}`, int64(7)},
		{"RenewSourceToken", sourceJSON, func(ctx context.Context, c *client.Client) (any, error) {
			s, err := c.RenewSourceToken(ctx, "shop")
			return s.Version, err
		}, "POST /v1/sources/shop/token", int64(7)},
		{"DeleteSource", "", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.DeleteSource(ctx, "shop") }, "DELETE /v1/sources/shop", nil},
		{"TestSource", `{"stored":false,"items":[{"number":1,"fields":{"email":"a@b.c"}}]}`, func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.TestSource(ctx, "shop", client.SourceTestInput{Body: []byte("a=\xff"), Headers: map[string]string{"X-A": "b"}, Mapping: json.RawMessage(`[]`)})
			return string(r.Items[0].Fields["email"]), err
		}, `POST /v1/sources/shop/test {"headers":{"X-A":"b"},"body_base64":"YT3/","mapping":[]}`, `"a@b.c"`},
		{"SourceStats", `{"requests":3,"series":[]}`, func(ctx context.Context, c *client.Client) (any, error) {
			s, err := c.SourceStats(ctx, "shop", client.StatsQuery{By: "day"})
			return s.Requests, err
		}, "GET /v1/sources/shop/stats?by=day", int64(3)},
		{"RequestPage", `{"data":[` + requestJSON + `],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.RequestPage(ctx, client.RequestFilter{Source: "shop", Status: postroom.StatusFailed, EventType: "order.paid", Sender: "::1", After: morning, Before: noon}, postroom.PageQuery{})
			return p.Data[0].Error.Row, err
		}, "GET /v1/requests?after=2026-01-31T09%3A00%3A00.000Z&before=2026-01-31T12%3A00%3A00.000Z&event_type=order.paid&sender=%3A%3A1&source=shop&status=failed", 2},
		{"SourceRequestPage", `{"data":[` + requestJSON + `],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.SourceRequestPage(ctx, "shop", client.RequestFilter{Source: "other"}, postroom.PageQuery{Limit: 2})
			return len(p.Data), err
		}, "GET /v1/sources/shop/requests?limit=2", 1},
		{"Requests", `{"data":[` + requestJSON + `],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			for r, err := range c.Requests(ctx, client.RequestFilter{}) {
				return r.ID.String(), err
			}
			return nil, errors.New("there is none")
		}, "GET /v1/requests?limit=250", reqID},
		{"Request", requestJSON, func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.Request(ctx, reqID)
			return *r.Body, err
		}, "GET /v1/requests/" + reqID, "{}"},
		{"RetryRequest", requestJSON, func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.RetryRequest(ctx, reqID)
			return r.Records, err
		}, "POST /v1/requests/" + reqID + "/retry", 2},
		{"ResendRequest", requestJSON, func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.ResendRequest(ctx, reqID)
			return r.Records, err
		}, "POST /v1/requests/" + reqID + "/resend", 2},
		{"ClearRequests", `{"deleted":12}`, func(ctx context.Context, c *client.Client) (any, error) { return c.ClearRequests(ctx, "shop") }, "DELETE /v1/sources/shop/requests", int64(12)},
		{"ExportRequests", "{}\n", func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.ExportRequests(ctx, client.RequestFilter{Source: "shop"}, client.ExportNDJSON)
			if err != nil {
				return nil, err
			}
			defer func() { _ = r.Close() }()
			text, err := io.ReadAll(r)
			return string(text), err
		}, "GET /v1/requests/export?format=ndjson&source=shop", "{}\n"},
	}
}

func TestUpdateSourceOfAVersion(t *testing.T) {
	f := newFake(t, answer{status: 200, body: sourceJSON})
	if _, err := f.client(t).UpdateSource(t.Context(), "shop", 7, map[string]any{}); err != nil {
		t.Fatal(err)
	}
	if got := f.asked()[0].header.Get("If-Match"); got != `"7"` {
		t.Errorf("If-Match is %s", got)
	}
}

// After a loss it asks for what may have been stored since the last request, or since it began, and gives nothing twice.
func TestTailRequests(t *testing.T) {
	at := func(second int) time.Time { return time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC) }
	message := func(second int) string {
		id := postroom.FirstID[postroom.RequestKind](at(second)).String()
		return "id: " + id + "\ndata: {\"id\":\"" + id + "\",\"received_at\":\"" + postroom.Timestamp{Time: at(second)}.String() + "\",\"body\":\"x\"}\n\n"
	}
	synctest.Test(t, func(t *testing.T) {
		var since []string
		n := 0
		c := newClient(t, client.Config{URL: "http://example.com", Key: "k", Retries: -1, HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			since = append(since, r.URL.Path+" "+r.Header.Get("Last-Event-ID"))
			switch n++; n {
			case 1:
				return eventStream(r.Context(), false, ": requests from now on\n\n")
			case 2:
				return eventStream(r.Context(), false, message(1), message(30))
			case 3:
				return response(503, "text/plain", "no"), nil
			}
			return eventStream(r.Context(), true, message(30), message(31))
		})}})
		var got, lost []string
		connected := 0
		in := client.TailRequestsInput{Source: "a b", Lost: func(err error) { lost = append(lost, err.Error()) }, Connected: func() { connected++ }}
		for r, err := range c.TailRequests(t.Context(), in) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, r.ReceivedAt.Format("05")); len(got) == 3 {
				break
			}
		}
		if strings.Join(got, " ") != "01 30 31" || len(lost) != 3 || connected != 3 {
			t.Errorf("got %v, lost %q, connected %d times", got, lost, connected)
		}
		first := func(second int) string { return postroom.FirstID[postroom.RequestKind](at(second)).String() }
		const path = "/v1/sources/a b/requests/tail "
		if diff := cmp.Diff([]string{path, path + first(0), path + first(25), path + first(25)}, since); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTailRequestsRefused(t *testing.T) {
	f := newFake(t, problem(404, "not_found", "No.", ""))
	n := 0
	for _, err := range f.client(t).TailRequests(t.Context(), client.TailRequestsInput{Source: "gone"}) {
		if n++; !client.IsNotFound(err) {
			t.Errorf("it ended with %v", err)
		}
	}
	if n != 1 || len(f.asked()) != 1 {
		t.Errorf("%d times, %d calls", n, len(f.asked()))
	}
}
