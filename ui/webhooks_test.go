package ui

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// receiver is a server that webhooks can call.
func receiver(t *testing.T, status int, body string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Said", hostile)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

// caller is an administrator of the first workspace.
func (s *site) caller() app.Caller {
	s.t.Helper()
	all, err := s.app.Store.Workspaces(s.t.Context())
	s.must(err)
	return app.Caller{Workspace: all[0].ID, Role: postroom.RoleAdmin}
}

// webhook makes a webhook without the dashboard.
func (s *site) webhook(name, url string) postroom.Webhook {
	s.t.Helper()
	settings := s.app.DefaultSettings("")
	settings.Name, settings.URL, settings.Events = name, url, []string{"email.*"}
	w, _, err := s.app.CreateWebhook(s.t.Context(), s.caller(), settings, "", "")
	s.must(err)
	return w
}

func TestAddWebhook(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	b.open("/webhooks")
	b.sees(http.StatusOK, "There are no webhooks yet", "/webhooks/new")
	b.open("/webhooks/new")
	b.sees(http.StatusOK, "Payload builder", "email.opened", "whatsapp.*", "CloudCusp")

	b.send("/webhooks", "name", "", "url", "nonsense", "events_more", "email.opend", "dialect", "standard", "headers", "no colon", "timeout", "soon",
		"rate_limit.limit", "many", "payload.mode", "template", "payload.template", "{\n  \"a\": }")
	b.sees(http.StatusUnprocessableEntity, `id="f-headers-error"`, `id="f-timeout-error"`, `id="f-rate_limit-limit-error"`, "line 2, character 8")
	b.send("/webhooks", "name", "", "url", "nonsense", "events_more", "email.opend", "dialect", "standard", "headers", "Host: x", "auth.type", "bearer",
		"retry.schedule", "1ms", "filter", "event.", "payload.mode", "template", "payload.template", "{\n  \"a\": {\"b\": \"{subscriber_emial}\"}\n}")
	b.sees(http.StatusUnprocessableEntity, `id="f-name-error"`, `id="f-url-error"`, "did you mean email.opened?", "Host is reserved", `id="f-auth-token-error"`,
		`id="f-retry-schedule-error"`, `id="f-filter-error"`, "line 2, at /a/b: ", "did you mean subscriber_email?")

	b.send("/webhooks", "name", hostile, "url", "https://example.com/hooks", "events", "email.*", "events_more", "contact.updated", "dialect", "standard",
		"headers", "x-tenant: production\r\nx-version: 2\r\n", "auth.type", "bearer", "auth.token", "s3cret-token", "retry.schedule", "1s, 5m", "retry.jitter", "0.5",
		"timeout", "9s", "rate_limit.limit", "7", "rate_limit.period", "2s", "concurrency", "3", "ordering", "key", "expect_json", "yes",
		"disable_after.failures", "4", "disable_after.for", "2h", "method", "PUT", "filter", "event.data.campaign.id == 790", "uid", "crm",
		"payload.mode", "both", "payload.fields", "type\r\ndata.contact.email", "payload.add", `{"t": "{workspace_id}"}`, "status", "paused")
	b.sees(http.StatusOK, "This is the only time", `data-secret>whsec_`, "&lt;script&gt;")
	w, err := s.app.Webhook(t.Context(), s.caller(), "crm")
	s.must(err)
	got := fmt.Sprintln(w.Events, w.Headers, w.Auth.Type, w.Auth.Token, w.Retry, w.Timeout, *w.RateLimit, w.Concurrency, w.Ordering, w.ExpectJSON, w.Disable, w.Method, w.Filter, w.Payload.Fields, string(w.Payload.Add), w.Status)
	want := `[email.* contact.updated] map[x-tenant:production x-version:2] bearer ••• {[1s 5m] 0.5} 9s {7 2s} 3 key true {4 2h} PUT event.data.campaign.id == 790 [type data.contact.email] {"t":"{workspace_id}"} paused` + "\n"
	if got != want {
		t.Errorf("the webhook has\n%s, want\n%s", got, want)
	}
	b.open("/webhooks?q=CRM&status=paused")
	b.sees(http.StatusOK, "/webhooks/"+w.ID.String(), "&lt;script&gt;")
	b.open("/webhooks?q=nothing")
	b.sees(http.StatusOK, "No webhook is like that")
}

// What the form of a webhook shows is what it has: saving it unchanged changes nothing.
func TestEditWebhookKeepsEverything(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	for i, pairs := range [][]string{
		{"dialect", "cocoonmail", "events", "email.opened"},
		{"dialect", "standard", "events", "*", "auth.type", "header", "auth.headers", "X-A: 1\nX-B: 2", "payload.mode", "template", "payload.template", "{\n \"x\": 1.0\n}", "rate_limit.period", "3s", "rate_limit.limit", "5"},
		{"dialect", "cloudcusp", "events", "email.opened", "auth.type", "api_key", "auth.key", "k", "retry.schedule", "none"},
		{"dialect", "zapier", "events", "email.opened", "auth.type", "basic", "auth.username", "ada", "auth.password", "pw"},
		{"dialect", "standard", "events", "email.*", "auth.type", "oauth2", "auth.grant", "client_credentials", "auth.token_url", "https://example.com/token", "auth.client_id", "i", "auth.client_secret", "s", "auth.client_auth", "body", "auth.scopes", "a b", "auth.params", "p=1"},
	} {
		uid := fmt.Sprint("w", i)
		b.send("/webhooks", append([]string{"name", uid, "uid", uid, "url", "https://example.com/"}, pairs...)...)
		b.sees(http.StatusOK, "This is the only time")
		before, err := s.app.Webhook(t.Context(), s.caller(), uid)
		s.must(err)
		b.open("/webhooks/" + uid + "/edit")
		b.sees(http.StatusOK, "Payload builder")
		if strings.Contains(b.page, `value="pw"`) {
			t.Error("a password is shown")
		}
		b.send("/webhooks/"+uid, fieldsOfPage(b.page)...)
		b.sees(http.StatusOK, uid+" was changed.")
		after, err := s.app.Webhook(t.Context(), s.caller(), uid)
		s.must(err)
		if x, y := fmt.Sprintf("%+v", before.WebhookSettings), fmt.Sprintf("%+v", after.WebhookSettings); plainPointers(x) != plainPointers(y) {
			t.Errorf("%s had\n%s and has\n%s", uid, x, y)
		}
		if x, y := fmt.Sprintf("%+v %+v %+v", before.Auth, before.Payload, before.RateLimit), fmt.Sprintf("%+v %+v %+v", after.Auth, after.Payload, after.RateLimit); x != y {
			t.Errorf("%s had\n%s and has\n%s", uid, x, y)
		}
	}
}

func plainPointers(s string) string {
	return regexp.MustCompile(`0x[0-9a-f]+`).ReplaceAllString(s, "&")
}

var (
	inputs    = regexp.MustCompile(`<input [^>]*>`)
	texts     = regexp.MustCompile(`(?s)<textarea [^>]*name="([^"]*)"[^>]*>\n(.*?)</textarea>`)
	selects   = regexp.MustCompile(`(?s)<select [^>]*name="([^"]*)".*?</select>`)
	selected  = regexp.MustCompile(`value="([^"]*)" selected`)
	attribute = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// fieldsOfPage are the fields that a browser would send of the form of a page.
func fieldsOfPage(page string) (pairs []string) {
	_, page, _ = strings.Cut(page, `id="webhook-form"`)
	page, _, _ = strings.Cut(page, "</form>")
	unescape := strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&#43;", "+", "&amp;", "&")
	for _, input := range inputs.FindAllString(page, -1) {
		a := map[string]string{}
		for _, m := range attribute.FindAllStringSubmatch(input, -1) {
			a[m[1]] = unescape.Replace(m[2])
		}
		chosen := a["type"] == "checkbox" || a["type"] == "radio"
		if a["name"] != "" && a["name"] != tokenField && (!chosen || strings.Contains(input, " checked")) {
			pairs = append(pairs, a["name"], a["value"])
		}
	}
	for _, m := range texts.FindAllStringSubmatch(page, -1) {
		pairs = append(pairs, m[1], strings.ReplaceAll(unescape.Replace(m[2]), "\n", "\r\n"))
	}
	for _, m := range selects.FindAllStringSubmatch(page, -1) {
		if v := selected.FindStringSubmatch(m[0]); v != nil {
			pairs = append(pairs, m[1], v[1])
		}
	}
	return pairs
}

func TestPreviewWebhook(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	b.open("/webhooks/new")
	b.send("/webhooks/preview", "url", "https://example.com/in", "events", "email.opened", "dialect", "standard", "headers", "x-tenant: eu", "auth.type", "bearer",
		"payload.mode", "template", "payload.template", `{"e": "{event_type}", "who": "{subscriber_email}"}`)
	b.sees(http.StatusOK, "<strong>POST</strong> https://example.com/in", "X-Tenant: eu", "&#34;e&#34;: &#34;email.opened&#34;", "subscriber_first_name", "data.contact.email", "Add a webhook")

	form := []string{"url", "https://example.com/in", "events", "email.opened", "dialect", "standard", "auth.type", "none", "payload.mode", "template"}
	part := func(more ...string) {
		t.Helper()
		values := map[string][]string{tokenField: {b.token()}}
		for i := 0; i < len(form); i += 2 {
			values[form[i]] = append(values[form[i]], form[i+1])
		}
		for i := 0; i < len(more); i += 2 {
			values[more[i]] = []string{more[i+1]}
		}
		b.do(b.request(http.MethodPost, "/webhooks/preview", values, "HX-Request", "true"))
	}
	part("payload.template", "{\n\"a\": \"{data.contact.emial}\"}")
	b.sees(http.StatusOK, "line 2, at /a", "did you mean", `role="alert"`)
	part("payload.template", "{")
	b.sees(http.StatusOK, "this is not JSON")
	_, err := s.app.Publish(t.Context(), s.caller(), []app.NewEvent{{Type: "email.clicked", Data: []byte(`{"contact":{"email":"` + "<b>@example.com" + `"}}`)}}, "")
	s.must(err)
	past, err := s.app.Events(t.Context(), s.caller(), postroom.EventFilter{}, postroom.PageQuery{})
	s.must(err)
	part("payload.mode", "own", "preview", "event:"+past.Data[0].ID.String())
	b.sees(http.StatusOK, "email.clicked", "&lt;b&gt;@example.com")
	if strings.Contains(b.page, "<b>") {
		t.Error("an event's text has become markup")
	}
	b.open("/webhooks/new")
	b.do(b.request(http.MethodPost, "/webhooks/parts", map[string][]string{tokenField: {b.token()}, "dialect": {"cocoonmail"}}, "HX-Request", "true"))
	b.sees(http.StatusOK, `hx-swap-oob="true"`, "whatsapp.engaged", `id="dialect-about"`)
}

func TestOneWebhook(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	w := s.webhook("One", receiver(t, http.StatusOK, `{"success": true, "message": "`+"<i>hello</i>"+`"}`).URL)
	one := "/webhooks/" + w.ID.String()
	b.open(one)
	b.sees(http.StatusOK, "Nothing was delivered yet", `data-chart="`+one+`/stats.json?by=hour"`, "it is rotated")
	b.open(one + "/stats.json?by=day")
	b.sees(http.StatusOK, `"label":"Retried"`)
	b.open(one + "/test")
	b.sees(http.StatusOK, "The dialect&#39;s own test")
	b.open(one + "/test/sample?type=email.clicked")
	b.sees(http.StatusOK, "&#34;contact&#34;")
	b.open(one + "/test")
	b.send(one+"/test", "type", "email.opened", "data", "{")
	b.sees(http.StatusUnprocessableEntity, "this is not JSON")
	b.send(one+"/test", "type", "email.opened", "data", `{"contact":{"email":"a@example.com"}}`)
	b.sees(http.StatusOK, "Status: <strong>200 OK</strong> · Time: ", "Response: <code>{&#34;success&#34;: true", "X-Said: &lt;script&gt;", "a@example.com", "The receiver took it.")
	if strings.Contains(b.page, "<i>") || strings.Contains(b.page, hostile) {
		t.Error("an answer has become markup")
	}
	b.open(one)
	b.sees(http.StatusOK, "email.opened", "200 OK", "/deliveries/dlv_")

	b.send(one+"/pause", "reason", "Holiday "+hostile)
	b.at(one)
	b.sees(http.StatusOK, "Holiday &lt;script&gt;", "Nothing is held.", "One is paused")
	_, err := s.app.Publish(t.Context(), s.caller(), []app.NewEvent{{Type: "email.clicked", Data: []byte(`{}`)}}, "")
	s.must(err)
	b.open(one)
	b.sees(http.StatusOK, "1 delivery is held", "Discard 1 delivery")
	b.send(one+"/resume", "held", "discard")
	b.sees(http.StatusOK, "1 held delivery was discarded.")

	b.send(one+"/secrets", "overlap", "24h", "secret", "short")
	b.sees(http.StatusUnprocessableEntity, `id="f-secret-error"`)
	b.send(one+"/secrets", "overlap", "24h")
	b.sees(http.StatusOK, "This is the only time", "goes on signing until", `data-secret>whsec_`)

	b.open(one + "/replay?status=cancelled&after=&before=&types=")
	b.sees(http.StatusOK, "1 delivery", "email.clicked")
	b.open(one + "/replay?status=nonsense&after=noon")
	b.sees(http.StatusUnprocessableEntity, `id="f-after-error"`)
	b.open(one + "/replay")
	b.send(one+"/replay", "status", "cancelled")
	b.sees(http.StatusOK, "The replay has begun.", "Chosen")
	b.send(b.url.Path + "/cancel")
	b.sees(http.StatusOK, "The replay was cancelled.")

	b.send(one + "/delete")
	b.at("/webhooks")
	b.sees(http.StatusOK, "One was deleted.")
	b.open(one)
	b.sees(http.StatusNotFound)
}

// Members below the administrator see webhooks, and test and replay those that they may trigger.
func TestWebhooksOfMembers(t *testing.T) {
	s := newSite(t)
	s.admin()
	w := s.webhook("Theirs", receiver(t, http.StatusInternalServerError, "no").URL)
	b := s.member(postroom.RoleViewer)
	one := "/webhooks/" + w.ID.String()
	b.open("/webhooks")
	b.sees(http.StatusOK, "Theirs")
	for _, path := range []string{one + "/test", one + "/replay"} {
		b.open(path)
		b.sees(http.StatusForbidden, "may not trigger")
		b.send(path)
		b.sees(http.StatusForbidden)
	}
	b.open(one)
	b.sees(http.StatusOK, "Theirs")
	for _, button := range []string{"/test\"", "/replay\"", "/edit\"", "Pause", "Delete", "Rotate"} {
		if strings.Contains(b.page, button) {
			t.Errorf("a viewer is shown %s", button)
		}
	}
	_, err := s.app.UpdateMember(t.Context(), s.caller(), "viewer@example.com", func(m *app.MemberSettings) error {
		m.MayTrigger = []string{w.ID.String()}
		return nil
	})
	s.must(err)
	b.open(one)
	b.sees(http.StatusOK, "/test\"", "/replay\"")
	b.send(one+"/test", "type", "")
	b.sees(http.StatusOK, "500 Internal Server Error", `class="note bad"`, "The log has its answer.")
	b.send(one+"/replay", "status", "failed")
	b.sees(http.StatusOK, "The replay has begun.")
}

func TestLineOf(t *testing.T) {
	const text = "{\n  \"a\": [1,\n    {\"b/c\": \"x\"}],\n  \"d\": 2\n}"
	for pointer, want := range map[string]int{"": 1, "/a": 2, "/a/0": 2, "/a/1": 3, "/a/1/b~1c": 3, "/d": 4, "/e": 0, "/a/7": 0} {
		if got := lineOf(text, pointer); got != want {
			t.Errorf("%q is in line %d, want %d", pointer, got, want)
		}
	}
}
