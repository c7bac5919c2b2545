package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func listCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"cursors lead both ways": cursors,
		"what is public":         publicPages,
	}
}

// listed is what pages of any list have in common.
type listed struct {
	Data []struct {
		ID string `json:"id"`
	} `json:"data"`
	Next *string `json:"next_cursor"`
	Prev *string `json:"prev_cursor"`
}

func (l listed) ids() (ids []string) {
	for _, d := range l.Data {
		ids = append(ids, d.ID)
	}
	return ids
}

func cursors(x *tenant) {
	const n = 7
	for i := range n {
		x.webhook(fmt.Sprintf("/hook%d", i), client.WebhookInput{Status: postroom.WebhookPaused, Events: []string{"email.*", fmt.Sprintf("campaign.%s", []string{"sent", "failed"}[i%2])}})
	}
	for i := range n {
		x.publish(fmt.Sprintf("e%d", i), "inbox.created", `{}`)
	}
	x.publish("held", "email.opened", `{}`)
	hook := must(x.api.WebhookPage(x.t.Context(), postroom.PageQuery{}))(x.t).Data[0].ID.String()
	for path, want := range map[string]int{
		"/v1/webhooks": n, "/v1/events?type=inbox.*": n, "/v1/deliveries?event=held": n, "/v1/webhooks/" + hook + "/deliveries?": 1, "/v1/events?type=contact.*": 0,
	} {
		x.walk(path, want)
	}
}

// walk goes through a list of n things two at a time, to its end and back, by the cursors and by the header Link.
func (x *tenant) walk(path string, n int) {
	x.t.Helper()
	page := func(query string) (listed, string) {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		var l listed
		a := x.do(http.MethodGet, path+separator+query, "").is(x.t, http.StatusOK)
		a.into(x.t, &l)
		return l, a.header.Get("Link")
	}
	whole, link := page("limit=250")
	want := whole.ids()
	if len(want) != n || whole.Next != nil || whole.Prev != nil || link != "" {
		x.t.Errorf("%s: %d things with the cursors %v, %v and the Link %q", path, len(want), whole.Next, whole.Prev, link)
	}
	if !slices.IsSortedFunc(want, func(a, b string) int { return strings.Compare(b, a) }) && !strings.Contains(path, "/events") {
		x.t.Errorf("%s is not newest first: %v", path, want)
	}
	var got, back []string
	l, link := page("limit=2")
	for pages := 0; pages <= n; pages++ {
		got = append(got, l.ids()...)
		if (l.Next != nil) != strings.Contains(link, `rel="next"`) || (l.Prev != nil) != strings.Contains(link, `rel="prev"`) {
			x.t.Errorf("%s: the Link %q does not fit the cursors %v, %v", path, link, l.Next, l.Prev)
		}
		if l.Next == nil {
			break
		}
		l, link = page("limit=2&cursor=" + *l.Next)
	}
	for pages := 0; pages <= n; pages++ {
		back = append(l.ids(), back...)
		if l.Prev == nil {
			break
		}
		l, _ = page("limit=2&cursor=" + *l.Prev)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.t.Errorf("%s forth (-whole +pages):\n%s", path, diff)
	}
	if diff := cmp.Diff(want, back); diff != "" {
		x.t.Errorf("%s back (-whole +pages):\n%s", path, diff)
	}
	if n > 2 {
		x.followLink(path, n)
	}
}

var nextLink = regexp.MustCompile(`<([^>]+)>; rel="next"`)

// followLink goes through a list by its header Link alone.
func (x *tenant) followLink(path string, n int) {
	x.t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	at, count := path+separator+"limit=3", 0
	for range n {
		var l listed
		a := x.do(http.MethodGet, at, "").is(x.t, http.StatusOK)
		a.into(x.t, &l)
		count += len(l.Data)
		m := nextLink.FindStringSubmatch(a.header.Get("Link"))
		if m == nil {
			break
		}
		at = m[1]
	}
	if count != n {
		x.t.Errorf("%s: by the Links there are %d things, want %d", path, count, n)
	}
}

func publicPages(x *tenant) {
	x.webhook("/hook", client.WebhookInput{})
	x.publish("e", "email.opened", `{}`)
	x.r.wait(x.t, "/hook", 1)
	for path, c := range map[string]struct{ kind, holds string }{
		"/healthz":        {"application/json", `"status":"ok"`},
		"/readyz":         {"application/json", `"status":"ok"`},
		"/metrics":        {"text/plain", "postroom_attempts_in_flight "},
		"/openapi.json":   {"application/openapi+json", `"openapi":"3.1`},
		"/docs":           {"text/html", "/v1/webhooks"},
		"/docs/errors":    {"text/html", "unknown_event_type"},
		"/docs/style.css": {"text/css", "{"},
	} {
		a := x.s.do(x.t, call{method: http.MethodGet, path: path}).is(x.t, http.StatusOK)
		if !strings.HasPrefix(a.header.Get("Content-Type"), c.kind) || !strings.Contains(string(a.body), c.holds) {
			x.t.Errorf("%s is %s without %q", path, a.header.Get("Content-Type"), c.holds)
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" && path != "/metrics" {
			x.t.Errorf("%s has the headers %v", path, a.header)
		}
		if text := string(a.body); strings.HasPrefix(path, "/docs") && (strings.Contains(text, "https://cdn") || strings.Contains(text, "<script")) {
			x.t.Errorf("%s loads something from elsewhere, or runs a script", path)
		}
		if head := x.s.do(x.t, call{method: http.MethodHead, path: path}); path != "/metrics" && (head.status != http.StatusOK || len(head.body) != 0) {
			x.t.Errorf("HEAD %s answers %d", path, head.status)
		}
	}
	metrics := string(x.s.do(x.t, call{method: http.MethodGet, path: "/metrics"}).body)
	for _, name := range []string{"postroom_queue_deliveries{queue=\"retry\"}", "postroom_commits_total", "postroom_lanes{state=\"open\"}", "postroom_commit_writes_bucket{le=\"1\"}",
		`postroom_http_request_seconds_count{method="POST",route="/v1/events",status="202"}`, "postroom_build_info{version=", "go_goroutines", "process_resident_memory_bytes"} {
		if !strings.Contains(metrics, "\n"+name) {
			x.t.Errorf("/metrics has no %s", name)
		}
	}
}
