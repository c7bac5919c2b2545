package api

import (
	"context"
	"net/http"
	"net/url"
	"reflect"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

const (
	listPath  = "/v1/lists"
	tagPath   = "/v1/tags"
	fieldPath = "/v1/fields"
)

// ListRef is the parameter of paths that name a list. It is exported for huma.
type ListRef struct {
	ID string `path:"id" doc:"The list's id (lst_…), name or uid."`
}

// MemberRef are the parameters of paths that name a contact on a list. It is exported for huma.
type MemberRef struct {
	ListRef
	Contact string `path:"contact" doc:"The contact's id (con_…), email or uid."`
}

type membersInput struct {
	Contacts    []string `json:"contacts" doc:"Ids, emails or uids of contacts, up to 500."`
	DoubleOptIn bool     `json:"double_opt_in" doc:"They are pending until they are confirmed."`
}

func (a *api) routeLists(rt *router) {
	const path, tag = listPath, "Lists"
	conflicts := []postroom.Code{postroom.CodeConflict}
	register(rt, operation{
		ID: "list-lists", Method: http.MethodGet, Path: path, Tag: tag, Role: postroom.RoleViewer,
		Summary:     "List lists",
		Description: "The lists of the workspace, newest first.",
	}, a.listLists)
	register(rt, operation{
		ID: "create-list", Method: http.MethodPost, Path: path, Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Create a list",
		Description: "Names are unique, upper and lower case being the same.",
		Status:      http.StatusCreated, Body: reflect.TypeFor[app.ListInput](), Need: true, Example: `{"name":"Newsletter"}`, Answer: exampleList, Codes: conflicts,
	}, a.createList)
	register(rt, operation{
		ID: "get-list", Method: http.MethodGet, Path: path + "/{id}", Tag: tag, Role: postroom.RoleViewer,
		Summary:     "Get a list",
		Description: "One list, with how many contacts are subscribed to it.",
		Answer:      exampleList,
	}, a.getList)
	register(rt, operation{
		ID: "update-list", Method: http.MethodPatch, Path: path + "/{id}", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Change a list",
		Description: "A JSON merge patch (RFC 7396). Contacts show the new name at once.",
		Body:        reflect.TypeFor[app.ListInput](), Need: true, Patch: true, Example: `{"description":"Monthly."}`, Answer: exampleList, Codes: conflicts,
	}, a.updateList)
	register(rt, operation{
		ID: "delete-list", Method: http.MethodDelete, Path: path + "/{id}", Tag: tag, Role: postroom.RoleAdmin,
		Summary: "Delete a list",
		Description: "Its members leave it first, some hundred at a time, with the events that tell of it. Of a large list this takes a while, and goes on when the caller has gone; when the server " +
			"fails on the way, the call can be made again.",
		Status: http.StatusNoContent, Codes: conflicts,
	}, a.deleteList)
	a.routeMembers(rt)
}

func (a *api) routeMembers(rt *router) {
	const path, tag = listPath + "/{id}/members", "Lists"
	conflicts := []postroom.Code{postroom.CodeConflict}
	register(rt, operation{
		ID: "list-members", Method: http.MethodGet, Path: path, Tag: tag, Role: postroom.RoleViewer,
		Summary:     "List members",
		Description: "The contacts on a list, and those who have yet to confirm that they are, newest contact first.",
	}, a.listMembers)
	register(rt, operation{
		ID: "add-members", Method: http.MethodPost, Path: path, Tag: tag, Role: postroom.RoleAdmin,
		Summary: "Add members",
		Description: "Puts contacts on a list: all of them, or none where one does not exist. Who is on it already stays as it is; who has yet to confirm is confirmed, unless `double_opt_in` says " +
			"otherwise. " + eventsFollow,
		Body: reflect.TypeFor[membersInput](), Need: true, Example: `{"contacts":["ada@example.com"],"double_opt_in":true}`, Codes: conflicts,
	}, a.addMembers)
	register(rt, operation{
		ID: "remove-member", Method: http.MethodDelete, Path: path + "/{contact}", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Remove a member",
		Description: "Takes a contact off a list. The contact keeps the membership as unsubscribed, so that it is known. " + eventsFollow,
		Codes:       conflicts, Answer: exampleContact,
	}, a.removeMember)
	register(rt, operation{
		ID: "confirm-member", Method: http.MethodPost, Path: path + "/{contact}/confirm", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Confirm a member",
		Description: "The contact has confirmed that it wants to be on the list. To confirm again changes nothing. " + eventsFollow,
		Codes:       conflicts, Answer: exampleContact,
	}, a.confirmMember)
}

func (a *api) listLists(ctx context.Context, c *call, in *PageParams) (*page[postroom.List], error) {
	found, err := a.App.Lists(ctx, c.who, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, func(l postroom.List) postroom.List { return l }), nil
}

func (a *api) createList(ctx context.Context, c *call, _ *struct{}) (*created[postroom.List], error) {
	var in app.ListInput
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	l, err := a.App.CreateList(ctx, c.who, in)
	if err != nil {
		return nil, err
	}
	return &created[postroom.List]{Location: listPath + "/" + l.ID.String(), Body: l}, nil
}

func (a *api) getList(ctx context.Context, c *call, in *ListRef) (*answer[postroom.List], error) {
	return answerOf(a.App.List(ctx, c.who, in.ID))
}

// answerOf is an answer that is a thing as App gave it.
func answerOf[T any](v T, err error) (*answer[T], error) {
	if err != nil {
		return nil, err
	}
	return &answer[T]{v}, nil
}

func (a *api) updateList(ctx context.Context, c *call, in *ListRef) (*answer[postroom.List], error) {
	return answerOf(a.App.UpdateList(ctx, c.who, in.ID, func(l *app.ListInput) error { return patch(l, app.ListInput{}, c.body) }))
}

func (a *api) deleteList(ctx context.Context, c *call, in *ListRef) (*done, error) {
	return &done{}, a.App.DeleteList(ctx, c.who, in.ID)
}

type listMembersInput struct {
	ListRef
	PageParams
}

func (a *api) listMembers(ctx context.Context, c *call, in *listMembersInput) (*page[postroom.Contact], error) {
	found, err := a.App.Members(ctx, c.who, in.ID, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showContact), nil
}

func (a *api) addMembers(ctx context.Context, c *call, in *ListRef) (*all[postroom.Contact], error) {
	var body membersInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	members, err := a.App.AddMembers(ctx, c.who, in.ID, body.Contacts, body.DoubleOptIn)
	if err != nil {
		return nil, err
	}
	return newAll(showAll(members, showContact)), nil
}

func (a *api) removeMember(ctx context.Context, c *call, in *MemberRef) (*taggedContact, error) {
	return oneContact(a.App.RemoveMember(ctx, c.who, in.ID, in.Contact))
}

func (a *api) confirmMember(ctx context.Context, c *call, in *MemberRef) (*taggedContact, error) {
	return oneContact(a.App.ConfirmMember(ctx, c.who, in.ID, in.Contact))
}

func oneContact(c postroom.Contact, err error) (*taggedContact, error) {
	if err != nil {
		return nil, err
	}
	return newTaggedContact(http.StatusOK, c), nil
}

// TagRef is the parameter of paths that name a tag. It is exported for huma.
type TagRef struct {
	Tag string `path:"tag" doc:"The tag."`
}

// FieldRef is the parameter of paths that name a custom field. It is exported for huma.
type FieldRef struct {
	Field string `path:"field" doc:"The name of the custom field."`
}

type renameInput struct {
	Name string `json:"name" doc:"What the tag is called from now on. A tag that is there already takes the contacts too."`
}

func (a *api) routeTags(rt *router) {
	const tag = "Tags and fields"
	conflicts := []postroom.Code{postroom.CodeConflict}
	const bySteps = "Some hundred contacts are changed at a time, with the events that tell of it. Of many this takes a while, and goes on when the caller has gone; when the server fails on the way, " +
		"the call can be made again."
	register(rt, operation{
		ID: "list-tags", Method: http.MethodGet, Path: tagPath, Tag: tag, Role: postroom.RoleViewer,
		Summary:     "List tags",
		Description: "The tags that contacts have, by name, with how many have each. Answers with all of them; there are no further pages.",
	}, a.listTags)
	register(rt, operation{
		ID: "rename-tag", Method: http.MethodPatch, Path: tagPath + "/{tag}", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Rename a tag",
		Description: "Gives all contacts that have a tag another one in its place. " + bySteps,
		Body:        reflect.TypeFor[renameInput](), Need: true, Patch: true, Example: `{"name":"customer"}`, Codes: conflicts,
	}, a.renameTag)
	register(rt, operation{
		ID: "delete-tag", Method: http.MethodDelete, Path: tagPath + "/{tag}", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Delete a tag",
		Description: "Takes a tag from all contacts that have it. " + bySteps,
		Status:      http.StatusNoContent, Codes: conflicts,
	}, a.deleteTag)
	register(rt, operation{
		ID: "list-fields", Method: http.MethodGet, Path: fieldPath, Tag: tag, Role: postroom.RoleViewer,
		Summary:     "List custom fields",
		Description: "The custom fields that the workspace declared, by name. Contacts may have others, which hold any JSON. Answers with all of them; there are no further pages.",
	}, a.listFields)
	register(rt, operation{
		ID: "create-field", Method: http.MethodPost, Path: fieldPath, Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Declare a custom field",
		Description: "From now on, values of the field are of its type. Those that contacts have already stay as they are.",
		Status:      http.StatusCreated, Body: reflect.TypeFor[app.FieldInput](), Need: true, Example: `{"name":"plan","title":"Plan","type":"choice","options":["free","pro"]}`,
		Answer: exampleField, Codes: conflicts,
	}, a.createField)
	register(rt, operation{
		ID: "get-field", Method: http.MethodGet, Path: fieldPath + "/{field}", Tag: tag, Role: postroom.RoleViewer,
		Summary:     "Get a custom field",
		Description: "One custom field that the workspace declared.",
		Answer:      exampleField,
	}, a.getField)
	register(rt, operation{
		ID: "update-field", Method: http.MethodPatch, Path: fieldPath + "/{field}", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Change a custom field",
		Description: "A JSON merge patch (RFC 7396). The name stays. Values that contacts have stay as they are, also where they are not of the new type.",
		Body:        reflect.TypeFor[app.FieldInput](), Need: true, Patch: true, Example: `{"options":["free","pro","team"]}`, Answer: exampleField, Codes: conflicts,
	}, a.updateField)
	register(rt, operation{
		ID: "delete-field", Method: http.MethodDelete, Path: fieldPath + "/{field}", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Delete a custom field",
		Description: "Takes the declaration back. The values that contacts have stay, and are not checked any more.",
		Status:      http.StatusNoContent,
	}, a.deleteField)
	register(rt, operation{
		ID: "list-audit", Method: http.MethodGet, Path: "/v1/audit", Tag: "Audit", Role: postroom.RoleViewer,
		Summary:     "List the audit log",
		Description: "What was done with which key, newest first, for a year: webhooks, sources, keys, lists and fields that were made, changed or deleted; contacts that were imported, exported, deleted or erased. It has no personal data.",
	}, a.listAudit)
}

func (a *api) listTags(ctx context.Context, c *call, _ *struct{}) (*all[postroom.Tag], error) {
	tags, err := a.App.Tags(ctx, c.who)
	if err != nil {
		return nil, err
	}
	return newAll(tags), nil
}

func (a *api) renameTag(ctx context.Context, c *call, in *TagRef) (*answer[postroom.Tag], error) {
	var body renameInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	return answerOf(a.App.RenameTag(ctx, c.who, in.Tag, body.Name))
}

func (a *api) deleteTag(ctx context.Context, c *call, in *TagRef) (*done, error) {
	return &done{}, a.App.DeleteTag(ctx, c.who, in.Tag)
}

func (a *api) listFields(ctx context.Context, c *call, _ *struct{}) (*all[postroom.Field], error) {
	fields, err := a.App.Fields(ctx, c.who)
	if err != nil {
		return nil, err
	}
	return newAll(fields), nil
}

func (a *api) createField(ctx context.Context, c *call, _ *struct{}) (*created[postroom.Field], error) {
	in := app.FieldInput{Type: postroom.FieldText}
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	f, err := a.App.CreateField(ctx, c.who, in)
	if err != nil {
		return nil, err
	}
	return &created[postroom.Field]{Location: fieldPath + "/" + url.PathEscape(f.Name), Body: f}, nil
}

func (a *api) getField(ctx context.Context, c *call, in *FieldRef) (*answer[postroom.Field], error) {
	return answerOf(a.App.Field(ctx, c.who, in.Field))
}

func (a *api) updateField(ctx context.Context, c *call, in *FieldRef) (*answer[postroom.Field], error) {
	return answerOf(a.App.UpdateField(ctx, c.who, in.Field, func(f *app.FieldInput) error {
		return patch(f, app.FieldInput{Name: f.Name, Type: postroom.FieldText}, c.body)
	}))
}

func (a *api) deleteField(ctx context.Context, c *call, in *FieldRef) (*done, error) {
	return &done{}, a.App.DeleteField(ctx, c.who, in.Field)
}

func (a *api) listAudit(ctx context.Context, c *call, in *PageParams) (*page[postroom.AuditEntry], error) {
	found, err := a.App.Audit(ctx, c.who, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, func(e postroom.AuditEntry) postroom.AuditEntry { return e }), nil
}
