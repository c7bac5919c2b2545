package api

import (
	"reflect"
	"strings"
	"testing"
)

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

// newSendook is a server whose webhook is one of Sendook's clients.
func newSendook(t *testing.T) *server {
	s := newServer(t)
	s.webhook.Dialect, s.webhook.Number = sendookDialect, 0x0102030405
	s.webhook.URL, s.webhook.Events = "https://example.com/hooks", []string{"message.received", "inbox.created"}
	return s
}

const (
	sendookID   = "697d88a50506070102030405"
	sendookData = `{"_id":"` + sendookID + `","id":"` + sendookID + `","organizationId":"697d88a58001020304050607","url":"https://example.com/hooks","events":["message.received","inbox.created"],` +
		`"createdAt":"2026-01-31T09:30:00.127Z","updatedAt":"2026-01-31T09:30:00.127Z","__v":0}`
)

func TestSendookCalls(t *testing.T) {
	const base = "/compat/sendook/v1/webhooks"
	s := newSendook(t)
	s.golden(200, `[`+sendookData+`]`, "GET", base, "")
	s.golden(200, sendookData, "GET", base+"/"+sendookID, "")
	s.golden(200, sendookData, "GET", base+"/"+strings.ToUpper(sendookID)+"/", "")
	s.golden(200, sendookData, "GET", base+"/"+s.webhook.ID.String(), "")
	s.golden(200, sendookData, "POST", base, `{"url":" https://example.com/hooks ","events":["message.received","inbox.created"],"unknown":1}`)
	s.golden(200, sendookData, "DELETE", base+"/"+sendookID, "")
	s.golden(200, `{"success":false,"error":"The receiver answered 500."}`, "POST", base+"/"+sendookID+"/test", "")
	if got := s.asked; !equal(got, []any{"", ""}) {
		t.Errorf("the test asks for %v, and not for the dialect's own", got)
	}
	s.golden(200, `[{"_id":"697dcb980102030405060701","id":"697dcb980102030405060701","organizationId":"697d88a58001020304050607","webhookId":"`+sendookID+`","timestamp":"2026-01-31T09:30:00.127Z",`+
		`"payload":{},"status":500,"error":"The receiver answered 500.","response":"�","createdAt":"2026-01-31T09:30:00.127Z","updatedAt":"2026-01-31T09:30:00.127Z","__v":0}]`, "GET", base+"/"+sendookID+"/attempts", "")
	s.webhook.Dialect = "standard"
	s.golden(200, `[]`, "GET", base, "")
}

func TestSendookRefusals(t *testing.T) {
	const base = "/compat/sendook/v1/webhooks"
	s := newSendook(t)
	for _, ref := range []string{"697d88a60506070102030405", "697d88a50506070102030406", "69201c5e8f1b2a0012345678", "wh_01J3ZP8K9M2N3O4P5Q6R7S8T9U", "crm", "1"} {
		for _, c := range []string{"GET ", "DELETE ", "POST /test", "GET /attempts"} {
			method, rest, _ := strings.Cut(c, " ")
			s.golden(404, `{"error":"Webhook not found"}`, method, base+"/"+ref+rest, "")
		}
	}
	s.golden(400, `{"error":"events: must be a list of strings","errors":[{"type":"field","msg":"must be a list of strings","path":"events","location":"body"}]}`, "POST", base, `{"url":"https://example.com","events":{}}`)
	s.golden(400, `{"error":"url: must be a string; it is a number","errors":[{"type":"field","msg":"must be a string; it is a number","path":"url","location":"body"}]}`, "POST", base, `{"url":1}`)
	s.golden(401, `{"error":"The header Authorization is missing. It carries an API key: Bearer prk_…."}`, "GET", base, "", "Authorization", "")
	s.golden(404, `{"error":"There is no GET /compat/sendook/v1/inboxes: of this API, Postroom has the calls for webhooks."}`, "GET", "/compat/sendook/v1/inboxes", "")
}

// TestObjectIDs reads the ids that were written, from the smallest number to one that no workspace reaches.
func TestObjectIDs(t *testing.T) {
	w := newSendook(t).webhook
	for _, n := range []int64{1, 123, 1<<40 - 1} {
		w.Number = n
		if got, ok := numberOfObjectID(webhookObjectID(&w)); !ok || got != n {
			t.Errorf("of %d, %d comes back", n, got)
		}
	}
}
