package store

import (
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func testAttempts(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)

	everything := postroom.Attempt{At: at(time.Microsecond), StatusCode: 503,
		Phases: postroom.Phases{DNS: time.Microsecond, Connect: 2 * time.Millisecond, TLS: 3 * time.Second, FirstByte: time.Hour, Total: 2 * time.Hour},
		Request: postroom.SentRequest{Method: "PUT", URL: "https://example.com/a%20b?q=1&r=ü",
			Headers: []postroom.Header{{Name: "content-type", Value: "application/json; charset=utf-8"}, {Name: "x-empty", Value: ""},
				{Name: "x-colon", Value: ": a: b:"}, {Name: "x-spaces", Value: "  two  "}, {Name: "x-twice", Value: "1"}, {Name: "x-twice", Value: "2"},
				{Name: "x-tab", Value: "a\tb\rc"}, {Name: "x-text", Value: "Grüße ✓"}},
			Body: []byte{0, 1, 0xff, '\n'}},
		Response: &postroom.Response{StatusCode: 503, Headers: []postroom.Header{{Name: "Retry-After", Value: "120"}}, Body: []byte("try \x00 later\xfe"), Truncated: true},
		Error:    &postroom.AttemptError{Kind: "status", Message: "The receiver answered 503: «später»."},
		Notes:    []postroom.FieldError{{Pointer: "/payload/template/a~1b/0", Detail: "{x} failed: \x00 <é>\n"}, {Pointer: "", Detail: ""}}}
	noAnswer := postroom.Attempt{At: at(time.Second), Phases: postroom.Phases{Total: 15 * time.Second},
		Request: postroom.SentRequest{Method: "POST", URL: "https://example.com", Headers: []postroom.Header{}, Body: nil},
		Error:   &postroom.AttemptError{Kind: "timeout"}}
	emptyBody := postroom.Attempt{At: at(2 * time.Second), StatusCode: 204, Request: postroom.SentRequest{Method: "GET", URL: "https://example.com",
		Headers: []postroom.Header{}, Body: []byte{}}, Response: &postroom.Response{StatusCode: 204, Headers: []postroom.Header{}}}

	job := f.leased(workspace, noon(), webhook)[0]
	attempts := []*postroom.Attempt{&everything, &noAnswer, &emptyBody}
	for i, a := range attempts {
		outcome := postroom.Outcome{State: postroom.StateRetry, NextAt: at(time.Minute)}
		if i == len(attempts)-1 {
			outcome = postroom.Outcome{State: postroom.StateSucceeded}
		}
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{{Job: job, Attempt: a, Outcome: outcome}}))
		if i < len(attempts)-1 {
			job = f.claim(webhook, postroom.StateRetry, at(time.Minute), 1)[0]
		}
	}
	got, err := f.s.Attempts(f.ctx, workspace, job.DeliveryID)
	f.must(err)
	var want []postroom.Attempt
	for i, a := range attempts {
		a.DeliveryID, a.Number, a.Duration = job.DeliveryID, i+1, a.Phases.Total
		want = append(want, *a)
	}
	f.equal("the attempts", got, want)
	if len(got) == 3 && (got[1].Request.Body != nil || got[2].Request.Body == nil) {
		t.Errorf("a body that is the standard one is read as %v, and an empty one as %v", got[1].Request.Body, got[2].Request.Body)
	}
	if none, err := f.s.Attempts(f.ctx, workspace, postroom.NewID[postroom.DeliveryKind](noon())); err != nil || len(none) != 0 {
		t.Errorf("an unknown delivery has the attempts %v, %v", none, err)
	}
}

// testAttemptOddText stores what receivers may answer and PostgreSQL cannot hold as text: it must not stop the log.
func testAttemptOddText(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	job := f.leased(workspace, noon(), f.webhook(workspace))[0]
	fin := finishOf(job, noon(), 500, postroom.Outcome{State: postroom.StateFailed})
	fin.Attempt.Response.Headers = []postroom.Header{{Name: "x-latin", Value: "Gr\xfc\xdfe"}, {Name: "x-nul", Value: "a\x00b"}, {Name: "x-last", Value: "z"}}
	fin.Attempt.Request.Headers = []postroom.Header{{Name: "x-\xfc", Value: "ok"}}
	fin.Attempt.Error.Message = "it said \xfe and \x00"
	fin.Attempt.Request.URL = "https://example.com/\xff"
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{fin}))
	got, err := f.s.Attempts(f.ctx, workspace, job.DeliveryID)
	f.must(err)
	if len(got) != 1 {
		t.Fatalf("there are %d attempts", len(got))
	}
	f.equal("the answer's headers", got[0].Response.Headers, []postroom.Header{{Name: "x-latin", Value: "Gr\ufffde"}, {Name: "x-nul", Value: "a\ufffdb"},
		{Name: "x-last", Value: "z"}})
	f.equal("the request's headers", got[0].Request.Headers, []postroom.Header{{Name: "x-\ufffd", Value: "ok"}})
	f.equal("the message", got[0].Error.Message, "it said \ufffd and \ufffd")
	f.equal("the URL", got[0].Request.URL, "https://example.com/\ufffd")
}

func TestHeaderLines(t *testing.T) {
	if got := parseHeaderLines(""); got == nil || len(got) != 0 {
		t.Errorf("no headers are read as %v, want an empty list", got)
	}
	if lines := headerLines([]postroom.Header{{Name: "a", Value: "b"}, {Name: "c", Value: strings.Repeat("d", 3)}}); lines != "a: b\nc: ddd\n" {
		t.Errorf("headers are written as %q", lines)
	}
}
