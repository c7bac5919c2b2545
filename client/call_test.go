package client_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func TestProblem(t *testing.T) {
	refusal := problem(422, "invalid", "The input was refused.", `[{"pointer":"/retry/schedule/0","detail":"is negative"},{"pointer":"?limit","detail":"is too large"}]`)
	refusal.header = map[string]string{"X-Request-Id": "r1"}
	f := newFake(t, refusal)
	_, err := f.client(t).Webhook(t.Context(), "crm")
	var got *client.Error
	if !errors.As(err, &got) {
		t.Fatalf("the error is %v", err)
	}
	want := &client.Error{
		Status: 422, Code: postroom.CodeInvalid, Message: "The input was refused.", RequestID: "r1",
		Fields: []postroom.FieldError{{Pointer: "/retry/schedule/0", Detail: "is negative"}, {Pointer: "?limit", Detail: "is too large"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if s := "The input was refused: retry.schedule[0]: is negative; limit: is too large"; err.Error() != s {
		t.Errorf("the sentence is %q", err)
	}
	if client.IsNotFound(err) {
		t.Error("it was found")
	}
}

func TestFieldName(t *testing.T) {
	for pointer, want := range map[string]string{
		"":                  "the body",
		"/url":              "url",
		"/retry/schedule/0": "retry.schedule[0]",
		"/headers/a~1b~0c":  "headers.a/b~c",
		"/0/type":           "[0].type",
		"?limit":            "limit",
	} {
		if got := client.FieldName(pointer); got != want {
			t.Errorf("%q is %q, want %q", pointer, got, want)
		}
	}
}

func TestAnswersThatAreNotPostrooms(t *testing.T) {
	for name, tc := range map[string]struct {
		answer answer
		want   string
	}{
		"proxy":    {answer{status: 403, kind: "text/html", body: "<h1>Forbidden</h1>"}, "The server answered 403 Forbidden, and not as Postroom does."},
		"redirect": {answer{status: 301, header: map[string]string{"Location": "https://hooks.example.com/v1/keys"}}, "The server sends calls on to https://hooks.example.com/v1/keys: use that URL."},
		"no json":  {answer{status: 200, kind: "text/html", body: "<h1>Hello</h1>"}, "the server's answer to GET /v1/keys cannot be read: invalid character '<' looking for beginning of value"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, tc.answer)
			_, err := f.client(t).Keys(t.Context())
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []client.Config{
		{URL: "hooks.example.com"}, {URL: "ftp://example.com"}, {URL: "http://user:word@example.com"}, {URL: "http://x?a=b"},
		{Key: "prk_a\nX-Other: 1"}, {Key: "two words"},
	} {
		if _, err := client.New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	if c := newClient(t, client.Config{URL: "http://example.com/postroom/"}); c.URL() != "http://example.com/postroom" {
		t.Errorf("the URL is %s", c.URL())
	}
	if c := newClient(t, client.Config{}); c.URL() != client.DefaultURL {
		t.Errorf("the default URL is %s", c.URL())
	}
}

// tries makes a client whose tries fail or succeed one after the other, in a bubble where time costs nothing. It gives
// the times and the idempotency keys of the tries.
func tries(t *testing.T, outcomes ...func() (*http.Response, error)) (c *client.Client, at *[]time.Duration, keys *[]string) {
	at, keys = new([]time.Duration), new([]string)
	began := time.Now()
	c = newClient(t, client.Config{URL: "http://example.com", Key: "prk_test", HTTPClient: &http.Client{
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			*at = append(*at, time.Since(began))
			*keys = append(*keys, r.Header.Get("Idempotency-Key"))
			return outcomes[min(len(*at), len(outcomes))-1]()
		}),
	}})
	return c, at, keys
}

func cut() (*http.Response, error)     { return nil, syscall.ECONNRESET }
func refused() (*http.Response, error) { return nil, syscall.ECONNREFUSED }

func says(status int, kind, body string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return response(status, kind, body), nil }
}

func TestTriesAgain(t *testing.T) {
	const published = `{"id":"evt_1","webhooks":[]}`
	problemJSON := func(status int, code string) func() (*http.Response, error) {
		return says(status, "application/problem+json", problem(status, code, "No.", "").body)
	}
	brokenOff := func() (*http.Response, error) {
		r := response(202, "application/json", "")
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"id":`), brokenReader{}))
		return r, nil
	}
	for name, tc := range map[string]struct {
		outcomes []func() (*http.Response, error)
		tries    int
		ok       bool
	}{
		"refused connections":       {[]func() (*http.Response, error){refused, refused, says(202, "application/json", published)}, 3, true},
		"a cut connection":          {[]func() (*http.Response, error){cut, says(202, "application/json", published)}, 2, true},
		"an answer that broke off":  {[]func() (*http.Response, error){brokenOff, says(202, "application/json", published)}, 2, true},
		"unavailable":               {[]func() (*http.Response, error){problemJSON(503, "unavailable"), says(202, "application/json", published)}, 2, true},
		"too many calls":            {[]func() (*http.Response, error){problemJSON(429, "rate_limited"), says(202, "application/json", published)}, 2, true},
		"a gateway on the way":      {[]func() (*http.Response, error){says(502, "text/html", ""), says(504, "text/html", ""), says(202, "application/json", published)}, 3, true},
		"the first is still at it":  {[]func() (*http.Response, error){problemJSON(409, "in_flight"), says(202, "application/json", published)}, 2, true},
		"no end":                    {[]func() (*http.Response, error){refused}, 4, false},
		"a conflict":                {[]func() (*http.Response, error){problemJSON(409, "conflict")}, 1, false},
		"a refusal":                 {[]func() (*http.Response, error){problemJSON(422, "invalid")}, 1, false},
		"a defect":                  {[]func() (*http.Response, error){problemJSON(500, "internal")}, 1, false},
		"a success that is no JSON": {[]func() (*http.Response, error){says(202, "text/html", "<h1>")}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, at, keys := tries(t, tc.outcomes...)
				_, err := c.Publish(t.Context(), client.NewEvent{Type: "order.paid"})
				if (err == nil) != tc.ok || len(*at) != tc.tries {
					t.Errorf("%d tries, error %v; want %d tries", len(*at), err, tc.tries)
				}
				for i, key := range *keys {
					if key == "" || key != (*keys)[0] {
						t.Errorf("try %d has the key %q, the first has %q", i+1, key, (*keys)[0])
					}
				}
				for i := 1; i < len(*at); i++ {
					wait, base := (*at)[i]-(*at)[i-1], 200*time.Millisecond<<(i-1)
					if wait < base/2 || wait > base*3/2 {
						t.Errorf("the wait before try %d is %v", i+1, wait)
					}
				}
			})
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, syscall.ECONNRESET }

func TestKeysOfCallsDiffer(t *testing.T) {
	f := newFake(t, answer{status: 202, body: `{}`})
	c := f.client(t)
	for range 2 {
		if _, err := c.Publish(t.Context(), client.NewEvent{Type: "order.paid"}); err != nil {
			t.Fatal(err)
		}
	}
	calls := f.asked()
	if a, b := calls[0].header.Get("Idempotency-Key"), calls[1].header.Get("Idempotency-Key"); a == b {
		t.Errorf("two calls have the key %q", a)
	}
}

func TestRetryAfter(t *testing.T) {
	for name, tc := range map[string]struct {
		header string
		tries  int
		least  time.Duration
	}{
		"seconds":  {"7", 2, 7 * time.Second},
		"too long": {"3600", 1, 0},
		"a date":   {"Sat, 01 Jan 2000 00:00:20 GMT", 2, 20 * time.Second}, // bubbles begin at midnight of that day
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, at, _ := tries(t, func() (*http.Response, error) {
					r := response(429, "application/problem+json", problem(429, "rate_limited", "Too many.", "").body)
					r.Header.Set("Retry-After", tc.header)
					return r, nil
				}, says(200, "application/json", `{"data":[]}`))
				_, err := c.Keys(t.Context())
				if len(*at) != tc.tries {
					t.Fatalf("%d tries, error %v", len(*at), err)
				}
				var e *client.Error
				if tc.tries == 1 && (!errors.As(err, &e) || e.RetryAfter != time.Hour) {
					t.Errorf("the error is %v", err)
				}
				if last := (*at)[len(*at)-1]; last < tc.least {
					t.Errorf("tried again after %v", last)
				}
			})
		})
	}
}

func TestDeleteThatWasDoneAtTheFirstTry(t *testing.T) {
	gone := says(404, "application/problem+json", problem(404, "not_found", "There is no such webhook.", "").body)
	synctest.Test(t, func(t *testing.T) {
		c, at, _ := tries(t, cut, gone)
		if err := c.DeleteWebhook(t.Context(), "crm"); err != nil || len(*at) != 2 {
			t.Errorf("%d tries, error %v", len(*at), err)
		}
		c, _, _ = tries(t, gone)
		if err := c.DeleteWebhook(t.Context(), "crm"); !client.IsNotFound(err) {
			t.Errorf("what never was is deleted: %v", err)
		}
	})
}

func TestReadyzDoesNotWait(t *testing.T) {
	f := newFake(t, problem(503, "unavailable", "The server cannot store at the moment.", ""))
	_, err := f.client(t).Readyz(t.Context())
	if postroom.Code("unavailable") != codeOf(err) || len(f.asked()) != 1 {
		t.Errorf("%d calls, error %v", len(f.asked()), err)
	}
}

func codeOf(err error) postroom.Code {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestCallEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		c, at, _ := tries(t, refused)
		_, err := c.Keys(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") || len(*at) != 1 {
			t.Errorf("%d tries, error %v", len(*at), err)
		}
	})
}

func TestUntrustedCertificateIsNotTriedAgain(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	tries := 0
	c := newClient(t, client.Config{URL: server.URL, Key: "k", HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		tries++
		return http.DefaultTransport.RoundTrip(r)
	})}})
	if _, err := c.Keys(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") || tries != 1 {
		t.Errorf("%d tries, error %v", tries, err)
	}
}
