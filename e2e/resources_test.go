package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

func resourceCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"a webhook is made, read, changed and deleted": webhookLife,
		"ETag and If-Match":                            ifMatch,
		"a key stops working":                          keysStop,
		"workspaces":                                   workspaces,
	}
}

func webhookLife(x *tenant) {
	a := x.do(http.MethodPost, "/v1/webhooks", `{"uid":"crm","name":"CRM sync","url":"`+x.r.url("/hook")+`","events":["email.*"]}`).is(x.t, http.StatusCreated)
	var made map[string]any
	a.into(x.t, &made)
	for name, want := range map[string]string{ // the defaults of the contract
		"uid": `"crm"`, "name": `"CRM sync"`, "description": `""`, "filter": `""`, "dialect": `"standard"`, "method": `"POST"`, "headers": `{}`, "payload": `null`,
		"retry": `{"jitter":0.1,"schedule":["5s","5m","30m","2h","5h","10h","14h","20h","24h"]}`, "timeout": `"15s"`, "rate_limit": `null`,
		"concurrency": `8`, "ordering": `"none"`, "expect_json": `false`, "disable_after": `{"failures":0,"for":"120h"}`, "status": `"active"`, "secrets": `1`,
		"auth": `{"type":"none"}`, "status_reason": `""`, "events": `["email.*"]`,
	} {
		if text, err := json.Marshal(made[name]); err != nil || string(text) != want {
			x.t.Errorf("%s is %s, want %s", name, text, want)
		}
	}
	id, _ := made["id"].(string)
	if a.header.Get("Location") != "/v1/webhooks/"+id || !strings.HasPrefix(id, "whk_") || a.header.Get("ETag") == "" {
		x.t.Errorf("Location %q, ETag %q, id %s", a.header.Get("Location"), a.header.Get("ETag"), id)
	}
	read := x.do(http.MethodGet, "/v1/webhooks/crm", "").is(x.t, http.StatusOK)
	if strings.Contains(string(read.body), "whsec_") {
		x.t.Errorf("the secret is shown again: %s", read.body)
	}
	x.do(http.MethodPost, "/v1/webhooks", `{"uid":"crm","name":"CRM","url":"`+x.r.url("/hook")+`","events":["email.*"]}`).refused(x.t, 409, postroom.CodeConflict, "")

	patched := x.do(http.MethodPatch, "/v1/webhooks/crm", `{"name":"CRM","headers":{"X-A":"1","X-B":"2"},"retry":{"jitter":0.5},"auth":{"type":"bearer","token":"hush"},"timeout":"20s"}`).is(x.t, http.StatusOK)
	var now postroom.Webhook
	patched.into(x.t, &now)
	if now.Name != "CRM" || len(now.Headers) != 2 || now.Retry.Jitter != 0.5 || len(now.Retry.Schedule) != 9 || now.Auth.Token != postroom.Redacted || time.Duration(now.Timeout) != 20*time.Second {
		x.t.Errorf("changed: %s", patched.body)
	}
	now = postroom.Webhook{}
	x.do(http.MethodPatch, "/v1/webhooks/crm", `{"headers":{"X-A":null},"timeout":null,"auth":{"token":"•••"},"retry":{"schedule":[]}}`).is(x.t, http.StatusOK).into(x.t, &now)
	if len(now.Headers) != 1 || time.Duration(now.Timeout) != 15*time.Second || len(now.Retry.Schedule) != 0 || now.Retry.Jitter != 0.5 || now.Auth.Type != postroom.AuthBearer {
		x.t.Errorf("changed back: %+v", now)
	}
	x.r.expect(x.t, "/hook", made["secret"].(string))
	x.publish("e", "email.opened", `{}`)
	if got := x.r.wait(x.t, "/hook", 1)[0]; got.header.Get("Authorization") != "Bearer hush" || got.header.Get("X-B") != "2" || got.header.Get("X-A") != "" {
		x.t.Errorf("what arrives has the headers %v", got.header)
	}
	x.do(http.MethodDelete, "/v1/webhooks/crm", "").is(x.t, http.StatusNoContent)
	x.do(http.MethodGet, "/v1/webhooks/"+id, "").refused(x.t, 404, postroom.CodeNotFound, "")
	x.do(http.MethodDelete, "/v1/webhooks/crm", "").refused(x.t, 404, postroom.CodeNotFound, "")
	x.do(http.MethodPost, "/v1/webhooks", `{"uid":"crm","name":"CRM","url":"`+x.r.url("/hook")+`","events":["email.*"]}`).is(x.t, http.StatusCreated) // the uid is free
}

func ifMatch(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{UID: "crm"})
	with := func(method, body, name, value string) answer {
		x.t.Helper()
		return x.s.do(x.t, call{method: method, path: "/v1/webhooks/crm", key: x.key, body: body, header: map[string]string{name: value}})
	}
	first := x.do(http.MethodGet, "/v1/webhooks/crm", "").is(x.t, http.StatusOK).header.Get("ETag")
	if got := with(http.MethodGet, "", "If-None-Match", first).is(x.t, http.StatusNotModified); len(got.body) != 0 || got.header.Get("ETag") != first {
		x.t.Errorf("304 has the body %q and the ETag %s", got.body, got.header.Get("ETag"))
	}
	second := with(http.MethodPatch, `{"name":"two"}`, "If-Match", first).is(x.t, http.StatusOK).header.Get("ETag")
	if second == first {
		x.t.Errorf("the ETag stays %s", first)
	}
	with(http.MethodPatch, `{"name":"three"}`, "If-Match", first).refused(x.t, 412, postroom.CodePreconditionFailed, "")
	with(http.MethodDelete, "", "If-Match", first).refused(x.t, 412, postroom.CodePreconditionFailed, "")
	with(http.MethodGet, "", "If-Match", first).refused(x.t, 412, postroom.CodePreconditionFailed, "")
	with(http.MethodPatch, `{"name":"three"}`, "If-Match", "second").refused(x.t, 422, postroom.CodeInvalid, "If-Match")
	with(http.MethodPatch, `{"name":"three"}`, "If-Match", `W/`+second).refused(x.t, 412, postroom.CodePreconditionFailed, "")
	if now := must(x.api.Webhook(x.t.Context(), "crm"))(x.t); now.Name != "two" {
		x.t.Errorf("the name is %q", now.Name)
	}
	// A pause is a change too.
	paused := must(x.api.PauseWebhook(x.t.Context(), "crm", ""))(x.t)
	with(http.MethodPatch, `{"name":"three"}`, "If-Match", second).refused(x.t, 412, postroom.CodePreconditionFailed, "")
	with(http.MethodPatch, `{"name":"four"}`, "If-Match", fmt.Sprintf(`"999", "%d"`, paused.Version)).is(x.t, http.StatusOK)
	with(http.MethodPatch, `{"name":"five"}`, "If-Match", "*").is(x.t, http.StatusOK)

	// Of several who change the same version, one may.
	version := x.do(http.MethodGet, "/v1/webhooks/crm", "").header.Get("ETag")
	answers := make(chan int)
	const callers = 8
	for range callers {
		go func() {
			a, err := x.s.try(call{method: http.MethodPatch, path: "/v1/webhooks/crm", key: x.key, body: `{"name":"six"}`, header: map[string]string{"If-Match": version}})
			if err != nil {
				x.t.Error(err)
			}
			answers <- a.status
		}()
	}
	count := map[int]int{}
	for range callers {
		count[<-answers]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusPreconditionFailed]+count[http.StatusConflict] != callers-1 {
		x.t.Errorf("of %d changes to one version, the answers are %v", callers, count)
	}
	with(http.MethodDelete, "", "If-Match", x.do(http.MethodGet, "/v1/webhooks/"+w.ID.String(), "").header.Get("ETag")).is(x.t, http.StatusNoContent)
}

func keysStop(x *tenant) {
	key := must(x.api.CreateKey(x.t.Context(), client.KeyInput{Name: "Shop", Role: postroom.RolePublisher}))(x.t)
	if !strings.HasPrefix(key.Value, "prk_") || !strings.HasPrefix(key.Value, key.Hint) || key.Role != postroom.RolePublisher || key.Operator {
		x.t.Errorf("the key is %+v", key)
	}
	uses := func(value string) answer {
		x.t.Helper()
		return x.s.do(x.t, call{method: http.MethodGet, path: "/v1/events", key: value})
	}
	uses(key.Value).is(x.t, http.StatusOK)
	shown := x.do(http.MethodGet, "/v1/keys", "").is(x.t, http.StatusOK)
	if strings.Contains(string(shown.body), key.Value) || strings.Contains(string(shown.body), x.key) {
		x.t.Errorf("keys are shown again: %s", shown.body)
	}
	x.do(http.MethodDelete, "/v1/keys/"+key.ID.String(), "").is(x.t, http.StatusNoContent)
	uses(key.Value).refused(x.t, 401, postroom.CodeUnauthenticated, "")

	brief := must(x.api.CreateKey(x.t.Context(), client.KeyInput{Name: "Brief", Role: postroom.RoleViewer, Expires: time.Now().Add(2 * time.Second)}))(x.t)
	uses(brief.Value).is(x.t, http.StatusOK)
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		if a := uses(brief.Value); a.status != http.StatusUnauthorized {
			return fmt.Errorf("the answer is %d: %s", a.status, a.body)
		}
		return nil
	})
	if !time.Now().After(brief.ExpiresAt.Time) {
		x.t.Error("a key stopped working before it expired")
	}
	uses(brief.Value).refused(x.t, 401, postroom.CodeUnauthenticated, "")
	own := must(x.api.Keys(x.t.Context()))(x.t)
	x.do(http.MethodDelete, "/v1/keys/"+own[0].ID.String(), "").refused(x.t, 409, postroom.CodeConflict, "")
	uses(x.key).is(x.t, http.StatusOK)
}

func workspaces(x *tenant) {
	own := must(x.api.Workspaces(x.t.Context()))(x.t)
	if len(own) != 1 || own[0].ID.String() != x.id || own[0].Name != x.t.Name() {
		x.t.Errorf("its administrator sees %+v", own)
	}
	if renamed := must(x.api.UpdateWorkspace(x.t.Context(), x.id, "Renamed"))(x.t); renamed.Name != "Renamed" {
		x.t.Errorf("renamed: %+v", renamed)
	}
	x.do(http.MethodPost, "/v1/workspaces", `{"name":"mine"}`).refused(x.t, 403, postroom.CodeForbidden, "")
	x.do(http.MethodDelete, "/v1/workspaces/"+x.id, "").refused(x.t, 403, postroom.CodeForbidden, "")

	other := newTenant(x.t, x.s)
	other.webhook("/hook", client.WebhookInput{Status: postroom.WebhookPaused})
	other.publish("e", "email.opened", `{}`)
	operator := newClient(x.t, x.s, operatorKey)
	if w := must(operator.Workspace(x.t.Context(), other.id))(x.t); w.Name != x.t.Name() {
		x.t.Errorf("the operator sees %+v", w)
	}
	if err := operator.DeleteWorkspace(x.t.Context(), other.id); err != nil {
		x.t.Fatal(err)
	}
	other.do(http.MethodGet, "/v1/events", "").refused(x.t, 401, postroom.CodeUnauthenticated, "")
	if _, err := operator.Workspace(x.t.Context(), other.id); !client.IsNotFound(err) {
		x.t.Errorf("a deleted workspace: %v", err)
	}
	x.do(http.MethodGet, "/v1/events", "").is(x.t, http.StatusOK)
}
