package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// contactErased has a person in all places that a person can be in, and looks for it there afterwards.
func contactErased(x *tenant) {
	ctx, t := x.t.Context(), x.t
	const email, phone = "zoe.akesson@example.com", "+46701234567"
	x.webhook("/hook", client.WebhookInput{Events: []string{"*"}})
	paused := x.webhook("/later", client.WebhookInput{Events: []string{"*"}, Status: postroom.WebhookPaused})
	must(x.api.ImportContacts(ctx, client.ImportInput{Format: client.ExportCSV}, strings.NewReader("email,phone,status\n"+email+","+phone+",subscribed\n"+email+",,asleep\n")))(t)
	c := must(x.api.Contact(ctx, email))(t)
	other := must(x.api.UpsertContact(ctx, "other@example.com", client.ContactInput{}))(t)
	for i := range 30 {
		x.publish(fmt.Sprint("e-", i), "email.opened", `{"contact":{"email":"`+email+`"},"note":"Zoe"}`)
	}
	x.publish("kept", "email.opened", `{"contact":{"email":"other@example.com"}}`)
	x.r.wait(t, "/hook", 33)
	var told []postroom.ErasureResource
	e := must(x.api.EraseContact(ctx, email, func(e postroom.ErasureResource) { told = append(told, e) }))(t)
	if !e.Done || e.ContactID == nil || *e.ContactID != c.ID || e.Rows < 31 {
		t.Errorf("the erasure is %+v", e)
	}
	for _, step := range told {
		if step.Done || step.Rows == 0 {
			t.Errorf("it told of %+v", step)
		}
	}
	// What tells of the erasure has nothing but the id.
	gone := x.r.wait(t, "/hook", 34)[33]
	if gone.event.Type != "contact.deleted" || string(gone.event.Data) != `{"contact":{"id":"`+c.ID.String()+`"}}` {
		t.Errorf("the last event is %s %s", gone.event.Type, gone.event.Data)
	}
	for _, path := range []string{"/v1/contacts", "/v1/events?limit=250", "/v1/deliveries?limit=250", "/v1/deliveries/export", "/v1/attempts/export", "/v1/contacts/export", "/v1/imports", "/v1/audit"} {
		body := string(x.do(http.MethodGet, path, "").is(t, http.StatusOK).body)
		if strings.Contains(strings.ToLower(body), email) || strings.Contains(body, phone) || strings.Contains(body, "Zoe") {
			t.Errorf("%s still tells of the person", path)
		}
	}
	for _, i := range must(x.api.ImportPage(ctx, postroom.PageQuery{}))(t).Data {
		if shown := must(x.api.Import(ctx, i.ID.String()))(t); len(shown.Problems) != 0 || shown.Refused != 1 {
			t.Errorf("the import is %+v", shown)
		}
	}
	x.do(http.MethodGet, "/v1/contacts/"+email, "").refused(t, 404, postroom.CodeNotFound, "")
	x.do(http.MethodGet, "/v1/events/e-3", "").refused(t, 404, postroom.CodeNotFound, "")
	x.do(http.MethodGet, "/v1/events/kept", "").is(t, http.StatusOK)
	if found := must(x.api.Contact(ctx, other.ID.String()))(t); found.Version != other.Version {
		t.Errorf("the other contact has changed: %+v", found)
	}
	// What was held is gone too, but for what tells of others, and of the end.
	if n := len(x.deliveries(paused.ID)); n != 3 {
		t.Errorf("%d deliveries are held", n)
	}
	if !slices.ContainsFunc(must(x.api.AuditPage(ctx, postroom.PageQuery{}))(t).Data, func(e postroom.AuditEntry) bool { return e.Action == "contact.erased" && e.Subject == c.ID.String() }) {
		t.Error("the audit log does not tell that it was done")
	}
}

func audited(x *tenant) {
	ctx, t := x.t.Context(), x.t
	c := must(x.api.CreateContact(ctx, client.ContactInput{Email: text("ada@example.com")}))(t)
	l := must(x.api.CreateList(ctx, client.ListInput{Name: "News"}))(t)
	w := x.webhook("/hook", client.WebhookInput{})
	must(x.api.UpdateWebhook(ctx, w.ID.String(), 0, map[string]any{"name": "Other"}))(t)
	key := must(x.api.CreateKey(ctx, client.KeyInput{Name: "Spare", Role: postroom.RoleViewer}))(t)
	r := must(x.api.ExportContacts(ctx, client.ContactFilter{}, client.ExportCSV))(t)
	_, err := io.Copy(io.Discard, r)
	if err := errors.Join(err, r.Close(), x.api.DeleteContact(ctx, c.ID.String()), x.api.DeleteList(ctx, l.ID.String()), x.api.DeleteWebhook(ctx, w.ID.String()), x.api.DeleteKey(ctx, key.ID.String())); err != nil {
		t.Fatal(err)
	}
	want := []string{"key.deleted " + key.ID.String(), "webhook.deleted " + w.ID.String(), "list.deleted " + l.ID.String(), "contact.deleted " + c.ID.String(), "contacts.exported " + x.id,
		"key.created " + key.ID.String(), "webhook.changed " + w.ID.String(), "webhook.created " + w.ID.String(), "list.created " + l.ID.String()}
	testenv.Eventually(t, arrivalTimeout, func() error {
		var got []string
		for e, err := range x.api.Audit(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, e.Action+" "+e.Subject); e.KeyID == nil {
				t.Errorf("without a key: %+v", e)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("the audit log (-want +got)\n%s", diff)
		}
		return nil
	})
}
