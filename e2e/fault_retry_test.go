package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

func faultCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"Retry-After is seconds or a date":       retryAfterForms,
		"a date in Retry-After is waited for":    retryAfterDate,
		"410 stops what waits at once":           goneStopsTheRest,
		"receivers that hang hold up nobody":     hangingHoldsUpNobody,
		"connections that close are replaced":    closedConnections,
		"a failure in the middle is tried again": brokenThenWell,
	}
}

// retryAfterForms looks at when the next attempt is due after each form of Retry-After. The schedule says 10 s.
func retryAfterForms(x *tenant) {
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for name, c := range map[string]struct {
		status int
		value  string
		wait   time.Duration
	}{
		"429, seconds":         {429, "3600", time.Hour},
		"429, a date":          {429, date(2 * time.Hour), 2 * time.Hour},
		"503, seconds":         {503, "120", 2 * time.Minute},
		"503, a date":          {503, date(3 * time.Hour), 3 * time.Hour},
		"429, none":            {429, "", 10 * time.Second},
		"429, less":            {429, "1", 10 * time.Second},
		"429, a date gone by":  {429, date(-time.Hour), 10 * time.Second},
		"429, nonsense":        {429, "soon", 10 * time.Second},
		"429, negative":        {429, "-5", 10 * time.Second},
		"429, years":           {429, "99999999999999999999", 24 * time.Hour},
		"503, a date in years": {503, date(10000 * time.Hour), 24 * time.Hour},
		"500, which may not":   {500, "3600", 10 * time.Second},
	} {
		x.t.Run(name, func(t *testing.T) {
			x := newTenant(t, x.s)
			none := 0.0
			w := x.webhook("/hook", client.WebhookInput{Retry: &client.RetryInput{Schedule: []postroom.Duration{postroom.Duration(10 * time.Second)}, Jitter: &none}})
			x.r.answer("/hook", always(reply{status: c.status, header: map[string]string{"Retry-After": c.value}}))
			x.publish("e", "email.opened", `{}`)
			var d postroom.DeliveryResource
			testenv.Eventually(t, arrivalTimeout, func() error {
				if d = x.deliveries(w.ID)[0]; d.NextAttemptAt == nil || d.LastAttemptAt == nil {
					return fmt.Errorf("the delivery is %+v", d)
				}
				return nil
			})
			if got := d.NextAttemptAt.Sub(d.LastAttemptAt.Time); got < c.wait-30*time.Second || got > c.wait+5*time.Second {
				t.Errorf("the next attempt is due after %v, want %v", got, c.wait)
			}
			a := must(x.api.Delivery(t.Context(), d.ID.String()))(t).Attempts[0]
			checkSentence(t, a.Error, "status", []string{fmt.Sprint(c.status)})
			if c.value != "" && !hasHeader(a.Response.Headers, "Retry-After", c.value) {
				t.Errorf("the answer is logged without its Retry-After: %+v", a.Response)
			}
		})
	}
}

func retryAfterDate(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{})
	var asked atomic.Pointer[time.Time]
	x.r.answer("/hook", func(a arrival) reply {
		if a.times > 1 {
			return reply{}
		}
		at := time.Now().Truncate(time.Second).Add(3 * time.Second)
		asked.Store(&at)
		return reply{status: http.StatusServiceUnavailable, header: map[string]string{"Retry-After": at.UTC().Format(http.TimeFormat)}}
	})
	x.publish("e", "email.opened", `{}`)
	if got := x.r.wait(x.t, "/hook", 2); got[1].at.Before(*asked.Load()) {
		x.t.Errorf("the second attempt came at %v, before %v, which was asked for", got[1].at, asked.Load())
	}
	x.settled(w.ID, postroom.DeliverySucceeded)
}

// goneStopsTheRest publishes many events at once to a receiver that answers the first with 410: one attempt is under way at
// a time, and none follows.
func goneStopsTheRest(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Concurrency: 1})
	x.r.answer("/hook", always(reply{status: http.StatusGone}))
	x.publishMany("e", "email.opened", 50)
	// A second may have begun before the pause was stored, where the node looked again at what it knew of the webhook.
	var failed int
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		held := 0
		failed = 0
		for _, d := range x.deliveries(w.ID) {
			switch d.Status {
			case postroom.DeliveryFailed:
				failed++
			case postroom.DeliveryHeld:
				held++
			}
		}
		if failed < 1 || failed > 2 || failed+held != 50 {
			return fmt.Errorf("%d have failed, %d are held", failed, held)
		}
		return nil
	})
	x.r.answer("/hook", nil)
	must(x.api.ResumeWebhook(x.t.Context(), w.ID.String(), client.Release))(x.t)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliveryFailed: failed, postroom.DeliverySucceeded: 50 - failed})
}

// hangingHoldsUpNobody has receivers that hang at every point take all the calls that they may have, while another
// webhook of the same workspace gets everything.
func hangingHoldsUpNobody(x *tenant) {
	var hanging []postroom.WebhookID
	for name, text := range map[string]string{
		"before the header": "", "amid the header": "HTTP/1.1 200 OK\r\nA:", "amid the body": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
	} {
		in := within(time.Minute)
		in.Name, in.URL, in.Events = name, answering(text, untilClosed)(x.t), []string{"email.*"}
		hanging = append(hanging, x.webhook("/"+name, in).ID)
	}
	well := x.webhook("/well", client.WebhookInput{})
	for i := range 5 {
		x.publishMany(fmt.Sprint(i), "email.opened", 40)
	}
	x.counted(well.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 200})
	for _, id := range hanging {
		x.counted(id, map[postroom.DeliveryStatus]int{postroom.DeliveryPending: 200})
	}
}

// closedConnections has a receiver that ends every connection after an answer or two without saying so, as servers do with idle
// ones, and sometimes only when the next request is on its way or there. Nobody notices: one attempt each.
func closedConnections(x *tenant) {
	ends := []func(conn *net.TCPConn, br *bufio.Reader){
		func(*net.TCPConn, *bufio.Reader) {},
		func(conn *net.TCPConn, _ *bufio.Reader) { reset(conn) },
		func(_ *net.TCPConn, br *bufio.Reader) { _, _ = br.Peek(1) },
		func(_ *net.TCPConn, br *bufio.Reader) { _ = readRequest(br) },
		func(conn *net.TCPConn, br *bufio.Reader) { _ = readRequest(br); reset(conn) },
	}
	var mu sync.Mutex
	answered, connections := map[string]int{}, 0
	url := "http://" + raw(x.t, func(n int, conn *net.TCPConn) {
		br := bufio.NewReader(conn)
		for range 1 + n%2 {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
				return
			}
			mu.Lock()
			answered[req.Header.Get("Webhook-Id")]++
			connections = max(connections, n+1)
			mu.Unlock()
		}
		ends[n%len(ends)](conn, br)
	})
	w := x.webhook("/hook", client.WebhookInput{URL: url, Concurrency: 4})
	ids := x.publishMany("e", "email.opened", 200)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 200})
	for _, d := range x.deliveries(w.ID) {
		if d.AttemptCount != 1 || d.LastStatusCode != 200 || d.LastErrorKind != "" {
			x.t.Errorf("the delivery of %s is %+v, want one attempt that succeeded", d.EventID, d)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, id := range ids {
		if answered[id] == 0 {
			x.t.Errorf("%s was never answered", id)
		}
	}
	if connections < 50 {
		x.t.Errorf("there were %d connections only", connections)
	}
}

// brokenThenWell breaks off each event's first call in one of several ways: the next attempt arrives, and the log has both.
func brokenThenWell(x *tenant) {
	breaks := []string{"", "HTTP/1.1 200 OK\r\nA: b", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", "HTTP/1.1 abc\r\n\r\n"}
	kinds := []string{"reset", "reset", "body", "protocol"}
	url := "http://" + raw(x.t, func(_ int, conn *net.TCPConn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		text := "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
		if req.Header.Get("Postroom-Attempt") == "1" {
			var n int
			_, _ = fmt.Sscanf(req.Header.Get("Webhook-Id"), "e-%d", &n)
			text = breaks[n%len(breaks)]
		}
		_, _ = io.WriteString(conn, text)
	})
	w := x.webhook("/hook", client.WebhookInput{URL: url, Retry: quick(3)})
	x.publishMany("e", "email.opened", len(breaks))
	for _, d := range x.settled(w.ID, times(len(breaks), postroom.DeliverySucceeded)...) {
		var n int
		_, _ = fmt.Sscanf(d.EventID, "e-%d", &n)
		if len(d.Attempts) != 2 || d.Attempts[0].Error == nil || d.Attempts[0].Error.Kind != kinds[n] || d.Attempts[1].StatusCode != 204 {
			x.t.Errorf("the delivery of %s has the attempts %+v, want %s and 204", d.EventID, d.Attempts, kinds[n])
		}
	}
}
