package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/postroom/postroom"
)

// ListInput is a list to make, or what is to be changed of one.
type ListInput struct {
	UID         string `json:"uid,omitempty"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}

// Lists goes through the lists of the workspace, newest first.
func (c *Client) Lists(ctx context.Context) iter.Seq2[postroom.List, error] {
	return each(func(q postroom.PageQuery) (postroom.Page[postroom.List], error) { return c.ListPage(ctx, q) })
}

// ListPage gives one page of the lists, newest first.
func (c *Client) ListPage(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.List], error) {
	return page[postroom.List](ctx, c, "/v1/lists", nil, q)
}

// List gives one list. ref is its id (lst_…), name or uid.
func (c *Client) List(ctx context.Context, ref string) (postroom.List, error) {
	var out postroom.List
	err := c.get(ctx, path("v1", "lists", ref), nil, &out)
	return out, err
}

// CreateList makes a list.
func (c *Client) CreateList(ctx context.Context, in ListInput) (postroom.List, error) {
	var out postroom.List
	err := c.post(ctx, "/v1/lists", in, &out)
	return out, err
}

// UpdateList changes a list. patch is a JSON merge patch: a ListInput, or a map.
func (c *Client) UpdateList(ctx context.Context, ref string, patch any) (postroom.List, error) {
	var out postroom.List
	err := c.patch(ctx, path("v1", "lists", ref), patch, &out)
	return out, err
}

// DeleteList removes a list, after its members have left it.
func (c *Client) DeleteList(ctx context.Context, ref string) error {
	return c.delete(ctx, path("v1", "lists", ref))
}

// Members goes through the contacts on a list, newest contact first.
func (c *Client) Members(ctx context.Context, list string) iter.Seq2[postroom.Contact, error] {
	return each(func(q postroom.PageQuery) (postroom.Page[postroom.Contact], error) { return c.MemberPage(ctx, list, q) })
}

// MemberPage gives one page of the contacts on a list, newest contact first.
func (c *Client) MemberPage(ctx context.Context, list string, q postroom.PageQuery) (postroom.Page[postroom.Contact], error) {
	return page[postroom.Contact](ctx, c, path("v1", "lists", list, "members"), nil, q)
}

// AddMembers puts contacts on a list. doubleOptIn says that they have yet to confirm.
func (c *Client) AddMembers(ctx context.Context, list string, contacts []string, doubleOptIn bool) ([]postroom.Contact, error) {
	in := struct {
		Contacts    []string `json:"contacts"`
		DoubleOptIn bool     `json:"double_opt_in,omitempty"`
	}{contacts, doubleOptIn}
	var out postroom.Page[postroom.Contact]
	err := c.post(ctx, path("v1", "lists", list, "members"), in, &out)
	return out.Data, err
}

// RemoveMember takes a contact off a list.
func (c *Client) RemoveMember(ctx context.Context, list, contact string) (postroom.Contact, error) {
	return c.contact(ctx, request{method: http.MethodDelete, path: path("v1", "lists", list, "members", contact)})
}

// ConfirmMember confirms the membership of a contact that was pending.
func (c *Client) ConfirmMember(ctx context.Context, list, contact string) (postroom.Contact, error) {
	return c.contact(ctx, request{method: http.MethodPost, path: path("v1", "lists", list, "members", contact, "confirm")})
}

// Tags gives the tags that contacts have, by name.
func (c *Client) Tags(ctx context.Context) ([]postroom.Tag, error) {
	return all[postroom.Tag](ctx, c, "/v1/tags")
}

// RenameTag gives all contacts that have a tag another one in its place.
func (c *Client) RenameTag(ctx context.Context, tag, name string) (postroom.Tag, error) {
	var out postroom.Tag
	err := c.patch(ctx, path("v1", "tags", tag), map[string]string{"name": name}, &out)
	return out, err
}

// DeleteTag takes a tag from all contacts that have it.
func (c *Client) DeleteTag(ctx context.Context, tag string) error {
	return c.delete(ctx, path("v1", "tags", tag))
}

// FieldInput is a custom field to declare, or what is to be changed of one.
type FieldInput struct {
	Name    string             `json:"name,omitempty"`
	Title   string             `json:"title,omitempty"`
	Type    postroom.FieldType `json:"type,omitempty"` // text if empty
	Options []string           `json:"options,omitempty"`
}

// Fields gives the custom fields that the workspace declared, by name.
func (c *Client) Fields(ctx context.Context) ([]postroom.Field, error) {
	return all[postroom.Field](ctx, c, "/v1/fields")
}

// Field gives one custom field.
func (c *Client) Field(ctx context.Context, name string) (postroom.Field, error) {
	var out postroom.Field
	err := c.get(ctx, path("v1", "fields", name), nil, &out)
	return out, err
}

// CreateField declares a custom field.
func (c *Client) CreateField(ctx context.Context, in FieldInput) (postroom.Field, error) {
	var out postroom.Field
	err := c.post(ctx, "/v1/fields", in, &out)
	return out, err
}

// UpdateField changes a custom field. patch is a JSON merge patch: a FieldInput, or a map.
func (c *Client) UpdateField(ctx context.Context, name string, patch any) (postroom.Field, error) {
	var out postroom.Field
	err := c.patch(ctx, path("v1", "fields", name), patch, &out)
	return out, err
}

// DeleteField takes the declaration of a custom field back. The values that contacts have stay.
func (c *Client) DeleteField(ctx context.Context, name string) error {
	return c.delete(ctx, path("v1", "fields", name))
}

// Audit goes through the audit log, newest first.
func (c *Client) Audit(ctx context.Context) iter.Seq2[postroom.AuditEntry, error] {
	return each(func(q postroom.PageQuery) (postroom.Page[postroom.AuditEntry], error) { return c.AuditPage(ctx, q) })
}

// AuditPage gives one page of the audit log, newest first.
func (c *Client) AuditPage(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.AuditEntry], error) {
	return page[postroom.AuditEntry](ctx, c, "/v1/audit", nil, q)
}
