package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

const (
	conID       = "con_01jd3v8x2mf4k8c0q9r7t5y1za"
	lstID       = "lst_01jd3v8x2mf4k8c0q9r7t5y1za"
	impID       = "imp_01jd3v8x2mf4k8c0q9r7t5y1za"
	contactJSON = `{"id":"` + conID + `","uid":null,"email":"ada@example.com","phone":"","first_name":"Ada","last_name":"","status":"subscribed","lists":[{"id":"` + lstID + `","name":"News","status":"pending","at":"2026-01-31T09:30:00.000Z"}],"tags":["vip"],"custom_fields":{"n":12345678901234567890},"source":"api","created_at":"2026-01-31T09:30:00.000Z","updated_at":"2026-01-31T09:30:00.000Z"}`
	listJSON    = `{"id":"` + lstID + `","uid":null,"name":"News","description":"","members":12,"created_at":"2026-01-31T09:30:00.000Z","updated_at":"2026-01-31T09:30:00.000Z"}`
	fieldJSON   = `{"name":"plan","title":"Plan","type":"choice","options":["free","pro"],"created_at":"2026-01-31T09:30:00.000Z","updated_at":"2026-01-31T09:30:00.000Z"}`
	importJSON  = `{"id":"` + impID + `","state":"done","rows":2,"created":1,"updated":0,"unchanged":0,"refused":1,"problems":[{"row":3,"errors":[{"pointer":"/email","detail":"is none"}]}],"created_at":"2026-01-31T09:30:00.000Z","updated_at":"2026-01-31T09:30:00.000Z","ended_at":null}`
)

// pageOf is a page with one thing.
func pageOf(thing string) string {
	return `{"data":[` + thing + `],"next_cursor":null,"prev_cursor":null}`
}

// one makes a call whose answer is a contact, and gives what is worth comparing of it.
func one(c postroom.Contact, err error) (any, error) {
	return []any{c.ID.String(), c.Version, string(c.CustomFields["n"])}, err
}

func audienceRoutes() []route {
	text := func(s string) *string { return &s }
	contact := []any{conID, int64(7), "12345678901234567890"}
	filter := client.ContactFilter{ListRef: "News", ContactFilter: postroom.ContactFilter{Email: "a@x.org", Phone: "+1", Status: postroom.ContactPending, Tag: "vip", Field: "plan", Value: "pro", Text: "ad", After: morning, Before: noon}}
	const filtered = "after=2026-01-31T09%3A00%3A00.000Z&before=2026-01-31T12%3A00%3A00.000Z&email=a%40x.org&field=plan"
	const more = "&list=News&phone=%2B1&q=ad&status=pending&tag=vip&value=pro"
	return []route{
		{"ContactPage", pageOf(contactJSON), func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.ContactPage(ctx, filter, postroom.PageQuery{})
			return p.Data[0].Lists[0].Status, err
		}, "GET /v1/contacts?" + filtered + more, postroom.MemberPending},
		{"Contact", contactJSON, func(ctx context.Context, c *client.Client) (any, error) { return one(c.Contact(ctx, "a+b/c@x.org")) },
			"GET /v1/contacts/a+b%2Fc@x.org", contact},
		{"CreateContact", contactJSON, func(ctx context.Context, c *client.Client) (any, error) {
			return one(c.CreateContact(ctx, client.ContactInput{Email: text("a@x.org"), Tags: []string{"vip"}, CustomFields: map[string]any{"n": nil, "m": json.RawMessage("1.50")}}))
		}, `POST /v1/contacts {"email":"a@x.org","custom_fields":{"m":1.50,"n":null},"tags":["vip"]}`, contact},
		{"UpsertContact", contactJSON, func(ctx context.Context, c *client.Client) (any, error) {
			return one(c.UpsertContact(ctx, "a@x.org", client.ContactInput{FirstName: text(""), Lists: []string{"News"}, DoubleOptIn: true}))
		}, `PUT /v1/contacts/a@x.org {"first_name":"","lists":["News"],"double_opt_in":true}`, contact},
		{"UpdateContact", contactJSON, func(ctx context.Context, c *client.Client) (any, error) {
			return one(c.UpdateContact(ctx, conID, 0, map[string]any{"last_name": nil}))
		}, `PATCH /v1/contacts/` + conID + ` {"last_name":null}`, contact},
		{"DeleteContact", "", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.DeleteContact(ctx, conID) }, "DELETE /v1/contacts/" + conID, nil},
		{"TagContact", contactJSON, func(ctx context.Context, c *client.Client) (any, error) {
			return one(c.TagContact(ctx, conID, []string{"a"}, []string{"b"}))
		}, `POST /v1/contacts/` + conID + `/tags {"add":["a"],"remove":["b"]}`, contact},
		{"Consents", pageOf(`{"at":"2026-01-31T09:30:00.000Z","contact_id":"` + conID + `","list_id":null,"from":"","to":"subscribed","origin":"api","request_id":null,"key_id":null}`),
			func(ctx context.Context, c *client.Client) (any, error) {
				all, err := c.Consents(ctx, conID)
				return all[0].To, err
			}, "GET /v1/contacts/" + conID + "/consents", "subscribed"},
		{"ContactEventPage", pageOf(eventJSON), func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.ContactEventPage(ctx, conID, postroom.PageQuery{Limit: 2})
			return p.Data[0].ID, err
		}, "GET /v1/contacts/" + conID + "/events?limit=2", "order-17"},
		{"ContactDeliveryPage", pageOf(deliveryJSON), func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.ContactDeliveryPage(ctx, conID, postroom.PageQuery{})
			return p.Data[0].ID.String(), err
		}, "GET /v1/contacts/" + conID + "/deliveries", dlvID},
		{"ExportContacts", "email\r\n", func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.ExportContacts(ctx, client.ContactFilter{ListRef: "News"}, client.ExportCSV)
			if err != nil {
				return nil, err
			}
			defer func() { _ = r.Close() }()
			text, err := io.ReadAll(r)
			return string(text), err
		}, "GET /v1/contacts/export?format=csv&list=News", "email\r\n"},
		{"Import", importJSON, func(ctx context.Context, c *client.Client) (any, error) {
			i, err := c.Import(ctx, impID)
			return []any{i.ID.String(), i.Problems[0].Row}, err
		}, "GET /v1/imports/" + impID, []any{impID, int64(3)}},
		{"ImportPage", pageOf(importJSON), func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.ImportPage(ctx, postroom.PageQuery{})
			return p.Data[0].State, err
		}, "GET /v1/imports", postroom.ImportDone},
		{"ListPage", pageOf(listJSON), func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.ListPage(ctx, postroom.PageQuery{})
			return p.Data[0].Members, err
		}, "GET /v1/lists", int64(12)},
		{"List", listJSON, func(ctx context.Context, c *client.Client) (any, error) {
			l, err := c.List(ctx, "a b")
			return l.Name, err
		}, "GET /v1/lists/a%20b", "News"},
		{"CreateList", listJSON, func(ctx context.Context, c *client.Client) (any, error) {
			l, err := c.CreateList(ctx, client.ListInput{Name: "News"})
			return l.ID.String(), err
		}, `POST /v1/lists {"name":"News"}`, lstID},
		{"UpdateList", listJSON, func(ctx context.Context, c *client.Client) (any, error) {
			l, err := c.UpdateList(ctx, lstID, client.ListInput{Description: "D"})
			return l.ID.String(), err
		}, `PATCH /v1/lists/` + lstID + ` {"description":"D"}`, lstID},
		{"DeleteList", "", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.DeleteList(ctx, lstID) }, "DELETE /v1/lists/" + lstID, nil},
		{"MemberPage", pageOf(contactJSON), func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.MemberPage(ctx, lstID, postroom.PageQuery{})
			return p.Data[0].ID.String(), err
		}, "GET /v1/lists/" + lstID + "/members", conID},
		{"AddMembers", pageOf(contactJSON), func(ctx context.Context, c *client.Client) (any, error) {
			all, err := c.AddMembers(ctx, lstID, []string{"a@x.org"}, true)
			return len(all), err
		}, `POST /v1/lists/` + lstID + `/members {"contacts":["a@x.org"],"double_opt_in":true}`, 1},
		{"RemoveMember", contactJSON, func(ctx context.Context, c *client.Client) (any, error) {
			return one(c.RemoveMember(ctx, lstID, "a@x.org"))
		},
			"DELETE /v1/lists/" + lstID + "/members/a@x.org", contact},
		{"ConfirmMember", contactJSON, func(ctx context.Context, c *client.Client) (any, error) {
			return one(c.ConfirmMember(ctx, lstID, conID))
		},
			"POST /v1/lists/" + lstID + "/members/" + conID + "/confirm", contact},
		{"Tags", pageOf(`{"name":"vip","contacts":3}`), func(ctx context.Context, c *client.Client) (any, error) {
			all, err := c.Tags(ctx)
			return all[0].Contacts, err
		}, "GET /v1/tags", int64(3)},
		{"RenameTag", `{"name":"b","contacts":3}`, func(ctx context.Context, c *client.Client) (any, error) {
			tag, err := c.RenameTag(ctx, "a/b", "b")
			return tag.Name, err
		}, `PATCH /v1/tags/a%2Fb {"name":"b"}`, "b"},
		{"DeleteTag", "", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.DeleteTag(ctx, "vip") }, "DELETE /v1/tags/vip", nil},
		{"Fields", pageOf(fieldJSON), func(ctx context.Context, c *client.Client) (any, error) {
			all, err := c.Fields(ctx)
			return all[0].Options, err
		}, "GET /v1/fields", []string{"free", "pro"}},
		{"Field", fieldJSON, func(ctx context.Context, c *client.Client) (any, error) {
			f, err := c.Field(ctx, "plan")
			return f.Type, err
		}, "GET /v1/fields/plan", postroom.FieldChoice},
		{"CreateField", fieldJSON, func(ctx context.Context, c *client.Client) (any, error) {
			f, err := c.CreateField(ctx, client.FieldInput{Name: "plan", Type: postroom.FieldChoice, Options: []string{"free"}})
			return f.Name, err
		}, `POST /v1/fields {"name":"plan","type":"choice","options":["free"]}`, "plan"},
		{"UpdateField", fieldJSON, func(ctx context.Context, c *client.Client) (any, error) {
			f, err := c.UpdateField(ctx, "plan", client.FieldInput{Title: "Plan"})
			return f.Title, err
		}, `PATCH /v1/fields/plan {"title":"Plan"}`, "Plan"},
		{"DeleteField", "", func(ctx context.Context, c *client.Client) (any, error) { return nil, c.DeleteField(ctx, "plan") }, "DELETE /v1/fields/plan", nil},
		{"AuditPage", pageOf(`{"id":"aud_01jd3v8x2mf4k8c0q9r7t5y1za","at":"2026-01-31T09:30:00.000Z","key_id":null,"action":"list.created","subject":"x"}`),
			func(ctx context.Context, c *client.Client) (any, error) {
				p, err := c.AuditPage(ctx, postroom.PageQuery{})
				return p.Data[0].Action, err
			}, "GET /v1/audit", "list.created"},
	}
}

// A file is sent once, whatever comes of it: what came before is stored, and a second call would not have it.
func TestImportIsSentOnce(t *testing.T) {
	f := newFake(t, problem(http.StatusServiceUnavailable, "unavailable", "Try again.", ""), answer{status: http.StatusCreated, body: importJSON})
	in := client.ImportInput{Format: client.ExportCSV, Lists: []string{"a, b"}, Tags: []string{"t"}, Keep: true, DoubleOptIn: true, DryRun: true}
	var refused *client.Error
	if _, err := f.client(t).ImportContacts(t.Context(), in, strings.NewReader("email\n")); !errors.As(err, &refused) || refused.Code != postroom.CodeUnavailable {
		t.Fatal(err)
	}
	done, err := f.client(t).ImportContacts(t.Context(), client.ImportInput{Format: client.ExportNDJSON}, strings.NewReader("{}\n"))
	if err != nil || done.Refused != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	calls := f.asked()
	var got []string
	for _, c := range calls {
		got = append(got, c.line+" "+c.header.Get("Content-Type")+" "+c.header.Get("Idempotency-Key")+" "+c.body)
	}
	want := []string{"POST /v1/contacts/import?double_opt_in=true&dry_run=true&list=%5B%22a%2C+b%22%5D&tag=%5B%22t%22%5D&update=false text/csv  email\n", "POST /v1/contacts/import application/x-ndjson  {}\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestErase(t *testing.T) {
	line := func(done string) string {
		return `{"contact_id":null,"rows":20,"done":false}` + "\n" + done
	}
	end := `{"contact_id":"` + conID + `","rows":40,"done":true}` + "\n"
	f := newFake(t, answer{status: 503, body: "{}"}, answer{status: 200, kind: "application/x-ndjson", body: line(end)})
	var told []int64
	e, err := f.client(t).EraseContact(t.Context(), "a@x.org", func(e postroom.ErasureResource) { told = append(told, e.Rows) })
	if err != nil || !e.Done || e.Rows != 40 || e.ContactID.String() != conID || len(told) != 1 || told[0] != 20 {
		t.Errorf("%+v, %v, %v", e, told, err)
	}
	asked := f.asked()[1]
	if asked.line != "POST /v1/contacts/a@x.org/erase" || asked.header.Get("Accept") != "application/x-ndjson" || asked.header.Get("Idempotency-Key") != "" {
		t.Errorf("asked %+v", asked)
	}
	// A first try that got no answer may have done it.
	f = newFake(t, answer{status: 502, body: "{}"}, problem(404, "not_found", "There is no contact.", ""))
	if e, err := f.client(t).EraseContact(t.Context(), "a@x.org", nil); err != nil || !e.Done {
		t.Errorf("%+v, %v", e, err)
	}
	f = newFake(t, problem(404, "not_found", "There is no contact.", ""))
	if _, err := f.client(t).EraseContact(t.Context(), "a@x.org", nil); !client.IsNotFound(err) {
		t.Error(err)
	}
	f = newFake(t, answer{status: 200, kind: "application/x-ndjson", body: line("")})
	if _, err := f.client(t).EraseContact(t.Context(), "a@x.org", nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}
