package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

// deliveryData is what the page of one delivery shows.
type deliveryData struct {
	Delivery postroom.Delivery
	Webhook  string
	Deleted  bool          // the webhook is
	Attempts []attemptView // from new to old
	Cause    *cause        // of the newest attempt's failure
	Live     string        // where to ask for what is about to happen; empty when nothing is
	May      bool          // the member may attempt it again
}

// Created is when the delivery was made.
func (d *deliveryData) Created() time.Time { return d.Delivery.CreatedAt() }

// Next is when the next attempt is due; zero when none is.
func (d *deliveryData) Next() time.Time { return nextAt(&d.Delivery) }

// cause is why an attempt failed, for a person.
type cause struct {
	postroom.AttemptError
	Meaning, Remedy string
}

func causeOf(e *postroom.AttemptError) *cause {
	if e == nil {
		return nil
	}
	why := &cause{AttemptError: *e}
	for _, k := range postroom.FailureKinds() {
		if k.Kind == e.Kind {
			why.Meaning, why.Remedy = k.Meaning, k.Remedy
		}
	}
	return why
}

// attemptView is an attempt as the timeline shows it.
type attemptView struct {
	postroom.Attempt
	Open     bool
	Phases   []phase
	Sent     body
	Received *body // nil without an answer
	Curl     string
}

// phase is a part of the time that an attempt took, as a piece of a bar that is 1000 wide.
type phase struct {
	Name, Kind string
	Took       time.Duration
	X, Width   int64
}

// Ms is how long the phase took, in milliseconds.
func (p phase) Ms() string { return milliseconds(p.Took) }

// Ms is how long the attempt took, in milliseconds.
func (a attemptView) Ms() string { return milliseconds(a.Duration) }

func milliseconds(d time.Duration) string {
	switch {
	case d <= 0:
		return "0 ms"
	case d < 10*time.Millisecond:
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + " ms"
	}
	return number(d.Milliseconds()) + " ms"
}

// phasesOf are the phases that happened, in their order.
func phasesOf(p postroom.Phases) []phase {
	all := []phase{{Name: "DNS", Kind: "dns", Took: p.DNS}, {Name: "Connect", Kind: "connect", Took: p.Connect}, {Name: "TLS", Kind: "tls", Took: p.TLS},
		{Name: "First byte", Kind: "wait", Took: p.FirstByte}, {Name: "Rest", Kind: "rest", Took: p.Total - p.DNS - p.Connect - p.TLS - p.FirstByte}}
	if p.Total <= 0 {
		return nil
	}
	x := int64(0)
	for i := range all {
		all[i].Took = max(0, all[i].Took)
		all[i].X, all[i].Width = x, min(int64(1000*all[i].Took/p.Total), 1000-x)
		x += all[i].Width
	}
	return slices.DeleteFunc(all, func(p phase) bool { return p.Took <= 0 })
}

const shownBody = 64 << 10 // bytes of a body that a page shows

// body is the body of a request or an answer, as a page shows it.
type body struct {
	Text   string // indented, if it is JSON
	Raw    string // as it is; empty where Text is that
	Size   int
	Binary bool
	Cut    bool   // Text is not all of it
	Path   string // from which all of it comes
}

func showBody(b []byte, path string) body {
	shown := body{Size: len(b), Path: path}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		shown.Binary = true
		return shown
	}
	if len(b) > shownBody {
		shown.Cut, shown.Text = true, strings.ToValidUTF8(string(b[:shownBody]), "")
		return shown
	}
	shown.Text = pretty(b)
	if shown.Text != string(b) {
		shown.Raw = string(b)
	}
	return shown
}

func attemptsView(d postroom.Delivery, attempts []postroom.Attempt) []attemptView {
	views := make([]attemptView, 0, len(attempts))
	for i, a := range slices.Backward(attempts) {
		path := fmt.Sprintf("/deliveries/%s/attempts/%d/", d.ID, a.Number)
		v := attemptView{Attempt: a, Open: i == len(attempts)-1, Phases: phasesOf(a.Phases), Sent: showBody(a.Request.Body, path+"request"), Curl: curl(a.Request)}
		if a.Response != nil {
			received := showBody(a.Response.Body, path+"response")
			v.Received = &received
		}
		views = append(views, v)
	}
	return views
}

// curl is a command that makes a call again. What the log has left out of it, such as access tokens, is left to be filled in.
func curl(r postroom.SentRequest) string {
	quoted := func(s string) string {
		return "'" + strings.ReplaceAll(strings.ReplaceAll(s, postroom.Redacted, "<secret>"), "'", `'\''`) + "'"
	}
	parts := []string{"curl -X " + quoted(r.Method) + " " + quoted(r.URL)}
	for _, h := range r.Headers {
		switch strings.ToLower(h.Name) {
		case "content-length", "host", "accept-encoding", "transfer-encoding", "connection":
			continue
		}
		parts = append(parts, "-H "+quoted(h.Name+": "+h.Value))
	}
	switch {
	case len(r.Body) == 0:
	case !utf8.Valid(r.Body) || bytes.IndexByte(r.Body, 0) >= 0:
		parts = append(parts, "--data-binary @body.bin")
	default:
		parts = append(parts, "--data-raw '"+strings.ReplaceAll(string(r.Body), "'", `'\''`)+"'")
	}
	return strings.Join(parts, " \\\n  ")
}

// soon is how far ahead the next attempt may be for the page to wait for it.
const soon = time.Minute

func deliveryPage(c *call) error {
	d, attempts, err := c.app.Delivery(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	names := webhookNames{}
	if err := names.find(c, d.WebhookID); err != nil {
		return err
	}
	data := &deliveryData{Delivery: d, Webhook: names[d.WebhookID], Attempts: attemptsView(d, attempts)}
	data.Deleted = data.Webhook == deletedWebhook
	data.May = !data.Deleted && c.in.Member.Triggers(d.WebhookID.String())
	if len(attempts) > 0 {
		data.Cause = causeOf(attempts[len(attempts)-1].Error)
	}
	if d.Status == postroom.DeliveryPending && (d.NextAt == nil || d.NextAt.Before(c.d.Now().Add(soon))) {
		data.Live = fmt.Sprintf("/deliveries/%s?seen=%d", d.ID, d.Attempts)
		if c.htmx() && c.URL.RequestURI() == data.Live { // as the page has it already
			c.answered = true
			c.w.WriteHeader(http.StatusNoContent)
			return nil
		}
	}
	return c.list(page{Name: "deliveries/one", Title: d.EventType + " to " + data.Webhook, Nav: "deliveries", Crumbs: []crumb{{"Deliveries", "/deliveries"}}, Data: data})
}

func retryDelivery(c *call) error {
	d, err := c.app.RetryDelivery(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	return c.redirect("/deliveries/"+d.ID.String(), "It is being attempted again.")
}

// attemptBody gives a body as it is, as a file that no browser takes for a page.
func attemptBody(c *call) error {
	_, attempts, err := c.app.Delivery(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	for _, a := range attempts {
		if strconv.Itoa(a.Number) != c.PathValue("number") {
			continue
		}
		switch part := c.PathValue("part"); {
		case part == "request":
			return c.file("request", a.Request.Body)
		case part == "response" && a.Response != nil:
			return c.file("response", a.Response.Body)
		}
	}
	return postroom.Errorf(postroom.CodeNotFound, "There is no such body.")
}

// file answers with bytes as they are, to be saved.
func (c *call) file(name string, b []byte) error {
	kind, ending := "text/plain; charset=utf-8", ".txt"
	switch {
	case !utf8.Valid(b):
		kind, ending = "application/octet-stream", ".bin"
	case json.Valid(b):
		ending = ".json"
	}
	h := c.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+ending+`"`)
	return c.write(b, 0)
}
