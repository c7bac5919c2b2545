package e2e

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

// operation is one operation of /openapi.json.
type operation struct {
	ID, Method, Path string
}

// operations are all operations of the API that the server documents.
func operations(t *testing.T, s *server) (all []operation) {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string
		}
	}
	s.do(t, get("/openapi.json")).is(t, http.StatusOK).into(t, &document)
	for path, methods := range document.Paths {
		for method, o := range methods {
			if strings.HasPrefix(path, "/v1/") {
				all = append(all, operation{o.OperationID, strings.ToUpper(method), path})
			}
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return cmp.Compare(a.ID, b.ID) })
	if len(all) < 35 {
		t.Fatalf("there are %d operations", len(all))
	}
	return all
}

// roles says which role each operation needs; "operator" is an administrator with the operator's key.
func roles() map[string]string {
	needs := map[string]string{"publish-events": "publisher", "create-workspace": "operator", "delete-workspace": "operator"}
	for _, id := range []string{"get-health", "list-events", "get-event", "tail-events", "list-event-types", "get-event-type", "list-dialects", "get-dialect", "get-event-type-sample",
		"list-webhooks", "get-webhook", "list-webhook-deliveries", "list-webhook-secrets", "get-webhook-stats", "list-deliveries", "get-delivery", "export-deliveries",
		"export-attempts", "list-replays", "get-replay",
		"list-contacts", "get-contact", "export-contacts", "list-imports", "get-import", "list-contact-consents", "list-contact-events", "list-contact-deliveries",
		"list-lists", "get-list", "list-members", "list-tags", "list-fields", "get-field", "list-audit",
		"list-sources", "get-source", "list-source-requests", "get-source-stats", "tail-requests", "list-requests", "get-request", "export-requests",
		"get-stats", "get-portal", "list-workspace-members", "get-member", "list-workspaces", "get-workspace", "list-keys", "get-key"} {
		needs[id] = "viewer"
	}
	for _, id := range []string{"create-source", "update-source", "delete-source", "renew-source-token", "test-source", "clear-requests", "retry-request", "resend-request", "create-contact", "upsert-contact", "update-contact", "delete-contact", "erase-contact", "tag-contact", "import-contacts", "create-list", "update-list",
		"delete-list", "add-members", "remove-member", "confirm-member", "rename-tag", "delete-tag", "create-field", "update-field", "delete-field", "replay-event", "create-event-type", "update-event-type", "delete-event-type", "create-webhook", "update-webhook", "delete-webhook",
		"test-webhook", "preview-webhook", "preview-settings", "pause-webhook", "resume-webhook", "replay-webhook", "create-replay", "cancel-replay", "rotate-webhook-secret", "retry-delivery", "invite-member", "update-member", "delete-member", "link-member", "create-key", "delete-key", "update-workspace", "update-portal", "create-portal-link", "end-portal-links"} {
		needs[id] = "admin"
	}
	return needs
}

// furniture is one of everything in a workspace, for calls of every operation.
type furniture struct {
	*tenant
	webhook, event, delivery, replay, key, eventType string
	contact, list, imported, tag                     string
	source, request, member                          string
}

// furnish makes a webhook "crm", an event "order-1" with a delivery, a replay, an event type, and a key; and a contact with a list, a tag and a custom field that are
// named after the event type, by an import.
func furnish(x *tenant, eventType string) furniture {
	x.t.Helper()
	w := x.webhook("/crm", client.WebhookInput{UID: "crm", Events: []string{"*"}, Status: postroom.WebhookPaused})
	x.publish("order-1", "email.opened", `{"contact":{"email":"ada@example.com"}}`)
	must(x.api.CreateEventType(x.t.Context(), client.EventTypeInput{Name: eventType}))(x.t)
	key := must(x.api.CreateKey(x.t.Context(), client.KeyInput{Name: "Spare", Role: postroom.RoleViewer}))(x.t)
	replay := must(x.api.CreateReplay(x.t.Context(), client.ReplayInput{Webhook: "crm"}))(x.t)
	f := furniture{tenant: x, webhook: w.ID.String(), event: "order-1", delivery: x.deliveries(w.ID)[0].ID.String(), replay: replay.ID.String(), key: key.ID.String(), eventType: eventType}
	f.tag = "tag-" + eventType
	must(x.api.CreateField(x.t.Context(), client.FieldInput{Name: f.tag}))(x.t)
	f.imported = must(x.api.ImportContacts(x.t.Context(), client.ImportInput{Format: client.ExportCSV, Lists: []string{"List " + eventType}, Tags: []string{f.tag}},
		strings.NewReader("email\n"+eventType+"@example.com\n")))(x.t).ID.String()
	f.contact = must(x.api.Contact(x.t.Context(), eventType+"@example.com"))(x.t).ID.String()
	f.source = must(x.api.CreateSource(x.t.Context(), map[string]any{"name": "Source " + eventType}))(x.t).ID.String()
	f.request = must(x.api.TestSource(x.t.Context(), f.source, client.SourceTestInput{Body: []byte(`{"a":1}`), Store: true}))(x.t).Request.ID.String()
	f.member = must(x.api.InviteMember(x.t.Context(), client.MemberInput{Email: eventType + "@members.example.com", Role: postroom.RoleViewer}))(x.t).ID.String()
	x.do(http.MethodPatch, "/v1/portal", `{"filter":"event.data.account == {customer}"}`).is(x.t, http.StatusOK)
	f.list = must(x.api.List(x.t.Context(), "List "+eventType))(x.t).ID.String()
	return f
}

// call makes a call of an operation on the furniture that would succeed with the right key.
func (f furniture) call(o operation) call {
	id := f.event
	switch {
	case strings.HasPrefix(o.Path, "/v1/webhooks/"):
		id = f.webhook
	case strings.HasPrefix(o.Path, "/v1/deliveries/"):
		id = f.delivery
	case strings.HasPrefix(o.Path, "/v1/replays/"):
		id = f.replay
	case strings.HasPrefix(o.Path, "/v1/keys/"):
		id = f.key
	case strings.HasPrefix(o.Path, "/v1/members/"):
		id = f.member
	case strings.HasPrefix(o.Path, "/v1/workspaces/"):
		id = f.id
	case strings.HasPrefix(o.Path, "/v1/sources/"):
		id = f.source
	case strings.HasPrefix(o.Path, "/v1/requests/"):
		id = f.request
	case strings.HasPrefix(o.Path, "/v1/contacts/"):
		id = f.contact
	case strings.HasPrefix(o.Path, "/v1/lists/"):
		id = f.list
	case strings.HasPrefix(o.Path, "/v1/imports/"):
		id = f.imported
	}
	if o.ID == "upsert-contact" {
		id = "new@example.com"
	}
	c := call{method: o.Method, path: strings.NewReplacer("{id}", id, "{type}", f.eventType, "{name}", "standard", "{contact}", f.contact, "{tag}", f.tag, "{field}", f.tag).Replace(o.Path)}
	c.body = map[string]string{
		"publish-events": `{"type":"email.opened","data":{}}`, "create-webhook": `{"name":"n","url":"https://hooks.example.com/new","events":["*"],"status":"paused"}`, "update-webhook": `{"name":"changed"}`,
		"create-event-type": `{"name":"order.new"}`, "update-event-type": `{"title":"changed"}`, "create-key": `{"name":"n","role":"admin"}`,
		"invite-member": `{"email":"new@members.example.com","role":"admin"}`, "update-member": `{"role":"admin"}`,
		"create-workspace": `{"name":"n"}`, "update-workspace": `{"name":"changed"}`,
		"update-portal": `{"name":"changed"}`, "create-portal-link": `{"customer":"acme"}`,
		"create-source": `{"name":"n"}`, "update-source": `{"name":"changed"}`, "test-source": `{"body":{"a":1},"store":true}`,
		"create-contact": `{"email":"another@example.com"}`, "upsert-contact": `{"first_name":"N"}`, "update-contact": `{"first_name":"changed"}`, "tag-contact": `{"add":["changed"]}`,
		"create-list": `{"name":"New"}`, "update-list": `{"name":"changed"}`, "add-members": `{"contacts":["` + f.contact + `"]}`, "rename-tag": `{"name":"changed"}`,
		"create-field": `{"name":"new"}`, "update-field": `{"title":"changed"}`, "import-contacts": "email\nimported@example.com\n",
	}[o.ID]
	if o.ID == "import-contacts" {
		c.header = map[string]string{"Content-Type": "text/csv"}
	}
	return c
}

// TestRoles calls every operation with keys that have too weak a role, and checks that nothing happens.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := startServer(t, settings{flags: devFlags()})
	f := furnish(newTenant(t, s), "order.paid")
	keys := map[string]string{}
	for _, role := range []postroom.Role{postroom.RoleViewer, postroom.RolePublisher} {
		keys[string(role)] = must(f.api.CreateKey(t.Context(), client.KeyInput{Name: "k", Role: role}))(t).Value
	}
	keys["admin"] = f.tenant.key
	rank := map[string]int{"viewer": 1, "publisher": 2, "admin": 3, "operator": 4}
	for _, o := range operations(t, s) {
		need, ok := roles()[o.ID]
		if !ok {
			t.Errorf("this test does not say which role %s needs", o.ID)
			continue
		}
		for role, key := range keys {
			if rank[role] >= rank[need] && o.Method != http.MethodGet || strings.HasPrefix(o.ID, "tail-") {
				continue // a call that changes something is tested elsewhere
			}
			t.Run(o.ID+" as "+role, func(t *testing.T) {
				before := f.all(t)
				c := f.call(o)
				c.key = key
				a := s.do(t, c)
				if rank[role] >= rank[need] {
					a.is(t, http.StatusOK)
					return
				}
				p := a.refused(t, 403, postroom.CodeForbidden, "")
				wanted := need
				if need == "operator" && role != "admin" { // one thing after the other
					wanted = "admin"
				}
				if !strings.Contains(p.Detail, wanted) {
					t.Errorf("the answer does not name the role %s: %s", wanted, p.Detail)
				}
				if now := f.all(t); now != before {
					t.Errorf("something has changed:\n%s\nand was before:\n%s", now, before)
				}
			})
		}
	}
	for _, key := range keys { // a tail does not end, so it is called on its own
		openTail(t, s, key, "", make(chan string, 1))()
	}
}

// all is everything that a workspace shows, as one text.
func (f furniture) all(t testing.TB) string {
	t.Helper()
	var text strings.Builder
	for _, path := range []string{"/v1/events", "/v1/events/order-1", "/v1/deliveries", "/v1/webhooks", "/v1/webhooks/crm/secrets", "/v1/keys", "/v1/members", "/v1/event-types/" + f.eventType, "/v1/workspaces", "/v1/webhooks/crm/deliveries", "/v1/replays",
		"/v1/contacts", "/v1/contacts/" + f.contact + "/consents", "/v1/lists", "/v1/tags", "/v1/fields", "/v1/imports", "/v1/sources", "/v1/requests", "/v1/requests/" + f.request, "/v1/portal"} {
		fmt.Fprintf(&text, "%s: %s\n", path, f.s.do(t, call{method: http.MethodGet, path: path, key: f.tenant.key}).is(t, http.StatusOK).body)
	}
	return text.String()
}

// TestTenants calls every operation on the things of one workspace with the key of another: they are not there, and none
// is shown or changed.
func TestTenants(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		s := startServer(t, set)
		one, other := furnish(newTenant(t, s), "order.paid"), furnish(newTenant(t, s), "order.sent")
		must(other.api.UpdateWebhook(t.Context(), "crm", 0, map[string]any{"uid": "other"}))(t)
		mine := one.all(t)
		// What identifies the first workspace's things, and must not be shown to the other one.
		marks := []string{one.webhook, one.delivery, one.replay, one.key, one.id, one.r.server.URL, one.contact, one.list, one.imported, one.tag, one.source, one.request, one.member}
		for _, o := range operations(t, s) {
			t.Run(o.ID, func(t *testing.T) {
				if o.ID == "tail-events" {
					tailIsOwn(t, one, other)
					mine = one.all(t)
					return
				}
				c := one.call(o)
				c.key = other.tenant.key
				a := s.do(t, c)
				for _, mark := range marks {
					if strings.Contains(string(a.body), mark) && !strings.Contains(c.path, mark) && !strings.Contains(c.body, mark) {
						t.Errorf("%s %s shows %s of another workspace: %s", c.method, c.path, mark, a.body)
					}
				}
				// The event's id is one that both have, and dialects are everybody's.
				named := strings.Contains(o.Path, "{") && !strings.HasPrefix(o.Path, "/v1/events/") && o.ID != "get-dialect" && o.ID != "upsert-contact"
				switch {
				case o.ID == "create-workspace" || o.ID == "delete-workspace":
					a.refused(t, 403, postroom.CodeForbidden, "")
				case named:
					a.refused(t, 404, postroom.CodeNotFound, "")
				case a.status/100 != 2:
					t.Errorf("%s %s of its own answers %d: %s", c.method, c.path, a.status, a.body)
				}
				if now := one.all(t); now != mine {
					t.Errorf("the other workspace has changed:\n%s\nand was before:\n%s", now, mine)
				}
			})
		}
		othersNames(t, one, other)
		if now := one.all(t); now != mine {
			t.Errorf("the other workspace has changed:\n%s\nand was before:\n%s", now, mine)
		}
	})
}

// othersNames names another workspace's things in queries and bodies, and by their uids.
func othersNames(t *testing.T, one, other furniture) {
	other.t = t
	for _, c := range []struct {
		call
		status int
		code   postroom.Code
	}{
		{get("/v1/webhooks/crm"), 404, postroom.CodeNotFound},
		{get("/v1/deliveries?webhook=crm"), 422, postroom.CodeInvalid},
		{get("/v1/deliveries?webhook=" + one.webhook), 422, postroom.CodeInvalid},
		{get("/v1/deliveries/export?webhook=" + one.webhook), 422, postroom.CodeInvalid},
		{get("/v1/attempts/export?webhook=" + one.webhook), 422, postroom.CodeInvalid},
		{post("/v1/webhooks/crm/replay", `{"dry_run":true}`), 404, postroom.CodeNotFound},
		{post("/v1/webhooks/"+one.webhook+"/resume", `{"dry_run":true}`), 404, postroom.CodeNotFound},
		{post("/v1/events/order-1/replay", `{"webhooks":["`+one.webhook+`"]}`), 422, postroom.CodeInvalid},
		{post("/v1/events/order-1/replay", `{"webhooks":["crm"]}`), 422, postroom.CodeInvalid},
		{get("/v1/requests?source=" + one.source), 422, postroom.CodeInvalid},
		{get("/v1/requests/export?source=" + one.source), 422, postroom.CodeInvalid},
		{post("/v1/sources/"+other.source+"/test", `{"request":"`+one.request+`"}`), 422, postroom.CodeInvalid},
		{get("/v1/contacts?list=" + one.list), 422, postroom.CodeInvalid},
		{get("/v1/contacts/export?list=" + one.list), 422, postroom.CodeInvalid},
		{get("/v1/contacts/" + one.eventType + "@example.com"), 404, postroom.CodeNotFound},
		{post("/v1/contacts", `{"email":"x@example.com","lists":["`+one.list+`"]}`), 422, postroom.CodeInvalid},
		{post("/v1/lists/"+other.list+"/members", `{"contacts":["`+one.contact+`"]}`), 422, postroom.CodeInvalid},
	} {
		c.key = other.tenant.key
		a := other.s.do(t, c.call)
		a.refused(t, c.status, c.code, "")
		if strings.Contains(string(a.body), one.delivery) {
			t.Errorf("%s shows a delivery of another workspace: %s", c.path, a.body)
		}
	}
	event := must(one.api.EventPage(t.Context(), postroom.EventFilter{}, postroom.PageQuery{}))(t).Data[0]
	if event.ID != "order-1" && !strings.HasPrefix(event.ID, "after") {
		t.Fatalf("the first workspace's newest event is %s", event.ID)
	}
	// An id of one's own that another workspace has too is no duplicate, and each sees its own event under it.
	if got := must(other.api.Publish(t.Context(), client.NewEvent{ID: "only-mine", Type: "email.opened", Data: map[string]any{"n": 2}}))(t); got.Duplicate {
		t.Errorf("an event of another workspace counts as a duplicate: %+v", got)
	}
	other.do(http.MethodGet, "/v1/events/only-mine", "").is(t, http.StatusOK)
	one.t = t
	one.do(http.MethodGet, "/v1/events/only-mine", "").refused(t, 404, postroom.CodeNotFound, "")
}

// tailIsOwn checks that a workspace follows its own events alone.
func tailIsOwn(t *testing.T, one, other furniture) {
	got := make(chan string, 10)
	stop := openTail(t, other.s, other.tenant.key, "", got)
	defer stop()
	must(one.api.Publish(t.Context(), client.NewEvent{ID: "after-1", Type: "email.opened"}))(t)
	must(other.api.Publish(t.Context(), client.NewEvent{ID: "own-1", Type: "email.opened"}))(t)
	if event := receive(t, got); !strings.Contains(event, `"id":"own-1"`) {
		t.Errorf("the first event that a tail gives is %s", event)
	}
}
