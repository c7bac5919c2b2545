package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

const absent = "01jd3v8x2mf4k8c0q9r7t5y1za" // an id that nothing has, without its prefix

func badActions() map[string]refusal {
	const at = "/v1/webhooks/present"
	bad := map[string]refusal{}
	for _, action := range []string{"test", "preview", "pause", "resume", "replay", "secrets"} {
		bad[action+": not JSON"] = refusal{post(at+"/"+action, "{"), 400, postroom.CodeBadJSON, "", ""}
		bad[action+": a list"] = refusal{post(at+"/"+action, "[]"), 400, postroom.CodeBadJSON, "", ""}
		bad[action+": an unknown field"] = refusal{post(at+"/"+action, `{"colour":"red"}`), 422, postroom.CodeUnknownField, "/colour", ""}
		bad[action+": not there"] = refusal{post("/v1/webhooks/whk_"+absent+"/"+action, ""), 404, postroom.CodeNotFound, "", ""}
	}
	bad["test: an unknown type"] = refusal{post(at+"/test", `{"type":"email.opend"}`), 422, postroom.CodeUnknownEventType, "/type", "email.opened"}
	bad["test: data that is none"] = refusal{post(at+"/test", `{"data":[]}`), 422, postroom.CodeInvalid, "/data", ""}
	bad["preview: an unknown type"] = refusal{post(at+"/preview", `{"type":"email.opend"}`), 422, postroom.CodeUnknownEventType, "/type", "email.opened"}
	bad["preview: an event that is not there"] = refusal{post(at+"/preview", `{"event":"absent"}`), 422, postroom.CodeInvalid, "/event", "absent"}
	bad["preview: an event and a type"] = refusal{post(at+"/preview", `{"event":"present","type":"email.opened"}`), 422, postroom.CodeInvalid, "/type", ""}
	bad["preview: an unknown variable"] = refusal{post(at+"/preview", `{"payload":{"template":{"a":["{subscriber_emial}"]}}}`), 422, postroom.CodeInvalid, "/payload/template/a/0",
		"character 2: subscriber_emial is not known here (did you mean subscriber_email?)"}
	bad["preview: of nothing that is there"] = refusal{post("/v1/webhooks/preview", `{"events":["email.opend"]}`), 422, postroom.CodeUnknownEventType, "/events/0", ""}
	bad["preview: of a bad template"] = refusal{post("/v1/webhooks/preview", `{"payload":{"template":"{1 +}"}}`), 422, postroom.CodeInvalid, "/payload/template", "character 5"}
	bad["pause: a long reason"] = refusal{post(at+"/pause", `{"reason":"`+strings.Repeat("x", 2001)+`"}`), 422, postroom.CodeInvalid, "/reason", ""}
	bad["resume: what is unknown"] = refusal{post(at+"/resume", `{"held":"drop"}`), 422, postroom.CodeInvalid, "/held", ""}
	bad["replay: a status that is none"] = refusal{post(at+"/replay", `{"status":"lost"}`), 422, postroom.CodeInvalid, "/status", ""}
	bad["replay: what will be delivered anyway"] = refusal{post(at+"/replay", `{"status":"held"}`), 422, postroom.CodeInvalid, "/status", ""}
	bad["replay: a bad time"] = refusal{post(at+"/replay", `{"after":"now"}`), 422, postroom.CodeInvalid, "/after", ""}
	bad["replay: a bad pattern"] = refusal{post(at+"/replay", `{"types":["email.*","*.opened"]}`), 422, postroom.CodeInvalid, "/types/1", ""}
	bad["replay: nothing can be both"] = refusal{post(at+"/replay", `{"after":"2026-01-02T00:00:00Z","before":"2026-01-01T00:00:00Z"}`), 422, postroom.CodeInvalid, "/after", ""}
	bad["replay: in times to come"] = refusal{post("/v1/replays", `{"after":"2199-01-02T00:00:00Z"}`), 422, postroom.CodeInvalid, "/after", ""}
	bad["a replay that is not there"] = refusal{get("/v1/replays/rpl_" + absent), 404, postroom.CodeNotFound, "", ""}
	bad["a replay that has another id"] = refusal{get("/v1/replays/present"), 404, postroom.CodeNotFound, "", ""}
	bad["a replay that is not there is cancelled"] = refusal{post("/v1/replays/rpl_"+absent+"/cancel", ""), 404, postroom.CodeNotFound, "", ""}
	bad["secrets: a kind that is none"] = refusal{post(at+"/secrets", `{"kind":"rsa"}`), 422, postroom.CodeInvalid, "/kind", ""}
	bad["secrets: a short secret"] = refusal{post(at+"/secrets", `{"secret":"whsec_c2hvcnQ="}`), 422, postroom.CodeInvalid, "/secret", ""}
	bad["secrets: no secret"] = refusal{post(at+"/secrets", `{"secret":"hunter2"}`), 422, postroom.CodeInvalid, "/secret", ""}
	bad["secrets: a long overlap"] = refusal{post(at+"/secrets", `{"overlap":"721h"}`), 422, postroom.CodeInvalid, "/overlap", ""}
	bad["secrets: an overlap below zero"] = refusal{post(at+"/secrets", `{"overlap":"-1h"}`), 422, postroom.CodeInvalid, "/overlap", ""}
	bad["an event that is not there is replayed"] = refusal{post("/v1/events/absent/replay", ""), 404, postroom.CodeNotFound, "", ""}
	bad["an event is replayed to nobody"] = refusal{post("/v1/events/present/replay", `{"webhooks":["present","absent"]}`), 422, postroom.CodeInvalid, "/webhooks/1", ""}
	bad["an event is replayed to a zero"] = refusal{post("/v1/events/present/replay", `{"webhooks":["\u0000"]}`), 422, postroom.CodeInvalid, "/webhooks/0", ""}
	bad["test: a type with a zero"] = refusal{post(at+"/test", `{"type":"a\u0000"}`), 422, postroom.CodeUnknownEventType, "/type", ""}
	bad["a delivery that is not there is retried"] = refusal{post("/v1/deliveries/dlv_"+absent+"/retry", ""), 404, postroom.CodeNotFound, "", ""}
	bad["a retry takes no fields"] = refusal{post("/v1/deliveries/{delivery}/retry", `{"now":true}`), 422, postroom.CodeUnknownField, "/now", ""}
	return bad
}

func badResources() map[string]refusal {
	bad := map[string]refusal{}
	invalid := func(name, path, body, pointer string) {
		bad[name] = refusal{post(path, body), 422, postroom.CodeInvalid, pointer, ""}
	}
	const types, keys = "/v1/event-types", "/v1/keys"
	invalid("a type without a name", types, `{}`, "/name")
	invalid("a type with a space", types, `{"name":"order paid"}`, "/name")
	invalid("a type with a star", types, `{"name":"order.*"}`, "/name")
	invalid("a type of Postroom's", types, `{"name":"postroom.mine"}`, "/name")
	invalid("a schema that is none", types, `{"name":"order.paid","schema":[]}`, "/schema")
	invalid("a sample that is none", types, `{"name":"order.paid","sample":7}`, "/sample")
	bad["a type of the catalogue"] = refusal{post(types, `{"name":"email.opened"}`), 409, postroom.CodeConflict, "/name", ""}
	bad["a type that is there"] = refusal{post(types, `{"name":"order.present"}`), 409, postroom.CodeConflict, "", ""}
	bad["a type with an unknown field"] = refusal{post(types, `{"name":"order.paid","colour":1}`), 422, postroom.CodeUnknownField, "/colour", ""}
	bad["another name for a type"] = refusal{patch(types+"/order.present", `{"name":"order.new"}`), 422, postroom.CodeInvalid, "/name", ""}
	bad["a type that is not there"] = refusal{patch(types+"/order.absent", `{"title":"t"}`), 404, postroom.CodeNotFound, "", ""}
	bad["deleting a type that is not there"] = refusal{call{method: http.MethodDelete, path: types + "/order.absent"}, 404, postroom.CodeNotFound, "", ""}
	invalid("a key without a name", keys, `{"role":"viewer"}`, "/name")
	invalid("a key without a role", keys, `{"name":"k"}`, "/role")
	invalid("a key with a role that is none", keys, `{"name":"k","role":"root"}`, "/role")
	invalid("a key that has expired", keys, `{"name":"k","role":"viewer","expires_at":"2020-01-01T00:00:00Z"}`, "/expires_at")
	invalid("a key with a bad time", keys, `{"name":"k","role":"viewer","expires_at":"never"}`, "/expires_at")
	bad["a key with a value of its own"] = refusal{post(keys, `{"name":"k","role":"viewer","key":"prk_mine"}`), 422, postroom.CodeUnknownField, "/key", ""}
	bad["an operator's key"] = refusal{post(keys, `{"name":"k","role":"admin","operator":true}`), 422, postroom.CodeUnknownField, "/operator", ""}
	bad["a key that deletes itself"] = refusal{call{method: http.MethodDelete, path: "/v1/keys/{key}"}, 409, postroom.CodeConflict, "", ""}
	bad["a key that is not there"] = refusal{call{method: http.MethodDelete, path: "/v1/keys/key_" + absent}, 404, postroom.CodeNotFound, "", ""}
	bad["an id of another kind"] = refusal{get("/v1/keys/whk_" + absent), 404, postroom.CodeNotFound, "", ""}
	bad["a workspace without a name"] = refusal{patch("/v1/workspaces/{workspace}", `{"name":" "}`), 422, postroom.CodeInvalid, "/name", ""}
	bad["a new workspace"] = refusal{post("/v1/workspaces", `{"name":"new"}`), 403, postroom.CodeForbidden, "", ""}
	return bad
}

func badQueries() map[string]refusal {
	bad := map[string]refusal{}
	for _, list := range []string{"/v1/events", "/v1/deliveries", "/v1/webhooks", "/v1/webhooks/present/deliveries"} {
		for _, limit := range []string{"0", "-1", "251", "1e2", "ten", "99999999999999999999"} {
			bad[list+" limit="+limit] = refusal{get(list + "?limit=" + limit), 422, postroom.CodeInvalid, "?limit", ""}
		}
		for _, cursor := range []string{"nonsense", "AAAA", url.QueryEscape("b3JkZXI="), strings.Repeat("A", 5000)} {
			bad[fmt.Sprintf("%s cursor=%.10s", list, cursor)] = refusal{get(list + "?cursor=" + cursor), 422, postroom.CodeInvalid, "?cursor", ""}
		}
		bad[list+" with an unknown parameter"] = refusal{get(list + "?colour=red"), 422, postroom.CodeInvalid, "?colour", "limit"}
		bad[list+" with a parameter twice"] = refusal{get(list + "?limit=1&limit=2"), 422, postroom.CodeInvalid, "?limit", ""}
		bad[list+" with a broken query"] = refusal{get(list + "?limit=%zz"), 422, postroom.CodeInvalid, "", ""}
		if list == "/v1/webhooks" {
			continue
		}
		bad[list+" after nothing"] = refusal{get(list + "?after=yesterday"), 422, postroom.CodeInvalid, "?after", ""}
		bad[list+" before a date"] = refusal{get(list + "?before=2026-01-31"), 422, postroom.CodeInvalid, "?before", ""}
	}
	for name, c := range map[string]struct{ path, pointer string }{
		"a status that is none":           {"/v1/deliveries?status=lost", "?status"},
		"a status code that is none":      {"/v1/deliveries?status_code=99", "?status_code"},
		"text as a status code":           {"/v1/deliveries?status_code=ok", "?status_code"},
		"an event that is not there":      {"/v1/deliveries?event=absent", "?event"},
		"a webhook that is not there":     {"/v1/deliveries?webhook=absent", "?webhook"},
		"a format that is none":           {"/v1/deliveries/export?format=xml", "?format"},
		"an export with a limit":          {"/v1/deliveries/export?limit=5", "?limit"},
		"a step that is none":             {"/v1/stats?by=week", "?by"},
		"a span that ends before":         {"/v1/stats?after=2026-01-31T00:00:00Z&before=2026-01-30T00:00:00Z", "?after"},
		"a series too long":               {"/v1/stats?after=2020-01-01T00:00:00Z&by=minute", "?after"},
		"a tail of a bad pattern":         {"/v1/events/tail?type=*.opened", "?type"},
		"events of a bad pattern":         {"/v1/events?type=*.opened", "?type"},
		"deliveries of a bad pattern":     {"/v1/deliveries?type=*.opened", "?type"},
		"a contact that is no text":       {"/v1/events?contact=%ff", "?contact"},
		"a campaign with a zero":          {"/v1/events?campaign=a%00", "?campaign"},
		"text with a zero":                {"/v1/events?q=%00", "?q"},
		"an event with a zero":            {"/v1/deliveries?event=%00", "?event"},
		"a webhook that is no text":       {"/v1/deliveries?webhook=%ff", "?webhook"},
		"a parameter where there is none": {"/v1/keys?limit=5", "?limit"},
	} {
		bad[name] = refusal{get(c.path), 422, postroom.CodeInvalid, c.pointer, ""}
	}
	bad["publishing with a parameter"] = refusal{post("/v1/events?dry=1", `{"type":"email.opened","data":{}}`), 422, postroom.CodeInvalid, "?dry", ""}
	bad["making a webhook with a parameter"] = refusal{post("/v1/webhooks?dry=1", `{}`), 422, postroom.CodeInvalid, "?dry", ""}
	return bad
}

// badCalls are calls that are wrong in what HTTP says, and not in their content.
func badCalls() map[string]refusal {
	const event, hook = `{"type":"email.opened","data":{}}`, `{"name":"n","url":"http://127.0.0.1:1/","events":["*"]}`
	bad := map[string]refusal{
		"events as text":             {post("/v1/events", event).with("Content-Type", "text/plain"), 415, postroom.CodeUnsupportedMedia, "", "application/json"},
		"events as a form":           {post("/v1/events", "type=email.opened").with("Content-Type", "application/x-www-form-urlencoded"), 415, postroom.CodeUnsupportedMedia, "", ""},
		"events in another charset":  {post("/v1/events", event).with("Content-Type", "application/json; charset=latin1"), 415, postroom.CodeUnsupportedMedia, "", "latin1"},
		"a broken content type":      {post("/v1/events", event).with("Content-Type", "application/json; charset"), 415, postroom.CodeUnsupportedMedia, "", ""},
		"compressed events":          {post("/v1/events", event).with("Content-Encoding", "gzip"), 415, postroom.CodeUnsupportedMedia, "", "gzip"},
		"a webhook as text":          {post("/v1/webhooks", hook).with("Content-Type", "text/plain"), 415, postroom.CodeUnsupportedMedia, "", ""},
		"a webhook as NDJSON":        {post("/v1/webhooks", hook).with("Content-Type", "application/x-ndjson"), 415, postroom.CodeUnsupportedMedia, "", ""},
		"a change as a JSON patch":   {patch("/v1/webhooks/present", `[]`).with("Content-Type", "application/json-patch+json"), 415, postroom.CodeUnsupportedMedia, "", "merge-patch"},
		"a path that is not there":   {get("/v1/nothing"), 404, postroom.CodeNotFound, "", ""},
		"a path with a slash":        {get("/v1/events/"), 404, postroom.CodeNotFound, "", ""},
		"a file":                     {get("/etc/passwd"), 404, postroom.CodeNotFound, "", ""},
		"an event that is not there": {get("/v1/events/absent"), 404, postroom.CodeNotFound, "", ""},
		"a zero byte in an id":       {get("/v1/events/%00"), 404, postroom.CodeNotFound, "", ""},
		"an id that is not UTF-8":    {get("/v1/events/%ff"), 404, postroom.CodeNotFound, "", ""},
		"a type that is not UTF-8":   {get("/v1/event-types/%ff%00"), 404, postroom.CodeNotFound, "", ""},
		"deleting no type":           {call{method: http.MethodDelete, path: "/v1/event-types/%ff%00"}, 404, postroom.CodeNotFound, "", ""},
		"a uid that is not UTF-8":    {get("/v1/webhooks/%ff%00"), 404, postroom.CodeNotFound, "", ""},
	}
	for _, c := range []struct{ method, path, allow string }{
		{"PUT", "/v1/events", "GET, HEAD, POST"}, {"DELETE", "/v1/events", ""}, {"PATCH", "/v1/webhooks", ""}, {"PUT", "/v1/webhooks/present", ""},
		{"POST", "/v1/deliveries/{delivery}", ""}, {"GET", "/v1/webhooks/present/pause", ""}, {"POST", "/healthz", ""}, {"TRACE", "/v1/events", ""}, {"BREW", "/v1/webhooks", ""},
	} {
		bad[c.method+" "+c.path] = refusal{call{method: c.method, path: c.path}, 405, postroom.CodeMethodNotAllowed, "", ""}
	}
	return bad
}

func badKeys(x *tenant) {
	x.webhook("/present", client.WebhookInput{UID: "present", Status: postroom.WebhookPaused})
	x.publish("present", "email.opened", `{}`)
	before := x.state(x.t, true)
	deleted := must(x.api.CreateKey(x.t.Context(), client.KeyInput{Name: "Deleted", Role: postroom.RoleAdmin}))(x.t)
	if err := x.api.DeleteKey(x.t.Context(), deleted.ID.String()); err != nil {
		x.t.Fatal(err)
	}
	calls := []call{
		get("/v1/events"), post("/v1/events", `{"type":"email.opened","data":{}}`), post("/v1/webhooks", `{"name":"n","url":"`+x.r.url("/")+`","events":["*"]}`),
		{method: http.MethodDelete, path: "/v1/webhooks/present"}, get("/v1/events/tail"), get("/v1/nothing/at/all"),
	}
	for name, value := range map[string]string{
		"none": "", "another scheme": "Basic " + x.key, "no scheme": x.key, "no key": "Bearer", "an empty key": "Bearer  ", "two": "Bearer " + x.key + ", Bearer " + x.key,
		"another prefix": "Bearer sk_" + x.key[4:], "unknown": "Bearer prk_" + strings.Repeat("a", 40), "cut": "Bearer " + x.key[:len(x.key)-1], "longer": "Bearer " + x.key + "a",
		"in capitals": "Bearer " + strings.ToUpper(x.key), "very long": "Bearer prk_" + strings.Repeat("a", 4000), "deleted": "Bearer " + deleted.Value,
	} {
		for _, c := range calls {
			a := x.s.do(x.t, c.with("Authorization", value))
			if c.path == "/v1/nothing/at/all" {
				a.refused(x.t, 404, postroom.CodeNotFound, "")
				continue
			}
			x.t.Run(name+" "+c.method+" "+c.path, func(t *testing.T) {
				a.refused(t, 401, postroom.CodeUnauthenticated, "")
				if !strings.HasPrefix(a.header.Get("Www-Authenticate"), "Bearer") {
					t.Errorf("WWW-Authenticate is %q", a.header.Get("Www-Authenticate"))
				}
			})
		}
	}
	x.unchanged(x.t, before, true)
}

func tooLarge(x *tenant) {
	x.webhook("/present", client.WebhookInput{UID: "present", Status: postroom.WebhookPaused})
	x.publish("present", "email.opened", `{}`)
	before := x.state(x.t, true)
	const limit = 1 << 20
	pad := strings.Repeat("x", limit)
	for _, c := range []call{
		post("/v1/events", `{"type":"email.opened","data":{"a":"`+pad+`"}}`),
		post("/v1/events", `[{"type":"email.opened","data":{"a":"`+pad+`"}}]`),
		post("/v1/events", `{"a":"`+pad+`"}`).with("Ce-Type", "email.opened").with("Ce-Id", "1").with("Ce-Source", "/").with("Ce-Specversion", "1.0"),
		post("/v1/webhooks", `{"description":"`+pad+`"}`), patch("/v1/webhooks/present", `{"description":"`+pad+`"}`),
		post("/v1/webhooks/present/test", `{"data":{"a":"`+pad+`"}}`),
		post("/v1/events", strings.Repeat(`{"type":"email.opened","data":{}}`+"\n", 300_000)).with("Content-Type", "application/x-ndjson").with("Idempotency-Key", "k"),
	} {
		c.key = x.key
		x.s.do(x.t, c).refused(x.t, 413, postroom.CodeTooLarge, "")
	}
	x.chunked(`{"type":"email.opened","data":{"a":"`, pad+`"}}`).refused(x.t, 413, postroom.CodeTooLarge, "")
	x.unchanged(x.t, before, true)
	// What just fits is taken.
	head, tail := `{"id":"fits","type":"email.opened","data":{"a":"`, `"}}`
	x.do(http.MethodPost, "/v1/events", head+pad[:limit-len(head)-len(tail)]+tail).is(x.t, http.StatusAccepted)
	x.do(http.MethodPost, "/v1/events", head+pad[:limit-len(head)-len(tail)+1]+tail).refused(x.t, 413, postroom.CodeTooLarge, "")
}

// chunked publishes a body of which the length is not told beforehand.
func (x *tenant) chunked(parts ...string) answer {
	x.t.Helper()
	in, out := io.Pipe()
	go func() {
		for _, part := range parts {
			if _, err := io.WriteString(out, part); err != nil {
				return // the server has answered
			}
		}
		_ = out.Close()
	}()
	req, err := http.NewRequest(http.MethodPost, x.s.address()+"/v1/events", in)
	if err != nil {
		x.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+x.key)
	resp, err := x.s.http.Do(req)
	if err != nil {
		x.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

// smuggledHeaders tries to set headers that are Postroom's or HTTP's own, or that end one and begin another.
func smuggledHeaders(x *tenant) {
	bad := map[string]refusal{}
	for _, name := range []string{"Webhook-Id", "webhook-timestamp", "WEBHOOK-SIGNATURE", "Postroom-Delivery", "postroom-attempt", "Host", "Content-Length", "content-type",
		"Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE", "Trailer", "Expect", "User-Agent", "Accept-Encoding", "Content-Encoding", "Proxy-Authorization", "Proxy-Connection",
		"X Space", "X:Colon", "", "X-Ä", "X-A\\r\\nX-B", "X-A\\n", "\\u0000", " X-A", "X-A "} {
		pointer := strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\u0000`, "\x00").Replace(name)
		bad["name "+name] = refusal{post("/v1/webhooks", `{"name":"n","url":"`+x.r.url("/")+`","events":["*"],"headers":{"`+name+`":"v"}}`), 422, postroom.CodeInvalid, "/headers/" + pointer, ""}
	}
	for _, value := range []string{`a\r\nX-Injected: 1`, `a\nb`, `a\rb`, `a\u0000b`, `\u007f`, "é", strings.Repeat("v", 4097)} {
		bad["value "+value[:min(len(value), 12)]] = refusal{post("/v1/webhooks", `{"name":"n","url":"`+x.r.url("/")+`","events":["*"],"headers":{"X-A":"`+value+`"}}`), 422, postroom.CodeInvalid, "/headers/X-A", ""}
	}
	bad["twice"] = refusal{post("/v1/webhooks", `{"name":"n","url":"`+x.r.url("/")+`","events":["*"],"headers":{"X-A":"1","x-a":"2"}}`), 422, postroom.CodeInvalid, "", "twice"}
	many := `"X-0":"v"`
	for i := 1; i <= 50; i++ {
		many += fmt.Sprintf(`,"X-%d":"v"`, i)
	}
	bad["too many"] = refusal{post("/v1/webhooks", `{"name":"n","url":"`+x.r.url("/")+`","events":["*"],"headers":{`+many+`}}`), 422, postroom.CodeInvalid, "/headers", ""}
	x.refuseAll(bad)

	// In a call to Postroom itself, a broken header is HTTP's business: 400, and nothing is done.
	before := x.state(x.t, true)
	for _, raw := range []string{
		"POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + x.key + "\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
		"POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + x.key + "\r\nContent-Length : 5\r\n\r\n{}   ",
		"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer " + x.key + "\r\nContent-Length: 2\r\n\r\n{}",
	} {
		if status := rawStatus(x.t, x.s, raw); status != http.StatusBadRequest {
			x.t.Errorf("the answer to a broken call is %d: %q", status, raw)
		}
	}
	x.unchanged(x.t, before, true)
}

// rawStatus sends bytes to the server and gives the status of the answer.
func rawStatus(t testing.TB, s *server, raw string) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.address(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
