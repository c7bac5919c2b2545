package outbound

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

func subscription(n byte, status postroom.WebhookStatus, events ...string) postroom.Subscription {
	return postroom.Subscription{ID: postroom.WebhookID{n}, Status: status, Settings: postroom.SubscriptionSettings{Events: events}}
}

func TestMatch(t *testing.T) {
	x := index(t, []postroom.Subscription{
		subscription(1, postroom.WebhookActive, "email.opened"),
		subscription(2, postroom.WebhookActive, "email.*"),
		subscription(3, postroom.WebhookActive, "*"),
		subscription(4, postroom.WebhookPaused, "email.opened", "email.clicked"),
		subscription(5, postroom.WebhookDisabled, "order.*"),
		subscription(6, postroom.WebhookActive, "order.paid.*"),
		subscription(7, postroom.WebhookActive, "email.opened", "email.*", "*", "email.opened"),
		subscription(8, postroom.WebhookActive),
		subscription(9, postroom.WebhookActive, "emails.opened", "email", "EMAIL.OPENED", "email.opened.*"),
	}, 7)
	for eventType, want := range map[string][]byte{
		"email.opened":      {1, 2, 3, 4, 7},
		"email.clicked":     {2, 3, 4, 7},
		"email.opened.late": {2, 3, 7, 9},
		"email":             {3, 7, 9},
		"emails.sent":       {3, 7},
		"order.paid":        {3, 5, 7},
		"order.paid.twice":  {3, 5, 6, 7},
		"order.paid.a.b":    {3, 5, 6, 7},
		"order":             {3, 7},
		"custom":            {3, 7},
	} {
		var got []byte
		for _, s := range x.match(eventType) {
			got = append(got, s.id[0])
			if inactive := s.id[0] == 4 || s.id[0] == 5; s.active == inactive {
				t.Errorf("webhook %d, active: %v", s.id[0], s.active)
			}
		}
		slices.Sort(got)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: webhooks %v, want %v", eventType, got, want)
		}
	}
	if x.revision != 7 {
		t.Errorf("revision %d", x.revision)
	}
}

// The index finds what a look at each pattern finds, and does not change by looking.
func TestMatchProperties(t *testing.T) {
	word := rapid.SampledFrom([]string{"a", "b", "ab"})
	name := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(word, 1, 4).Draw(t, "words"), ".") })
	pattern := rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return "*"
		case 1, 2:
			return name.Draw(t, "group") + ".*"
		}
		return name.Draw(t, "exact")
	})
	rapid.Check(t, func(t *rapid.T) {
		var subs []postroom.Subscription
		for i := range rapid.IntRange(0, 8).Draw(t, "webhooks") {
			subs = append(subs, subscription(byte(i), postroom.WebhookActive, rapid.SliceOfN(pattern, 0, 5).Draw(t, "events")...))
		}
		x := index(t, subs, 1)
		for range 3 {
			eventType := name.Draw(t, "type")
			var got, want []byte
			for _, s := range x.match(eventType) {
				got = append(got, s.id[0])
			}
			for _, s := range subs {
				if slices.ContainsFunc(s.Settings.Events, func(p string) bool {
					return p == "*" || p == eventType || strings.HasSuffix(p, ".*") && strings.HasPrefix(eventType, p[:len(p)-1])
				}) {
					want = append(want, s.ID[0])
				}
			}
			slices.Sort(got)
			if !bytes.Equal(got, want) {
				t.Fatalf("%s: webhooks %v, want %v", eventType, got, want)
			}
		}
	})
}

// A change between reading the subscriptions and keeping the index is not missed.
func TestSubscriptionsChangeWhileTheyAreRead(t *testing.T) {
	r := newRig(t, Config{})
	r.webhook("a")
	event := newEvent(r.workspace, "1")
	var added postroom.WebhookID
	r.store.once("Subscriptions", func() error {
		added = r.webhook("b")
		r.engine.Changed(r.workspace, added)
		return nil
	})
	for _, want := range []int{1, 2} { // the first was matched with what was there before
		got, err := r.engine.Match(t.Context(), event)
		if err != nil || len(got) != want {
			t.Errorf("%d webhooks, want %d, %v", len(got), want, err)
		}
	}
	before := r.store.count("Subscriptions")
	if _, err := r.engine.Match(t.Context(), event); err != nil || r.store.count("Subscriptions") != before {
		t.Errorf("the index is not kept, %v", err)
	}
	// Any change forgets its own workspace's index only.
	r.engine.Changed(postroom.NewID[postroom.WorkspaceKind](time.Now()), added)
	if _, err := r.engine.Match(t.Context(), event); err != nil || r.store.count("Subscriptions") != before {
		t.Errorf("the index was forgotten for another workspace, %v", err)
	}
	broken := errors.New("the database is away")
	r.store.whenever("Subscriptions", func() error { return broken })
	r.engine.Changed(r.workspace, postroom.WebhookID{})
	if _, err := r.engine.Match(t.Context(), event); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// However many publishers ask at once, the subscriptions are read once; who asks after a change does not wait for what was read before it.
func TestPublishersShareTheReadingOfSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.webhook("a")
		event := newEvent(r.workspace, "1")
		release := make(chan struct{})
		r.store.once("Subscriptions", func() error { <-release; return nil })
		counts := make(chan int, 50)
		ask := func() {
			got, err := r.engine.Match(t.Context(), event)
			if err != nil {
				t.Error(err)
			}
			counts <- len(got)
		}
		before := r.store.count("Subscriptions")
		for range 40 {
			go ask()
		}
		synctest.Wait()
		r.engine.Changed(r.workspace, r.webhook("b"))
		ask() // not held up by the others
		if n := <-counts; n != 2 {
			t.Errorf("after the change %d webhooks match", n)
		}
		close(release)
		for range 40 {
			<-counts
		}
		if n := r.store.count("Subscriptions") - before; n != 2 {
			t.Errorf("the subscriptions were read %d times", n)
		}
	})
}

func TestMatchersAreBounded(t *testing.T) {
	r := newRig(t, Config{})
	for range maxMatchers + 50 {
		if _, err := r.engine.matchers.get(t.Context(), postroom.NewID[postroom.WorkspaceKind](time.Now())); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.engine.matchers.revisions()); n != maxMatchers {
		t.Errorf("%d are kept", n)
	}
}
