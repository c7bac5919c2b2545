package outbound

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

// tokenEndpoint is a Sender that gives the tokens T1, T2, and so on at https://token/, and leaves other calls to the
// receivers.
type tokenEndpoint struct {
	*receivers
	given  atomic.Int64
	takes  atomic.Int64 // time, in nanoseconds
	status atomic.Int64 // instead of a token
}

func (e *tokenEndpoint) Do(ctx context.Context, req *http.Request, limits egress.Limits) (*egress.Result, error) {
	if req.URL.Host != "token" {
		return e.receivers.Do(ctx, req, limits)
	}
	timer := time.NewTimer(time.Duration(e.takes.Load()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return &egress.Result{}, ctx.Err()
	}
	result := &egress.Result{StatusCode: 200, Proto: "HTTP/1.1", Header: http.Header{"Content-Type": {"application/json"}}}
	n := e.given.Add(1)
	result.Body = []byte(`{"access_token":"T` + strconv.FormatInt(n, 10) + `-canary","token_type":"Bearer","expires_in":3600}`)
	if status := int(e.status.Load()); status != 0 {
		result.StatusCode, result.Body = status, []byte(`{"error":"temporarily_unavailable"}`)
	}
	return result, nil
}

// withOAuth makes webhooks ask for tokens.
func withOAuth(w *storedHook) {
	auth := &postroom.Auth{Type: postroom.AuthOAuth2, Grant: postroom.GrantClientCredentials, TokenURL: "https://token/", ClientID: "me", ClientSecret: "canary"}
	w.SealedAuth, _ = json.Marshal(auth)
	w.Auth = &postroom.Auth{Type: postroom.AuthOAuth2, Grant: auth.Grant, TokenURL: auth.TokenURL, ClientID: auth.ClientID, ClientSecret: postroom.Redacted}
}

// oauthBubble runs a test with a rig and a token endpoint.
func oauthBubble(t *testing.T, test func(t *testing.T, r *rig, e *tokenEndpoint)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		e := &tokenEndpoint{receivers: r.out}
		r.config.Sender = e
		r.engine = New(r.config)
		r.run()
		test(t, r, e)
		r.stop()
		r.checkEmpty()
		time.Sleep(fetchTimeout) // a fetch may outlive the engine, but not for long
	})
}

// wants is a receiver that takes one token and answers 401 to others.
func wants(token *atomic.Value) answer {
	return func(ctx context.Context, call received) (*egress.Result, error) {
		if call.header.Get("Authorization") != "Bearer "+fmt.Sprint(token.Load())+"-canary" {
			return status(401)(ctx, call)
		}
		return status(200)(ctx, call)
	}
}

func tokensOf(calls []received) (all []string) {
	for _, c := range calls {
		all = append(all, strings.TrimSuffix(strings.TrimPrefix(c.header.Get("Authorization"), "Bearer "), "-canary"))
	}
	return all
}

// authorizations are what the log shows of tokens.
func authorizations(t *testing.T, log []*postroom.Attempt) (all []string) {
	t.Helper()
	for _, a := range log {
		for _, h := range a.Request.Headers {
			if h.Name == "Authorization" {
				all = append(all, h.Value)
			}
		}
		if text := fmt.Sprintf("%+v %+v %+v", a.Request, a.Response, a.Error); strings.Contains(text, "canary") {
			t.Errorf("a credential is logged: %s", text)
		}
	}
	return all
}

func TestTokenIsKept(t *testing.T) {
	oauthBubble(t, func(t *testing.T, r *rig, e *tokenEndpoint) {
		e.takes.Store(int64(time.Second))
		id := r.webhook("a", withOAuth)
		r.publish(0, 20) // all wait for one token
		wait(time.Second)
		r.expect(id, succeeded(20))
		r.set(id, func(w *storedHook) { w.Name = "changed" }) // which is no reason for another
		r.publish(20, 5)
		r.expect(id, succeeded(25))
		if n := e.given.Load(); n != 1 {
			t.Errorf("%d tokens for 25 deliveries", n)
		}
		wait(time.Hour)
		r.publish(25, 1)
		wait(time.Second)
		r.expect(id, succeeded(26))
		r.set(id, func(w *storedHook) { // another secret
			w.SealedAuth = []byte(strings.Replace(string(w.SealedAuth), `"canary"`, `"canary-2"`, 1))
		})
		r.publish(26, 1)
		wait(time.Second)
		r.expect(id, succeeded(27))
		if n := e.given.Load(); n != 3 {
			t.Errorf("%d tokens, want another after the first ended, and one for the other secret", n)
		}
		for _, d := range r.rows(id) {
			if got := authorizations(t, d.log); len(got) != 1 || got[0] != hidden {
				t.Errorf("the log shows %v", got)
			}
		}
	})
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	oauthBubble(t, func(t *testing.T, r *rig, e *tokenEndpoint) {
		var good atomic.Value
		good.Store("T1")
		r.out.on("a", wants(&good))
		id := r.webhook("a", withOAuth)
		r.publish(0, 1)
		r.expect(id, succeeded(1))

		good.Store("T2") // the first is revoked
		r.publish(1, 1)
		r.expect(id, succeeded(2))
		if got := fmt.Sprint(tokensOf(r.out.calls("a"))); got != "[T1 T1 T2]" {
			t.Errorf("the receiver got %s", got)
		}
		for _, d := range r.rows(id) {
			if len(d.log) != 1 || d.log[0].StatusCode != 200 || d.log[0].Error != nil {
				t.Errorf("the log is %+v", d.log[0])
			}
			if a, n := authorizations(t, d.log)[0], d.log[0].Notes; a != hidden || (string(d.event.Data) == `{"n":1}`) != (len(n) == 1 && n[0].Pointer == "/auth") {
				t.Errorf("%s: the log shows %s, %+v", d.event.Data, a, n)
			}
		}

		good.Store("none") // whatever it is given
		r.publish(2, 1)
		wait(0)
		if got := fmt.Sprint(tokensOf(r.out.calls("a"))); got != "[T1 T1 T2 T2 T3]" {
			t.Errorf("the receiver got %s: a refused token is renewed once in an attempt", got)
		}
		wait(time.Minute) // the retry has the token of the attempt before at first
		if got := fmt.Sprint(tokensOf(r.out.calls("a"))); got != "[T1 T1 T2 T2 T3 T3 T4]" {
			t.Errorf("the receiver got %s", got)
		}
		good.Store("T4")
		wait(time.Minute)
		r.expect(id, succeeded(3))
		if n := e.given.Load(); n != 4 {
			t.Errorf("%d tokens", n)
		}
	})
}

// A token that was asked for in the same attempt is not asked for again.
func TestFreshTokenIsNotRenewed(t *testing.T) {
	oauthBubble(t, func(t *testing.T, r *rig, e *tokenEndpoint) {
		r.out.on("a", status(401))
		id := r.webhook("a", withOAuth, func(w *storedHook) { w.Retry.Schedule = nil })
		r.publish(0, 1)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateFailed: 1})
		d := r.row(id)
		if n := e.given.Load(); n != 1 || len(r.out.calls("a")) != 1 || kindOf(d.log[0].Error) != KindStatus || authorizations(t, d.log)[0] != hidden {
			t.Errorf("%d tokens, %d calls, %+v", n, len(r.out.calls("a")), d.log[0].Error)
		}
	})
}

func TestNoNewToken(t *testing.T) {
	oauthBubble(t, func(t *testing.T, r *rig, e *tokenEndpoint) {
		var good atomic.Value
		good.Store("T1")
		r.out.on("a", wants(&good))
		id := r.webhook("a", withOAuth)
		r.publish(0, 1)
		r.expect(id, succeeded(1))
		good.Store("T3")
		e.status.Store(503)
		r.publish(1, 1)
		wait(0)
		e.status.Store(0)
		wait(time.Minute)
		r.expect(id, succeeded(2))
		for _, d := range r.rows(id) {
			if string(d.event.Data) != `{"n":1}` {
				continue
			}
			authorizations(t, d.log)
			first := d.log[0]
			if len(d.log) != 2 || first.StatusCode != 401 || kindOf(first.Error) != KindAuth || first.Response == nil ||
				first.Error.Message != "The receiver answered 401 Unauthorized: it does not accept the access token any more. There is no access token for this call. "+
					"The token endpoint token answered 503 Service Unavailable: temporarily_unavailable." {
				t.Errorf("%+v, %+v", first, first.Error)
			}
		}
	})
}

// While a token endpoint hangs or fails, attempts fail and follow the schedule, and other webhooks notice nothing.
func TestTokenEndpointDown(t *testing.T) {
	oauthBubble(t, func(t *testing.T, r *rig, e *tokenEndpoint) {
		e.takes.Store(int64(time.Hour))
		id := r.webhook("a", withOAuth, func(w *storedHook) { w.Timeout = postroom.Duration(5 * time.Second) })
		other := r.webhook("b")
		began := time.Now()
		r.publish(0, 3)
		r.expect(other, succeeded(3))
		if took := time.Since(began); took != 0 {
			t.Errorf("the other webhook waited for %v", took)
		}
		wait(5 * time.Second)
		e.takes.Store(0)
		e.status.Store(500)
		wait(time.Minute)
		e.status.Store(0)
		wait(2 * time.Minute)
		r.expect(id, succeeded(3))
		for _, d := range r.rows(id) {
			authorizations(t, d.log)
			first := d.log[0]
			if kindOf(first.Error) != KindAuth || first.Error.Message != "There is no access token for this call. The token endpoint did not answer within the webhook's timeout of 5s." ||
				first.StatusCode != 0 || first.Response != nil || first.Duration != 5*time.Second || first.Phases.Total != 5*time.Second {
				t.Errorf("%+v, %+v", first, first.Error)
			}
			if len(d.log) != 3 || kindOf(d.log[1].Error) != KindAuth || !strings.Contains(d.log[1].Error.Message, "The token endpoint token answered 500 Internal Server Error: temporarily_unavailable.") {
				t.Errorf("%d attempts, %+v", len(d.log), d.log[1].Error)
			}
		}
		if calls := len(r.out.calls("a")); calls != 3 {
			t.Errorf("the receiver was called %d times", calls)
		}
	})
}

// A shutdown that cuts off the wait for a token does not count as an attempt.
func TestTokenAndShutdown(t *testing.T) {
	oauthBubble(t, func(t *testing.T, r *rig, e *tokenEndpoint) {
		e.takes.Store(int64(time.Hour))
		id := r.webhook("a", withOAuth, func(w *storedHook) { w.Timeout = postroom.Duration(time.Minute) })
		r.publish(0, 1)
		synctest.Wait()
		r.stop()
		if d := r.row(id); len(d.log) != 0 || d.state != postroom.StateFresh {
			t.Errorf("the delivery has %d attempts, state %d", len(d.log), d.state)
		}
	})
}
