package inbound

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/dialect"
)

// browsers is a kind that posts from browsers, and asks with a GET whether a URL is whose it should be.
const browsers = `title: Browsers
description: A kind for tests.
out:
  events: {"*": "*"}
  bodies:
    "*": |
      {"type": "{event_type}"}
  signature: {scheme: none}
  test: contact.created
in:
  verify:
    scheme: any
    of:
      - {scheme: token, methods: [GET], header: "query:hub.verify_token", credential: verify_token}
      - {scheme: hmac, methods: [POST], header: X-Hub-Signature-256, prefix: "sha256="}
  required: true
  credentials: {secret: Secret of the signature, verify_token: Token of the challenge}
  challenge: query["hub.challenge"]
  cors: true
  type: event
`

// withKind gives an intake the kind of these tests.
func withKind(t *testing.T) func(*Config) {
	t.Helper()
	types, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	known := dialect.Known{Types: map[string]dialect.EventType{}, Check: CheckKind}
	for _, e := range types.Types() {
		known.Types[e.Name] = dialect.EventType{Schema: e.Schema, Sample: e.Sample}
	}
	set, err := dialect.Load(fstest.MapFS{"browsers/dialect.yaml": {Data: []byte(browsers)}}, "d", known)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Dialects = set }
}

// ofKind is a source of that kind, which its scheme alone proves.
func ofKind(s *postroom.SourceSettings, secrets *postroom.SourceSecrets) {
	s.Kind, s.RequireToken = "browsers", false
	s.Signature, secrets.Signature, secrets.Credentials = &postroom.SourceSignature{}, []string{"secret"}, map[string]string{"verify_token": "mine"}
}

// TestServeChallenge checks that a GET is answered where the kind asks for it and the caller proves itself, and else as at every other URL.
func TestServeChallenge(t *testing.T) {
	r := newRig(t, withKind(t))
	source, other := r.source(ofKind), r.source()
	right := httpCall{method: http.MethodGet, query: "hub.mode=subscribe&hub.verify_token=mine&hub.challenge=1158201444"}
	if w := r.call(source, right); w.Code != 200 || w.Body.String() != "1158201444" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("the challenge is answered %d %s", w.Code, w.Body)
	}
	want := r.call(other, right)
	for name, c := range map[string]httpCall{
		"wrong token":  {method: http.MethodGet, query: "hub.verify_token=theirs&hub.challenge=1"},
		"no token":     {method: http.MethodGet, query: "hub.challenge=1"},
		"no challenge": {method: http.MethodGet, query: "hub.verify_token=mine"},
	} {
		if w := r.call(source, c); w.Code != http.StatusMethodNotAllowed || w.Body.String() != want.Body.String() {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if n := len(r.store.all()); n != 0 {
		t.Errorf("%d challenges are stored", n)
	}
	const body = `{"event":"contact.created"}`
	if w := r.call(source, httpCall{query: "-", body: body, headers: map[string]string{"X-Hub-Signature-256": sign("secret", body)}}); w.Code != 200 {
		t.Errorf("a call is answered %d %s: %+v", w.Code, w.Body, r.store.all())
	}
	if w := r.call(source, httpCall{query: "hub.verify_token=mine", body: body}); w.Code != 401 {
		t.Errorf("a call with the token of the challenge is answered %d", w.Code)
	}
}

// TestBrowsers checks that pages may read the answers of kinds that post from browsers, and of no others.
func TestBrowsers(t *testing.T) {
	r := newRig(t, withKind(t))
	source, other := r.source(ofKind), r.source()
	origin := map[string]string{"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
	w := r.call(source, httpCall{method: http.MethodOptions, headers: origin})
	if h := w.Header(); w.Code != 204 || h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Content-Type") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, c := range []httpCall{{body: "{}", headers: origin}, {body: strings.Repeat("x", 70<<10), headers: origin}} {
		if w := r.call(source, c); w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("the answer %d cannot be read by a page", w.Code)
		}
		if w := r.call(other, c); w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("the answer %d of another kind can be read by a page", w.Code)
		}
	}
}

// TestCheck checks which settings are refused, and that each problem blames its place.
func TestCheck(t *testing.T) {
	r := newRig(t, withKind(t))
	for name, c := range map[string]struct {
		change  func(*postroom.SourceSettings, *postroom.SourceSecrets)
		pointer string // empty: all is well
	}{
		"token alone":              {func(*postroom.SourceSettings, *postroom.SourceSecrets) {}, ""},
		"the kind's":               {ofKind, ""},
		"nothing":                  {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) { s.RequireToken = false }, "/require_token"},
		"a kind that there is not": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) { s.Kind = "nonsense" }, "/kind"},
		"a kind without its secret": {func(s *postroom.SourceSettings, secrets *postroom.SourceSecrets) {
			ofKind(s, secrets)
			s.Signature, secrets.Signature, secrets.Credentials = nil, nil, nil
		}, "/signature"},
		"a signature without a scheme": {func(s *postroom.SourceSettings, secrets *postroom.SourceSecrets) {
			s.Signature, secrets.Signature = &postroom.SourceSignature{}, []string{"x"}
		}, "/signature/scheme"},
		"an algorithm that there is not": {func(s *postroom.SourceSettings, secrets *postroom.SourceSecrets) {
			s.Signature, secrets.Signature = &postroom.SourceSignature{Scheme: "hmac", Header: "X-S", Algorithm: "md5"}, []string{"x"}
		}, "/signature/algorithm"},
		"a signature without a secret": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Signature = &postroom.SourceSignature{Scheme: "hmac", Header: "X-S"}
		}, "/signature/secret"},
		"a second secret that is wrong": {func(s *postroom.SourceSettings, secrets *postroom.SourceSecrets) {
			s.Signature, secrets.Signature = &postroom.SourceSignature{Scheme: "standard"}, []string{"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "nonsense!"}
		}, "/signature/secrets/0"},
		"an address that is none": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.IPAllow = []string{"203.0.113.0/24", "203.0.113.1/24"}
		}, "/ip_allow/1"},
		"a path that is none": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Mapping = []postroom.MappingRow{{From: postroom.Paths{"a["}, To: "email"}}
		}, "/mapping/0/from"},
		"a condition that is none": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: postroom.ActionAddSubscriber, When: "nobody.knows == 1"}}
		}, "/actions/0/when"},
		"an event type that there is not": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) { s.EventType = "order.payed" }, "/event_type"},
		"an automation": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: "trigger_automation"}}
		}, "/actions/0/type"},
		"a mail": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: "send_mail"}}
		}, "/actions/0/type"},
		"a record of a CRM": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: "create_crm_record"}}
		}, "/actions/0/type"},
		"code": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: "run_code"}}
		}, "/actions/0/type"},
		"a status that there is not": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: postroom.ActionChangeStatus, Status: "odd"}}
		}, "/actions/0/status"},
		"lists of nobody's": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: postroom.ActionAddToList}}
		}, "/actions/0/lists"},
		"lists of the mapping's": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Mapping = []postroom.MappingRow{{From: postroom.Paths{"groups"}, To: "lists"}}
			s.Actions = []postroom.Action{{Type: postroom.ActionAddToList}}
		}, ""},
		"a call without one": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: postroom.ActionApplyTag, Tags: []string{"x"}}, {Type: postroom.ActionCallAPI}}
		}, "/actions/1/call"},
		"a call that is one too many": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: postroom.ActionApplyTag, Tags: []string{"x"}, Call: &postroom.Call{}}}
		}, "/actions/0/call"},
		"an empty tag": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: postroom.ActionAddSubscriber, Tags: []string{"a", " "}}}
		}, "/actions/0/tags/1"},
		"a custom field that is no JSON": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: postroom.ActionAddSubscriber, CustomFields: map[string]json.RawMessage{"a/b": json.RawMessage("{")}}}
		}, "/actions/0/custom_fields/a~1b"},
		"what is no action": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.Actions = []postroom.Action{{Type: "add_subscribr"}}
		}, "/actions/0/type"},
	} {
		s := postroom.SourceSettings{Name: "x", Kind: postroom.KindGeneric, Status: postroom.SourceActive, RequireToken: true, Dedupe: postroom.Dedupe{By: postroom.DedupeAuto}}
		secrets := postroom.SourceSecrets{Token: testToken}
		c.change(&s, &secrets)
		err := r.in.Check(t.Context(), r.workspace, &s, secrets)
		if c.pointer == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.pointer) {
			t.Errorf("%s: %v, want %s to be blamed", name, err, c.pointer)
		}
		if err != nil && strings.Contains(err.Error(), testToken) {
			t.Errorf("%s: the error tells the token: %v", name, err)
		}
	}
}
