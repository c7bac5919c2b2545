package outbound

import (
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/expr"
)

func filters(t failer) *expr.Compiler {
	c, err := expr.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// index makes the index of subscriptions whose filters are known to compile.
func index(t failer, subs []postroom.Subscription, revision int64) *subscriptions {
	x, err := indexSubscriptions(subs, revision, filters(t), dialectSet(t))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestFilter(t *testing.T) {
	filtered := func(n byte, filter string) postroom.Subscription {
		s := subscription(n, postroom.WebhookActive, "*")
		s.Settings.Filter = filter
		return s
	}
	x, err := indexSubscriptions([]postroom.Subscription{
		filtered(1, ""),
		filtered(2, `event.data.campaign.id == 790`),
		filtered(3, `event.data.campaign.id != 790`),
		filtered(4, `event.type.startsWith("email.") && event.actor == "importer"`),
		filtered(5, `event.data.nothing.here == 1`),
		filtered(6, `event.time > timestamp("2026-01-01T00:00:00Z")`),
		filtered(7, `event.id == "my-1" && event.ordering_key == "k"`),
		filtered(8, `this does not compile`),
		filtered(9, `event.data.campaign.id / 0 == 1`),
	}, 1, filters(t), dialectSet(t))
	if err == nil || !strings.Contains(err.Error(), "the filter of webhook "+postroom.WebhookID{8}.String()) {
		t.Errorf("the broken filter was reported as %v", err)
	}
	e := New(Config{Filters: filters(t)})
	event := &postroom.Event{UID: "my-1", Type: "email.opened", Actor: "importer", OrderingKey: "k",
		Time: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Data: []byte(`{"campaign":{"id":790}}`)}
	var got []byte
	for _, s := range e.passing(x.match("email.opened"), event) {
		got = append(got, s.id[0])
	}
	if want := "\x01\x02\x04\x06\x07"; string(got) != want {
		t.Errorf("webhooks %v get it, want %v", got, []byte(want))
	}
}

func TestCheckFilter(t *testing.T) {
	e := New(Config{Filters: filters(t)})
	for text, want := range map[string]string{
		"":                                    "",
		`event.type == "a"`:                   "",
		`event.type = "a"`:                    "line 1, column",
		`evnt.type == "a"`:                    `"evnt" is not known here`,
		strings.Repeat("!", expr.MaxLength+1): "at most",
	} {
		err := e.CheckFilter(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}
