package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/postroom/postroom"
)

// ContactInput is a contact to make, or what is to be changed of one. What is nil or empty is left out.
type ContactInput struct {
	UID          *string                `json:"uid,omitempty"`
	Email        *string                `json:"email,omitempty"`
	Phone        *string                `json:"phone,omitempty"`
	FirstName    *string                `json:"first_name,omitempty"`
	LastName     *string                `json:"last_name,omitempty"`
	Status       postroom.ContactStatus `json:"status,omitempty"`
	Source       *string                `json:"source,omitempty"`
	CustomFields map[string]any         `json:"custom_fields,omitempty"` // nil as a value takes a field away
	Tags         []string               `json:"tags,omitempty"`          // given to it
	Lists        []string               `json:"lists,omitempty"`         // names or ids that it joins; one that does not exist is made
	DoubleOptIn  bool                   `json:"double_opt_in,omitempty"` // what it joins is pending until it is confirmed
}

// ContactFilter chooses contacts. What is zero does not filter.
type ContactFilter struct {
	postroom.ContactFilter
	ListRef string // id or name of a list; in place of List
}

func (f ContactFilter) values() url.Values {
	v := url.Values{}
	q := filter(v)
	q.text("email", f.Email)
	q.text("phone", f.Phone)
	q.text("status", string(f.Status))
	q.text("tag", f.Tag)
	q.text("field", f.Field)
	q.text("value", f.Value)
	q.text("q", f.Text)
	q.time("after", f.After)
	q.time("before", f.Before)
	if !f.List.IsZero() {
		q.text("list", f.List.String())
	}
	q.text("list", f.ListRef)
	return v
}

// Contacts goes through contacts, newest first.
func (c *Client) Contacts(ctx context.Context, f ContactFilter) iter.Seq2[postroom.Contact, error] {
	return each(func(q postroom.PageQuery) (postroom.Page[postroom.Contact], error) { return c.ContactPage(ctx, f, q) })
}

// ContactPage gives one page of contacts, newest first.
func (c *Client) ContactPage(ctx context.Context, f ContactFilter, q postroom.PageQuery) (postroom.Page[postroom.Contact], error) {
	return page[postroom.Contact](ctx, c, "/v1/contacts", f.values(), q)
}

// Contact gives one contact. ref is its id (con_…), email or uid. Its Version is that of the answer's ETag.
func (c *Client) Contact(ctx context.Context, ref string) (postroom.Contact, error) {
	return c.contact(ctx, request{method: http.MethodGet, path: path("v1", "contacts", ref)})
}

// contact makes a call whose answer is a contact.
func (c *Client) contact(ctx context.Context, r request) (postroom.Contact, error) {
	var found postroom.Contact
	header, err := c.decode(ctx, r, &found)
	found.Version = version(header)
	return found, err
}

// contactWith makes a call with a body whose answer is a contact.
func (c *Client) contactWith(ctx context.Context, r request, in any) (postroom.Contact, error) {
	if err := r.setJSON(in); err != nil {
		return postroom.Contact{}, err
	}
	if r.method == http.MethodPatch {
		r.kind = mergePatch
	}
	return c.contact(ctx, r)
}

// CreateContact makes a contact.
func (c *Client) CreateContact(ctx context.Context, in ContactInput) (postroom.Contact, error) {
	return c.contactWith(ctx, request{method: http.MethodPost, path: "/v1/contacts"}, in)
}

// UpsertContact makes a contact with an email, or changes the one that has it.
func (c *Client) UpsertContact(ctx context.Context, email string, in ContactInput) (postroom.Contact, error) {
	return c.contactWith(ctx, request{method: http.MethodPut, path: path("v1", "contacts", email)}, in)
}

// UpdateContact changes a contact. patch is a JSON merge patch (RFC 7396): a map, in which nil clears a field, or a ContactInput. ifMatch is the version
// that is to be changed, so that no other change is overwritten; 0 changes any.
func (c *Client) UpdateContact(ctx context.Context, ref string, ifMatch int64, patch any) (postroom.Contact, error) {
	r := request{method: http.MethodPatch, path: path("v1", "contacts", ref)}
	if ifMatch != 0 {
		r.header = http.Header{"If-Match": {`"` + strconv.FormatInt(ifMatch, 10) + `"`}}
	}
	return c.contactWith(ctx, r, patch)
}

// DeleteContact removes a contact. What the log tells of it stays there until it is too old.
func (c *Client) DeleteContact(ctx context.Context, ref string) error {
	return c.delete(ctx, path("v1", "contacts", ref))
}

// TagContact gives a contact tags, and takes others from it.
func (c *Client) TagContact(ctx context.Context, ref string, add, remove []string) (postroom.Contact, error) {
	in := struct {
		Add    []string `json:"add,omitempty"`
		Remove []string `json:"remove,omitempty"`
	}{add, remove}
	return c.contactWith(ctx, request{method: http.MethodPost, path: path("v1", "contacts", ref, "tags")}, in)
}

// Consents gives the history of a contact's status and memberships, newest first.
func (c *Client) Consents(ctx context.Context, ref string) ([]postroom.Consent, error) {
	return all[postroom.Consent](ctx, c, path("v1", "contacts", ref, "consents"))
}

// ContactEventPage gives one page of the events that tell of a contact, newest first.
func (c *Client) ContactEventPage(ctx context.Context, ref string, q postroom.PageQuery) (postroom.Page[postroom.EventResource], error) {
	return page[postroom.EventResource](ctx, c, path("v1", "contacts", ref, "events"), nil, q)
}

// ContactDeliveryPage gives the deliveries of one page of the events that tell of a contact, newest event first.
func (c *Client) ContactDeliveryPage(ctx context.Context, ref string, q postroom.PageQuery) (postroom.Page[postroom.DeliveryResource], error) {
	return page[postroom.DeliveryResource](ctx, c, path("v1", "contacts", ref, "deliveries"), nil, q)
}

// EraseContact removes a person everywhere: the contact, and all that the log tells of it. progress, unless nil, is told from time to time how
// much is gone. It goes on when the call is broken off.
func (c *Client) EraseContact(ctx context.Context, ref string, progress func(postroom.ErasureResource)) (postroom.ErasureResource, error) {
	var e postroom.ErasureResource
	tries := 0
	resp, err := c.do(ctx, request{method: http.MethodPost, path: path("v1", "contacts", ref, "erase"), accept: "application/x-ndjson", stream: true, unkeyed: true}, &tries)
	if tries > 1 && IsNotFound(err) { // the first try did it
		return postroom.ErasureResource{Done: true}, nil
	}
	if err != nil {
		return e, err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return e, fmt.Errorf("the server's answer cannot be read: %w", err)
		}
		if e.Done {
			return e, nil
		}
		if progress != nil {
			progress(e)
		}
	}
	if err := lines.Err(); err != nil {
		return e, fmt.Errorf("the answer broke off, and the erasure may have: %w", err)
	}
	return e, fmt.Errorf("the answer broke off, and the erasure may have: %w", io.ErrUnexpectedEOF)
}

// ExportContacts gives all contacts that the filter lets through, newest first, as they come from the server. The caller closes the reader; a read fails when
// the export broke off.
func (c *Client) ExportContacts(ctx context.Context, f ContactFilter, format ExportFormat) (io.ReadCloser, error) {
	return c.exportOf(ctx, "/v1/contacts/export", f.values(), format)
}

// ImportInput says how a file of contacts is brought in.
type ImportInput struct {
	Format      ExportFormat
	Lists, Tags []string // that every contact joins, or is given
	Keep        bool     // contacts that exist keep their fields
	DoubleOptIn bool     // what is joined is pending until it is confirmed
	DryRun      bool     // change nothing
}

// ImportContacts brings a file of contacts in. It is read while it is sent, and sent once: when the call fails, what came before that may be stored, and to
// import the file again does no harm.
func (c *Client) ImportContacts(ctx context.Context, in ImportInput, file io.Reader) (postroom.ImportResource, error) {
	kind := "application/x-ndjson"
	if in.Format == ExportCSV {
		kind = "text/csv"
	}
	v := url.Values{}
	for name, words := range map[string][]string{"list": in.Lists, "tag": in.Tags} {
		if len(words) > 0 {
			text, err := encode(words)
			if err != nil {
				return postroom.ImportResource{}, err
			}
			v.Set(name, string(text))
		}
	}
	for name, on := range map[string]bool{"double_opt_in": in.DoubleOptIn, "dry_run": in.DryRun} {
		if on {
			v.Set(name, "true")
		}
	}
	if in.Keep {
		v.Set("update", "false")
	}
	var out postroom.ImportResource
	_, err := c.decode(ctx, request{method: http.MethodPost, path: "/v1/contacts/import", query: v, kind: kind, file: file}, &out)
	return out, err
}

// Import gives one import, and tells how far it is.
func (c *Client) Import(ctx context.Context, id string) (postroom.ImportResource, error) {
	var out postroom.ImportResource
	err := c.get(ctx, path("v1", "imports", id), nil, &out)
	return out, err
}

// ImportPage gives one page of the imports, newest first.
func (c *Client) ImportPage(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.ImportResource], error) {
	return page[postroom.ImportResource](ctx, c, "/v1/imports", nil, q)
}
