package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// tenant is a workspace that one test has for itself, on a server that it may share, with a receiver.
type tenant struct {
	t   *testing.T
	s   *server
	id  string
	key string // of its administrator, who is no operator
	api *client.Client
	r   *receiver
}

func newTenant(t *testing.T, s *server) *tenant {
	t.Helper()
	operator := newClient(t, s, operatorKey)
	w, err := operator.CreateWorkspace(t.Context(), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return &tenant{t: t, s: s, id: w.ID.String(), key: w.AdminKey.Value, api: newClient(t, s, w.AdminKey.Value), r: newReceiver(t)}
}

// newClient makes a client that tries once.
func newClient(t testing.TB, s *server, key string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: s.address(), Key: key, HTTPClient: s.http, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// must gives the value of a call that succeeds.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// do makes a call with the tenant's key.
func (x *tenant) do(method, path, body string) answer {
	x.t.Helper()
	return x.s.do(x.t, call{method: method, path: path, key: x.key, body: body})
}

// quick is a schedule that a test can wait for.
func quick(retries int) *client.RetryInput {
	in := &client.RetryInput{Schedule: []postroom.Duration{}}
	for range retries {
		in.Schedule = append(in.Schedule, postroom.Duration(100*time.Millisecond))
	}
	none := 0.0
	in.Jitter = &none
	return in
}

// webhook makes a webhook that calls a path of the receiver, which learns its secret. Retries are quick unless in says
// otherwise.
func (x *tenant) webhook(path string, in client.WebhookInput) client.CreatedWebhook {
	x.t.Helper()
	if in.Name == "" {
		in.Name = "Webhook " + path
	}
	if in.URL == "" {
		in.URL = x.r.url(path)
	}
	if in.Events == nil {
		in.Events = []string{"email.*"}
	}
	if in.Retry == nil {
		in.Retry = quick(10)
	}
	w := must(x.api.CreateWebhook(x.t.Context(), in))(x.t)
	x.r.expect(x.t, path, w.Secret)
	return w
}

// publish publishes an event; data is JSON.
func (x *tenant) publish(id, eventType, data string) postroom.Published {
	x.t.Helper()
	return must(x.api.Publish(x.t.Context(), client.NewEvent{ID: id, Type: eventType, Data: json.RawMessage(data)}))(x.t)
}

// publishMany publishes n events in one call, with the ids PREFIX-0 and so on.
func (x *tenant) publishMany(prefix, eventType string, n int) []string {
	x.t.Helper()
	var lines strings.Builder
	ids := make([]string, n)
	for i := range n {
		ids[i] = fmt.Sprintf("%s-%d", prefix, i)
		fmt.Fprintf(&lines, `{"id":%q,"type":%q,"data":{"n":%d}}`+"\n", ids[i], eventType, i)
	}
	a := x.s.do(x.t, call{method: http.MethodPost, path: "/v1/events", key: x.key, body: lines.String(),
		header: map[string]string{"Content-Type": "application/x-ndjson"}}).is(x.t, http.StatusAccepted)
	if got := strings.Count(string(a.body), `"duplicate":false`); got != n {
		x.t.Fatalf("%d of %d events were taken: %s", got, n, a.body)
	}
	return ids
}

// deliveries are all deliveries to a webhook, newest first.
func (x *tenant) deliveries(webhook postroom.WebhookID) (all []postroom.DeliveryResource) {
	x.t.Helper()
	for d, err := range x.api.Deliveries(x.t.Context(), client.DeliveryFilter{Webhook: webhook.String()}) {
		if err != nil {
			x.t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// settled waits until the deliveries to a webhook have these states, newest first, and gives them with their attempts.
func (x *tenant) settled(webhook postroom.WebhookID, states ...postroom.DeliveryStatus) []postroom.DeliveryResource {
	x.t.Helper()
	var found []postroom.DeliveryResource
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		found = x.deliveries(webhook)
		got := make([]postroom.DeliveryStatus, len(found))
		for i, d := range found {
			got[i] = d.Status
		}
		if fmt.Sprint(got) != fmt.Sprint(states) {
			return fmt.Errorf("the deliveries are %v, want %v", got, states)
		}
		return nil
	})
	for i, d := range found {
		found[i] = must(x.api.Delivery(x.t.Context(), d.ID.String()))(x.t)
	}
	return found
}

// counted waits until a webhook has so many deliveries in each state, and no others.
func (x *tenant) counted(webhook postroom.WebhookID, want map[postroom.DeliveryStatus]int) {
	x.t.Helper()
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		got := map[postroom.DeliveryStatus]int{}
		for _, d := range x.deliveries(webhook) {
			got[d.Status]++
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("the deliveries are %v, want %v", got, want)
		}
		return nil
	})
}

// times repeats a state.
func times(n int, status postroom.DeliveryStatus) []postroom.DeliveryStatus {
	all := make([]postroom.DeliveryStatus, n)
	for i := range all {
		all[i] = status
	}
	return all
}
