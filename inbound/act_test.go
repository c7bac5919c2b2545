package inbound

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// outcomes are those of the actions of a request.
func outcomes(r postroom.Request) (all []postroom.ActionOutcome) {
	for _, result := range r.Log.Actions {
		all = append(all, result.Outcome)
	}
	return all
}

// TestActions goes through the actions that change contacts, one call after the other.
func TestActions(t *testing.T) {
	r := newRig(t)
	source := r.source(with(func(s *postroom.SourceSettings) {
		s.Mapping = []postroom.MappingRow{{From: postroom.Paths{"email"}, To: "email"}, {From: postroom.Paths{"name"}, To: "first_name"}}
	}), doing(
		postroom.Action{Type: postroom.ActionAddSubscriber, When: `body["do"] == "add"`, Lists: []string{"News", "Offers"}, Tags: []string{"a", "b"},
			CustomFields: map[string]json.RawMessage{"company": json.RawMessage(`"Acme"`)}},
		postroom.Action{Type: postroom.ActionUpdateSubscriber, When: `body["do"] == "update"`, Tags: []string{"c"}, RemoveTags: []string{"a"},
			CustomFields: map[string]json.RawMessage{"company": json.RawMessage(`null`), "size": json.RawMessage(`12345678901234567890`)}},
		postroom.Action{Type: postroom.ActionAddToList, When: `body["do"] == "join"`, Lists: []string{"Club"}, DoubleOptIn: true},
		postroom.Action{Type: postroom.ActionRemoveFromList, When: `body["do"] == "leave"`, Lists: []string{"NEWS", "Nowhere"}},
		postroom.Action{Type: postroom.ActionApplyTag, When: `body["do"] == "tag"`, Tags: []string{"x"}},
		postroom.Action{Type: postroom.ActionRemoveTag, When: `body["do"] == "untag"`, Tags: []string{"x"}},
		postroom.Action{Type: postroom.ActionChangeStatus, When: `body["do"] == "bounce"`, Status: postroom.ContactBounced},
	))
	const ada = `"email":"ada@example.com"`
	memberships := func(c postroom.Contact) (all []string) {
		for _, m := range c.Lists {
			all = append(all, m.Name+" "+string(m.Status))
		}
		slices.Sort(all)
		return all
	}
	for _, step := range []struct {
		body   string
		events []string
		check  func(c postroom.Contact) bool
	}{
		{`{"do":"tag",` + ada + `}`, nil, func(c postroom.Contact) bool { return c.ID.IsZero() }},
		{`{"do":"add","name":"Ada",` + ada + `}`, []string{"contact.created", "contact.tagged", "contact.tagged", "contact.subscribed", "contact.subscribed"},
			func(c postroom.Contact) bool {
				return c.FirstName == "Ada" && c.Status == postroom.ContactSubscribed && string(c.CustomFields["company"]) == `"Acme"`
			}},
		{`{"do":"add","name":"Another",` + ada + `}`, nil, func(c postroom.Contact) bool { return c.FirstName == "Ada" }},
		{`{"do":"update","name":"Ada L.",` + ada + `}`, []string{"contact.updated", "contact.untagged", "contact.tagged"},
			func(c postroom.Contact) bool {
				return c.FirstName == "Ada L." && slices.Equal(c.Tags, []string{"b", "c"}) && c.CustomFields["company"] == nil && string(c.CustomFields["size"]) == "12345678901234567890"
			}},
		{`{"do":"join",` + ada + `}`, nil, func(c postroom.Contact) bool {
			return slices.Equal(memberships(c), []string{"Club pending", "News subscribed", "Offers subscribed"})
		}},
		{`{"do":"leave",` + ada + `}`, []string{"contact.unsubscribed"}, func(c postroom.Contact) bool {
			return slices.Equal(memberships(c), []string{"Club pending", "News unsubscribed", "Offers subscribed"})
		}},
		{`{"do":"tag",` + ada + `}`, []string{"contact.tagged"}, func(c postroom.Contact) bool { return slices.Contains(c.Tags, "x") }},
		{`{"do":"tag",` + ada + `}`, nil, func(c postroom.Contact) bool { return slices.Contains(c.Tags, "x") }},
		{`{"do":"untag",` + ada + `}`, []string{"contact.untagged"}, func(c postroom.Contact) bool { return !slices.Contains(c.Tags, "x") }},
		{`{"do":"bounce",` + ada + `}`, []string{"contact.status_changed"}, func(c postroom.Contact) bool { return c.Status == postroom.ContactBounced }},
	} {
		before := len(r.store.types())
		r.post(source, step.body, 200)
		if got := r.store.types()[before:]; !slices.Equal(got, step.events) {
			t.Errorf("%s: the events are %v, want %v", step.body, got, step.events)
		}
		if c := r.store.people()["ada@example.com"]; !step.check(c) {
			t.Errorf("%s: the contact is %+v", step.body, c)
		}
	}
	if skipped := outcomes(r.last()); !slices.Equal(skipped[:6], slices.Repeat([]postroom.ActionOutcome{postroom.OutcomeSkipped}, 6)) {
		t.Errorf("the outcomes are %v", skipped)
	}
}

// TestNobody checks what actions do for whom there is no contact.
func TestNobody(t *testing.T) {
	r := newRig(t)
	tag := r.source(doing(postroom.Action{Type: postroom.ActionApplyTag, Tags: []string{"x"}}))
	for body, want := range map[string]string{`{"email":"nobody@example.com"}`: "There is no such contact", `{"a":1}`: "no email, uid or phone"} {
		r.post(tag, body, 200)
		got := r.last()
		if outcome := outcomes(got); !slices.Equal(outcome, []postroom.ActionOutcome{postroom.OutcomeNothing}) {
			t.Errorf("%s: %v", body, outcome)
		}
		if !slices.ContainsFunc(got.Log.Warnings, func(n postroom.RequestNote) bool { return strings.Contains(n.Message, want) && n.Action == 1 }) {
			t.Errorf("%s: the warnings are %+v", body, got.Log.Warnings)
		}
	}
	add := r.source(doing(postroom.Action{Type: postroom.ActionAddSubscriber}))
	r.post(add, `{"a":1}`, 202)
	if got := r.last(); got.Log.Error == nil || got.Log.Error.Action != 1 || !strings.Contains(got.Log.Error.Message, "email") {
		t.Errorf("adding nobody: %+v", got.Log.Error)
	}
}

// TestBatch checks that the events of one call know of each other, and that one that fails takes nothing with it, leaves nothing, and is tried
// again alone.
func TestBatch(t *testing.T) {
	r := newRig(t)
	source := r.source(with(func(s *postroom.SourceSettings) { s.EventType = "order.paid" }),
		doing(postroom.Action{Type: postroom.ActionAddSubscriber, Lists: []string{"Buyers"}, Tags: []string{"one"}},
			postroom.Action{Type: postroom.ActionAddToList, Lists: []string{"Second"}},
			postroom.Action{Type: postroom.ActionChangeStatus, When: `has(body.odd)`, Status: "odd"},
			postroom.Action{Type: postroom.ActionUpdateSubscriber, When: `has(body.phone)`}))
	answer := r.post(source, `[{"email":"bad@example.com","odd":true},{"email":"ada@example.com"},{"email":"ADA@example.com","phone":"+4420794609580"},{"email":"bob@example.com"}]`, 202)
	got := r.last()
	if answer.Processed != 3 || got.Records != 3 || got.State != postroom.RequestRetry || got.Log.Error == nil || got.Log.Error.Event != 1 || got.Log.Error.Action != 3 {
		t.Fatalf("the answer is %+v, and the request %+v with %+v", answer, got.RequestResult, got.Log.Error)
	}
	people := r.store.people()
	ada := people["ada@example.com"]
	if len(people) != 2 || ada.Phone != "+4420794609580" || ada.Version < 1 || len(r.store.lists) != 2 {
		t.Errorf("the contacts are %+v, the lists %v", people, r.store.lists)
	}
	for _, c := range people {
		for _, m := range c.Lists {
			if stored := r.store.lists[postroom.Fold(m.Name)]; stored.ID != m.ID {
				t.Errorf("%s is on %s %s, and the list has the id %s", c.Email, m.Name, m.ID, stored.ID)
			}
		}
	}
	if first := got.Log.Actions[0]; first.Outcome != postroom.OutcomeSkipped || !strings.Contains(first.Detail, "action 3 failed") {
		t.Errorf("the first action of what failed is %+v", first)
	}
	before := len(r.store.types())
	r.again(t)
	again := r.last()
	if again.Records != 3 || again.Attempts != 2 || len(r.store.types()) != before || again.Log.Error == nil || len(again.Log.Actions) != len(got.Log.Actions) {
		t.Errorf("tried again it is %+v with %d events more", again.RequestResult, len(r.store.types())-before)
	}
	// Its owner mends the source, and has it tried again.
	r.change(source, func(s *postroom.SourceSettings) { s.Actions = s.Actions[:2] })
	r.again(t)
	if mended := r.last(); mended.State != postroom.RequestProcessed || mended.Records != 4 || mended.Log.Error != nil || len(r.store.people()) != 3 || len(mended.Log.Contacts) != 3 {
		t.Errorf("mended it is %+v with %+v; there are %d contacts", mended.RequestResult, mended.Log, len(r.store.people()))
	}
}

// TestTwiceInOneCall checks that an event which a call has twice is acted on once.
func TestTwiceInOneCall(t *testing.T) {
	r := newRig(t)
	source := r.source(with(func(s *postroom.SourceSettings) {
		s.EventType, s.Dedupe = "order.paid", postroom.Dedupe{By: postroom.DedupeID, Path: "id"}
	}))
	if answer := r.post(source, `[{"id":1},{"id":2},{"id":1}]`, 200); answer.Processed != 2 || len(r.store.events) != 2 {
		t.Errorf("%+v, and %d events", answer, len(r.store.events))
	}
	if answer := r.post(source, `[{"id":1},{"id":3}]`, 200); answer.Processed != 1 || len(r.store.events) != 3 || r.last().State != postroom.RequestProcessed {
		t.Errorf("of a batch with one that is new: %+v, and %d events", answer, len(r.store.events))
	}
	if answer := r.post(source, `[{"id":1},{"id":3}]`, 200); answer.Processed != 0 || len(r.store.events) != 3 || r.last().State != postroom.RequestDuplicate {
		t.Errorf("of a batch with none that is new: %+v, and %d events", answer, len(r.store.events))
	}
}

// TestResend checks that what a person sends again is acted on again.
func TestResend(t *testing.T) {
	r := newRig(t)
	source := r.source(with(func(s *postroom.SourceSettings) { s.EventType = "order.paid" }))
	first := r.call(source, call{body: `{"n":1}`, headers: map[string]string{"Webhook-Id": "m1"}})
	request := r.last()
	sent, err := r.in.Resend(t.Context(), source, &request)
	if err != nil || first.Code != 200 {
		t.Fatal(err)
	}
	if sent.State != postroom.RequestProcessed || sent.ResentFrom == nil || *sent.ResentFrom != request.ID || sent.ID == request.ID || sent.Status != 0 || sent.Answer != nil ||
		string(sent.Body) != `{"n":1}` || len(r.store.events) != 2 {
		t.Errorf("sent again it is %+v, and there are %d events", sent, len(r.store.events))
	}
}

// TestCallAPI checks that the call of an action is an event for its webhook alone, with what the webhook has to know.
func TestCallAPI(t *testing.T) {
	r := newRig(t)
	webhook := postroom.NewID[postroom.WebhookKind](r.in.now())
	source := r.source(with(func(s *postroom.SourceSettings) { s.EventType = "order.paid" }),
		doing(postroom.Action{Type: postroom.ActionCallAPI, Call: &postroom.Call{URL: "https://example.com", WebhookID: &webhook}},
			postroom.Action{Type: postroom.ActionAddSubscriber},
			postroom.Action{Type: postroom.ActionCallAPI, Call: &postroom.Call{URL: "https://example.com", WebhookID: &webhook}}))
	r.post(source, `{"email":"ada@example.com","total":12345678901234567890}`, 200)
	if want := []string{"order.paid", eventCalled, "contact.created", eventCalled}; !slices.Equal(r.store.types(), want) {
		t.Fatalf("the events are %v, want %v", r.store.types(), want)
	}
	got := r.last()
	for i, at := range []int{0, 2} {
		result := got.Log.Actions[at]
		if result.Outcome != postroom.OutcomeQueued || result.DeliveryID == nil || result.EventID != r.store.events[1+2*i].PublicID() {
			t.Errorf("the call is traced as %+v", result)
		}
	}
	var data struct {
		Source  struct{ ID, Name, Kind string }
		Request struct{ ID string }
		Contact *struct{ ID, Email string }
		Data    json.RawMessage
		Type    string `json:"event_type"`
	}
	for i, known := range map[int]bool{1: false, 3: true} {
		data.Contact = nil
		if err := json.Unmarshal(r.store.events[i].Data, &data); err != nil {
			t.Fatal(err)
		}
		if data.Source.ID != source.String() || data.Source.Name != "Signup form" || data.Request.ID != got.ID.String() || data.Type != "order.paid" ||
			!strings.Contains(string(data.Data), "12345678901234567890") || (data.Contact != nil) != known {
			t.Errorf("call %d tells %s", i, r.store.events[i].Data)
		}
	}
}

// TestPublishAndTransform checks the actions that publish, and change what is published.
func TestPublishAndTransform(t *testing.T) {
	r := newRig(t)
	source := r.source(doing(
		postroom.Action{Type: postroom.ActionTransform, Mapping: []postroom.MappingRow{{From: postroom.Paths{"mail"}, To: "email", Transform: []postroom.Transform{{Name: "lower"}}}}},
		postroom.Action{Type: postroom.ActionAddSubscriber},
		postroom.Action{Type: postroom.ActionPublishEvent, EventType: "order.paid", Data: json.RawMessage(`{"total":"{body.total}"}`)}))
	r.post(source, `{"mail":"ADA@EXAMPLE.COM","total":5}`, 200)
	if want := []string{"contact.created", "order.paid"}; !slices.Equal(r.store.types(), want) {
		t.Fatalf("the events are %v, want %v: %+v", r.store.types(), want, r.last().Log)
	}
	if data := string(r.store.events[1].Data); data != `{"total":5}` || r.store.people()["ada@example.com"].Email == "" {
		t.Errorf("published is %s; the contacts are %v", data, r.store.people())
	}
}

// TestDryRun checks that a dry run says what a call would do, and does nothing of it.
func TestDryRun(t *testing.T) {
	r := newRig(t)
	id := r.source(with(func(s *postroom.SourceSettings) { s.EventType = "order.paid" }),
		doing(postroom.Action{Type: postroom.ActionAddSubscriber, Lists: []string{"News"}, Tags: []string{"vip"}}))
	source := r.store.sources[id]
	test, err := r.in.DryRun(t.Context(), &source, &postroom.Request{Method: "POST", Headers: []postroom.Header{{Name: "Content-Type", Value: "application/json"}},
		Body: []byte(`[{"email":"ada@example.com"},{"email":"no address"}]`)})
	if err != nil {
		t.Fatal(err)
	}
	if len(test.Items) != 2 || r.store.count("Commit") != 0 {
		t.Fatalf("%d items, %d commits", len(test.Items), r.store.count("Commit"))
	}
	good, bad := test.Items[0], test.Items[1]
	if good.Contact == nil || good.Contact.Email != "ada@example.com" || !slices.Equal(good.Contact.Tags, []string{"vip"}) || len(good.Events) != 4 ||
		string(good.Fields["email"]) != `"ada@example.com"` || good.Error != nil || string(good.Input) != `{"email":"ada@example.com"}` {
		t.Errorf("the good one: %+v", good)
	}
	if bad.Error == nil || bad.Contact != nil || len(bad.Events) != 0 {
		t.Errorf("the bad one: %+v", bad)
	}
	test, err = r.in.DryRun(t.Context(), &source, &postroom.Request{Method: "POST", Headers: []postroom.Header{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(`{`)})
	if err != nil || test.Error == nil || test.Error.Kind != "body" {
		t.Errorf("of a body that is not JSON: %+v, %v", test, err)
	}
}
