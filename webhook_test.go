package postroom_test

import (
	"testing"

	"github.com/postroom/postroom"
)

func TestKeyOf(t *testing.T) {
	all, keyed, contact, bare := postroom.Event{OrderingKey: "K", Contact: "c"}, postroom.Event{OrderingKey: "K"}, postroom.Event{Contact: "Ada@Example.com"}, postroom.Event{}
	for _, c := range []struct {
		ordering postroom.Ordering
		event    postroom.Event
		want     string // "-" for nil
	}{
		{postroom.OrderingNone, all, "-"}, {"", all, "-"}, {postroom.OrderingWebhook, all, ""}, {postroom.OrderingWebhook, bare, ""},
		{postroom.OrderingKey, all, "K"}, {postroom.OrderingKey, keyed, "K"}, {postroom.OrderingKey, contact, "ada@example.com"},
		{postroom.OrderingKey, bare, "-"},
	} {
		got := "-"
		if key := c.ordering.KeyOf(&c.event); key != nil {
			got = *key
		}
		if got != c.want {
			t.Errorf("%q of %+v: %q, want %q", c.ordering, c.event, got, c.want)
		}
	}
}
