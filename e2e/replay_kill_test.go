//go:build crash

package e2e

import (
	"fmt"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/failpoint"
	"github.com/postroom/postroom/internal/testenv"
)

// TestReplayAfterKill kills the server in the middle of a replay, with steps under way at any place or at a certain one: after the next
// start the rest follows, and no delivery is made again twice.
func TestReplayAfterKill(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		for _, at := range []string{"", string(failpoint.ReplayInTransaction) + ":5", string(failpoint.ReplayCommitted) + ":5", string(failpoint.ReplayCommitted) + ":20"} {
			t.Run("at "+at, func(t *testing.T) { replayAfterKill(t, set, at) })
		}
	})
}

func replayAfterKill(t *testing.T, set settings, at string) {
	set.binary = testenv.FailpointsBinary(t)
	s := startServer(t, set)
	x := newTenant(t, s)
	const n = 6000 // three turns of ten steps each
	w := x.webhook("/hook", client.WebhookInput{Status: postroom.WebhookPaused})
	var ids []string
	for i := range 3 {
		ids = append(ids, x.publishMany(fmt.Sprint("e", i), "email.opened", n/3)...)
	}
	if r := must(x.api.ResumeWebhook(t.Context(), w.ID.String(), client.Discard))(t); r.Held != n {
		t.Fatalf("%d deliveries were discarded, want %d", r.Held, n)
	}
	must(x.api.PauseWebhook(t.Context(), w.ID.String(), ""))(t)
	if at != "" {
		s.kill(t)
		s.env = []string{failpointVariable + "=" + at}
		s.start(t)
		x.api = newClient(t, s, x.key)
	}

	r, err := x.api.CreateReplay(t.Context(), client.ReplayInput{Webhook: w.ID.String(), Status: postroom.DeliveryCancelled})
	if at == "" {
		s.kill(t)
		if err != nil || r.State != postroom.ReplayRunning || r.Done == 0 || r.Done >= n || r.Total != n {
			t.Fatalf("the replay was to be under way, and is %+v, %v", r, err)
		}
	} else if s.exit(t, startTimeout) != -1 {
		t.Error("it was not killed")
	}
	s.env = nil
	s.start(t)
	x.api = newClient(t, s, x.key)
	if r = must(x.api.ReplayPage(t.Context(), postroom.PageQuery{}))(t).Data[0]; r.Total != n {
		t.Errorf("after the kill the replay is %+v", r)
	}
	testenv.Eventually(t, arrivalTimeout, func() error {
		if r = must(x.api.Replay(t.Context(), r.ID.String()))(t); r.EndedAt == nil {
			return fmt.Errorf("the replay is %+v", r)
		}
		return nil
	})
	if r.State != postroom.ReplayDone || r.Done != n || r.Skipped != 0 || *r.Waiting != n {
		t.Errorf("in the end the replay is %+v, and %d wait", r, *r.Waiting)
	}
	if resumed := must(x.api.ResumeWebhook(t.Context(), w.ID.String(), client.Release))(t); resumed.Held != n {
		t.Errorf("%d deliveries were released", resumed.Held)
	}
	arrivedOnce(t, x.r.wait(t, "/hook", n), ids)
}
