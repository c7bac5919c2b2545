package api

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

const (
	cloudJSON  = "application/cloudevents+json"
	cloudBatch = "application/cloudevents-batch+json"
)

var cloudWant = app.NewEvent{
	Type: "email.opened", UID: "c-1", Actor: "/shop", OrderingKey: "cart 7", Time: time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC), Data: []byte(`{"a":1}`),
}

func TestCloudEvent(t *testing.T) {
	const head = `{"specversion":"1.0","type":"email.opened","id":"c-1","source":"/shop","time":"2026-01-31T09:30:00Z",`
	for name, body := range map[string]string{
		"data":             head + `"subject":"cart 7","data":{"a":1}}`,
		"base64":           head + `"subject":"cart 7","data_base64":"eyJhIjoxfQ==","datacontenttype":"application/vnd.shop+json; v=2"}`,
		"partition key":    head + `"subject":"other","partitionkey":"cart 7","data":{"a":1},"datacontenttype":null}`,
		"other extensions": head + `"subject":"cart 7","dataschema":"https://example.com/s","sampledrate":3,"traceparent":"00","unset":null,"flag":true,"data":{"a":1}}`,
	} {
		s := newServer(t)
		w := s.call("POST", "/v1/events", body, "Content-Type", cloudJSON+"; charset=utf-8")
		if w.Code != 202 {
			t.Errorf("%s: status %d: %s", name, w.Code, w.Body)
			continue
		}
		if diff := cmp.Diff([]app.NewEvent{cloudWant}, s.published); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCloudEventRefused(t *testing.T) {
	s := newServer(t)
	const head = `{"specversion":"1.0","type":"email.opened","id":"c-1","source":"/shop"`
	for body, pointers := range map[string][]string{
		`{}`: {"/id", "/source", "/type", "/specversion", "/data"},
		`{"specversion":"0.3","type":"a.b","id":"1","source":"/","data":{}}`: {"/specversion"},
		head + `}`:               {"/data"},
		head + `,"data":"text"}`: {"/data"},
		head + `,"data":{},"datacontenttype":"application/xml"}`:                                            {"/datacontenttype"},
		head + `,"data_base64":"%%%"}`:                                                                      {"/data_base64"},
		head + `,"data_base64":"W10="}`:                                                                     {"/data_base64"},
		head + `,"data_base64":"e30"}`:                                                                      {"/data_base64"},
		head + `,"data_base64":{}}`:                                                                         {"/data_base64"},
		head + `,"data":{},"data_base64":"e30="}`:                                                           {"/data_base64"},
		head + `,"data":{},"time":"now","subject":7}`:                                                       {"/time", "/subject"},
		head + `,"data":{},"subject":"` + strings.Repeat("x", 256) + `"}`:                                   {"/subject"},
		head + `,"data":{},"partitionkey":"` + strings.Repeat("x", 256) + `"}`:                              {"/partitionkey"},
		`{"specversion":"1.0","type":"a.b","id":"1","source":"` + strings.Repeat("x", 256) + `","data":{}}`: {"/source"},
	} {
		s.refused(postroom.CodeInvalid, pointers, "POST", "/v1/events", body, "Content-Type", cloudJSON)
	}
	s.refused(postroom.CodeUnknownField, []string{"/Subject", "/my-ext"}, "POST", "/v1/events", head+`,"data":{},"Subject":"x","my-ext":1}`, "Content-Type", cloudJSON)
	s.refused(postroom.CodeBadJSON, []string{""}, "POST", "/v1/events", "[]", "Content-Type", cloudJSON)
	s.refused(postroom.CodeBadJSON, []string{""}, "POST", "/v1/events", head+`,"data":{}}`, "Content-Type", cloudBatch)
	if len(s.published) != 0 {
		t.Errorf("published %+v", s.published)
	}
}

func TestCloudEventBatch(t *testing.T) {
	s := newServer(t)
	const one = `{"specversion":"1.0","type":"email.opened","id":"c-1","source":"/shop","data":{}}`
	got := results(t, s.ok(202, "POST", "/v1/events", "["+one+`,{"specversion":"1.0"},`+strings.Replace(one, "c-1", "c-2", 1)+"]", "Content-Type", cloudBatch))
	if diff := cmp.Diff([]string{"c-1", "invalid /id", "c-2"}, got); diff != "" {
		t.Error(diff)
	}
	s.ok(202, "POST", "/v1/events", "[]", "Content-Type", cloudBatch)
}

func TestBinaryCloudEvent(t *testing.T) {
	s := newServer(t)
	headers := []string{"ce-specversion", "1.0", "ce-type", "email.opened", "ce-id", "c-1", "ce-source", "/shop", "ce-time", "2026-01-31T09:30:00Z", "ce-extension", "any%zz"}
	s.ok(202, "POST", "/v1/events", `{"a":1}`, append(headers, "ce-subject", "cart%207")...)
	s.ok(202, "POST", "/v1/events", `{"a":1}`, append(headers, "ce-subject", `"cart 7"`, "Content-Type", "application/vnd.shop+json")...)
	s.ok(202, "POST", "/v1/events", `{"a":1}`, append(headers, "ce-subject", "x", "ce-partitionkey", "cart%207")...)
	if diff := cmp.Diff([]app.NewEvent{cloudWant, cloudWant, cloudWant}, s.published); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		headers  []string
		pointers []string
	}{
		{[]string{"ce-specversion", ""}, []string{"ce-specversion"}},
		{[]string{"ce-specversion", "2.0"}, []string{"ce-specversion"}},
		{[]string{"ce-type", "", "ce-id", ""}, []string{"ce-id", "ce-type"}},
		{[]string{"ce-time", "soon"}, []string{"ce-time"}},
		{[]string{"ce-subject", "100%"}, []string{"ce-subject"}},
		{[]string{"ce-subject", "%C0%A0"}, []string{"ce-subject"}},
		{[]string{"ce-subject", `"open`}, []string{"ce-subject"}},
		{[]string{"ce-subject", `""`}, []string{"ce-subject"}},
		{[]string{"ce-source", strings.Repeat("x", 256)}, []string{"ce-source"}},
		{[]string{"ce-datacontenttype", "application/json"}, []string{"ce-datacontenttype"}},
	} {
		s.refused(postroom.CodeInvalid, c.pointers, "POST", "/v1/events", `{"a":1}`, append(headers, c.headers...)...)
	}
	s.refused(postroom.CodeUnknownEventType, []string{"ce-type"}, "POST", "/v1/events", `{"a":1}`, append(headers, "ce-type", "no.such")...)
	s.refused(postroom.CodeInvalid, []string{""}, "POST", "/v1/events", `[]`, headers...)
	s.refused(postroom.CodeBadJSON, []string{""}, "POST", "/v1/events", ``, headers...)
	s.refused(postroom.CodeUnsupportedMedia, nil, "POST", "/v1/events", `<a/>`, append(headers, "Content-Type", "text/xml")...)
	s.refused(postroom.CodeUnsupportedMedia, nil, "POST", "/v1/events", `{}`, append(headers, "Content-Type", ndjson)...)
	r := request("POST", "/v1/events", `{}`, headers...)
	r.Header.Add("ce-id", "c-2")
	s.problemOf(s.do(r), postroom.CodeInvalid, []string{"ce-id"})

	// In structured mode, the headers are allowed and do not count.
	s.ok(202, "POST", "/v1/events", exampleCloudEvent, append(headers, "Content-Type", cloudJSON)...)
	if got := s.published[3].UID; got != "order-48213-opened" {
		t.Errorf("id %q", got)
	}
}

// The example is that of the HTTP binding, 3.1.3.2.
func TestUnescapeHeader(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                           "plain",
		"Euro%20%E2%82%AC%20%F0%9F%98%80": "Euro € 😀",
		"euro%20%e2%82%ac":                "euro €",
		"%48%65y":                         "Hey",
		`"quoted \"x\" \\ y"`:             `quoted "x" \ y`,
		`"50%25"`:                         "50%",
		"%2520":                           "%20", // one round only
		"a+b":                             "a+b",
	} {
		if got, ok := unescapeHeader(in); got != want || !ok {
			t.Errorf("%s: %q, %v; want %q", in, got, ok, want)
		}
	}
	for _, bad := range []string{"%", "%4", "%zz", "%C0%A0", "%ED%A0%80", "\xff", `"a`} {
		if got, ok := unescapeHeader(bad); ok {
			t.Errorf("%s: %q", bad, got)
		}
	}
}
