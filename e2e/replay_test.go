package e2e

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

func replayCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"all that failed is replayed, and a preview says how much": replayFailed,
		"a replay is cancelled":          replayCancelled,
		"tests are not replayed":         testsAreNotReplayed,
		"an event's replay is previewed": eventReplayPreviewed,
		"attempts are exported":          attemptsExported,
	}
}

func TestReplays(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		s := startServer(t, set)
		for name, test := range replayCases() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(newTenant(t, s))
			})
		}
	})
}

// replayed replays deliveries of a webhook, after a look at how many it would be, and waits until they have gone out.
func (x *tenant) replayed(webhook postroom.WebhookID, in client.ReplayInput, want int64) {
	x.t.Helper()
	in.Webhook = webhook.String()
	preview := must(x.api.PreviewReplay(x.t.Context(), in))(x.t)
	if preview.Total != want || preview.AtLeast || preview.ID != nil {
		x.t.Errorf("the preview of %+v is %+v, want %d", in, preview, want)
	}
	r := x.over(must(x.api.CreateReplay(x.t.Context(), in))(x.t))
	if r.State != postroom.ReplayDone || r.Done != want || r.Total != want || r.Skipped != 0 || *r.WebhookID != webhook {
		x.t.Errorf("the replay of %+v is %+v, want %d", in, r, want)
	}
}

// over waits until a replay has ended and none of its deliveries waits.
func (x *tenant) over(r postroom.ReplayResource) (now postroom.ReplayResource) {
	x.t.Helper()
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		now = must(x.api.Replay(x.t.Context(), r.ID.String()))(x.t)
		if now.EndedAt == nil || *now.Waiting > 0 {
			return fmt.Errorf("the replay is %+v, and %d wait", now, *now.Waiting)
		}
		return nil
	})
	return now
}

func replayFailed(x *tenant) {
	for _, path := range []string{"/one", "/two", "/good"} {
		x.webhook(path, client.WebhookInput{Retry: quick(0), Events: []string{"email.*", "contact.*"}})
		if path != "/good" {
			x.r.answer(path, func(a arrival) reply { return reply{status: map[bool]int{true: 500, false: 200}[a.times == 1]} })
		}
	}
	x.publish("a", "email.opened", `{}`)
	x.publish("b", "contact.created", `{}`)
	for _, path := range []string{"/one", "/two", "/good"} {
		x.r.wait(x.t, path, 2)
	}
	in := client.ReplayInput{Status: postroom.DeliveryFailed}
	var preview postroom.ReplayResource
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		if preview = must(x.api.PreviewReplay(x.t.Context(), in))(x.t); preview.Total != 4 {
			return fmt.Errorf("the preview is %+v", preview)
		}
		return nil
	})
	if diff := cmp.Diff(map[string]int64{"email.opened": 2, "contact.created": 2}, preview.ByType); diff != "" || preview.ByStatus[postroom.DeliveryFailed] != 4 {
		x.t.Errorf("the preview is %+v", preview)
	}
	in.Types = []string{"contact.*", "order.paid"}
	r := x.over(must(x.api.CreateReplay(x.t.Context(), in))(x.t))
	if r.Done != 2 || r.Total != 2 || r.State != postroom.ReplayDone || r.WebhookID != nil {
		x.t.Errorf("the replay is %+v", r)
	}
	in.Types = nil
	if r := x.over(must(x.api.CreateReplay(x.t.Context(), in))(x.t)); r.Done != 2 {
		x.t.Errorf("the rest is %+v", r)
	}
	for path, n := range map[string]int{"/one": 4, "/two": 4, "/good": 2} {
		if got := x.r.wait(x.t, path, n); got[n-1].times > 2 {
			x.t.Errorf("%s: %s arrived %d times", path, got[n-1].id, got[n-1].times)
		}
	}
	list := must(x.api.ReplayPage(x.t.Context(), postroom.PageQuery{}))(x.t)
	if len(list.Data) != 2 || list.Data[1].ID.String() != r.ID.String() || list.Data[1].Waiting != nil {
		x.t.Errorf("the list is %+v", list.Data)
	}
	x.do("POST", "/v1/replays/"+r.ID.String()+"/cancel", "").refused(x.t, 409, postroom.CodeConflict, "")
}

// replayCancelled cancels a replay of which all deliveries wait, as their webhook is paused: all go back to what they were.
func replayCancelled(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Retry: quick(0)})
	x.r.answer("/hook", func(a arrival) reply {
		return reply{status: map[bool]int{true: 500, false: 200}[a.event.Type == "email.bounced"]}
	})
	x.publishMany("good", "email.opened", 30)
	x.publishMany("bad", "email.bounced", 5) // fewer than open the breaker
	want := map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 30, postroom.DeliveryFailed: 5}
	x.counted(w.ID, want)
	must(x.api.PauseWebhook(x.t.Context(), w.ID.String(), ""))(x.t)
	x.publish("fresh", "email.opened", `{}`)
	before := x.deliveries(w.ID)

	r := must(x.api.CreateReplay(x.t.Context(), client.ReplayInput{Webhook: w.ID.String()}))(x.t)
	if now := must(x.api.Replay(x.t.Context(), r.ID.String()))(x.t); now.State != postroom.ReplayDone || now.Done != 35 || *now.Waiting != 35 {
		x.t.Errorf("the replay is %+v", now)
	}
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliveryHeld: 36})
	for range 2 { // again changes nothing
		if now := x.over(must(x.api.CancelReplay(x.t.Context(), r.ID.String()))(x.t)); now.State != postroom.ReplayCancelled || now.Withdrawn != 35 {
			x.t.Errorf("the cancelled replay is %+v", now)
		}
	}
	if diff := cmp.Diff(before, x.deliveries(w.ID)); diff != "" {
		x.t.Errorf("the deliveries are not what they were (-before +after):\n%s", diff)
	}
	must(x.api.ResumeWebhook(x.t.Context(), w.ID.String(), client.Release))(x.t)
	want[postroom.DeliverySucceeded]++
	x.counted(w.ID, want)
	x.r.wait(x.t, "/hook", 36)
}

func testsAreNotReplayed(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{})
	must(x.api.TestWebhook(x.t.Context(), w.ID.String(), client.TestInput{}))(x.t)
	x.publish("e", "email.opened", `{}`)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 2})
	x.replayed(w.ID, client.ReplayInput{}, 1)
	x.r.wait(x.t, "/hook", 3)
}

func eventReplayPreviewed(x *tenant) {
	one, two := x.webhook("/one", client.WebhookInput{}), x.webhook("/two", client.WebhookInput{UID: "two", Events: []string{"contact.*"}})
	x.publish("e", "email.opened", `{}`)
	x.r.wait(x.t, "/one", 1)
	if got := must(x.api.PreviewEventReplay(x.t.Context(), "e"))(x.t); len(got) != 1 || got[0] != one.ID {
		x.t.Errorf("the preview is %v", got)
	}
	if got := must(x.api.PreviewEventReplay(x.t.Context(), "e", "two"))(x.t); len(got) != 1 || got[0] != two.ID {
		x.t.Errorf("the preview is %v", got)
	}
	x.counted(one.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 1})
	if n := len(x.deliveries(two.ID)); n != 0 {
		x.t.Errorf("a preview made %d deliveries", n)
	}
}

func attemptsExported(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Retry: quick(1)})
	x.r.answer("/hook", func(a arrival) reply {
		if a.times == 1 && a.id == "e-3" {
			return reply{status: 500}
		}
		return reply{}
	})
	const n = 45 // more than are in memory at once
	x.publishMany("e", "email.opened", n)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: n})

	from := must(x.api.ExportAttempts(x.t.Context(), client.DeliveryFilter{Webhook: w.ID.String()}, client.ExportNDJSON))(x.t)
	defer func() { _ = from.Close() }()
	var got []postroom.ExportedAttempt
	for lines := bufio.NewScanner(from); lines.Scan(); {
		var a postroom.ExportedAttempt
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			x.t.Fatalf("%v: %s", err, lines.Text())
		}
		got = append(got, a)
	}
	if len(got) != n+1 {
		x.t.Fatalf("%d attempts were exported, want %d", len(got), n+1)
	}
	byDelivery := map[postroom.DeliveryID][]postroom.AttemptResource{}
	for _, a := range got {
		byDelivery[a.DeliveryID] = append(byDelivery[a.DeliveryID], a.AttemptResource)
	}
	for i, d := range x.deliveries(w.ID) {
		shown := must(x.api.Delivery(x.t.Context(), d.ID.String()))(x.t)
		if diff := cmp.Diff(shown.Attempts, byDelivery[d.ID]); diff != "" {
			x.t.Errorf("the attempts of delivery %d (-shown +exported):\n%s", i, diff)
		}
		if tries := map[bool]int{true: 2, false: 1}[d.EventID == "e-3"]; len(shown.Attempts) != tries || shown.Attempts[0].Request.Body == "" {
			x.t.Errorf("%s has the attempts %+v", d.EventID, shown.Attempts)
		}
	}
	rows := must(x.api.ExportAttempts(x.t.Context(), client.DeliveryFilter{Event: "e-3"}, client.ExportCSV))(x.t)
	defer func() { _ = rows.Close() }()
	table, err := csv.NewReader(rows).ReadAll()
	if err != nil || len(table) != 3 || table[1][1] != "e-3" || table[1][6] != "500" || table[2][4] != "2" {
		x.t.Errorf("the table is %v, %v", table, err)
	}
}
