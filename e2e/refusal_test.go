package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func refusalCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"bad events are refused":        func(x *tenant) { x.refuseAll(badEvents()) },
		"bad webhooks are refused":      func(x *tenant) { x.refuseAll(badWebhooks(x.r.url("/hook"))) },
		"bad changes are refused":       func(x *tenant) { x.refuseAll(badChanges()) },
		"bad actions are refused":       func(x *tenant) { x.refuseAll(badActions()) },
		"bad resources are refused":     func(x *tenant) { x.refuseAll(badResources()) },
		"bad queries are refused":       func(x *tenant) { x.refuseAll(badQueries()) },
		"bad calls are refused":         func(x *tenant) { x.refuseAll(badCalls()) },
		"bad keys are refused":          badKeys,
		"a body may not be too large":   tooLarge,
		"headers cannot be smuggled in": smuggledHeaders,
	}
}

// refusal is a call that must be refused, and how.
type refusal struct {
	call
	status  int
	code    postroom.Code
	pointer string // what is to blame; empty for the whole call
	says    string // a part of the answer
}

// state is what a workspace shows of what it stores: what is counted, or everything.
func (x *tenant) state(t testing.TB, all bool) map[string]string {
	t.Helper()
	paths := []string{"/v1/events?limit=250", "/v1/deliveries?limit=250", "/v1/webhooks?limit=250"}
	if all {
		paths = append(paths, "/v1/keys", "/v1/event-types", "/v1/workspaces/"+x.id, "/v1/webhooks/present/secrets", "/v1/events/present")
	}
	state := map[string]string{}
	for _, path := range paths {
		state[path] = string(x.s.do(t, call{method: http.MethodGet, path: path, key: x.key}).is(t, http.StatusOK).body)
	}
	return state
}

// unchanged checks that a workspace shows what it showed before, and gives what it shows now.
func (x *tenant) unchanged(t testing.TB, before map[string]string, all bool) map[string]string {
	t.Helper()
	now := x.state(t, all)
	for path, text := range now {
		if text != before[path] {
			t.Errorf("%s has changed:\n%s\nand was before:\n%s", path, text, before[path])
		}
	}
	return now
}

// refuseAll makes calls in a workspace that has a webhook, an event, a held delivery and an event type, and checks that
// each is refused as it should be and leaves everything as it was.
func (x *tenant) refuseAll(refusals map[string]refusal) {
	w := x.webhook("/present", client.WebhookInput{UID: "present", Status: postroom.WebhookPaused, Auth: &postroom.Auth{Type: "bearer", Token: "present-token"}})
	x.publish("present", "email.opened", `{"n":1}`)
	must(x.api.CreateEventType(x.t.Context(), client.EventTypeInput{Name: "order.present"}))(x.t)
	delivery := x.deliveries(w.ID)[0].ID.String()
	key := must(x.api.Keys(x.t.Context()))(x.t)[0].ID.String()
	whole, last := x.state(x.t, true), x.state(x.t, false)
	for name, r := range refusals {
		x.t.Run(name, func(t *testing.T) {
			r.path = strings.NewReplacer("{webhook}", w.ID.String(), "{delivery}", delivery, "{key}", key, "{workspace}", x.id).Replace(r.path)
			if r.key == "" {
				r.key = x.key
			}
			a := x.s.do(t, r.call)
			a.refused(t, r.status, r.code, r.pointer)
			if r.says != "" && !strings.Contains(string(a.body), r.says) {
				t.Errorf("the answer does not say %q: %s", r.says, a.body)
			}
			if strings.Contains(string(a.body), "present-token") {
				t.Errorf("the answer shows a secret: %s", a.body)
			}
			last = x.unchanged(t, last, false)
		})
	}
	x.unchanged(x.t, whole, true)
	if got := x.r.on("/present"); len(got) > 0 {
		x.t.Errorf("%d calls were made", len(got))
	}
}

func post(path, body string) call  { return call{method: http.MethodPost, path: path, body: body} }
func patch(path, body string) call { return call{method: http.MethodPatch, path: path, body: body} }
func get(path string) call         { return call{method: http.MethodGet, path: path} }

// with adds a header to a call.
func (c call) with(name, value string) call {
	header := map[string]string{name: value}
	for n, v := range c.header {
		header[n] = v
	}
	c.header = header
	return c
}

func badEvents() map[string]refusal {
	const path = "/v1/events"
	bad := map[string]refusal{}
	invalid := func(name, body, pointer string) {
		bad[name] = refusal{post(path, body), 422, postroom.CodeInvalid, pointer, ""}
	}
	badJSON := func(name, body string) { bad[name] = refusal{post(path, body), 400, postroom.CodeBadJSON, "", ""} }
	badJSON("no body", "")
	badJSON("not JSON", "{")
	badJSON("two values", `{"type":"email.opened","data":{}} {}`)
	badJSON("a string", `"email.opened"`)
	badJSON("null", "null")
	badJSON("not UTF-8", "{\"type\":\"email.opened\",\"data\":{\"a\":\"\xff\"}}")
	badJSON("a byte order mark", "\xef\xbb\xbf{\"type\":\"email.opened\",\"data\":{}}")
	badJSON("a comment", `{"type":"email.opened",/* hello */"data":{}}`)
	badJSON("a trailing comma", `{"type":"email.opened","data":{},}`)
	badJSON("not a number", `{"type":"email.opened","data":{"n":NaN}}`)
	badJSON("a number with a zero before it", `{"type":"email.opened","data":{"n":01}}`)
	badJSON("a control character", "{\"type\":\"email.opened\",\"data\":{\"a\":\"\x01\"}}")
	badJSON("too deep", `{"type":"email.opened","data":{"a":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}}`)
	bad["a field twice"] = refusal{post(path, `{"type":"email.opened","type":"email.sent","data":{}}`), 422, postroom.CodeInvalid, "/type", "twice"}
	bad["an unknown field"] = refusal{post(path, `{"type":"email.opened","data":{},"colour":"red"}`), 422, postroom.CodeUnknownField, "/colour", "ordering_key"}
	bad["a field in capitals"] = refusal{post(path, `{"Type":"email.opened","data":{}}`), 422, postroom.CodeInvalid, "/Type", ""}
	bad["an unknown field that needs escapes"] = refusal{post(path, `{"type":"email.opened","data":{},"a/b~c":1}`), 422, postroom.CodeUnknownField, "/a~1b~0c", ""}
	bad["an unknown type"] = refusal{post(path, `{"type":"email.open","data":{}}`), 422, postroom.CodeUnknownEventType, "/type", "did you mean email.opened?"}
	bad["a pattern as a type"] = refusal{post(path, `{"type":"email.*","data":{}}`), 422, postroom.CodeUnknownEventType, "/type", ""}
	invalid("no type", `{"data":{}}`, "/type")
	invalid("an empty type", `{"type":"","data":{}}`, "/type")
	invalid("a number as a type", `{"type":7,"data":{}}`, "/type")
	invalid("no data", `{"type":"email.opened"}`, "/data")
	invalid("null as data", `{"type":"email.opened","data":null}`, "/data")
	invalid("a list as data", `{"type":"email.opened","data":[]}`, "/data")
	invalid("text as data", `{"type":"email.opened","data":"{}"}`, "/data")
	invalid("an empty id", `{"id":"","type":"email.opened","data":{}}`, "/id")
	invalid("an id with a space", `{"id":"a b","type":"email.opened","data":{}}`, "/id")
	invalid("an id with a line break", `{"id":"a\r\nX-Injected: 1","type":"email.opened","data":{}}`, "/id")
	invalid("an id beyond ASCII", `{"id":"ä","type":"email.opened","data":{}}`, "/id")
	invalid("a long id", `{"id":"`+strings.Repeat("x", 129)+`","type":"email.opened","data":{}}`, "/id")
	invalid("a number as an id", `{"id":7,"type":"email.opened","data":{}}`, "/id")
	invalid("a time that is none", `{"time":"yesterday","type":"email.opened","data":{}}`, "/time")
	invalid("a time without a zone", `{"time":"2026-01-31T09:30:00","type":"email.opened","data":{}}`, "/time")
	invalid("a number as a time", `{"time":1769851800,"type":"email.opened","data":{}}`, "/time")
	invalid("a time out of bounds", `{"time":"9999-01-01T00:00:00Z","type":"email.opened","data":{}}`, "/time")
	invalid("a long actor", `{"actor":"`+strings.Repeat("x", 256)+`","type":"email.opened","data":{}}`, "/actor")
	invalid("an actor with a control character", `{"actor":"a\u0000b","type":"email.opened","data":{}}`, "/actor")
	invalid("a long ordering key", `{"ordering_key":"`+strings.Repeat("x", 256)+`","type":"email.opened","data":{}}`, "/ordering_key")
	invalid("a list as an ordering key", `{"ordering_key":[],"type":"email.opened","data":{}}`, "/ordering_key")
	bad["several faults at once"] = refusal{post(path, `{"id":"a b","time":"x","data":[],"colour":1}`), 422, postroom.CodeInvalid, "/type", "/colour"}
	return bad
}

func badWebhooks(url string) map[string]refusal {
	bad := map[string]refusal{}
	// body is a webhook that works but for what is added.
	body := func(extra string) string {
		return `{"name":"n","url":"` + url + `","events":["email.*"],` + extra + `}`
	}
	refuse := func(name, extra string, code postroom.Code, pointer string) {
		bad[name] = refusal{post("/v1/webhooks", body(extra)), 422, code, pointer, ""}
	}
	invalid := func(name, extra, pointer string) { refuse(name, extra, postroom.CodeInvalid, pointer) }
	for name, text := range map[string]string{"no body": "", "not JSON": "{", "a list": "[]", "null": "null"} {
		bad[name] = refusal{post("/v1/webhooks", text), 400, postroom.CodeBadJSON, "", ""}
	}
	bad["nothing"] = refusal{post("/v1/webhooks", "{}"), 422, postroom.CodeInvalid, "/url", "/events"}
	bad["no name"] = refusal{post("/v1/webhooks", `{"url":"`+url+`","events":["*"]}`), 422, postroom.CodeInvalid, "/name", ""}
	bad["no events"] = refusal{post("/v1/webhooks", `{"name":"n","url":"`+url+`","events":[]}`), 422, postroom.CodeInvalid, "/events", ""}
	bad["a uid in use"] = refusal{post("/v1/webhooks", body(`"uid":"present"`)), 409, postroom.CodeConflict, "", ""}
	refuse("an unknown field", `"urls":[]`, postroom.CodeUnknownField, "/urls")
	refuse("an unknown field of auth", `"auth":{"type":"bearer","token":"t","tokens":"t"}`, postroom.CodeUnknownField, "/auth/tokens")
	refuse("an unknown field of retry", `"retry":{"schedules":[]}`, postroom.CodeUnknownField, "/retry/schedules")
	refuse("an unknown field of the rate limit", `"rate_limit":{"limits":1}`, postroom.CodeUnknownField, "/rate_limit/limits")
	refuse("an id of its own", `"id":"whk_01jd3v8x2mf4k8c0q9r7t5y1za"`, postroom.CodeUnknownField, "/id")
	invalid("a secret that is none", `"secret":"hunter2"`, "/secret")
	refuse("an unknown field of the payload", `"payload":{"templates":{}}`, postroom.CodeUnknownField, "/payload/templates")
	invalid("text as the payload", `"payload":"{event_id}"`, "/payload")
	invalid("an unknown variable", `"payload":{"template":{"to":{"a/b":"x {subscriber_mail}"}}}`, "/payload/template/to/a~1b")
	invalid("an unknown path", `"payload":{"template":["{data.campaign.nom}"]}`, "/payload/template/0")
	invalid("a key twice in a template", `"payload":{"template":{"a":1,"a":2}}`, "/payload/template/a")
	invalid("a broken expression", `"payload":{"template":{"a":"{1 +}"}}`, "/payload/template/a")
	invalid("a large template", `"payload":{"template":"`+strings.Repeat("x", 70_000)+`"}`, "/payload/template")
	invalid("a template and fields", `"payload":{"template":{},"fields":["type"]}`, "/payload/template")
	invalid("no fields", `"payload":{"fields":[]}`, "/payload/fields")
	invalid("an unknown field to keep", `"payload":{"fields":["type","data.contact.mail"]}`, "/payload/fields/1")
	invalid("an addition that is no object", `"payload":{"add":["{event_id}"]}`, "/payload/add")
	invalid("an unknown variable in an addition", `"payload":{"add":{"id":"{id}"}}`, "/payload/add/id")
	invalid("a name of another type", `"description":7`, "/description")
	invalid("headers as a list", `"headers":[]`, "/headers")
	invalid("a header that is a number", `"headers":{"x":1}`, "/headers/x")
	invalid("text as the concurrency", `"concurrency":"8"`, "/concurrency")
	invalid("a broken number as the concurrency", `"concurrency":1.5`, "/concurrency")
	invalid("a concurrency too large", `"concurrency":257`, "/concurrency")
	invalid("a concurrency below one", `"concurrency":-1`, "/concurrency")
	invalid("text as a boolean", `"expect_json":"true"`, "/expect_json")
	invalid("a number as a timeout", `"timeout":15`, "/timeout")
	invalid("a timeout that is none", `"timeout":"15"`, "/timeout")
	invalid("a timeout too long", `"timeout":"2m"`, "/timeout")
	invalid("a timeout below zero", `"timeout":"-1s"`, "/timeout")
	invalid("a wait that is none", `"retry":{"schedule":["5s","soon"]}`, "/retry/schedule/1")
	invalid("a wait too short", `"retry":{"schedule":["1ms"]}`, "/retry/schedule/0")
	invalid("a wait below zero", `"retry":{"schedule":["-5s"]}`, "/retry/schedule/0")
	invalid("too many waits", `"retry":{"schedule":["1s"`+strings.Repeat(`,"1s"`, 30)+`]}`, "/retry/schedule")
	invalid("a jitter too large", `"retry":{"jitter":1.5}`, "/retry/jitter")
	invalid("a rate of none", `"rate_limit":{"limit":0,"period":"1s"}`, "/rate_limit/limit")
	invalid("a rate without a period", `"rate_limit":{"limit":5}`, "/rate_limit/period")
	invalid("failures below zero", `"disable_after":{"failures":-1}`, "/disable_after/failures")
	invalid("a method that is none", `"method":"GET"`, "/method")
	invalid("a method in lower case", `"method":"post"`, "/method")
	invalid("an ordering that is none", `"ordering":"strict"`, "/ordering")
	invalid("a dialect that is none", `"dialect":"klingon"`, "/dialect")
	invalid("a status that is none", `"status":"disabled"`, "/status")
	invalid("a filter that cannot be read", `"filter":"event.type =="`, "/filter")
	invalid("a filter that gives text", `"filter":"event.type"`+`,"description":7`, "/description")
	invalid("a filter of an unknown name", `"filter":"evnt.type == 'a'"`, "/filter")
	invalid("a description with a zero", `"description":"a\u0000b"`, "/description")
	invalid("a uid with a space", `"uid":"a b"`, "/uid")
	invalid("a uid like an id", `"uid":"whk_mine"`, "/uid")
	invalid("a name with a line break", `"uid":null,"headers":{},"name":"a\nb"`, "/name")
	badPatterns(bad, url)
	badAuth(invalid)
	badTokens(refuse)
	badCertificates(bad, invalid)
	return bad
}

func badPatterns(bad map[string]refusal, url string) {
	for name, c := range map[string]struct {
		events string
		code   postroom.Code
		says   string
	}{
		"an unknown type":       {`["email.sent","email.opend"]`, postroom.CodeUnknownEventType, "did you mean email.opened?"},
		"a pattern in a word":   {`["email.sent","email.op*"]`, postroom.CodeInvalid, ""},
		"a pattern in front":    {`["email.sent","*.opened"]`, postroom.CodeInvalid, ""},
		"an empty type":         {`["email.sent",""]`, postroom.CodeInvalid, ""},
		"a type with a space":   {`["email.sent","email opened"]`, postroom.CodeInvalid, ""},
		"a number among events": {`["email.sent",7]`, postroom.CodeInvalid, ""},
	} {
		bad[name] = refusal{post("/v1/webhooks", `{"name":"n","url":"`+url+`","events":`+c.events+`}`), 422, c.code, "/events/1", c.says}
	}
}

func badAuth(invalid func(name, extra, pointer string)) {
	invalid("an unknown auth", `"auth":{"type":"magic"}`, "/auth/type")
	invalid("a misspelt auth", `"auth":{"type":"Oauth"}`, "/auth/type")
	invalid("auth without a type", `"auth":{"token":"t"}`, "/auth/type")
	invalid("bearer without a token", `"auth":{"type":"bearer"}`, "/auth/token")
	invalid("bearer with a password", `"auth":{"type":"bearer","token":"t","password":"p"}`, "/auth/password")
	invalid("basic without a password", `"auth":{"type":"basic","username":"u"}`, "/auth/password")
	invalid("a user with a colon", `"auth":{"type":"basic","username":"u:v","password":"p"}`, "/auth/username")
	invalid("a key without a value", `"auth":{"type":"api_key"}`, "/auth/key")
	invalid("a key in a reserved header", `"auth":{"type":"api_key","key":"k","header":"webhook-signature"}`, "/auth/header")
	invalid("a token with a line break", `"auth":{"type":"bearer","token":"t\r\nX-Injected: 1"}`, "/auth/token")
	invalid("the mask as a token", `"auth":{"type":"bearer","token":"•••"}`, "/auth/token")
	invalid("the mask as a header", `"auth":{"type":"header","headers":{"X-A":"•••"}}`, "/auth/headers/X-A")
	invalid("secret headers that are none", `"auth":{"type":"header"}`, "/auth/headers")
	invalid("a reserved secret header", `"auth":{"type":"header","headers":{"Host":"a"}}`, "/auth/headers/Host")
	invalid("secret parameters that are none", `"auth":{"type":"query"}`, "/auth/query")
}

// badChanges are changes of the webhook that is present.
func badChanges() map[string]refusal {
	bad := map[string]refusal{}
	refuse := func(name, body string, status int, code postroom.Code, pointer string) {
		bad[name] = refusal{patch("/v1/webhooks/present", body), status, code, pointer, ""}
	}
	refuse("not JSON", "{", 400, postroom.CodeBadJSON, "")
	refuse("no body", "", 400, postroom.CodeBadJSON, "")
	refuse("a list", "[]", 400, postroom.CodeBadJSON, "")
	refuse("an unknown field", `{"name":"new","colour":1}`, 422, postroom.CodeUnknownField, "/colour")
	refuse("an unknown nested field", `{"name":"new","retry":{"colour":1}}`, 422, postroom.CodeUnknownField, "/retry/colour")
	refuse("the status", `{"status":"active"}`, 422, postroom.CodeUnknownField, "/status")
	refuse("the id", `{"id":"whk_01jd3v8x2mf4k8c0q9r7t5y1za"}`, 422, postroom.CodeUnknownField, "/id")
	refuse("a field twice", `{"name":"a","name":"b"}`, 422, postroom.CodeInvalid, "/name")
	refuse("no URL", `{"url":null}`, 422, postroom.CodeInvalid, "/url")
	refuse("no events", `{"events":null}`, 422, postroom.CodeInvalid, "/events")
	refuse("no name", `{"name":""}`, 422, postroom.CodeInvalid, "/name")
	refuse("a bad URL", `{"name":"new","url":"https://"}`, 422, postroom.CodeURLInvalid, "/url")
	refuse("a private URL", `{"name":"new","url":"https://10.0.0.1/"}`, 422, postroom.CodeAddressNotAllowed, "/url")
	refuse("an unknown type", `{"name":"new","events":["email.opend"]}`, 422, postroom.CodeUnknownEventType, "/events/0")
	refuse("a reserved header", `{"headers":{"webhook-id":"1"}}`, 422, postroom.CodeInvalid, "/headers/webhook-id")
	refuse("a mask for a value that is not there", `{"auth":{"type":"header","headers":{"X-New":"•••"}}}`, 422, postroom.CodeInvalid, "/auth/headers/X-New")
	refuse("several faults", `{"timeout":"1h","concurrency":0,"method":"GET"}`, 422, postroom.CodeInvalid, "/method")
	bad["another version"] = refusal{patch("/v1/webhooks/present", `{"name":"new"}`).with("If-Match", `"99"`), 412, postroom.CodePreconditionFailed, "", ""}
	bad["a bad If-Match"] = refusal{patch("/v1/webhooks/present", `{"name":"new"}`).with("If-Match", `99`), 422, postroom.CodeInvalid, "If-Match", ""}
	bad["deleting another version"] = refusal{call{method: http.MethodDelete, path: "/v1/webhooks/present"}.with("If-Match", `"99"`), 412, postroom.CodePreconditionFailed, "", ""}
	bad["a webhook that is not there"] = refusal{patch("/v1/webhooks/absent", `{"name":"new"}`), 404, postroom.CodeNotFound, "", ""}
	return bad
}
