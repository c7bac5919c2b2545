package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func dialectCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"each vendor's webhooks are sent as the vendor sends them": vendorDelivery,
		"a test sends what the dialect says":                       dialectTest,
		"settings that do not go with a dialect are refused":       dialectRefusals,
		"a webhook changes its dialect":                            dialectChange,
		"a dialect's success rule and retries are the webhook's":   dialectDefaults,
		"dialects are listed and shown":                            dialectsShown,
	}
}

// hook makes a webhook of JSON settings, without those that all have.
func (x *tenant) hook(path, settings string) client.CreatedWebhook {
	x.t.Helper()
	var w client.CreatedWebhook
	x.do(http.MethodPost, "/v1/webhooks", `{"name":"Hook","url":"`+x.r.url(path)+`",`+settings+`}`).is(x.t, http.StatusCreated).into(x.t, &w)
	return w
}

// hexSignature is the HMAC-SHA256 of a body with the secret's text, as receivers calculate it.
func hexSignature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

const opened = `{"contact":{"id":501,"email":"user@example.com","first_name":"Ada","custom_fields":{"plan":"pro"}},"campaign":{"id":790,"name":"News"},` +
	`"client":{"ip_address":"192.168.1.1","user_agent":"Mozilla/5.0..."}}`

func vendorDelivery(x *tenant) {
	for vendor, c := range map[string]struct {
		settings string // events have the vendor's names
		events   []string
		publish  string // a type of the catalogue
		data     string
		body     string
		headers  map[string]string // signature stands for the secret's
	}{
		"cakemail": {`"events":["email.opened","email.spam_complaint","campaign.sent"],"secret":"the secret of Cakemail"`,
			[]string{"email.opened", "email.complained", "campaign.completed"}, "email.opened", opened,
			`{"event":"email.opened","timestamp":"2024-03-15T11:45:00Z","data":{"campaign_id":790,"contact_id":501,"email":"user@example.com","user_agent":"Mozilla/5.0...","ip_address":"192.168.1.1"}}`,
			map[string]string{"X-Cakemail-Signature": "signature", "Webhook-Id": "", "X-Webhook-Signature": ""}},
		"cloudcusp": {`"events":["subscriber_added","email_opened"],"auth":{"type":"api_key","key":"your-key"}`,
			[]string{"contact.created", "email.opened"}, "email.opened", opened,
			`{"event_type":"email_opened","timestamp":"2024-03-15T11:45:00Z","subscriber":{"id":501,"email":"user@example.com","first_name":"Ada","custom_field":{"plan":"pro"}},"campaign":{"id":790,"name":"News"},"custom_data":{}}`,
			map[string]string{"X-Webhook-Signature": "sha256=signature", "X-Api-Key": "your-key", "Webhook-Signature": ""}},
		"cocoonmail": {`"events":["email.opened","whatsapp.*"],"auth":{"type":"bearer","token":"YOUR_SECRET_TOKEN"},"headers":{"x-app-version":"2.0"},"payload":{"fields":["event_type","contact_email"],"add":{"tenant":"production"}}`,
			[]string{"email.opened", "whatsapp.*"}, "email.opened", opened,
			`{"contact_email":"user@example.com","event_type":"email.opened","tenant":"production"}`,
			map[string]string{"Authorization": "Bearer YOUR_SECRET_TOKEN", "X-App-Version": "2.0", "X-Cocoon-Event-Type": "email.opened", "X-Cocoon-Event-Datetime": "2024-03-15T11:45:00Z",
				"X-Cocoon-Contact-Uuid": "501", "X-Cocoon-Contact-Email": "user@example.com", "X-Cocoon-Contact-Whatsapp": "", "Webhook-Signature": ""}},
		"cooby": {`"events":["message_received","message_sent"]`, []string{"whatsapp.message_received", "whatsapp.message_sent"}, "whatsapp.message_sent",
			`{"chat":{"id":"1@c.us","type":"individual","title":"Sarah Brown"},"member":{"phone":"+447441368384","email":"a@example.com"},"message":{"id":"3EB093D2","type":"chat","text":"Hi"},"participants":[],"sender":{"phone":"+447441368384","wa_name":"Cooby"}}`,
			`{"chat_id":"1@c.us","chat_type":"individual","chat_title":"Sarah Brown","user_phone":"447441368384","user_email":"a@example.com","direction":"sent","message":{"id":"3EB093D2","type":"chat","text":"Hi","file_name":null,"file_url":null,"caption":null,"is_error":false,"error_code":null,"error_message":null},"timestamp":"1710503100","participants":[],"sender":{"phone":"447441368384","wa_name":"Cooby"}}`,
			map[string]string{"Webhook-Signature": "", "Authorization": ""}},
		"sendook": {`"events":["message.bounced","inbox.*"]`, []string{"message.bounced", "inbox.*"}, "message.bounced",
			`{"inbox":{"id":"inb_1"},"message":{"id":"msg_1","subject":"Hello"},"bounce":{"type":"hard","code":"5.1.1","reason":"unknown"}}`,
			`{"event":"message.bounced","messageId":"msg_1","inboxId":"inb_1","payload":{"id":"msg_1","inboxId":"inb_1","subject":"Hello","status":"bounced","bounce":{"type":"hard","code":"5.1.1","reason":"unknown"}}}`,
			map[string]string{"Webhook-Signature": "", "X-Sendook-Signature": ""}},
	} {
		x.t.Run(vendor, func(t *testing.T) {
			path := "/" + vendor
			w := x.hook(path, `"dialect":"`+vendor+`",`+c.settings)
			if diff := cmp.Diff(c.events, w.Events); diff != "" {
				t.Errorf("it subscribes to other events: %s", diff)
			}
			x.do(http.MethodPost, "/v1/events", `{"id":"`+vendor+`","type":"`+c.publish+`","time":"2024-03-15T11:45:00Z","data":`+c.data+`}`).is(t, http.StatusAccepted)
			// What the webhook does not want is not sent, nor what the vendor does not know.
			x.do(http.MethodPost, "/v1/events", `{"type":"email.deferred","data":{}}`).is(t, http.StatusAccepted)
			x.settled(w.ID, postroom.DeliverySucceeded)
			got := x.r.wait(t, path, 1)[0]
			if string(got.body) != c.body {
				t.Errorf("the body is\n%s\nwant\n%s", got.body, c.body)
			}
			for name, want := range c.headers {
				want = strings.Replace(want, "signature", hexSignature(w.Secret, got.body), 1)
				if got.header.Get(name) != want {
					t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
				}
			}
			for name, want := range map[string]string{"Content-Type": "application/json", "Postroom-Attempt": "1"} {
				if got.header.Get(name) != want {
					t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
				}
			}
			if !strings.HasPrefix(got.header.Get("User-Agent"), "Postroom/") || !strings.HasPrefix(got.header.Get("Postroom-Delivery"), "dlv_") {
				t.Errorf("the headers are %v", got.header)
			}
		})
	}
}

// dialectTest tests webhooks of several dialects, without a word about what is sent.
func dialectTest(x *tenant) {
	for name, want := range map[string]string{
		"sendook": `{"event":"message.received","messageId":"`, "cakemail": `{"event":"email.opened",`, "cloudcusp": `{"event_type":"subscriber_added",`,
		"cocoonmail": `{"contact_id":`, "cooby": `{"chat_id":`, "zapier": `{"contact_id":`, "slack": `{"text":"postroom.test",`, "cloudevents": `{"specversion":"1.0",`,
	} {
		w := x.hook("/"+name, `"dialect":"`+name+`","events":["*"]`)
		got := must(x.api.TestWebhook(x.t.Context(), w.ID.String(), client.TestInput{}))(x.t)
		if got.StatusCode != http.StatusNoContent || got.Error != nil || !strings.HasPrefix(got.Request.Body, want) {
			x.t.Errorf("%s: %d, %s, want %s…", name, got.StatusCode, got.Request.Body, want)
		}
	}
	// The sample event type can be chosen by the vendor's name, and the data given.
	w := x.hook("/chosen", `"dialect":"cloudcusp","events":["*"]`)
	x.do(http.MethodPost, "/v1/webhooks/"+w.ID.String()+"/test", `{"type":"email_clicked","data":{"contact":{"id":7}}}`).is(x.t, http.StatusOK)
	if got := x.r.wait(x.t, "/chosen", 1)[0]; !strings.HasPrefix(string(got.body), `{"event_type":"email_clicked","timestamp":"`) || !strings.Contains(string(got.body), `"subscriber":{"id":7,`) {
		x.t.Errorf("the test sends %s", got.body)
	}
	p := x.do(http.MethodPost, "/v1/webhooks/"+w.ID.String()+"/test", `{"type":"email_clickd"}`).refused(x.t, 422, postroom.CodeUnknownEventType, "/type")
	if !strings.Contains(p.Errors[0].Detail, "did you mean email_clicked?") {
		x.t.Errorf("%+v", p)
	}
}

func dialectRefusals(x *tenant) {
	for name, c := range map[string]struct {
		settings string
		code     postroom.Code
		pointer  string
		says     string
	}{
		"an unknown dialect":         {`"dialect":"cakemial","events":["email.sent"]`, postroom.CodeInvalid, "/dialect", "(did you mean cakemail?)"},
		"a vendor's misspelt name":   {`"dialect":"cloudcusp","events":["subscriber_aded"]`, postroom.CodeUnknownEventType, "/events/0", `does not send "subscriber_aded" (did you mean subscriber_added?)`},
		"what the vendor knows not":  {`"dialect":"cocoonmail","events":["email.sent","email.delivered"]`, postroom.CodeUnknownEventType, "/events/1", "the dialect cocoonmail does not send"},
		"a group of another":         {`"dialect":"sendook","events":["campaign.*"]`, postroom.CodeUnknownEventType, "/events/0", "it sends inbox.created"},
		"a type of one's own":        {`"dialect":"cakemail","events":["order.paid"]`, postroom.CodeUnknownEventType, "/events/0", ""},
		"a reserved header":          {`"dialect":"cocoonmail","events":["email.sent"],"headers":{"X-COCOON-event-type":"mine"}`, postroom.CodeInvalid, "/headers/X-COCOON-event-type", "reserved: the dialect cocoonmail sets it"},
		"the signature's header":     {`"dialect":"cakemail","events":["email.sent"],"headers":{"x-cakemail-signature":"mine"}`, postroom.CodeInvalid, "/headers/x-cakemail-signature", "reserved"},
		"a secret reserved header":   {`"dialect":"cocoonmail","events":["email.sent"],"auth":{"type":"header","headers":{"x-cocoon-contact-uuid":"mine"}}`, postroom.CodeInvalid, "/auth/headers/x-cocoon-contact-uuid", "reserved"},
		"a key in a reserved header": {`"dialect":"cloudcusp","events":["email_sent"],"auth":{"type":"api_key","key":"k","header":"X-Webhook-Signature"}`, postroom.CodeInvalid, "/auth/header", "reserved"},
		"auth that it has not":       {`"dialect":"cloudcusp","events":["email_sent"],"auth":{"type":"basic","username":"u","password":"p"}`, postroom.CodeInvalid, "/auth/type", "none, api_key, bearer, header, query"},
		"a template that is wrong":   {`"dialect":"cloudcusp","events":["email_sent"],"payload":{"template":{"who":"{subscriber_mail}"}}`, postroom.CodeInvalid, "/payload/template/who", "did you mean subscriber_email?"},
		"a field that it has not":    {`"dialect":"cakemail","events":["email.sent"],"payload":{"fields":["event","data.mail"]}`, postroom.CodeInvalid, "/payload/fields/1", ""},
		"a secret that is none":      {`"dialect":"cakemail","events":["email.sent"],"secret":"short"`, postroom.CodeInvalid, "/secret", "8 to 256"},
		"a secret of another":        {`"dialect":"sendook","events":["message.sent"],"secret":"a text for HMAC"`, postroom.CodeInvalid, "/secret", "whsec_"},
	} {
		p := x.do(http.MethodPost, "/v1/webhooks", `{"name":"n","url":"`+x.r.url("/hook")+`",`+c.settings+`}`).refused(x.t, http.StatusUnprocessableEntity, c.code, c.pointer)
		if len(p.Errors) != 1 || !strings.Contains(p.Errors[0].Detail, c.says) {
			x.t.Errorf("%s: it says %+v, and should say %q", name, p.Errors, c.says)
		}
	}
}

func dialectChange(x *tenant) {
	w := x.hook("/hook", `"events":["email.opened","contact.created"],"timeout":"7s"`)
	change := func(body string) answer {
		return x.do(http.MethodPatch, "/v1/webhooks/"+w.ID.String(), body)
	}
	var now postroom.Webhook
	// What has the default of the old dialect follows; what a person has set stays; the secret fits.
	change(`{"dialect":"cloudcusp"}`).is(x.t, http.StatusOK).into(x.t, &now)
	if len(now.Retry.Schedule) != 3 || now.Retry.Jitter != 0 || time.Duration(now.Timeout) != 7*time.Second || now.Dialect != "cloudcusp" {
		x.t.Errorf("changed to %+v", now.WebhookSettings)
	}
	x.publish("a", "email.opened", opened)
	got := x.r.wait(x.t, "/hook", 1)[0]
	if got.header.Get("X-Webhook-Signature") != "sha256="+hexSignature(w.Secret, got.body) || !strings.HasPrefix(string(got.body), `{"event_type":"email_opened",`) {
		x.t.Errorf("what arrives is %s, %v", got.body, got.header)
	}
	// What it subscribes to must be sent.
	p := change(`{"dialect":"sendook"}`).refused(x.t, 422, postroom.CodeUnknownEventType, "/events/0")
	if len(p.Errors) != 2 {
		x.t.Errorf("%+v", p)
	}
	change(`{"auth":{"type":"query","query":{"api_key":"k"}}}`).is(x.t, http.StatusOK)
	change(`{"dialect":"cocoonmail"}`).refused(x.t, 422, postroom.CodeInvalid, "/auth/type")
	change(`{"auth":null,"dialect":"cakemail","events":["email.opened"]}`).is(x.t, http.StatusOK).into(x.t, &now)
	if now.RateLimit == nil || now.RateLimit.Limit != 50 || len(now.Retry.Schedule) != 6 {
		x.t.Errorf("changed to %+v", now.WebhookSettings)
	}
	// A secret that is a text is none of Standard Webhooks'.
	must(x.api.RotateSecret(x.t.Context(), w.ID.String(), client.RotateInput{Secret: "a text of the receiver's", Overlap: new(postroom.Duration)}))(x.t)
	p = change(`{"dialect":"standard"}`).refused(x.t, 422, postroom.CodeInvalid, "/dialect")
	if !strings.Contains(p.Errors[0].Detail, "a secret of this webhook is none in the dialect standard") {
		x.t.Errorf("%+v", p)
	}
	x.publish("b", "email.opened", opened)
	if got := x.r.wait(x.t, "/hook", 2)[1]; got.header.Get("X-Cakemail-Signature") != hexSignature("a text of the receiver's", got.body) {
		x.t.Errorf("the signature is %v", got.header)
	}
}

// dialectDefaults checks the success rule of CloudCusp, and the retries and the end of Sendook.
func dialectDefaults(x *tenant) {
	x.r.answer("/cusp", always(reply{status: 200, body: "fine"}))
	w := x.hook("/cusp", `"dialect":"cloudcusp","events":["*"],"expect_json":true,"retry":{"schedule":[]}`)
	if time.Duration(w.Timeout) != 30*time.Second {
		x.t.Errorf("the timeout is %s", w.Timeout)
	}
	x.publish("a", "email.opened", opened)
	if a := x.settled(w.ID, postroom.DeliveryFailed)[0].Attempts[0]; a.Error == nil || a.Error.Kind != "not_json" {
		x.t.Errorf("%+v", a)
	}
	x.r.answer("/cusp", always(reply{status: 200, body: `{"success": true, "message": "Webhook processed"}`}))
	got := must(x.api.TestWebhook(x.t.Context(), w.ID.String(), client.TestInput{}))(x.t)
	if got.StatusCode != 200 || got.DurationMs <= 0 || got.Response == nil || got.Response.Body != `{"success": true, "message": "Webhook processed"}` || got.Error != nil {
		x.t.Errorf("the test gives %+v", got)
	}

	w = x.hook("/dook", `"dialect":"sendook","events":["*"]`)
	if text, err := json.Marshal(w.Retry); err != nil || string(text) != `{"schedule":["5s","25s","2m5s"],"jitter":0}` || w.Disable.Failures != 20 {
		x.t.Errorf("retries are %s, disabled after %+v", text, w.Disable)
	}
	x.r.answer("/dook", always(reply{status: 500}))
	must(x.api.UpdateWebhook(x.t.Context(), w.ID.String(), 0, map[string]any{"retry": quick(3), "disable_after": map[string]any{"failures": 2}}))(x.t)
	x.publish("b", "message.bounced", `{"message":{"id":1}}`)
	if d := x.settled(w.ID, postroom.DeliveryFailed)[0]; len(d.Attempts) != 4 {
		x.t.Errorf("there were %d attempts, want one and three retries", len(d.Attempts))
	}
	x.publish("c", "message.bounced", `{"message":{"id":2}}`)
	x.settled(w.ID, postroom.DeliveryFailed, postroom.DeliveryFailed)
	if now := must(x.api.Webhook(x.t.Context(), w.ID.String()))(x.t); now.Status != postroom.WebhookDisabled {
		x.t.Errorf("after repeated failures it is %s", now.Status)
	}
}

func dialectsShown(x *tenant) {
	all := must(x.api.Dialects(x.t.Context()))(x.t)
	if len(all) != 10 || all[0].Name != "standard" || all[0].Samples != nil {
		x.t.Errorf("there are %d, the first is %+v", len(all), all[0])
	}
	d := must(x.api.Dialect(x.t.Context(), "cakemail"))(x.t)
	if len(d.Events) != 9 || len(d.Samples) != 9 || d.Signature.Header != "X-Cakemail-Signature" || d.Test != "email.opened" {
		x.t.Errorf("%+v", d)
	}
	for _, s := range d.Samples {
		if !strings.HasPrefix(s.Request.Body, `{"event":"`+s.Name+`",`) {
			x.t.Errorf("the sample of %s is %s", s.Type, s.Request.Body)
		}
	}
	x.do(http.MethodGet, "/v1/dialects/cakemial", "").refused(x.t, 404, postroom.CodeNotFound, "")
}

// The sixth vendor, of docs/dialects/README.md: a folder, and no line of Go.
func TestOwnDialects(t *testing.T) {
	t.Parallel()
	folder := must(filepath.Abs(filepath.Join("..", "docs", "dialects")))(t)
	s := startServer(t, settings{flags: append(devFlags(), "--dialects", folder)})
	x := newTenant(t, s)
	x.r.answer("/acme", always(reply{status: 200, body: "{}"}))
	w := x.hook("/acme", `"dialect":"acme","events":["mail-returned","person-added"],"secret":"eight or more"`)
	if len(w.Events) != 2 || w.Events[0] != "email.bounced" || !w.ExpectJSON || w.RateLimit == nil || time.Duration(w.Timeout) != 10*time.Second {
		t.Errorf("%+v", w)
	}
	x.publish("a", "email.bounced", `{"contact":{"email":"ada@example.com"},"campaign":{"id":790},"bounce":{"type":"hard","reason":"gone"}}`)
	x.settled(w.ID, postroom.DeliverySucceeded)
	got := x.r.wait(t, "/acme", 1)[0]
	if !strings.HasSuffix(string(got.body), `,"person":{"mail":"ada@example.com","name":"friend"},"why":"gone","lasting":true}`) {
		t.Errorf("the body is %s", got.body)
	}
	mac := hmac.New(sha512.New, []byte("eight or more"))
	mac.Write(got.body)
	for name, want := range map[string]string{"X-Acme-Event": "mail-returned", "X-Acme-Campaign": "790", "X-Acme-Signature": base64.StdEncoding.EncodeToString(mac.Sum(nil))} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
		}
	}
	x.do(http.MethodPost, "/v1/webhooks/"+w.ID.String()+"/test", `{}`).is(t, http.StatusOK)
	if got := x.r.wait(t, "/acme", 2)[1]; !strings.Contains(string(got.body), `"mail":"test@acme.example"`) {
		t.Errorf("the test sends %s", got.body)
	}

	// Without the folder, the server starts, and what it has for the webhook waits.
	s.kill(t)
	s.flags = devFlags()
	s.start(t)
	x.do(http.MethodPost, "/v1/webhooks/"+w.ID.String()+"/test", `{}`).refused(t, http.StatusConflict, postroom.CodeConflict, "")
	x.api = newClient(t, s, x.key)
	if got := x.publish("b", "contact.created", `{"contact":{"email":"bob@example.com"}}`); len(got.Webhooks) != 1 {
		t.Errorf("without its dialect, %v get the event", got.Webhooks)
	}
	s.kill(t)
	s.flags = append(devFlags(), "--dialects", folder)
	s.start(t)
	if got := x.r.wait(t, "/acme", 3)[2]; !strings.Contains(string(got.body), `"what":"person-added"`) || !strings.Contains(string(got.body), "bob@example.com") {
		t.Errorf("what waited is %s", got.body)
	}
}

// A dialect that is wrong is told at the start, with its line.
func TestBadDialects(t *testing.T) {
	t.Parallel()
	whole := must(os.ReadFile(filepath.Join("..", "docs", "dialects", "acme", "dialect.yaml")))(t)
	for name, c := range map[string]struct{ folder, file, text, says string }{
		"a misspelt key":    {"dialects", "dialects/acme/dialect.yaml", strings.Replace(string(whole), "timeout:", "tiemout:", 1), "dialects/acme/dialect.yaml:38: out has no tiemout (did you mean timeout?)"},
		"a bad template":    {"dialects", "dialects/acme/dialect.yaml", strings.Replace(string(whole), "{contact_email}", "{contact_mail}", 1), "dialects/acme/dialect.yaml:14: the body of *, /person/mail: character 2: contact_mail is not known here (did you mean contact_email?)"},
		"the standard one":  {"dialects", "dialects/standard/dialect.yaml", string(whole), "dialects/standard: the dialect standard cannot be replaced"},
		"one folder deeper": {"dialects/acme", "dialects/acme/dialect.yaml", string(whole), "dialects/acme is the folder of one dialect: --dialects names the folder above"},
		"no dialect":        {"dialects", "dialects/acme/dialect.yml", string(whole), "dialects has no dialects"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, filepath.FromSlash(c.file))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			says(t, refusesToStart(t, settings{dir: dir, flags: append(devFlags(), "--dialects", c.folder)}, 1), "postroom: "+c.says)
		})
	}
}
