package ui

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

func pauseWebhook(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	w, err := c.app.PauseWebhook(c.Context(), c.in.Caller, c.PathValue("id"), f.Get("reason"))
	if err != nil {
		return err
	}
	return c.redirect("/webhooks/"+w.ID.String(), w.Name+" is paused: its deliveries are held.")
}

func resumeWebhook(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	held := f.Get("held")
	w, n, err := c.app.ResumeWebhook(c.Context(), c.in.Caller, c.PathValue("id"), held)
	if err != nil {
		return err
	}
	said := w.Name + " is active again."
	switch {
	case held == app.HeldDiscard:
		said += " " + plural(n, "held delivery was", "held deliveries were") + " discarded."
	case n > 0:
		said += " " + plural(n, "held delivery goes", "held deliveries go") + " out."
	}
	return c.redirect("/webhooks/"+w.ID.String(), said)
}

func deleteWebhook(c *call) error {
	w, err := c.findWebhook()
	if err != nil {
		return err
	}
	if err := c.app.DeleteWebhook(c.Context(), c.in.Caller, w.ID.String(), 0); err != nil {
		return err
	}
	return c.redirect("/webhooks", w.Name+" was deleted.")
}

func rotateSecret(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	w, err := c.findWebhook()
	if err != nil {
		return err
	}
	r := &formReader{form: f}
	overlap := r.duration("overlap", postroom.Duration(24*time.Hour))
	if err := r.problems.Err(); err != nil {
		return c.showWebhook(f, err)
	}
	kind := postroom.SecretKind("")
	if strings.HasPrefix(f.Get("secret"), "whsk_") {
		kind = postroom.SecretEd25519
	}
	s, plain, err := c.app.RotateSecret(c.Context(), c.in.Caller, w.ID.String(), kind, f.Get("secret"), time.Duration(overlap))
	if err != nil {
		return c.showWebhook(f, err)
	}
	made := madeSecret{Webhook: w, Secret: plain, Public: s.PublicKey}
	if overlap > 0 {
		made.Until = &postroom.Timestamp{Time: c.d.Now().Add(time.Duration(overlap))}
	}
	p := webhookSubpage(&w, "webhooks/made", "The new secret")
	p.Data = made
	return c.render(p)
}

// testData is what the page of a test shows.
type testData struct {
	Webhook postroom.Webhook
	Types   []option
	Result  *testResult
}

// testResult is a test that was made.
type testResult struct {
	Delivery postroom.Delivery
	Attempt  postroom.Attempt
}

// Milliseconds is how long the call took.
func (r *testResult) Milliseconds() int64 { return r.Attempt.Duration.Milliseconds() }

// Remedy says what helps.
func (r *testResult) Remedy() string {
	if r.Attempt.Error == nil {
		return ""
	}
	for _, known := range postroom.FailureKinds() {
		if known.Kind == r.Attempt.Error.Kind {
			return known.Remedy
		}
	}
	return ""
}

// First is how the answer's body begins.
func (r *testResult) First() string {
	if r.Attempt.Response == nil {
		return ""
	}
	return short(strings.ToValidUTF8(strings.Join(strings.Fields(string(r.Attempt.Response.Body)), " "), "\uFFFD"))
}

// mayTest refuses who may not trigger the webhook; app decides again when it is triggered.
func (c *call) mayTest(w *postroom.Webhook) error {
	if c.in.Member.Triggers(w.ID.String()) {
		return nil
	}
	return postroom.Errorf(postroom.CodeForbidden, "You may not trigger this webhook: an administrator can let you, in the settings of the members.")
}

func (c *call) testForm(f *form) (page, testData, error) {
	w, err := c.findWebhook()
	if err != nil {
		return page{}, testData{}, err
	}
	d := testData{Webhook: w, Types: []option{{"", "The dialect's own test", ""}}}
	p := webhookSubpage(&w, "webhooks/test", "Test")
	p.Form = f
	if err := c.mayTest(&w); err != nil {
		return p, d, err
	}
	types, err := c.app.EventTypes(c.Context(), c.in.Caller)
	if err != nil {
		return p, d, err
	}
	parts := webhookForm{Defaults: c.app.DefaultSettings(w.Dialect)}
	if err := c.fillDialect(&parts); err != nil {
		return p, d, err
	}
	for _, group := range eventGroups(types, &parts.Dialect, f) {
		for _, t := range group.Types {
			d.Types = append(d.Types, option{t.Name, t.Name, t.Vendor})
		}
	}
	return p, d, nil
}

func testPage(c *call) error {
	p, d, err := c.testForm(newForm("type", c.URL.Query().Get("type")))
	if err != nil {
		return err
	}
	p.Data = d
	return c.render(p)
}

// testSample gives the field for the data anew, with the sample of a type in it.
func testSample(c *call) error {
	f := newForm()
	if name := c.URL.Query().Get("type"); name != "" {
		t, err := c.app.EventType(c.Context(), c.in.Caller, name)
		if err != nil {
			return err
		}
		f.values.Set("data", pretty(t.Sample))
	}
	return c.execute("webhooks/test", "data", view{page: page{Form: f}, c: c}, 0)
}

func testWebhook(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	p, d, err := c.testForm(f)
	if err != nil {
		return err
	}
	p.Data = d
	r := &formReader{form: f}
	var data json.RawMessage
	if strings.TrimSpace(f.Raw("data")) != "" {
		data = r.template("data")
	}
	if err := r.problems.Err(); err != nil {
		return c.invalid(err, p, "type", "data")
	}
	delivery, attempt, err := c.app.TestWebhook(c.Context(), c.in.Caller, d.Webhook.ID.String(), f.Get("type"), data)
	if err != nil {
		return c.invalid(err, p, "type", "data")
	}
	d.Result = &testResult{delivery, attempt}
	p.Data = d
	return c.render(p)
}
