package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// newCakemail is a server whose webhook is one of Cakemail's clients.
func newCakemail(t *testing.T) *server {
	s := newServer(t)
	s.webhook.Dialect, s.webhook.Number, s.webhook.Name = cakemailDialect, 123, "Production Webhook"
	s.webhook.URL, s.webhook.Events = "https://example.com/hooks?a=1&b=2", []string{"email.opened"}
	s.webhook.StatusAt.Time = testTime
	s.webhook.RateLimit = &postroom.RateLimit{Limit: 10, Period: postroom.Duration(time.Minute)}
	return s
}

// golden makes a call whose answer must have exactly this status and body.
func (s *server) golden(status int, want, method, path, body string, headers ...string) {
	s.Helper()
	w := s.call(method, path, body, headers...)
	if got := w.Body.String(); w.Code != status || got != want {
		s.Errorf("%s %s %s: %d\n%s\nwant %d\n%s", method, path, body, w.Code, got, status, want)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		s.Errorf("%s %s: content type %q", method, path, got)
	}
}

const cakemailData = `{"id":"123","status":"active","event":"Email.Opened","url":"https://example.com/hooks?a=1&b=2","archived_at":null,"rate_limit":10,"rate_limit_period":"minute",` +
	`"events":["email.opened"],"name":"Production Webhook","created_at":"2026-01-31T09:30:00.127Z","updated_at":"2026-01-31T09:30:00.127Z"}`

func TestCakemailCalls(t *testing.T) {
	const base = "/compat/cakemail/webhooks"
	s := newCakemail(t)
	whole := `{"id":"123","data":` + cakemailData + `}`
	s.golden(200, `{"pagination":{"page":1,"per_page":50,"count":null},"data":[`+cakemailData+`]}`, "GET", base, "")
	s.golden(200, `{"pagination":{"page":1,"per_page":50,"count":null},"data":[`+cakemailData+`]}`, "GET", base+"/", "")
	s.golden(200, `{"pagination":{"page":3,"per_page":20,"count":1},"data":[]}`, "GET", base+"?page=3&per_page=20&with_count=true&with_archived=True&account_id=7&sort=x", "")
	if got, want := s.asked, []any{"cakemail", true, 40, 20}; !equal(got, want) {
		t.Errorf("a page is %v, want %v", got, want)
	}
	s.golden(200, `{"id":"123","signature":{"key":"secret-key-123","hash_function":"sha256"},"data":`+cakemailData+`}`, "GET", base+"/123", "")
	s.golden(200, `{"id":"123","signature":{"hash_function":"sha256"},"data":`+cakemailData+`}`, "GET", base+"/123", "", "Authorization", "Bearer prk_viewer")
	s.golden(200, strings.Replace(whole, "}}", `},"object":"Webhook","archived":false}`, 1), "POST", base+"/"+s.webhook.ID.String()+"/unarchive", "")
	s.golden(200, strings.NewReplacer(`"active"`, `"archived"`, `"archived_at":null`, `"archived_at":1769851800`, "}}", `},"object":"Webhook","archived":true}`).Replace(whole),
		"POST", base+"/123/archive", "", "Content-Type", "application/json")
	s.golden(200, strings.NewReplacer("?a=1&b=2", "", "Email.Opened", "Email.ReportedAsSpam", "email.opened", "email.spam_complaint", `:10,`, `:25,`, "Production Webhook", "New", "}}", `},"object":"Webhook","patched":true}`).Replace(whole),
		"PATCH", base+"/123", `{"url":"https://example.com/hooks","events":["Email.SpamReport"],"rate_limit":25,"name":"New","secret":"my_secret_key_12345","event":null,"unknown":[1]}`)
	if got, want := s.asked, []any{postroom.SecretHMAC, "my_secret_key_12345", time.Duration(0)}; !equal(got, want) {
		t.Errorf("the secret is rotated with %v, want %v", got, want)
	}
}

func TestCakemailCreates(t *testing.T) {
	const base = "/compat/cakemail/webhooks"
	for name, c := range map[string]struct {
		in            string
		events        []string
		webhook, name string
		limit         postroom.RateLimit
		secret        string
	}{
		"newer": {`{"event":"Email.Opened","url":"https://example.com/h","rate_limit":5,"rate_limit_period":"minute"}`, []string{"email.opened"}, "https://example.com/h", "example.com",
			postroom.RateLimit{Limit: 5, Period: postroom.Duration(time.Minute)}, ""},
		"older": {`{"url":"https://example.com/h","events":["email.sent"," EMAIL.OPENED","Campaign.Canceled"],"name":"Production Webhook","secret":"my_secret_key_12345"}`,
			[]string{"email.sent", "email.opened", "campaign.cancelled"}, "https://example.com/h", "Production Webhook", postroom.RateLimit{}, "my_secret_key_12345"},
		"commas":      {`{"url":"https://example.com/h","events":"email.sent,email.opened"}`, []string{"email.sent", "email.opened"}, "https://example.com/h", "example.com", postroom.RateLimit{}, ""},
		"only period": {`{"url":"https://example.com/h","event":"Email.Sent","rate_limit_period":"second"}`, []string{"email.sent"}, "https://example.com/h", "example.com", postroom.RateLimit{Limit: 50, Period: postroom.Duration(time.Second)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newCakemail(t)
			got := s.ok(201, "POST", base, c.in)
			data := got["data"].(map[string]any)
			if got["id"] != "123" || data["url"] != c.webhook || data["name"] != c.name || got["signature"] != nil || s.asked != c.secret {
				t.Errorf("the answer is %v, and the secret %v", got, s.asked)
			}
			if !equal(data["events"], anys(c.events)) {
				t.Errorf("it subscribes to %v, want %v", data["events"], c.events)
			}
			if want := c.limit; want.Limit > 0 && (data["rate_limit"] != float64(want.Limit) || data["rate_limit_period"] == nil) {
				t.Errorf("the limit is %v per %v", data["rate_limit"], data["rate_limit_period"])
			}
		})
	}
}

func TestCakemailRefusals(t *testing.T) {
	const base = "/compat/cakemail/webhooks"
	s := newCakemail(t)
	missing := `{"detail":[{"msg":"Webhook not found","type":"not_found"}],"message":"Webhook not found"}`
	for _, ref := range []string{"124", "X1qRXqz1upM9", "crm", "whk_00000000000000000000000000", "-1", "99999999999999999999"} {
		s.golden(404, missing, "GET", base+"/"+ref, "")
		s.golden(404, missing, "POST", base+"/"+ref+"/archive", "")
		s.golden(404, missing, "POST", base+"/"+ref+"/unarchive", "")
		s.golden(404, missing, "PATCH", base+"/"+ref, "{}")
	}
	s.golden(422, `{"detail":[{"loc":["body","event"],"msg":"field required","type":"value_error"},{"loc":["body","url"],"msg":"field required","type":"value_error"}],"message":"event: field required"}`, "POST", base, "")
	s.golden(422, `{"detail":[{"loc":["body","rate_limit"],"msg":"must be a number; it is a string","type":"value_error"}],"message":"rate_limit: must be a number; it is a string"}`, "POST", base, `{"rate_limit":"x"}`)
	s.golden(422, `{"detail":[{"loc":["body","rate_limit_period"],"msg":"this is second or minute","type":"value_error"}],"message":"rate_limit_period: this is second or minute"}`, "PATCH", base+"/123", `{"rate_limit_period":"week"}`)
	s.golden(422, `{"detail":[{"loc":["body","event"],"msg":"must be a list of strings","type":"value_error"}],"message":"event: must be a list of strings"}`, "PATCH", base+"/123", `{"events":[1]}`)
	s.golden(422, `{"detail":[{"loc":["body","secret"],"msg":"a secret is longer","type":"value_error"}],"message":"secret: a secret is longer"}`, "PATCH", base+"/123", `{"secret":"x"}`)
	s.golden(422, `{"detail":[{"loc":["query","page"],"msg":"this is a whole number from 1 to 2147483648","type":"value_error"},{"loc":["query","per_page"],"msg":"this is a whole number from 1 to 1000","type":"value_error"},`+
		`{"loc":["query","with_count"],"msg":"this is true or false","type":"value_error"}],"message":"page: this is a whole number from 1 to 2147483648"}`, "GET", base+"?page=0&per_page=1001&with_count=maybe", "")
	if w := s.call("POST", base, `{"event":`); w.Code != 400 || !strings.Contains(w.Body.String(), `"type":"bad_request"`) {
		t.Errorf("what is not JSON is answered %d %s", w.Code, w.Body)
	}
	if w := s.call("POST", base, strings.Repeat(" ", 65<<10)); w.Code != 413 || !strings.Contains(w.Body.String(), `"type":"too_large"`) {
		t.Errorf("too much is answered %d %s", w.Code, w.Body)
	}
	if w := s.call("DELETE", base+"/123", ""); w.Code != 404 || !strings.Contains(w.Body.String(), "There is no DELETE /compat/cakemail/webhooks/123") {
		t.Errorf("a call that there is not is answered %d %s", w.Code, w.Body)
	}
	s.webhook.Dialect = "standard"
	s.golden(404, missing, "GET", base+"/123", "")
	s.golden(200, `{"pagination":{"page":1,"per_page":50,"count":null},"data":[]}`, "GET", base, "")
}

// TestFacesNeedRoles makes every call of the faces without a key and with keys of each role.
func TestFacesNeedRoles(t *testing.T) {
	s := newCakemail(t)
	for call, need := range map[string]postroom.Role{
		"GET cakemail/webhooks": postroom.RoleViewer, "GET cakemail/webhooks/123": postroom.RoleViewer, "POST cakemail/webhooks": postroom.RoleAdmin,
		"PATCH cakemail/webhooks/123": postroom.RoleAdmin, "POST cakemail/webhooks/123/archive": postroom.RoleAdmin, "POST cakemail/webhooks/123/unarchive": postroom.RoleAdmin,
		"GET sendook/v1/webhooks": postroom.RoleViewer, "POST sendook/v1/webhooks": postroom.RoleAdmin, "GET sendook/v1/webhooks/1": postroom.RoleViewer,
		"DELETE sendook/v1/webhooks/1": postroom.RoleAdmin, "POST sendook/v1/webhooks/1/test": postroom.RoleAdmin, "GET sendook/v1/webhooks/1/attempts": postroom.RoleViewer,
	} {
		method, path, _ := strings.Cut(call, " ")
		for _, key := range []string{"", "Bearer prk_nobody", "Basic x"} {
			w := s.call(method, "/compat/"+path, "", "Authorization", key)
			if w.Code != 401 || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s with the key %q: %d %s", call, key, w.Code, w.Body)
			}
		}
		for _, role := range []postroom.Role{postroom.RoleViewer, postroom.RolePublisher, postroom.RoleAdmin} {
			w := s.call(method, "/compat/"+path, "", "Authorization", "Bearer prk_"+string(role))
			if (w.Code == 403) == role.Allows(need) {
				t.Errorf("%s as %s: %d %s", call, role, w.Code, w.Body)
			}
		}
	}
	s.golden(403, `{"detail":[{"msg":"This needs a key with the role admin; the role of this key is viewer.","type":"forbidden"}],"message":"This needs a key with the role admin; the role of this key is viewer."}`,
		"POST", "/compat/cakemail/webhooks", "{}", "Authorization", "Bearer prk_viewer")
	if last := s.seen[len(s.seen)-1]; last.Route != "/compat/cakemail/webhooks" || last.Status != 403 {
		t.Errorf("the metrics see %+v", last)
	}
}

func TestCakemailToken(t *testing.T) {
	const path = "/compat/cakemail/token"
	s := newCakemail(t)
	form := []string{"Authorization", "", "Content-Type", "application/x-www-form-urlencoded"}
	want := `{"access_token":"prk_admin","token_type":"bearer","expires_in":3600,"refresh_token":"prk_admin","accounts":[],"scope":"user"}`
	s.golden(200, want, "POST", path, url.Values{"grant_type": {"password"}, "username": {"a+b@example.com"}, "password": {"prk_admin"}}.Encode(), form...)
	s.golden(200, want, "POST", path, "grant_type=refresh_token&refresh_token=prk_admin", form...)
	s.golden(200, want, "PUT", path, "grant_type=refresh_token&refresh_token=prk_admin", form...)
	s.golden(200, want, "POST", path, "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\npassword\r\n--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nprk_admin\r\n--x--\r\n",
		"Authorization", "", "Content-Type", "multipart/form-data; boundary=x")
	s.golden(401, `{"detail":[{"msg":"The password is an API key of Postroom (prk_…), and this is none that is valid.","type":"unauthorized"}],"message":"The password is an API key of Postroom (prk_…), and this is none that is valid."}`,
		"POST", path, "grant_type=password&password=hush", form...)
	for _, body := range []string{"%zz", "--x\r\nbroken"} {
		kind := "application/x-www-form-urlencoded"
		if strings.HasPrefix(body, "--") {
			kind = "multipart/form-data; boundary=x"
		}
		if w := s.call(http.MethodPost, path, body, "Content-Type", kind); w.Code != 400 {
			t.Errorf("%q is answered %d %s", body, w.Code, w.Body)
		}
	}
}

// TestCakemailShowsForeignSettings shows what Cakemail's clients cannot set, but other clients can.
func TestCakemailShowsForeignSettings(t *testing.T) {
	s := newCakemail(t)
	s.webhook.Status = postroom.WebhookPaused
	s.webhook.Events = []string{"email.*", "campaign.completed"}
	for _, c := range []struct {
		limit *postroom.RateLimit
		want  string
	}{
		{nil, ``},
		{&postroom.RateLimit{Limit: 3, Period: postroom.Duration(time.Hour)}, `"rate_limit":3,"rate_limit_period":"hour",`},
		{&postroom.RateLimit{Limit: 3, Period: postroom.Duration(10 * time.Second)}, `"rate_limit":18,"rate_limit_period":"minute",`},
		{&postroom.RateLimit{Limit: 1, Period: postroom.Duration(2 * time.Hour)}, `"rate_limit":1,"rate_limit_period":"minute",`},
	} {
		s.webhook.RateLimit = c.limit
		s.golden(200, `{"pagination":{"page":1,"per_page":50,"count":null},"data":[{"id":"123","status":"archived","event":"Email.*","url":"https://example.com/hooks?a=1&b=2","archived_at":1769851800,`+c.want+
			`"events":["email.*","campaign.sent"],"name":"Production Webhook","created_at":"2026-01-31T09:30:00.127Z","updated_at":"2026-01-31T09:30:00.127Z"}]}`, "GET", "/compat/cakemail/webhooks?with_archived=1", "")
	}
}

var _ App = (*app.App)(nil)
