package e2e

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

// signup are the settings of a source that makes contacts of what a form posts.
func signup(uid string) map[string]any {
	return map[string]any{"name": "Signup form", "uid": uid, "event_type": "contact.created",
		"mapping": []any{map[string]any{"from": "contact_email", "to": "email", "transform": []string{"trim", "lower"}}, map[string]any{"from": "first", "to": "first_name"}},
		"actions": []any{map[string]any{"type": "add_subscriber", "lists": []string{"Newsletter"}, "tags": []string{"vip"}}},
	}
}

// callSource posts a body to a URL of a source, as another system does.
func (x *tenant) callSource(to, body string, header map[string]string) answer {
	x.t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		x.t.Fatal(err)
	}
	return x.s.do(x.t, call{method: http.MethodPost, path: u.RequestURI(), body: body, header: header})
}

// TestSources goes through the life of a source, its secrets, and its log, on both databases.
func TestSources(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		s := startServer(t, set)
		for name, test := range map[string]func(*tenant){
			"life": sourceLife, "secrets": sourceSecrets, "log": sourceLog, "dry run": sourceDryRun, "calls": sourceCalls, "refusals": sourceRefusals,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(newTenant(t, s))
			})
		}
	})
}

func sourceLife(x *tenant) {
	ctx, t := x.t.Context(), x.t
	made := must(x.api.CreateSource(ctx, signup("form")))(t)
	if !strings.HasPrefix(made.URL, x.s.address()+"/in/"+made.ID.String()+"?token=") || strings.Contains(made.URL, "***") || made.Version != 1 || made.Kind != "generic" || made.Status != "active" {
		t.Errorf("a new source is %+v", made)
	}
	x.callSource(made.URL, `{"contact_email":" Ada@Example.com ","first":"Ada"}`, nil).is(t, http.StatusOK)
	got := must(x.api.Source(ctx, "form", false))(t)
	if got.URL != x.s.address()+"/in/"+made.ID.String()+"?token=***" || got.Requests.Total != 1 || got.Requests.Failed != 0 {
		t.Errorf("the source is %+v", got)
	}
	if shown := must(x.api.Source(ctx, made.ID.String(), true))(t); shown.URL != made.URL {
		t.Errorf("the URL with its token is %s, want %s", shown.URL, made.URL)
	}

	// A change is bound to the version, and holds at once.
	if _, err := x.api.UpdateSource(ctx, "form", 9, map[string]any{"name": "x"}); codeOf(err) != postroom.CodePreconditionFailed {
		t.Errorf("a change of another version: %v", err)
	}
	off := must(x.api.UpdateSource(ctx, "form", got.Version, map[string]any{"status": "inactive", "description": "d"}))(t)
	if off.Version != 2 || off.Description != "d" || len(off.Mapping) != 2 || off.URL != got.URL {
		t.Errorf("changed, it is %+v", off)
	}
	x.callSource(made.URL, `{"contact_email":"b@example.com"}`, nil).is(t, http.StatusForbidden)
	must(x.api.UpdateSource(ctx, "form", 0, map[string]any{"status": nil}))(t)
	x.callSource(made.URL, `{"contact_email":"b@example.com"}`, nil).is(t, http.StatusOK)

	// The old token ends with the new one.
	renewed := must(x.api.RenewSourceToken(ctx, "form"))(t)
	if renewed.URL == made.URL || strings.Contains(renewed.URL, "***") {
		t.Errorf("the URL with a new token is %s", renewed.URL)
	}
	x.callSource(made.URL, `{"contact_email":"c@example.com"}`, nil).is(t, http.StatusUnauthorized)
	x.callSource(renewed.URL, `{"contact_email":"c@example.com"}`, nil).is(t, http.StatusOK)

	// What was done is in the audit log.
	log := string(x.do(http.MethodGet, "/v1/audit", "").is(t, http.StatusOK).body)
	says(t, log, `"source.created"`, `"source.changed"`, `"source.token_regenerated"`, `"source.token_shown"`)

	if err := x.api.DeleteSource(ctx, "form"); err != nil {
		t.Fatal(err)
	}
	x.callSource(renewed.URL, `{"contact_email":"d@example.com"}`, nil).is(t, http.StatusUnauthorized) // as with a wrong token
	if _, err := x.api.Source(ctx, made.ID.String(), false); !client.IsNotFound(err) {
		t.Errorf("a deleted source: %v", err)
	}
}

// codeOf is the code of a refusal; empty for another error, and for none.
func codeOf(err error) postroom.Code {
	var refused *client.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// hexHMAC signs a body as many senders do.
func hexHMAC(secret, body string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(body))
	return hex.EncodeToString(h.Sum(nil))
}

// basicAuth is the header of a user with a password.
func basicAuth(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// sourceSecrets sees to it that secrets are shown once, or never, and that changes keep those that they do not name.
func sourceSecrets(x *tenant) {
	ctx, t := x.t.Context(), x.t
	in := signup("form")
	in["api_key"] = map[string]any{}
	in["signature"] = map[string]any{"scheme": "hmac", "header": "X-Sign", "secret": "hush-first", "secrets": []string{"hush-further"}}
	in["basic_auth"] = map[string]any{"username": "ada", "password": "hush-password"}
	in["require_token"] = false
	in["actions"] = []any{map[string]any{"type": "call_api", "call": map[string]any{"url": x.r.url("/crm"), "auth": map[string]any{"type": "bearer", "token": "hush-token"}}}}
	made := must(x.api.CreateSource(ctx, in))(t)
	key := made.APIKey.Key
	if len(key) < 20 || strings.Contains(made.URL, "token") || made.Signature.Secret != postroom.Redacted || made.Actions[0].Call.Auth.Token != postroom.Redacted {
		t.Errorf("a new source is %+v", made)
	}
	viewer := must(x.api.CreateKey(ctx, client.KeyInput{Name: "v", Role: postroom.RoleViewer}))(t).Value
	hidden := made.Actions[0].Call.WebhookID.String()
	look := func() {
		t.Helper()
		for _, path := range []string{"/v1/sources", "/v1/sources/form", "/v1/webhooks/" + hidden, "/v1/webhooks"} {
			for _, k := range []string{x.key, viewer} {
				body := string(x.s.do(t, call{method: http.MethodGet, path: path, key: k}).is(t, http.StatusOK).body)
				if strings.Contains(body, "hush") || strings.Contains(body, key) {
					t.Errorf("%s shows a secret: %s", path, body)
				}
				if path == "/v1/webhooks" && strings.Contains(body, hidden) {
					t.Errorf("the webhook of an action is listed: %s", body)
				}
			}
		}
	}
	look()
	x.s.do(t, call{method: http.MethodGet, path: "/v1/sources/form?show_token=true", key: viewer}).refused(t, 403, postroom.CodeForbidden, "")

	// What a change sends back redacted stays; also the whole of what was read, and that of an action.
	whole := must(x.api.Source(ctx, "form", false))(t)
	must(x.api.UpdateSource(ctx, "form", 0, map[string]any{"signature": whole.Signature, "api_key": whole.APIKey, "basic_auth": whole.BasicAuth, "actions": whole.Actions, "name": "y"}))(t)
	look()
	call := func(secret string) answer {
		body := `{"contact_email":"ada@example.com"}`
		return x.callSource(made.URL, body, map[string]string{"X-API-Key": key, "X-Sign": hexHMAC(secret, body), "Authorization": basicAuth("ada", "hush-password")})
	}
	call("hush-first").is(t, http.StatusOK)
	call("hush-further").is(t, http.StatusOK)
	call("hush-wrong").is(t, http.StatusUnauthorized)
	if got := x.r.wait(t, "/crm", 2)[0].header.Get("Authorization"); got != "Bearer hush-token" {
		t.Errorf("the call of the action carries %q", got)
	}

	// A secret is rotated by somebody who does not know the old one.
	must(x.api.UpdateSource(ctx, "form", 0, map[string]any{"signature": map[string]any{"secret": "hush-new", "secrets": []string{postroom.Redacted, postroom.Redacted}}}))(t)
	for secret, status := range map[string]int{"hush-new": 200, "hush-first": 200, "hush-further": 200, "hush-wrong": 401} {
		call(secret).is(t, status)
	}
	must(x.api.UpdateSource(ctx, "form", 0, map[string]any{"signature": map[string]any{"secrets": []string{}}}))(t)
	call("hush-first").is(t, http.StatusUnauthorized)
	call("hush-new").is(t, http.StatusOK)

	// A new key is shown once, and the old one ends.
	again := must(x.api.UpdateSource(ctx, "form", 0, map[string]any{"api_key": map[string]any{"key": ""}}))(t)
	if again.APIKey.Key == key || len(again.APIKey.Key) < 20 {
		t.Errorf("the new key is %q", again.APIKey.Key)
	}
	call("hush-new").is(t, http.StatusUnauthorized)
	key = again.APIKey.Key
	call("hush-new").is(t, http.StatusOK)
	// Nothing that proved the caller is in the log.
	export := must(x.api.ExportRequests(ctx, client.RequestFilter{}, client.ExportNDJSON))(t)
	defer func() { _ = export.Close() }()
	lines := bufio.NewScanner(export)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		if n++; strings.Contains(lines.Text(), key) || strings.Contains(lines.Text(), "hush") || strings.Contains(lines.Text(), basicAuth("ada", "hush-password")) {
			t.Errorf("the log has a credential: %s", lines.Text())
		}
	}
	if n < 7 { // those that were taken; refused ones are stored a little later
		t.Errorf("%d requests were exported", n)
	}
}

// sourceCalls follows the webhooks of a source's calls through its changes.
func sourceCalls(x *tenant) {
	ctx, t := x.t.Context(), x.t
	in := signup("form")
	action := func(path string) map[string]any {
		return map[string]any{"type": "call_api", "call": map[string]any{"url": x.r.url(path), "headers": map[string]string{"X-From": "form"}, "payload": map[string]any{"template": map[string]string{"who": "{data.contact.email}"}}}}
	}
	in["actions"] = []any{signup("")["actions"].([]any)[0], action("/one"), action("/two")}
	made := must(x.api.CreateSource(ctx, in))(t)
	one, two := *made.Actions[1].Call.WebhookID, *made.Actions[2].Call.WebhookID
	x.callSource(made.URL, `{"contact_email":"ada@example.com"}`, nil).is(t, http.StatusOK)
	if got := x.r.wait(t, "/one", 1)[0]; string(got.body) != `{"who":"ada@example.com"}` || got.header.Get("X-From") != "form" {
		t.Errorf("the call is %s %v", got.body, got.header)
	}
	x.r.wait(t, "/two", 1)
	x.settled(one, postroom.DeliverySucceeded)

	// The source owns them.
	if _, err := x.api.UpdateWebhook(ctx, one.String(), 0, map[string]any{"name": "x"}); codeOf(err) != postroom.CodeConflict {
		t.Errorf("a change of an action's webhook: %v", err)
	}
	if err := x.api.DeleteWebhook(ctx, one.String()); codeOf(err) != postroom.CodeConflict {
		t.Errorf("deleting an action's webhook: %v", err)
	}
	// A call that stays keeps its webhook, wherever it stands; one that goes takes it along.
	moved := must(x.api.UpdateSource(ctx, "form", 0, map[string]any{"actions": []any{action("/two"), action("/three")}}))(t)
	if *moved.Actions[0].Call.WebhookID != two || *moved.Actions[1].Call.WebhookID == one {
		t.Errorf("the calls are %+v and %+v, were %s and %s", moved.Actions[0].Call, moved.Actions[1].Call, one, two)
	}
	if _, err := x.api.Webhook(ctx, one.String()); !client.IsNotFound(err) {
		t.Errorf("the webhook of a call that is gone: %v", err)
	}
	x.do(http.MethodPatch, "/v1/sources/form", `{"actions":[{"type":"call_api","call":{"url":"ftp://x","timeout":"1h","webhook_id":"`+one.String()+`"}}]}`).
		refused(t, 422, postroom.CodeInvalid, "/actions/0/call/timeout")
	if err := x.api.DeleteSource(ctx, "form"); err != nil {
		t.Fatal(err)
	}
	if _, err := x.api.Webhook(ctx, two.String()); !client.IsNotFound(err) {
		t.Errorf("the webhook of a deleted source: %v", err)
	}
}
