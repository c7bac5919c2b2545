package ui

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/dialects"
	"github.com/postroom/postroom/inbound"
	"github.com/postroom/postroom/internal/seal"
	"github.com/postroom/postroom/outbound"
	"github.com/postroom/postroom/store"
)

// withIntake lets a site take calls in, at the URLs of its sources.
func withIntake(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	known := dialect.Known{Types: map[string]dialect.EventType{}}
	var types []string
	for _, k := range s.app.Catalogue.Types() {
		known.Types[k.Name] = dialect.EventType{Schema: k.Schema, Sample: k.Sample}
		types = append(types, k.Name)
	}
	set, err := dialect.Load(dialects.Files, "dialects", known)
	s.must(err)
	db, sealer := s.app.Store.(*store.Store), s.app.Sealer.(*seal.Sealer)
	s.app.Dialects = set
	s.app.Engine = outbound.New(outbound.Config{Store: db, Opener: sealer, IDs: s.app.IDs, Dialects: set})
	in := inbound.New(inbound.Config{Store: db, Publisher: s.app.Engine, Opener: sealer, Dialects: set, IDs: s.app.IDs, PublicURL: s.server.URL,
		Types: func(context.Context, postroom.WorkspaceID) (inbound.Types, error) {
			return inbound.NewTypes(types, set), nil
		}})
	t.Cleanup(in.StopWatching)
	s.app.Intake, s.app.CheckURL = in, func(string) error { return nil }
	mux := http.NewServeMux()
	mux.Handle("/in/", in)
	mux.Handle("/", s.d)
	s.server.Config.Handler = mux
	return s
}

// calls posts a body to a URL, as another system does.
func (s *site) calls(to, body string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, to, strings.NewReader(body))
	s.must(err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	_, err = io.Copy(io.Discard, resp.Body)
	s.must(err)
	s.must(resp.Body.Close())
	return resp
}

var secretInPage = regexp.MustCompile(`(?s)<code data-secret>([^<]+)</code>`)

// makes makes a source with the form, and gives its path and its URL.
func (b *browser) makes(fields ...string) (path, address string) {
	b.t.Helper()
	b.send("/sources", append(fields, "kind", "generic", "status", "active", "key", "none")...)
	b.sees(http.StatusOK, "The source was made", "token=")
	m := secretInPage.FindStringSubmatch(b.page)
	if m == nil {
		b.t.Fatalf("no URL is shown: %s", b.content())
	}
	id := regexp.MustCompile(`src_\w+`).FindString(m[1])
	return "/sources/" + id, m[1]
}

// asks gives the page that htmx gets for a form.
func (b *browser) asks(path string, fields ...string) {
	b.t.Helper()
	form := map[string][]string{tokenField: {b.token()}}
	for i := 0; i < len(fields); i += 2 {
		form[fields[i]] = append(form[fields[i]], fields[i+1])
	}
	b.do(b.request(http.MethodPost, path, form, "HX-Request", "true"))
}

func TestSourcesFromTheFirstStep(t *testing.T) {
	s := withIntake(t)
	b := s.admin()
	b.open("/sources")
	b.sees(http.StatusOK, "There are no sources", "New source")
	b.open("/sources/new")
	b.sees(http.StatusOK, "Standard Webhooks", "contact.created", "found in each call")
	b.send("/sources", "name", "", "kind", "generic", "status", "active", "key", "none")
	b.sees(http.StatusUnprocessableEntity, `id="f-name-error"`)
	b.send("/sources", "name", "x", "kind", "generic", "status", "active", "key", "none", "event_type", "contact.craeted")
	b.sees(http.StatusUnprocessableEntity, `id="f-event_type-error"`, "contact.created")
	b.send("/sources", "name", "x", "kind", "standard", "status", "active", "key", "none")
	b.sees(http.StatusUnprocessableEntity, `id="f-signature-secret-error"`)

	path, address := b.makes("name", "Signup <b>form</b>", "event_type", "contact.created", "key", "new")
	if b.sees(http.StatusOK, "API key, which is shown this once", "Waiting for the first call", "Signup &lt;b&gt;form"); strings.Contains(b.page, "<b>form") {
		t.Error("a name became markup")
	}
	b.open(path + "/setup")
	if b.sees(http.StatusOK, "token=***", "X-API-Key: YOUR-API-KEY"); strings.Contains(b.page, address) {
		t.Error("the token is shown again")
	}
	b.send(path + "/reveal")
	b.sees(http.StatusOK, strings.ReplaceAll(address, "&", "&amp;"))
	b.send(path + "/token")
	if b.sees(http.StatusOK, "token="); strings.Contains(b.page, address) {
		t.Error("the token is the old one")
	}
	b.open("/sources")
	b.sees(http.StatusOK, "Anything", "contact.created", "no calls yet")
	b.send(path+"/edit", "name", "Form", "event_type", "nonsense", "status", "active")
	b.sees(http.StatusUnprocessableEntity, "f-event_type-error")
	b.send(path+"/edit", "name", "Form", "event_type", "", "status", "active", "description", "for all")
	b.sees(http.StatusOK, "The settings were saved", "for all", "found in each call")
	b.send(path + "/pause")
	b.sees(http.StatusOK, "inactive", "Resume")
	b.send(path + "/resume")
	b.sees(http.StatusOK, "Pause…")
	b.send(path + "/delete")
	b.at("/sources")
	b.sees(http.StatusOK, "Form was deleted")
}

func TestSourceRoles(t *testing.T) {
	s := withIntake(t)
	admin := s.admin()
	path, address := admin.makes("name", "Form")
	s.calls(address, `{"email": "ada@example.com"}`)
	viewer := s.member(postroom.RoleViewer)
	for _, page := range []string{"", "/setup", "/requests"} {
		viewer.open(path + page)
		viewer.sees(http.StatusOK)
		for _, no := range []string{"Show the token", "/mapping", "/security", "Pause…", "Clear the log", address, path + "/test"} {
			if strings.Contains(viewer.page, no) {
				t.Errorf("a viewer sees %s on %s", no, page)
			}
		}
	}
	viewer.open("/requests")
	request := regexp.MustCompile(`/requests/req_\w+`).FindString(viewer.page)
	viewer.open(request)
	viewer.sees(http.StatusOK, "ada@example.com")
	if strings.Contains(viewer.page, "Retry") || strings.Contains(viewer.page, "Resend") {
		t.Error("a viewer is offered to retry and to resend")
	}
	for _, what := range []string{request + "/retry", request + "/resend", path + "/test"} {
		viewer.send(what, "body", "{}", "op", "try")
		viewer.sees(http.StatusForbidden)
	}

	all, err := s.app.Store.Workspaces(t.Context())
	s.must(err)
	members, err := s.app.WorkspaceMembers(t.Context(), app.Caller{Workspace: all[0].ID, Role: postroom.RoleAdmin})
	s.must(err)
	for _, m := range members {
		if m.Role == postroom.RoleViewer {
			admin.send("/settings/members/"+m.ID.String(), "role", "viewer", "may_trigger", "*")
		}
	}
	viewer.open(request)
	viewer.sees(http.StatusOK, "Retry", "Resend")
	viewer.send(path+"/test", "body", `{"email": "bob@example.com"}`, "op", "try")
	viewer.sees(http.StatusOK, "bob@example.com", "What comes of it")
	viewer.send(request + "/resend")
	viewer.sees(http.StatusOK, "taken in once more", "Resent from")
	viewer.send(request + "/retry")
	viewer.sees(http.StatusOK, "being processed again")
}

func TestSourceSecurity(t *testing.T) {
	s := withIntake(t)
	b := s.admin()
	path, address := b.makes("name", "Form")
	b.open(path + "/security")
	b.sees(http.StatusOK, "No signature", "Allowed addresses")
	b.send(path+"/security", "dedupe.by", "auto", "signature.scheme", "none")
	b.sees(http.StatusUnprocessableEntity, "f-require_token-error", "anybody could call")
	b.send(path+"/security", "require_token", "on", "dedupe.by", "header", "signature.scheme", "hmac", "signature.signed", "{nothing}", "ip_allow", "nowhere", "rate_limit.limit", "many",
		"rate_limit.period", "1s", "basic_auth.on", "on", "basic_auth.username", "a:b")
	b.sees(http.StatusUnprocessableEntity, "f-rate_limit-limit-error")
	b.send(path+"/security", "require_token", "on", "dedupe.by", "header", "signature.scheme", "hmac", "signature.signed", "{nothing}", "ip_allow", "nowhere", "basic_auth.on", "on",
		"basic_auth.username", "a:b")
	b.sees(http.StatusUnprocessableEntity, "f-dedupe-header-error", "f-signature-signed-error", "f-ip_allow-error", "f-basic_auth-username-error")
	b.send(path+"/security", "op", "scheme", "require_token", "on", "signature.scheme", "ecdsa")
	b.sees(http.StatusOK, "Public key", "SHA-384")
	b.send(path+"/security", "require_token", "on", "api_key.on", "on", "api_key.header", "X-Key", "dedupe.by", "id", "dedupe.path", "event.id", "signature.scheme", "hmac",
		"signature.secret", "s3cret-value", "signature.header", "X-Sig", "signature.algorithm", "sha512", "ip_allow", "127.0.0.1\n203.0.113.0/24", "rate_limit.limit", "50",
		"rate_limit.period", "1s", "basic_auth.on", "on", "basic_auth.username", "ada", "basic_auth.password", "pass-word")
	b.sees(http.StatusOK, "only time that the key is shown", `value="X-Sig"`, `value="X-Key"`, "203.0.113.0/24", "A secret is set")
	key := secretInPage.FindStringSubmatch(b.page)[1]
	b.send(path+"/security", "require_token", "on", "api_key.on", "on", "api_key.header", "X-Key", "dedupe.by", "auto", "signature.scheme", "hmac", "signature.secret", "another-secret",
		"signature.keep", "on", "signature.header", "X-Sig")
	b.sees(http.StatusOK, "were saved", "1 older one still fit")
	for _, secret := range []string{key, "s3cret-value", "another-secret", "pass-word"} {
		if strings.Contains(b.page, secret) {
			t.Errorf("%s is shown again", secret)
		}
	}
	if resp := s.calls(address, `{}`); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a call without the key and the signature is answered with %d", resp.StatusCode)
	}
}

func TestMappingEditor(t *testing.T) {
	s := withIntake(t)
	b := s.admin()
	path, address := b.makes("name", "Form", "event_type", "contact.created")
	s.calls(address, `{"contact_email": "ADA@example.com", "first": "Ada", "last": "<i>Lovelace", "items": [{"sku": "A"}]}`)
	b.open(path + "/mapping")
	b.sees(http.StatusOK, "What came", "&lt;i&gt;Lovelace", `<option value="contact_email">`, `<option value="items[*].sku">`, `value="custom_field."`)
	request := regexp.MustCompile(`req_\w+`).FindString(b.page)
	row := func(op string) []string {
		return []string{"op", op, "request", request, "mapping.0.from", "contact_email", "mapping.0.to", "email", "mapping.0.when", "", "mapping.0.transform.0", "lower", "mapping.0.transform.0.arg", "",
			"mapping.1.from", "first + last", "mapping.1.to", "custom_field.full_name", "mapping.1.when", "has(body.first)", "mapping.1.transform.0", "join", "mapping.1.transform.0.arg", ", "}
	}
	b.send(path+"/mapping", row("add:mapping")...)
	b.sees(http.StatusOK, `name="mapping.2.from"`, "autofocus", "ada@example.com", "Ada, &lt;i&gt;Lovelace")
	b.send(path+"/mapping", row("down:mapping:0")...)
	b.sees(http.StatusOK, `name="mapping.1.to" value="email"`)
	b.send(path+"/mapping", row("remove:mapping:0")...)
	if b.sees(http.StatusOK, `name="mapping.0.to" value="custom_field.full_name"`); strings.Contains(b.page, `name="mapping.1.to"`) {
		t.Error("the row is still there")
	}
	b.asks(path+"/mapping/preview", "request", request, "mapping.0.from", "", "mapping.0.to", "", "mapping.1.from", "first", "mapping.1.to", "emial")
	b.sees(http.StatusOK, "row 2 to", "did you mean email", `id="live-mapping-1" hx-swap-oob="true">there is`, `id="live-mapping-0" hx-swap-oob="true"></p>`)
	b.asks(path+"/mapping/preview", "request", request, "mapping.0.from", "first", "mapping.0.to", "custom_field.born", "mapping.0.transform.0", "date", "mapping.0.transform.0.arg", "DD.MM.YYYY")
	b.sees(http.StatusOK, "(row 1)", "<code>first</code>")
	b.send(path+"/mapping", "op", "save", "body", "{}", "mapping.0.from", "first", "mapping.0.to", "emial", "mapping.0.transform.0", "split", "mapping.0.transform.0.arg", "", "mapping.0.when", "1 +")
	b.sees(http.StatusUnprocessableEntity, "f-mapping-0-to-error", "f-mapping-0-transform-0-error", "f-mapping-0-when-error")
	b.send(path+"/mapping", row("save")...)
	b.sees(http.StatusOK, "The mapping was saved", `value="first &#43; last"`, `value=", "`)
	b.send(path+"/mapping", "op", "try", "body", "no json", "mapping.0.from", "a", "mapping.0.to", "email")
	b.sees(http.StatusOK, "no json")
}

func TestActionsEditor(t *testing.T) {
	s := withIntake(t)
	b := s.admin()
	path, address := b.makes("name", "Form", "event_type", "contact.created")
	b.open(path + "/actions")
	b.sees(http.StatusOK, "Nothing but publishing the event", "Call an API")
	b.send(path+"/actions", "op", "add:actions", "add", "add_subscriber", "body", `{"email": "ada@example.com"}`)
	b.sees(http.StatusOK, "1. Add a subscriber", `name="actions.0.lists"`, "add_subscriber", "done")
	both := func(op string) []string {
		return []string{"op", op, "add", "transform", "body", `{"email": "ada@example.com", "score": 12}`, "actions.0.type", "add_subscriber", "actions.0.lists", "News\nShop", "actions.0.tags", "lead",
			"actions.0.custom_fields", "plan = gold", "actions.0.when", "body.score > 10", "actions.1.type", "call_api", "actions.1.call.url", "https://crm.example.com/x", "actions.1.call.auth.type", "bearer",
			"actions.1.call.auth.token", "t0ken-value", "actions.1.call.headers", "X-Shop: 7"}
	}
	b.send(path+"/actions", both("up:actions:1")...)
	b.sees(http.StatusOK, "1. Call an API", "2. Add a subscriber", "News\nShop")
	b.send(path+"/actions", both("add:actions")...)
	b.sees(http.StatusOK, "3. Transform data")
	b.send(path+"/actions", append(both("add:actions.2.mapping"), "actions.2.type", "transform")...)
	b.sees(http.StatusOK, `name="actions.2.mapping.0.from"`)
	b.send(path+"/actions", append(both("save"), "actions.2.type", "apply_tag", "actions.2.tags", "", "actions.3.type", "publish_event", "actions.3.data", "{")...)
	b.sees(http.StatusUnprocessableEntity, "f-actions-3-data-error")
	b.send(path+"/actions", append(both("save"), "actions.2.type", "apply_tag", "actions.2.tags", "", "actions.2.when", "1 +")...)
	b.sees(http.StatusUnprocessableEntity, "f-actions-2-tags-error", "f-actions-2-when-error")
	b.send(path+"/actions", both("save")...)
	if b.sees(http.StatusOK, "The actions were saved", "plan = gold", "X-Shop: 7", "skipped"); strings.Contains(b.page, "t0ken-value") {
		t.Error("the token is shown again")
	}
	kept := regexp.MustCompile(`name="actions.1.call.(kept|webhook_id)" value="([^"]*)"`).FindAllStringSubmatch(b.page, -1)
	unescape := strings.NewReplacer("&#34;", `"`)
	again := both("save")
	for i := range again {
		if again[i] == "t0ken-value" {
			again[i] = ""
		}
	}
	for _, k := range kept {
		again = append(again, "actions.1.call."+k[1], unescape.Replace(k[2]))
	}
	b.send(path+"/actions", append(again, "actions.1.call.auth.was", "bearer")...)
	b.sees(http.StatusOK, "The actions were saved")

	s.calls(address, `{"email": "ada@example.com", "first_name": "Ada", "score": 11}`)
	b.open(path + "/requests")
	b.open(regexp.MustCompile(`/requests/req_\w+`).FindString(b.page))
	b.sees(http.StatusOK, "Actions executed", "add_subscriber", "done", "call_api", "queued", "Response sent", "Status 200", "Payload received", "127.0.0.1", "What it caused", "/contacts/con_", "/deliveries/dlv_")
}

func TestRequestLog(t *testing.T) {
	s := withIntake(t)
	b := s.admin()
	b.open("/requests")
	b.sees(http.StatusOK, "There are no requests yet")
	path, address := b.makes("name", "Form", "event_type", "contact.created")
	_, other := b.makes("name", "Other")
	hostile := `<script>alert(1)</script>`
	s.calls(address, `{"email": "ada@example.com", "first_name": "`+hostile+`"}`)
	s.calls(other, `{"event": "=cmd"}`)
	b.open("/requests")
	b.sees(http.StatusOK, "Other", "Form", "processed")
	b.open(path + "/requests")
	if b.sees(http.StatusOK, "contact.created"); strings.Contains(b.page, ">Other<") {
		t.Error("the log of a source has another's requests")
	}
	request := regexp.MustCompile(`/requests/req_\w+`).FindString(b.page)
	b.open(request)
	if b.sees(http.StatusOK, "token=***", "alert(1)"); strings.Contains(b.page, hostile) {
		t.Error("a body became markup")
	}
	b.open(request + "/body")
	b.sees(http.StatusOK, hostile)
	if b.header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(b.header.Get("Content-Disposition"), "attachment") || b.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the raw body has the headers %v", b.header)
	}
	for query, want := range map[string]string{"?status=processed": "contact.created", "?status=failed": "No request is like that", "?sender=127.0.0.1": "contact.created", "?sender=192.0.2.1": "No request is like that",
		"?event_type=contact.created": "contact.created", "?status=odd": "not right yet", "?after=soon": "this is a time", "?before=2020-01-01T00:00": "No request is like that"} {
		b.open(path + "/requests" + query)
		b.sees(http.StatusOK, want)
	}
	b.open("/requests/export?format=csv")
	b.sees(http.StatusOK, "id,source_id,received_at", "processed")
	b.open("/requests/export?source=" + strings.TrimPrefix(path, "/sources/"))
	if b.sees(http.StatusOK, `"first_name`, `"status":"processed"`); strings.Count(b.page, "\n") != 1 {
		t.Errorf("the export of one source is %s", b.page)
	}
	b.open(path)
	b.sees(http.StatusOK, "Requests ever", "Requests over time", "As a table")
	b.open(path + "/stats.json?span=hour")
	b.sees(http.StatusOK, `"Processed"`)
	b.send(path + "/clear")
	b.sees(http.StatusOK, "1 request deleted", "There are no requests yet")
}

// The page of the setup is told of the first call.
func TestSourceLive(t *testing.T) {
	s := withIntake(t)
	b := s.admin()
	path, address := b.makes("name", "Form", "event_type", "contact.created")
	s.calls(address, `{"email": "ada@example.com"}`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	resp, err := b.client.Do(b.request(http.MethodGet, path+"/live", nil).WithContext(ctx))
	s.must(err)
	defer func() { _ = resp.Body.Close() }()
	reads := func(want string) {
		t.Helper()
		var all strings.Builder
		buffer := make([]byte, 4096)
		for !strings.Contains(all.String(), want) {
			n, err := resp.Body.Read(buffer)
			s.must(err)
			all.Write(buffer[:n])
		}
	}
	reads("contact.created")
	s.calls(address, `{"email": "bob@example.com"}`)
	reads("contact.created")
}

func TestTexts(t *testing.T) {
	for text, want := range map[string]string{"a": "a", "a + b": "a|b", `x["a + b"] + c`: `x["a + b"]|c`, "": ""} {
		if got := strings.Join(splitPaths(text), "|"); got != want {
			t.Errorf("%q is split into %q, want %q", text, got, want)
		}
	}
	for _, c := range []struct{ name, text, want string }{{"join", ", ", `", "`}, {"date", "DD.MM.YYYY", `"DD.MM.YYYY"`}, {"date", ` {"format":"unix"}`, `{"format":"unix"}`}, {"split", "[", `"["`},
		{"default", "5", "5"}, {"default", "five", `"five"`}, {"number", "", ""}, {"split", "5", `"5"`}} {
		if got := string(argOf(c.name, c.text)); got != c.want {
			t.Errorf("%s with %q is given %s, want %s", c.name, c.text, got, c.want)
		}
	}
	if got := shellQuote("it's"); got != `'it'\''s'` {
		t.Error(got)
	}
	if got := strings.Join(pathsOf([]byte(`{"a b": {"c": [1]}, "headers": 1, "x": [{"y": null}]}`)), " "); got != `["a b"] ["a b"].c ["a b"].c[0] ["headers"] x x[*] x[*].y` {
		t.Error(got)
	}
}
