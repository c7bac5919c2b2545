package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// compatCases call the faces that vendors' clients call.
func compatCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"Cakemail's clients":        cakemailClients,
		"Cakemail's archive":        cakemailArchive,
		"Cakemail's older clients":  olderCakemailClients,
		"Cakemail's keys":           cakemailKeys,
		"Cakemail's pages":          cakemailPages,
		"Cakemail's refusals":       cakemailRefusals,
		"Sendook's clients":         sendookClients,
		"Sendook's failures":        sendookFailures,
		"faces of other workspaces": facesOfOthers,
	}
}

const cakemailPath, sendookPath = "/compat/cakemail/webhooks", "/compat/sendook/v1/webhooks"

// cakemailWebhook is what Cakemail's clients read of an answer.
type cakemailWebhook struct {
	ID        string
	Object    string
	Patched   bool
	Archived  *bool
	Signature *struct {
		Key          string
		HashFunction string `json:"hash_function"`
	}
	Data struct {
		ID, Status, Event, URL, Name string
		Events                       []string
		ArchivedAt                   *int64 `json:"archived_at"`
		RateLimit                    int    `json:"rate_limit"`
		RateLimitPeriod              string `json:"rate_limit_period"`
	}
}

// cakemail makes a call that must have the status.
func (x *tenant) cakemail(status int, method, path, body string) (w cakemailWebhook) {
	x.t.Helper()
	x.do(method, cakemailPath+path, body).is(x.t, status).into(x.t, &w)
	return w
}

// native finds the webhook of a name in Postroom's own API.
func (x *tenant) native(name string) (found postroom.Webhook) {
	x.t.Helper()
	for w, err := range x.api.Webhooks(x.t.Context()) {
		if err != nil {
			x.t.Fatal(err)
		}
		if w.Name == name {
			found = w
		}
	}
	if found.ID.IsZero() {
		x.t.Fatalf("there is no webhook %q", name)
	}
	return found
}

// signedByCakemail checks that an arrival is signed with a key as Cakemail's receivers verify it: over the body that they write anew.
func signedByCakemail(t testing.TB, a arrival, key string) {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(a.body)
	if got, want := a.header.Get("X-Cakemail-Signature"), hex.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("the signature is %q, want %q", got, want)
	}
}

func cakemailClients(x *tenant) {
	created := x.cakemail(http.StatusCreated, "POST", "", `{"event":"Email.Opened","url":"`+x.r.url("/hook")+`","rate_limit":500,"rate_limit_period":"second"}`)
	if created.ID == "" || created.Data.ID != created.ID || created.Signature != nil || created.Data.Status != "active" || created.Data.Event != "Email.Opened" || created.Data.ArchivedAt != nil ||
		created.Data.RateLimit != 500 || created.Data.RateLimitPeriod != "second" {
		x.t.Errorf("created: %+v", created)
	}
	got := x.cakemail(http.StatusOK, "GET", "/"+created.ID, "")
	if got.Signature == nil || got.Signature.Key == "" || got.Signature.HashFunction != "sha256" {
		x.t.Fatalf("the signature is %+v", got.Signature)
	}
	x.publish("1", "email.opened", `{"campaign":{"id":790},"contact":{"id":501,"email":"user@example.com"},"client":{"ip_address":"192.168.1.1","user_agent":"Mozilla/5.0"}}`)
	x.publish("not-subscribed-to", "email.clicked", `{}`)
	a := x.r.wait(x.t, "/hook", 1)[0]
	signedByCakemail(x.t, a, got.Signature.Key)
	var body struct {
		Event, Timestamp string
		Data             json.RawMessage
	}
	if err := json.Unmarshal(a.body, &body); err != nil || body.Event != "email.opened" ||
		string(body.Data) != `{"campaign_id":790,"contact_id":501,"email":"user@example.com","user_agent":"Mozilla/5.0","ip_address":"192.168.1.1"}` {
		x.t.Errorf("%s arrives (%v)", a.body, err)
	}
	native := x.native(strings.TrimPrefix(x.r.server.URL, "http://"))
	if native.Dialect != "cakemail" || strings.Join(native.Events, " ") != "email.opened" {
		x.t.Errorf("in Postroom, it is %+v", native)
	}

	patched := x.cakemail(http.StatusOK, "PATCH", "/"+native.ID.String(), `{"url":"`+x.r.url("/other")+`","rate_limit":30,"rate_limit_period":"minute"}`)
	if patched.ID != created.ID || patched.Object != "Webhook" || !patched.Patched || patched.Data.URL != x.r.url("/other") || patched.Data.RateLimit != 30 || patched.Data.RateLimitPeriod != "minute" {
		x.t.Errorf("patched: %+v", patched)
	}
	x.publish("2", "email.opened", `{}`)
	signedByCakemail(x.t, x.r.wait(x.t, "/other", 1)[0], got.Signature.Key)
}

// cakemailArchive archives a webhook: it gets nothing, and what it would have got is held.
func cakemailArchive(x *tenant) {
	w := x.cakemail(http.StatusCreated, "POST", "", `{"event":"email.sent","url":"`+x.r.url("/hook")+`"}`)
	started := time.Now().Unix()
	archived := x.cakemail(http.StatusOK, "POST", "/"+w.ID+"/archive", "")
	if archived.Object != "Webhook" || archived.Archived == nil || !*archived.Archived || archived.Data.Status != "archived" || archived.Data.ArchivedAt == nil || *archived.Data.ArchivedAt < started {
		x.t.Errorf("archived: %+v", archived)
	}
	x.cakemail(http.StatusOK, "PATCH", "/"+w.ID, `{"rate_limit":7}`)
	again := x.cakemail(http.StatusOK, "POST", "/"+w.ID+"/archive", "")
	if again.Data.ArchivedAt == nil || *again.Data.ArchivedAt != *archived.Data.ArchivedAt {
		x.t.Errorf("archived again: %+v", again)
	}
	native := x.native(strings.TrimPrefix(x.r.server.URL, "http://"))
	if native.Status != postroom.WebhookPaused || !strings.Contains(native.StatusReason, "Archived") {
		x.t.Errorf("in Postroom, it is %s: %s", native.Status, native.StatusReason)
	}
	x.publish("held", "email.sent", `{}`)
	x.counted(native.ID, map[postroom.DeliveryStatus]int{postroom.DeliveryHeld: 1})
	if got := len(x.list("")); got != 0 {
		x.t.Errorf("%d webhooks are listed, and the only one is archived", got)
	}
	if got := x.list("?with_archived=true"); len(got) != 1 || got[0].Status != "archived" {
		x.t.Errorf("with those that are archived, the list is %+v", got)
	}
	back := x.cakemail(http.StatusOK, "POST", "/"+w.ID+"/unarchive", "")
	if back.Archived == nil || *back.Archived || back.Data.Status != "active" || back.Data.ArchivedAt != nil {
		x.t.Errorf("unarchived: %+v", back)
	}
	x.cakemail(http.StatusOK, "POST", "/"+w.ID+"/unarchive", "") // once more changes nothing
	x.r.wait(x.t, "/hook", 1)

	// As Cakemail itself does it: what happened meanwhile is not sent.
	x.cakemail(http.StatusOK, "POST", "/"+w.ID+"/archive", "")
	x.publish("dropped", "email.sent", `{}`)
	x.counted(native.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 1, postroom.DeliveryHeld: 1})
	x.cakemail(http.StatusOK, "POST", "/"+w.ID+"/unarchive?held=discard", "")
	x.counted(native.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 1, postroom.DeliveryCancelled: 1})
	x.do("POST", cakemailPath+"/"+w.ID+"/archive", "").is(x.t, http.StatusOK)
	x.do("POST", cakemailPath+"/"+w.ID+"/unarchive?held=maybe", "").is(x.t, http.StatusUnprocessableEntity)
}

// list is a page of Cakemail's list.
func (x *tenant) list(query string) []struct{ ID, Status string } {
	x.t.Helper()
	var page struct{ Data []struct{ ID, Status string } }
	x.do("GET", cakemailPath+query, "").is(x.t, http.StatusOK).into(x.t, &page)
	return page.Data
}

func olderCakemailClients(x *tenant) {
	created := x.cakemail(http.StatusCreated, "POST", "/", `{"url":"`+x.r.url("/hook")+`","events":["email.sent","email.opened","email.clicked"],"name":"Production Webhook","secret":"my_secret_key_12345"}`)
	if created.Data.Name != "Production Webhook" || strings.Join(created.Data.Events, ",") != "email.sent,email.opened,email.clicked" {
		x.t.Errorf("created: %+v", created)
	}
	var number int
	if err := json.Unmarshal([]byte(created.ID), &number); err != nil || number < 1 || number > 1<<31 {
		x.t.Errorf("the id %q is no number for a client that reads numbers", created.ID)
	}
	x.publish("1", "email.clicked", `{}`)
	signedByCakemail(x.t, x.r.wait(x.t, "/hook", 1)[0], "my_secret_key_12345")

	updated := x.cakemail(http.StatusOK, "PATCH", "/"+created.ID, `{"events":["campaign.sent","Email.SpamReport"],"secret":"another_secret_1"}`)
	if strings.Join(updated.Data.Events, ",") != "campaign.sent,email.spam_complaint" || updated.Data.Event != "Campaign.Sent" {
		x.t.Errorf("updated: %+v", updated)
	}
	if key := x.cakemail(http.StatusOK, "GET", "/"+created.ID, "").Signature.Key; key != "another_secret_1" {
		x.t.Errorf("the key is %q", key)
	}
	x.publish("2", "campaign.completed", `{"campaign":{"id":790,"name":"Spring"}}`)
	a := x.r.wait(x.t, "/hook", 2)[1]
	signedByCakemail(x.t, a, "another_secret_1")
	if !strings.Contains(string(a.body), `"event":"campaign.sent"`) {
		x.t.Errorf("%s arrives", a.body)
	}
	x.do("PATCH", cakemailPath+"/"+created.ID, `{"name":"Renamed","secret":"short"}`).is(x.t, http.StatusUnprocessableEntity)
	if got := x.cakemail(http.StatusOK, "GET", "/"+created.ID, ""); got.Data.Name != "Production Webhook" || got.Signature.Key != "another_secret_1" {
		x.t.Errorf("a change that was refused has left %+v", got)
	}
}

// cakemailKeys are shown to administrators, of the webhooks that were made through the face, and of no others.
func cakemailKeys(x *tenant) {
	made := x.cakemail(http.StatusCreated, "POST", "", `{"event":"Email.Sent","url":"https://example.com/made"}`)
	viewer := must(x.api.CreateKey(x.t.Context(), client.KeyInput{Name: "k", Role: postroom.RoleViewer}))(x.t).Value
	a := x.s.do(x.t, call{method: "GET", path: cakemailPath + "/" + made.ID, key: viewer}).is(x.t, http.StatusOK)
	if !strings.Contains(string(a.body), `"signature":{"hash_function":"sha256"}`) {
		x.t.Errorf("a viewer is shown %s", a.body)
	}

	// One that was made otherwise is there, without its key; so is one that became Cakemail's later, whatever its secret was.
	other := x.webhook("/native", client.WebhookInput{Name: "Native", Dialect: "cakemail", Events: []string{"email.sent"}})
	standard := x.webhook("/standard", client.WebhookInput{Name: "Standard", Events: []string{"email.sent"}})
	must(x.api.UpdateWebhook(x.t.Context(), standard.ID.String(), 0, map[string]any{"dialect": "cakemail"}))(x.t)
	for _, id := range []postroom.WebhookID{other.ID, standard.ID} {
		a := x.do("GET", cakemailPath+"/"+id.String(), "").is(x.t, http.StatusOK)
		if !strings.Contains(string(a.body), `"signature":{"hash_function":"sha256"}`) {
			x.t.Errorf("the key of a webhook that was not made here is shown: %s", a.body)
		}
	}

	// A secret that Postroom's own API makes is shown here too, and the own API shows none.
	native := x.native("example.com")
	value := must(x.api.RotateSecret(x.t.Context(), native.ID.String(), client.RotateInput{}))(x.t).Value
	if key := x.cakemail(http.StatusOK, "GET", "/"+made.ID, "").Signature.Key; key != value {
		x.t.Errorf("after a rotation to %q, the key is %q", value, key)
	}
	for _, path := range []string{"/v1/webhooks/" + native.ID.String(), "/v1/webhooks", "/v1/webhooks/" + native.ID.String() + "/secrets"} {
		if a := x.do("GET", path, "").is(x.t, http.StatusOK); strings.Contains(string(a.body), value) {
			x.t.Errorf("%s shows the secret", path)
		}
	}
	must(x.api.UpdateWebhook(x.t.Context(), native.ID.String(), 0, map[string]any{"dialect": "cloudcusp", "events": []string{"email.sent"}}))(x.t)
	x.do("GET", cakemailPath+"/"+made.ID, "").is(x.t, http.StatusNotFound)
}

func cakemailPages(x *tenant) {
	for range 5 {
		x.cakemail(http.StatusCreated, "POST", "", `{"event":"Email.Sent","url":"https://example.com/hooks"}`)
	}
	x.webhook("/standard", client.WebhookInput{})
	var ids []string
	for page := range 3 {
		for _, w := range x.list("?per_page=2&page=" + string(rune('1'+page))) {
			ids = append(ids, w.ID)
		}
	}
	seen := map[string]bool{}
	for _, id := range ids {
		seen[id] = true
	}
	if len(ids) != 5 || len(seen) != 5 {
		x.t.Errorf("the pages have %v", ids)
	}
	a := x.do("GET", cakemailPath+"?per_page=2&page=2&with_count=true", "").is(x.t, http.StatusOK)
	if !strings.HasPrefix(string(a.body), `{"pagination":{"page":2,"per_page":2,"count":5},`) {
		x.t.Errorf("the second page is %s", a.body)
	}
	if got := x.list("?page=4&per_page=2"); got == nil || len(got) != 0 {
		x.t.Errorf("behind the last page there is %v", got)
	}
}

func cakemailRefusals(x *tenant) {
	type refusal struct {
		Detail []struct {
			Loc       []string
			Msg, Type string
		}
		Message string
	}
	for body, want := range map[string][3]string{
		`{"event":"Email.Delivered","url":"https://example.com"}`:          {"body event", "it sends", "event"},
		`{"event":"Email.Openned","url":"https://example.com"}`:            {"body event", "did you mean email.opened?", "event"},
		`{"events":["Contact.Added"],"url":"https://example.com"}`:         {"body event", `does not send "contact.added"`, "event"},
		`{"event":"Email.Sent","url":"ftp://example.com"}`:                 {"body url", "https", "url"},
		`{"event":"Email.Sent","url":"https://10.0.0.1"}`:                  {"body url", "10.0.0.1", "url"},
		`{"event":"Email.Sent","url":"https://e.com","rate_limit":0}`:      {"body rate_limit", "1 to", "rate_limit"},
		`{"event":"Email.Sent","url":"https://e.com","secret":"\u00fc"}`:   {"body secret", "printable", "secret"},
		`{"event":"Email.Sent","url":"https://e.com","rate_limit":"many"}`: {"body rate_limit", "number", "rate_limit"},
	} {
		var r refusal
		x.do("POST", cakemailPath, body).is(x.t, http.StatusUnprocessableEntity).into(x.t, &r)
		if len(r.Detail) == 0 || strings.Join(r.Detail[0].Loc, " ") != want[0] || !strings.Contains(r.Detail[0].Msg, want[1]) || r.Detail[0].Type == "" || !strings.HasPrefix(r.Message, want[2]+": ") {
			x.t.Errorf("%s is refused with %+v", body, r)
		}
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	x.s.do(x.t, call{method: "POST", path: "/compat/cakemail/token", body: "grant_type=password&username=ada%40example.com&password=" + x.key, header: form}).is(x.t, http.StatusOK).into(x.t, &token)
	x.s.do(x.t, call{method: "GET", path: cakemailPath, key: token.AccessToken}).is(x.t, http.StatusOK)
	x.s.do(x.t, call{method: "POST", path: "/compat/cakemail/token", body: "grant_type=password&username=a&password=prk_wrong", header: form}).is(x.t, http.StatusUnauthorized)
	x.s.do(x.t, call{method: "GET", path: cakemailPath}).is(x.t, http.StatusUnauthorized)
}

// sendookWebhook is what Sendook's clients read of an answer.
type sendookWebhook struct {
	ObjectID  string `json:"_id"`
	ID        string
	URL       string
	Events    []string
	CreatedAt time.Time
}

type sendookAttempt struct {
	ObjectID  string `json:"_id"`
	WebhookID string
	MessageID string
	Timestamp time.Time
	Status    int
	Error     *string
	Response  json.RawMessage
	Payload   struct {
		Event   string
		Payload map[string]any
	}
}

func sendookClients(x *tenant) {
	x.r.answer("/hook", always(reply{status: 200, body: `{"received":true}`, header: map[string]string{"Content-Type": "application/json"}}))
	var w, got sendookWebhook
	x.do("POST", sendookPath, `{"url":"`+x.r.url("/hook")+`","events":["message.received","message.bounced"]}`).is(x.t, http.StatusOK).into(x.t, &w)
	if len(w.ObjectID) != 24 || w.ID != w.ObjectID || w.URL != x.r.url("/hook") || strings.Join(w.Events, " ") != "message.received message.bounced" || time.Since(w.CreatedAt) > time.Hour {
		x.t.Fatalf("created: %+v", w)
	}
	x.do("GET", sendookPath+"/"+w.ID, "").is(x.t, http.StatusOK).into(x.t, &got)
	if got.ID != w.ID {
		x.t.Errorf("got %+v", got)
	}
	var all []sendookWebhook
	x.do("GET", sendookPath, "").is(x.t, http.StatusOK).into(x.t, &all)
	if len(all) != 1 || all[0].ObjectID != w.ID {
		x.t.Errorf("the list is %+v", all)
	}

	if a := x.do("POST", sendookPath+"/"+w.ID+"/test", "").is(x.t, http.StatusOK); string(a.body) != `{"success":true}` {
		x.t.Errorf("the test answers %s", a.body)
	}
	x.publish("1", "message.bounced", `{"message":{"id":"msg_1","subject":"Hello"},"inbox":{"id":"ibox_1"}}`)
	arrived := x.r.wait(x.t, "/hook", 2)
	if !strings.HasPrefix(string(arrived[0].body), `{"event":"message.received","messageId":`) {
		x.t.Errorf("the test sends %s", arrived[0].body)
	}
	if !strings.HasPrefix(string(arrived[1].body), `{"event":"message.bounced","messageId":"msg_1","inboxId":"ibox_1","payload":{"id":"msg_1",`) || arrived[1].header.Get("Webhook-Signature") != "" {
		x.t.Errorf("%s arrives with %v", arrived[1].body, arrived[1].header)
	}
	var attempts []sendookAttempt
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		x.do("GET", sendookPath+"/"+w.ID+"/attempts", "").is(x.t, http.StatusOK).into(x.t, &attempts)
		if len(attempts) != 2 {
			return fmt.Errorf("there are %d attempts, want 2", len(attempts))
		}
		return nil
	})
	newest := attempts[0]
	if newest.Payload.Event != "message.bounced" || newest.Payload.Payload["subject"] != "Hello" || newest.MessageID != "msg_1" || newest.WebhookID != w.ID || newest.Status != 200 || newest.Error != nil ||
		string(newest.Response) != `{"received":true}` || len(newest.ObjectID) != 24 || newest.ObjectID == attempts[1].ObjectID || newest.Timestamp.Before(attempts[1].Timestamp) {
		x.t.Errorf("the attempts are %+v", attempts)
	}

	x.do("DELETE", sendookPath+"/"+w.ID, "").is(x.t, http.StatusOK).into(x.t, &got)
	if got.ObjectID != w.ID {
		x.t.Errorf("deleted: %+v", got)
	}
	for _, path := range []string{"", "/attempts"} {
		if a := x.do("GET", sendookPath+"/"+w.ID+path, "").is(x.t, http.StatusNotFound); string(a.body) != `{"error":"Webhook not found"}` {
			x.t.Errorf("%s of a deleted one: %s", path, a.body)
		}
	}
	if a := x.do("GET", sendookPath, "").is(x.t, http.StatusOK); string(a.body) != `[]` {
		x.t.Errorf("the list is %s", a.body)
	}
}

// sendookFailures has a receiver that fails: the newest ten attempts are shown, newest first, those of retries too.
func sendookFailures(x *tenant) {
	var calls atomic.Int32 // the first is the test, and of the others each third succeeds
	x.r.answer("/hook", func(arrival) reply {
		if n := calls.Add(1); n > 1 && n%3 == 1 {
			return reply{status: 200}
		}
		return reply{status: 503, body: "not now"}
	})
	var w sendookWebhook
	x.do("POST", sendookPath, `{"url":"`+x.r.url("/hook")+`","events":["inbox.created"]}`).is(x.t, http.StatusOK).into(x.t, &w)
	native := x.native(strings.TrimPrefix(x.r.server.URL, "http://"))
	must(x.api.UpdateWebhook(x.t.Context(), native.ID.String(), 0, map[string]any{"retry": map[string]any{"schedule": []string{"100ms", "100ms", "100ms"}}}))(x.t)
	var tested struct {
		Success bool
		Error   string
	}
	x.do("POST", sendookPath+"/"+w.ID+"/test", "").is(x.t, http.StatusOK).into(x.t, &tested)
	if tested.Success || !strings.Contains(tested.Error, "503") {
		x.t.Errorf("the test of a receiver that fails answers %+v", tested)
	}
	states := []postroom.DeliveryStatus{postroom.DeliveryFailed}
	for range 4 {
		x.publish("", "inbox.created", `{"inbox":{"id":"ibox_1","name":"Support"}}`)
		states = append([]postroom.DeliveryStatus{postroom.DeliverySucceeded}, states...)
		x.settled(native.ID, states...)
	}
	var attempts []sendookAttempt
	x.do("GET", sendookPath+"/"+w.ID+"/attempts", "").is(x.t, http.StatusOK).into(x.t, &attempts)
	if len(attempts) != 10 {
		x.t.Fatalf("%d attempts are shown", len(attempts))
	}
	for i, a := range attempts {
		status, response := 503, `"not now"`
		if i%3 == 0 {
			status, response = 200, `""`
		}
		if a.Status != status || (a.Error == nil) != (status == 200) || string(a.Response) != response || i > 0 && a.Timestamp.After(attempts[i-1].Timestamp) || a.Payload.Event != "inbox.created" {
			x.t.Errorf("attempt %d is %+v", i, a)
		}
	}
	for body, path := range map[string]string{
		`{"url":"https://example.com","events":[]}`:                  "events",
		`{"url":"https://example.com"}`:                              "events",
		`{"events":["message.received"]}`:                            "url",
		`{"url":"https://example.com","events":["message.receive"]}`: "events",
	} {
		var r struct {
			Error  string
			Errors []struct{ Type, Msg, Path, Location string }
		}
		x.do("POST", sendookPath, body).is(x.t, http.StatusBadRequest).into(x.t, &r)
		if r.Error == "" || len(r.Errors) != 1 || r.Errors[0].Path != path || r.Errors[0].Type != "field" || r.Errors[0].Location != "body" {
			x.t.Errorf("%s is refused with %+v", body, r)
		}
		if strings.Contains(body, "message.receive\"") && !strings.Contains(r.Error, "did you mean message.received?") {
			x.t.Errorf("nothing is suggested: %s", r.Error)
		}
	}
}

// facesOfOthers calls the faces about the webhooks of another workspace: they are not there. Numbers of both may be the same, ids are not.
func facesOfOthers(x *tenant) {
	cake := x.cakemail(http.StatusCreated, "POST", "", `{"event":"Email.Sent","url":"https://example.com/hooks"}`)
	var book sendookWebhook
	x.do("POST", sendookPath, `{"url":"https://example.com/hooks","events":["inbox.created"]}`).is(x.t, http.StatusOK).into(x.t, &book)
	native := map[string]postroom.Webhook{}
	for w, err := range x.api.Webhooks(x.t.Context()) {
		native[must(w, err)(x.t).Dialect] = w
	}
	before := string(x.do("GET", "/v1/webhooks", "").body)
	other := newTenant(x.t, x.s)
	for _, id := range []string{cake.ID, native["cakemail"].ID.String(), native["sendook"].ID.String()} {
		for _, c := range []string{"GET /", "PATCH /", "POST /archive", "POST /unarchive"} {
			method, path, _ := strings.Cut(c, " ")
			other.do(method, cakemailPath+"/"+id+strings.TrimSuffix(path, "/"), "").is(x.t, http.StatusNotFound)
		}
	}
	for _, id := range []string{book.ID, native["cakemail"].ID.String(), native["sendook"].ID.String()} {
		for _, c := range []string{"GET /", "DELETE /", "POST /test", "GET /attempts"} {
			method, path, _ := strings.Cut(c, " ")
			other.do(method, sendookPath+"/"+id+strings.TrimSuffix(path, "/"), "").is(x.t, http.StatusNotFound)
		}
	}
	if got := other.list("?with_archived=true"); len(got) != 0 {
		x.t.Errorf("another workspace lists %v", got)
	}
	if a := other.do("GET", sendookPath, ""); string(a.body) != "[]" {
		x.t.Errorf("another workspace lists %s", a.body)
	}
	if now := string(x.do("GET", "/v1/webhooks", "").body); now != before {
		x.t.Errorf("the webhooks have changed: %s", now)
	}
	// The same number in the other workspace is its own webhook.
	own := other.cakemail(http.StatusCreated, "POST", "", `{"event":"Email.Sent","url":"https://example.com/own"}`)
	if got := other.cakemail(http.StatusOK, "GET", "/"+own.ID, ""); got.Data.URL != "https://example.com/own" {
		x.t.Errorf("the own webhook is %+v", got)
	}
}
