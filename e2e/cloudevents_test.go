package e2e

import (
	"net/http"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func cloudEventCases() map[string]func(*tenant) {
	return map[string]func(*tenant){"CloudEvents": cloudEvents}
}

func cloudEvents(x *tenant) {
	x.webhook("/hook", client.WebhookInput{})
	structured := func(id string) string {
		return `{"specversion":"1.0","id":"` + id + `","source":"/shop","type":"email.opened","time":"2026-01-31T09:30:00Z","subject":"ada","extension":"x","data":{"n":1}}`
	}
	publish := func(body string, header map[string]string) answer {
		x.t.Helper()
		return x.s.do(x.t, call{method: http.MethodPost, path: "/v1/events", key: x.key, body: body, header: header})
	}
	publish(structured("s"), map[string]string{"Content-Type": "application/cloudevents+json; charset=utf-8"}).is(x.t, http.StatusAccepted)
	got := saidAll(x.lines("application/cloudevents-batch+json", "["+structured("b1")+","+strings.Replace(structured("b2"), "1.0", "0.3", 1)+","+structured("s")+"]"))
	if strings.Join(got, ", ") != "b1 false, 422 invalid /specversion, s true" {
		x.t.Errorf("the batch gives %q", got)
	}
	binary := map[string]string{"ce-specversion": "1.0", "ce-id": "bin", "ce-source": "/shop", "ce-type": "email.opened", "ce-time": "2026-01-31T09:30:00Z", "ce-subject": "ad%C3%A4"}
	publish(`{"n":1}`, binary).is(x.t, http.StatusAccepted)
	var e postroom.EventResource
	for id, key := range map[string]string{"s": "ada", "b1": "ada", "bin": "adä"} {
		x.do(http.MethodGet, "/v1/events/"+id, "").is(x.t, http.StatusOK).into(x.t, &e)
		if e.Actor != "/shop" || e.OrderingKey != key || !e.Time.Equal(time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)) || string(e.Data) != `{"n":1}` || e.Type != "email.opened" {
			x.t.Errorf("%s is stored as %+v", id, e)
		}
	}
	arrivedOnce(x.t, x.r.wait(x.t, "/hook", 3), []string{"s", "b1", "bin"})

	delete(binary, "ce-source")
	binary["ce-id"] = "no"
	publish(`{"n":1}`, binary).refused(x.t, 422, postroom.CodeInvalid, "ce-source")
	binary["ce-source"], binary["ce-type"] = "/shop", "email.open"
	publish(`{"n":1}`, binary).refused(x.t, 422, postroom.CodeUnknownEventType, "ce-type")
	publish(strings.Replace(structured("no"), `"source":"/shop",`, "", 1), map[string]string{"Content-Type": "application/cloudevents+json"}).
		refused(x.t, 422, postroom.CodeInvalid, "/source")
	x.do(http.MethodGet, "/v1/events/no", "").refused(x.t, 404, postroom.CodeNotFound, "")
}
