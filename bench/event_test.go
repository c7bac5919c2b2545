package bench

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestEvent(t *testing.T) {
	for _, eventType := range []string{measuredType, backlogType} {
		e := newEvent(eventType)
		for _, seq := range []int64{firstSeq, firstSeq + 1, 9_999_999_999} {
			sent := time.Now().UnixMicro()
			e.set(seq, sent)
			if len(e.bytes) != eventBytes {
				t.Fatalf("an event has %d bytes, want %d", len(e.bytes), eventBytes)
			}
			var got struct {
				Type string `json:"type"`
				Data struct {
					Seq     int64 `json:"seq"`
					SentUS  int64 `json:"sent_us"`
					Contact struct {
						Email string `json:"email"`
					} `json:"contact"`
				} `json:"data"`
			}
			if err := json.Unmarshal(e.bytes, &got); err != nil {
				t.Fatalf("%v in %s", err, e.bytes)
			}
			if got.Type != eventType || got.Data.Seq != seq || got.Data.SentUS != sent {
				t.Errorf("%s %d sent at %d became %+v", eventType, seq, sent, got)
			}
			if want := "reader-" + string(e.bytes[e.seq[0]:e.seq[0]+10]) + "@example.com"; got.Data.Contact.Email != want {
				t.Errorf("the contact is %s, want %s", got.Data.Contact.Email, want)
			}
			if seq, at, err := findMarkers(e.bytes); err != nil || seq != got.Data.Seq || at != sent {
				t.Errorf("found %d, %d, %v in event %d sent at %d", seq, at, err, got.Data.Seq, sent)
			}
		}
	}
}

// TestEventNumbers checks that a receiver finds the same numbers when they were parsed and written as JavaScript does.
func TestEventNumbers(t *testing.T) {
	const exact = 1 << 53
	if time.Now().UnixMicro() > exact {
		t.Errorf("times in microseconds are beyond %d", exact)
	}
	if firstSeq+maxEvents > exact || firstSeq+maxEvents > 9_999_999_999 {
		t.Error("the last event's number is too large")
	}
}

func TestFindMarkersErrors(t *testing.T) {
	for body, want := range map[string]string{
		``:                                 `has no "seq":`,
		`{"data":{"seq":1}}`:               `has no "sent_us":`,
		`{"seq":"x"}`:                      `no number follows "seq":`,
		`{"seq":7,"sent_us":`:              `no number follows "sent_us":`,
		`{"seq" : 7,"sent_us": 8}`:         `has no "seq":`,
		`{"sequence":7,"sent_us":8,"x":1}`: `has no "seq":`,
	} {
		if _, _, err := findMarkers([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}

func FuzzFindMarkers(f *testing.F) {
	e := newEvent(measuredType)
	f.Add(e.bytes)
	f.Add([]byte(`{"seq":99999999999999999999999,"sent_us":-1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		seq, sent, err := findMarkers(body)
		if err == nil && (seq < 0 || sent < 0) {
			t.Errorf("found %d and %d", seq, sent)
		}
	})
}
