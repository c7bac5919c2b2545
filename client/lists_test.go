package client_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func webhookPage(next string, names ...string) answer {
	body := ""
	for _, name := range names {
		body += fmt.Sprintf(`,{"name":%q}`, name)
	}
	cursor := "null"
	if next != "" {
		cursor = `"` + next + `"`
	}
	return answer{status: 200, body: `{"data":[` + body[1:] + `],"next_cursor":` + cursor + `,"prev_cursor":null}`}
}

func TestListGoesOnToTheLastPage(t *testing.T) {
	f := newFake(t, webhookPage("c1", "a", "b"), webhookPage("c2", "c"), webhookPage("", "d"))
	var names []string
	for w, err := range f.client(t).Webhooks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, w.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var lines []string
	for _, asked := range f.asked() {
		lines = append(lines, asked.line)
	}
	want := []string{"GET /v1/webhooks?limit=250", "GET /v1/webhooks?cursor=c1&limit=250", "GET /v1/webhooks?cursor=c2&limit=250"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestListAsksForNoMoreThanIsLookedAt(t *testing.T) {
	f := newFake(t, webhookPage("c1", "a", "b"))
	for w, err := range f.client(t).Webhooks(t.Context()) {
		if err != nil || w.Name != "a" {
			t.Errorf("webhook %q, error %v", w.Name, err)
		}
		break
	}
	if n := len(f.asked()); n != 1 {
		t.Errorf("%d pages were asked for", n)
	}
}

func TestListEndsWithAnError(t *testing.T) {
	f := newFake(t, webhookPage("c1", "a"), problem(403, "forbidden", "No.", ""))
	seen, failed := 0, 0
	for _, err := range f.client(t).Webhooks(t.Context()) {
		if err != nil {
			failed++
			continue
		}
		seen++
	}
	if seen != 1 || failed != 1 {
		t.Errorf("%d webhooks and %d errors", seen, failed)
	}
}

func TestListsOfEventsAndDeliveries(t *testing.T) {
	f := newFake(t, answer{status: 200, body: `{"data":[` + eventJSON + `]}`}, answer{status: 200, body: `{"data":[` + deliveryJSON + `]}`})
	c := f.client(t)
	for e, err := range c.Events(t.Context(), postroom.EventFilter{Type: "order.paid"}) {
		if err != nil || e.ID != "order-17" {
			t.Errorf("event %q, error %v", e.ID, err)
		}
	}
	ids, err := idsOf(c.Deliveries(t.Context(), client.DeliveryFilter{Webhook: "crm"}))
	if err != nil || ids != dlvID {
		t.Errorf("deliveries %q, error %v", ids, err)
	}
	if got, want := f.asked()[0].line, "GET /v1/events?limit=250&type=order.paid"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	if got, want := f.asked()[1].line, "GET /v1/deliveries?limit=250&webhook=crm"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
}
