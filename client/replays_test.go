package client_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestFollowReplay(t *testing.T) {
	running := strings.Replace(replayJSON, `"waiting":7`, `"waiting":0`, 1)
	ended := strings.Replace(replayJSON, `"ended_at":null`, `"ended_at":"2026-01-31T09:31:00.000Z"`, 1)
	over := strings.Replace(ended, `"waiting":7`, `"waiting":0`, 1)
	f := newFake(t, answer{status: 200, body: running}, answer{status: 200, body: ended}, answer{status: 200, body: over})
	var seen []string
	for r, err := range f.client(t).FollowReplay(t.Context(), rplID, time.Millisecond) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprintf("%d %v", *r.Waiting, r.EndedAt != nil))
	}
	if got := strings.Join(seen, ", "); got != "0 false, 7 true, 0 true" {
		t.Errorf("seen: %s", got)
	}

	f = newFake(t, answer{status: 404, body: `{"code":"not_found"}`})
	for _, err := range f.client(t).FollowReplay(t.Context(), rplID, time.Millisecond) {
		if err == nil {
			t.Error("a replay that is not there is followed")
		}
	}
	if n := len(f.asked()); n != 1 {
		t.Errorf("%d calls were made", n)
	}
}
