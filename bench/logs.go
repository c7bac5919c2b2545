package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/fill"
)

// logs fills a log of a month and asks for the first page of what every filter lets through, and several of them together: what
// is common and what is rare, at the time of the others or long ago.
func logs(s *session, ctx context.Context, db database) ([]Comparison, error) {
	c := Comparison{
		Scenario: "logs", Metric: Slowest, Subject: "Postroom",
		What: fmt.Sprintf("%s, log query (any filter, first page), %s attempts", db.kind, count(s.cfg.Attempts)),
		Goal: &Goal{Must: 50, Aim: 10, MustText: "50 ms", AimText: "10 ms"},
	}
	var hooks []hook
	for range logWebhooks {
		hooks = append(hooks, hook{url: s.at(hangPath), eventType: backlogType})
	}
	err := s.withGateway(ctx, db, hooks, func(g *gateway) error {
		until := time.Now()
		if err := s.refill(ctx, g, func(d *fill.Database, workspace postroom.WorkspaceID) error {
			return d.Log(ctx, fill.Log{Workspace: workspace, Webhooks: g.webhooks, Attempts: s.cfg.Attempts, Until: until})
		}); err != nil {
			return err
		}
		if err := errors.Join(g.indexed(ctx), g.stop(), s.serve(ctx, g)); err != nil {
			return err
		}
		caller := newCaller()
		defer caller.CloseIdleConnections()
		caller.Transport = bearer{caller.Transport, s.adminKey}
		one, err := g.client.EventPage(ctx, postroom.EventFilter{Contact: fill.RareContact}, postroom.PageQuery{Limit: 1})
		if err != nil || len(one.Data) == 0 {
			return errors.Join(errors.New("an event is not found"), err)
		}
		busy, rare := g.webhooks[0].String(), g.webhooks[len(g.webhooks)-1].String()
		names := strings.NewReplacer(busy, "BUSY", rare, "RARE", one.Data[0].ID, "EVENT")
		for _, query := range logQueries(busy, rare, one.Data[0].ID, until) {
			d, err := timeQuery(ctx, caller, g.base, query)
			if err != nil {
				return err
			}
			if d.What, err = url.PathUnescape(names.Replace(strings.TrimPrefix(query, "/v1/"))); err != nil {
				return err
			}
			c.Details, c.Values = append(c.Details, d), append(c.Values, d.Value)
			_, _ = fmt.Fprintf(s.cfg.Progress, "logs, %s: %s: %s ms, first %s ms, found %s\n", db.kind, d.What, ms(d.Value), ms(d.First), d.Found) // progress that cannot be shown is no failure
		}
		return nil
	})
	return []Comparison{c}, err
}

// logWebhooks is how many webhooks the log has.
const logWebhooks = 10

// indexed returns when the server has read the rows that it did not write itself: then it finds out at once that there is no such
// type, and does not give up after a number of rows.
func (g *gateway) indexed(ctx context.Context) error {
	began := time.Now()
	return poll(ctx, 250*time.Millisecond, func() (bool, error) {
		page, err := g.client.EventPage(ctx, postroom.EventFilter{Type: "unknown.type"}, postroom.PageQuery{Limit: 1})
		if err == nil && time.Since(began) > indexPatience {
			err = errors.New("the log is not indexed")
		}
		return page.NextCursor == nil, err
	})
}

// indexPatience bounds how long a server may take to index millions of rows that it did not write itself.
const indexPatience = 15 * time.Minute

// logQueries are the calls that are timed.
func logQueries(busy, rare, event string, until time.Time) (queries []string) {
	values := func(pairs ...string) string {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v.Encode()
	}
	day := func(n int) string { return until.AddDate(0, 0, -n).UTC().Format(time.RFC3339) }
	common, rareType := fill.CommonType, fill.RareType
	for _, q := range []string{
		"", values("type", common), values("type", rareType), values("type", "email.*"), values("type", "unknown.type"),
		values("contact", fill.Contact), values("contact", fill.RareContact), values("contact", "nobody@example.com"),
		values("campaign", fill.Campaign), values("campaign", fill.RareCampaign), values("campaign", "campaign-0"),
		values("after", day(20), "before", day(19)), values("type", rareType, "before", day(15)), values("type", common, "contact", fill.Contact),
		values("campaign", fill.Campaign, "contact", fill.Contact), values("campaign", fill.Campaign, "type", rareType), values("type", common, "campaign", fill.RareCampaign),
		values("q", "roast"), values("q", fill.RareText), values("q", "nowhere to be found"), values("q", fill.RareText, "contact", fill.RareContact), values("q", "nowhere", "type", common),
	} {
		queries = append(queries, "/v1/events?"+q)
	}
	for _, q := range []string{
		"", values("webhook", busy), values("webhook", rare), values("event", event), values("type", common), values("type", rareType), values("type", "contact.*"),
		values("status", "succeeded"), values("status", "failed"), values("status", "pending"), values("status", "held"), values("status", "cancelled"),
		values("status_code", "200"), values("status_code", "204"), values("status_code", "500"), values("status_code", strconv.Itoa(fill.RareCode)), values("status_code", strconv.Itoa(fill.RareSuccess)), values("status_code", "418"),
		values("after", day(20), "before", day(19)), values("webhook", busy, "status", "failed"), values("webhook", rare, "status", "failed"), values("webhook", busy, "status", "pending"), values("webhook", busy, "status", "cancelled"),
		values("webhook", busy, "status", "succeeded"), values("webhook", busy, "status_code", strconv.Itoa(fill.RareCode)), values("webhook", busy, "type", rareType), values("webhook", rare, "type", common), values("webhook", busy, "type", common, "status", "succeeded"),
		values("status", "failed", "type", rareType), values("status", "failed", "status_code", strconv.Itoa(fill.RareCode)), values("status", "failed", "type", common, "before", day(20)), values("type", rareType, "status_code", "500"),
		values("type", rareType, "status_code", strconv.Itoa(fill.RareCode)), values("type", common, "status_code", "500", "before", day(10)), values("status", "succeeded", "status_code", strconv.Itoa(fill.RareSuccess)), values("type", "contact.updated", "status_code", "204"),
	} {
		queries = append(queries, "/v1/deliveries?"+q)
	}
	return queries
}

// queryCalls is how often each call is made after the first time.
const queryCalls = 15

// timeQuery makes a call several times.
func timeQuery(ctx context.Context, caller *http.Client, base, query string) (Detail, error) {
	var d Detail
	var took []int64
	for i := range queryCalls + 1 {
		var page postroom.Page[any]
		began := time.Now()
		if err := call(ctx, caller, http.MethodGet, base+query, nil, &page); err != nil {
			return d, err
		}
		us := time.Since(began).Microseconds()
		if i == 0 {
			d.First = float64(us) / 1000
			d.Found = strconv.Itoa(len(page.Data))
			if page.NextCursor != nil {
				d.Found += ", and a cursor"
			}
			continue
		}
		took = append(took, us)
	}
	p := percentilesOf(took)
	d.Value, d.Max = p.P50, p.Max
	return d, nil
}

// bearer adds a key to calls.
type bearer struct {
	http.RoundTripper
	key string
}

// RoundTrip makes the call.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.key)
	return b.RoundTripper.RoundTrip(r)
}
