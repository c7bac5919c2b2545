package api

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

func TestPublish(t *testing.T) {
	s := newServer(t)
	w := s.call("POST", "/v1/events", ` {"type":"email.opened","data":{ "n": 12345678901234567890 , "é":"\u00e9"},"id":"o-1","time":"2026-01-31T10:30:00.5+01:00","actor":"shop","ordering_key":"k\u0031"} `,
		"Authorization", "Bearer prk_publisher")
	const want = `{"id":"o-1","type":"email.opened","time":"2026-01-31T09:30:00.500Z","duplicate":false,"webhooks":["` + whk + `"]}` + "\n"
	if w.Code != 202 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	event := app.NewEvent{
		Type: "email.opened", UID: "o-1", Actor: "shop", OrderingKey: "k1", Time: time.Date(2026, 1, 31, 9, 30, 0, 5e8, time.UTC),
		Data: []byte(`{ "n": 12345678901234567890 , "é":"\u00e9"}`),
	}
	if diff := cmp.Diff([]app.NewEvent{event}, s.published); diff != "" {
		t.Error(diff)
	}
	// null is as good as nothing.
	s.ok(202, "POST", "/v1/events", `{"type":"email.opened","data":{},"id":null,"time":null,"actor":null,"ordering_key":null}`, "Content-Type", "")
	if got := s.published[1]; got.UID != "" || !got.Time.IsZero() || got.Actor != "" || got.OrderingKey != "" {
		t.Errorf("%+v", got)
	}
	if got := s.seen[0]; got.Route != "/v1/events" || got.Status != 202 {
		t.Errorf("%+v", got)
	}
}

// The answer is written by hand; it is what encoding/json would write.
func TestAppendPublished(t *testing.T) {
	for _, p := range []postroom.Published{
		{ID: "a\"\\é", Type: "a.b", Time: postroom.Timestamp{Time: testTime}, Duplicate: true, Webhooks: []postroom.WebhookID{fixedID[postroom.WebhookID](), {}}},
		{ID: "<&>", Webhooks: []postroom.WebhookID{}},
	} {
		want, err := marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendPublished(nil, &p)); got != string(want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestPublishRefused(t *testing.T) {
	s := newServer(t)
	long := strings.Repeat("x", 256)
	for body, pointers := range map[string][]string{
		`{}`:                               {"/type", "/data"},
		`{"type":null,"data":{}}`:          {"/type"},
		`{"type":"","data":{}}`:            {"/type"},
		`{"type":7,"data":[]}`:             {"/type", "/data"},
		`{"type":"a.b","data":null}`:       {"/data"},
		`{"type":"a.b","data":"{}"}`:       {"/data"},
		`{"type":"a.b","data":{},"id":""}`: {"/id"},
		`{"type":"a.b","data":{},"id":1,"actor":{},"ordering_key":[]}`:                  {"/id", "/actor", "/ordering_key"},
		`{"type":"a.b","data":{},"time":"2026-01-31 09:30:00Z"}`:                        {"/time"},
		`{"type":"a.b","data":{},"time":1769851800}`:                                    {"/time"},
		`{"type":"a.b","type":"a.c","data":{},"data":{}}`:                               {"/type", "/data"},
		`{"type":"a.b","data":{},"actor":"` + long + `","ordering_key":"` + long + `"}`: {"/actor", "/ordering_key"},
	} {
		s.refused(postroom.CodeInvalid, pointers, "POST", "/v1/events", body)
	}
	s.refused(postroom.CodeUnknownField, []string{"/Type", "/a~1b~0"}, "POST", "/v1/events", `{"type":"a.b","data":{},"Type":"x","a/b~":1}`)
	s.refused(postroom.CodeUnknownEventType, []string{"/type"}, "POST", "/v1/events", `{"type":"no.such","data":{}}`)
	s.refused(postroom.CodeBadJSON, []string{"/data/a"}, "POST", "/v1/events", `{"type":"a.b","data":{"a":01}}`)
	s.refused(postroom.CodeBadJSON, []string{""}, "POST", "/v1/events", `"x"`)
	s.refused(postroom.CodeBadJSON, []string{""}, "POST", "/v1/events", "")
	s.refused(postroom.CodeBadJSON, []string{"/data"}, "POST", "/v1/events", "{\"type\":\"a.b\",\"data\":\"\xff\"}")
	s.refused(postroom.CodeUnsupportedMedia, nil, "POST", "/v1/events", "{}", "Content-Type", "application/vnd.other+json")

	many := strings.Repeat(`"x":1,`, 1000)
	p := s.problemOf(s.call("POST", "/v1/events", "{"+many+`"y":2}`), postroom.CodeUnknownField, repeat("/x", maxFaults))
	if !strings.Contains(p.Errors[0].Detail, "ordering_key") {
		t.Errorf("%+v", p.Errors[0])
	}
	if len(s.published) != 0 {
		t.Errorf("published %+v", s.published)
	}
}

func repeat(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}

// A body that breaks off is not half read.
func TestPublishCutShort(t *testing.T) {
	s := newServer(t)
	for _, length := range []int64{-1, 100} {
		r := request("POST", "/v1/events", "{}")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"type":"email.opened"`), iotest.ErrReader(errors.New("reset"))))
		r.ContentLength = length
		s.problemOf(s.do(r), postroom.CodeBadJSON, nil)
	}
}
