package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

func holdCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"pause holds and resume releases":       func(x *tenant) { holdAndResume(x, client.Release) },
		"pause holds and resume discards":       func(x *tenant) { holdAndResume(x, client.Discard) },
		"pause holds what waits in memory":      pauseHoldsTheQueue,
		"deleting a webhook cancels what waits": deleteCancels,
	}
}

func holdAndResume(x *tenant, held client.Held) {
	w := x.webhook("/hook", client.WebhookInput{UID: "crm"})
	x.publish("before", "email.opened", `{}`)
	x.r.wait(x.t, "/hook", 1)
	paused := must(x.api.PauseWebhook(x.t.Context(), "crm", "Maintenance"))(x.t)
	if paused.Status != postroom.WebhookPaused || paused.StatusReason != "Maintenance" {
		x.t.Errorf("paused: %+v", paused)
	}
	const n = 60
	ids := x.publishMany("held", "email.opened", n)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 1, postroom.DeliveryHeld: n})
	if stats := must(x.api.WebhookStats(x.t.Context(), "crm", client.StatsQuery{}))(x.t); stats.Waiting != n || stats.WaitingSince == nil {
		x.t.Errorf("%d deliveries wait since %v, want %d", stats.Waiting, stats.WaitingSince, n)
	}

	for range 2 { // looking changes nothing
		h := must(x.api.HeldDeliveries(x.t.Context(), "crm"))(x.t)
		if h.Held != n || h.Since == nil || h.Status != postroom.WebhookPaused || time.Since(h.Since.Time) > time.Hour {
			x.t.Errorf("%d deliveries are held since %v, and the webhook is %s", h.Held, h.Since, h.Status)
		}
	}
	resumed := must(x.api.ResumeWebhook(x.t.Context(), "crm", held))(x.t)
	if resumed.Held != n || resumed.Status != postroom.WebhookActive {
		x.t.Errorf("resumed: %d were held and the webhook is %s", resumed.Held, resumed.Status)
	}
	x.publish("after", "email.opened", `{}`)
	if held == client.Discard {
		x.r.wait(x.t, "/hook", 2)
		x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 2, postroom.DeliveryCancelled: n})
		x.r.wait(x.t, "/hook", 2)
		// A person can still have them.
		x.replayed(w.ID, client.ReplayInput{Status: postroom.DeliveryCancelled}, n)
	}
	arrivedOnce(x.t, x.r.wait(x.t, "/hook", n+2), append(ids, "before", "after"))
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: n + 2})
}

// arrivedOnce checks that each event arrived once.
func arrivedOnce(t testing.TB, got []arrival, ids []string) {
	t.Helper()
	count := map[string]int{}
	for _, a := range got {
		count[a.id]++
	}
	for _, id := range ids {
		if count[id] != 1 {
			t.Errorf("%s arrived %d times", id, count[id])
		}
	}
	if len(count) != len(ids) {
		t.Errorf("%d events arrived, want %d", len(count), len(ids))
	}
}

// pauseHoldsTheQueue pauses a webhook of which some deliveries are under way and the others are leased in memory.
func pauseHoldsTheQueue(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Concurrency: 2})
	let := make(chan struct{})
	x.r.answer("/hook", func(arrival) reply {
		<-let
		return reply{}
	})
	const n = 40
	ids := x.publishMany("e", "email.opened", n)
	x.r.wait(x.t, "/hook", 2)
	must(x.api.PauseWebhook(x.t.Context(), w.ID.String(), ""))(x.t)
	close(let)
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		got := map[postroom.DeliveryStatus]int{}
		for _, d := range x.deliveries(w.ID) {
			got[d.Status]++
		}
		if sent := len(x.r.on("/hook")); got[postroom.DeliverySucceeded] != sent || got[postroom.DeliveryHeld] != n-sent {
			return fmt.Errorf("%d were sent and the deliveries are %v", sent, got)
		}
		return nil
	})
	if sent := len(x.r.on("/hook")); sent > 4 {
		x.t.Errorf("%d deliveries were sent although the webhook was paused while 2 were under way", sent)
	}
	sent := len(x.r.on("/hook"))
	if resumed := must(x.api.ResumeWebhook(x.t.Context(), w.ID.String(), client.Release))(x.t); resumed.Held != int64(n-sent) {
		x.t.Errorf("%d were held, want %d", resumed.Held, n-sent)
	}
	arrivedOnce(x.t, x.r.wait(x.t, "/hook", n), ids)
}

func deleteCancels(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Status: postroom.WebhookPaused})
	x.publishMany("e", "email.opened", 5)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliveryHeld: 5})
	all := x.deliveries(w.ID)
	if err := x.api.DeleteWebhook(x.t.Context(), w.ID.String()); err != nil {
		x.t.Fatal(err)
	}
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		for _, d := range all {
			if now := must(x.api.Delivery(x.t.Context(), d.ID.String()))(x.t); now.Status != postroom.DeliveryCancelled {
				return fmt.Errorf("a delivery to a deleted webhook is %s", now.Status)
			}
		}
		return nil
	})
	if got := x.r.on("/hook"); len(got) > 0 {
		x.t.Errorf("%d deliveries were sent", len(got))
	}
	x.do("POST", "/v1/deliveries/"+all[0].ID.String()+"/retry", "").refused(x.t, 409, postroom.CodeConflict, "")
}
