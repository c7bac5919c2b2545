package postroom_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestIDIsReadAsItIsWritten(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for range 1000 {
		id := postroom.NewID[postroom.EventKind](now)
		text := id.String()
		if !strings.HasPrefix(text, "evt_") || len(text) != 30 {
			t.Fatalf("an id is written %q", text)
		}
		for _, spelling := range []string{text, "evt_" + strings.ToUpper(text[4:])} {
			if got, err := postroom.ParseID[postroom.EventKind](spelling); err != nil || got != id {
				t.Fatalf("%s is read as %s, %v", spelling, got, err)
			}
		}
		if !id.Time().Equal(now) || id[6]>>4 != 7 || id[8]>>6 != 2 {
			t.Fatalf("%x is no UUIDv7 of %s", id[:], now)
		}
	}
}

func TestParseIDRefuses(t *testing.T) {
	good := postroom.NewID[postroom.EventKind](time.Now()).String()
	for _, text := range []string{"", "evt_", good[4:], "whk_" + good[4:], good[:29], good + "0", "evt_8" + good[5:], good[:10] + "u" + good[11:], good[:10] + "é" + good[12:]} {
		if id, err := postroom.ParseID[postroom.EventKind](text); err == nil || postroom.CodeOf(err) != postroom.CodeInvalid {
			t.Errorf("%q is read as %s, %v", text, id, err)
		}
	}
}

// Ids of one process grow strictly, however many it makes at once and whatever the clock does; what people see sorts like them.
func TestIDsGrow(t *testing.T) {
	g := &postroom.IDs{}
	now := time.Now()
	var ids []postroom.DeliveryID
	for i := range 10000 {
		at := now
		if i%3 == 0 {
			at = now.Add(-time.Hour) // the clock steps back
		}
		ids = append(ids, postroom.Next[postroom.DeliveryKind](g, at))
	}
	texts := make([]string, len(ids))
	for i, id := range ids {
		if texts[i] = id.String(); i > 0 && texts[i] <= texts[i-1] {
			t.Fatalf("%s comes after %s", texts[i], texts[i-1])
		}
	}
	first := postroom.FirstID[postroom.DeliveryKind](now)
	if string(first[:]) > string(ids[0][:]) && ids[0].Time().Equal(now.Truncate(time.Millisecond)) {
		t.Error("the bound of a time is above an id that was made then")
	}
}

// A clock that was days ahead, and is set right, is followed at once: else all ids would be of the future until it gets there.
func TestIDsFollowAClockThatWasWrong(t *testing.T) {
	g := &postroom.IDs{}
	now := time.Now()
	wrong := postroom.Next[postroom.EventKind](g, now.Add(365*24*time.Hour))
	right := postroom.Next[postroom.EventKind](g, now)
	next := postroom.Next[postroom.EventKind](g, now)
	if right.String() >= wrong.String() || right.Time().Sub(now).Abs() > time.Second || next.String() <= right.String() {
		t.Errorf("after %v come %v and %v", wrong.Time(), right.Time(), next.Time())
	}
}

func TestIDsAreNeverMadeTwice(t *testing.T) {
	g := &postroom.IDs{}
	var mu sync.Mutex
	var all []string
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 1000 {
				id := postroom.Next[postroom.EventKind](g, time.Now()).String()
				mu.Lock()
				all = append(all, id)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 8000 {
		t.Errorf("%d of 8000 ids are different", n)
	}
}

func TestIDInDatabases(t *testing.T) {
	id := postroom.NewID[postroom.WebhookKind](time.Now())
	value, err := id.Value()
	if err != nil {
		t.Fatal(err)
	}
	var back postroom.WebhookID
	if err := back.Scan(value); err != nil || back != id {
		t.Errorf("%s came back as %s, %v", id, back, err)
	}
	if value, err := (postroom.WebhookID{}).Value(); value != nil || err != nil {
		t.Errorf("no id is stored as %v, %v", value, err)
	}
	if err := back.Scan(nil); err != nil || !back.IsZero() {
		t.Errorf("null came back as %s, %v", back, err)
	}
	if err := back.Scan([]byte("short")); err == nil {
		t.Error("five bytes are an id")
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{"5s": "5s", "300s": "5m", "2h": "2h", "90m": "1h30m", "120h": "120h", "0s": "0s", "1h0m1s": "1h0m1s", "100ms": "100ms"} {
		var d postroom.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != want {
			t.Errorf("%s is written %s, %v; want %s", text, d, err, want)
		}
	}
	var d postroom.Duration
	if err := d.UnmarshalText([]byte("soon")); postroom.CodeOf(err) != postroom.CodeInvalid {
		t.Errorf("soon: %v", err)
	}
}
