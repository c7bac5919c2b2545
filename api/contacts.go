package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// contactInput is the body of a call that makes a contact, or changes the one that is there.
type contactInput struct {
	UID          *string                    `json:"uid" doc:"Your own id of the contact, unique in the workspace."`
	Email        *string                    `json:"email" doc:"The email address, unique in the workspace; upper and lower case are the same."`
	Phone        *string                    `json:"phone" doc:"The phone number with its country code; it is kept as in +12025550143."`
	FirstName    *string                    `json:"first_name" doc:"The given name."`
	LastName     *string                    `json:"last_name" doc:"The family name."`
	Status       *postroom.ContactStatus    `json:"status" doc:"Whether the contact may be written to, or why not; subscribed if it is left out of a new one."`
	Source       *string                    `json:"source" doc:"Where the contact came from, such as signup_form; api if it is left out of a new one."`
	CustomFields map[string]json.RawMessage `json:"custom_fields" doc:"Your own fields by name, each with a value of its type; null takes one away."`
	Tags         []string                   `json:"tags" doc:"Tags that the contact is given, beside those that it has."`
	Lists        []string                   `json:"lists" doc:"Names or ids of lists that the contact joins, beside those that it is on. One that does not exist is made."`
	DoubleOptIn  bool                       `json:"double_opt_in" doc:"What the contact joins is pending until it is confirmed."`
}

func (in contactInput) input() app.ContactInput {
	for name, value := range in.CustomFields {
		if value == nil { // as the decoder leaves it
			in.CustomFields[name] = json.RawMessage("null")
		}
	}
	return app.ContactInput{Tags: in.Tags, Lists: in.Lists, Pending: in.DoubleOptIn, Fields: postroom.ContactFields{UID: in.UID, Email: in.Email, Phone: in.Phone,
		FirstName: in.FirstName, LastName: in.LastName, Source: in.Source, Status: in.Status, CustomFields: in.CustomFields}}
}

// ContactParams are the filters of contacts. It is exported for huma.
type ContactParams struct {
	Email  string             `query:"email" doc:"Only the contact with this email address."`
	Phone  string             `query:"phone" doc:"Only contacts with this phone number."`
	Status contactStatusParam `query:"status" doc:"Only contacts with this status."`
	List   string             `query:"list" doc:"Only contacts on this list, or who have yet to confirm that they are: its id or name."`
	Tag    string             `query:"tag" doc:"Only contacts with this tag."`
	Field  string             `query:"field" doc:"Only contacts whose custom field with this name has the value that value says."`
	Value  string             `query:"value" doc:"With field: text, or JSON."`
	Text   string             `query:"q" doc:"Only contacts whose email contains this text, or whose names or phone begin with it."`
	After  timeParam          `query:"after" doc:"Only contacts made at this time or later."`
	Before timeParam          `query:"before" doc:"Only contacts made before this time."`
}

func (in ContactParams) search() app.ContactSearch {
	return app.ContactSearch{ListRef: in.List, ContactFilter: postroom.ContactFilter{Email: in.Email, Phone: in.Phone, Status: in.Status.ContactStatus, Tag: in.Tag,
		Field: in.Field, Value: in.Value, Text: in.Text, After: in.After.Time, Before: in.Before.Time}}
}

// contactStatusParam is a status of contacts.
type contactStatusParam struct{ postroom.ContactStatus }

// UnmarshalText refuses what is not a status.
func (p *contactStatusParam) UnmarshalText(text []byte) error {
	p.ContactStatus = postroom.ContactStatus(text)
	if !slices.Contains(postroom.ContactStatuses(), p.ContactStatus) {
		return errors.New("is one of " + join(postroom.ContactStatuses()))
	}
	return nil
}

// Schema describes the parameter.
func (contactStatusParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Enum: anys(postroom.ContactStatuses())}
}

type listContactsInput struct {
	PageParams
	ContactParams
}

// ContactRef is the parameter of paths that name a contact. It is exported for huma.
type ContactRef struct {
	ID string `path:"id" doc:"The contact's id (con_…), email or uid."`
}

// taggedContact is an answer that is a contact.
type taggedContact struct {
	Status   int
	Location string `header:"Location" doc:"The path of the contact."`
	ETag     string `header:"ETag" doc:"The version of the contact, for If-Match and If-None-Match."`
	Body     postroom.Contact
}

func newTaggedContact(status int, c postroom.Contact) *taggedContact {
	return &taggedContact{Status: status, Location: contactPath + "/" + c.ID.String(), ETag: etag(c.Version), Body: showContact(c)}
}

const contactPath = "/v1/contacts"

func (a *api) routeContacts(rt *router) {
	const path, tag = contactPath, "Contacts"
	conflicts := []postroom.Code{postroom.CodeConflict}
	register(rt, operation{
		ID: "list-contacts", Method: http.MethodGet, Path: path, Tag: tag, Role: postroom.RoleViewer,
		Summary:     "List contacts",
		Description: "The contacts of the workspace that all of the filters let through, newest first.",
	}, a.listContacts)
	register(rt, operation{
		ID: "create-contact", Method: http.MethodPost, Path: path, Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Create a contact",
		Description: "At least one of email, uid and phone says who it is. Answers 409 when another contact has the email or the uid; `PUT` changes the one that is there. " + eventsFollow,
		Status:      http.StatusCreated, Body: reflect.TypeFor[contactInput](), Need: true, Example: exampleContactInput, Answer: exampleContact, Codes: conflicts,
	}, a.createContact)
	a.routeContactFiles(rt)
	register(rt, operation{
		ID: "get-contact", Method: http.MethodGet, Path: path + "/{id}", Tag: tag, Role: postroom.RoleViewer,
		Summary:     "Get a contact",
		Description: "One contact, with its lists and tags. Answers 304 when `If-None-Match` has the present ETag.",
		Answer:      exampleContact, Conditional: true, Codes: []postroom.Code{postroom.CodePreconditionFailed},
	}, a.getContact)
	register(rt, operation{
		ID: "upsert-contact", Method: http.MethodPut, Path: path + "/{id}", Tag: tag, Role: postroom.RoleAdmin,
		Summary: "Create or change a contact",
		Description: "The path names the contact by its email. One that does not exist is made, with 201; of one that does, the fields that the body has are changed, and others stay. " +
			"Tags and lists are added to those that it has. To send the same again changes nothing. " + eventsFollow,
		Body: reflect.TypeFor[contactInput](), Need: true, Example: exampleContactInput, Answer: exampleContact, Codes: conflicts,
	}, a.upsertContact)
	register(rt, operation{
		ID: "update-contact", Method: http.MethodPatch, Path: path + "/{id}", Tag: tag, Role: postroom.RoleAdmin,
		Summary: "Change a contact",
		Description: "A JSON merge patch (RFC 7396): fields that are left out stay as they are, custom fields are merged, `null` clears a field, and `tags` replace those that it has. " +
			"Its lists are changed with the lists' members. " + eventsFollow,
		Body: reflect.TypeFor[app.ContactSettings](), Need: true, Patch: true, Example: `{"last_name":"Lovelace","custom_fields":{"company":"Analytical Engines","plan":null}}`,
		Answer: exampleContact, Codes: []postroom.Code{postroom.CodeConflict, postroom.CodePreconditionFailed},
	}, a.updateContact)
	register(rt, operation{
		ID: "delete-contact", Method: http.MethodDelete, Path: path + "/{id}", Tag: tag, Role: postroom.RoleAdmin,
		Summary: "Delete a contact",
		Description: "The contact is gone, with its history, and contact.deleted tells of it. What the log of events tells stays there until it is as old as the retention; to remove that too, " +
			"erase the contact.",
		Status: http.StatusNoContent, Codes: []postroom.Code{postroom.CodeConflict, postroom.CodePreconditionFailed},
	}, a.deleteContact)
	a.routeErase(rt)
	a.routeContactParts(rt)
}

// eventsFollow is said of operations that change contacts.
const eventsFollow = "The events that follow (contact.created, contact.tagged, …) are published in the same transaction."

func (a *api) routeContactParts(rt *router) {
	const path, tag = contactPath + "/{id}", "Contacts"
	register(rt, operation{
		ID: "tag-contact", Method: http.MethodPost, Path: path + "/tags", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Give and take tags",
		Description: "Gives a contact tags, and takes others from it. Those that it has already, or has not, change nothing. " + eventsFollow,
		Body:        reflect.TypeFor[tagsInput](), Need: true, Example: `{"add":["vip"],"remove":["lead"]}`, Answer: exampleContact, Codes: []postroom.Code{postroom.CodeConflict},
	}, a.tagContact)
	register(rt, operation{
		ID: "list-contact-consents", Method: http.MethodGet, Path: path + "/consents", Tag: tag, Role: postroom.RoleViewer,
		Summary:     "List a contact's history",
		Description: "How the contact's status and its memberships became what they are, newest first, and what asked for it. Answers with all of it; there are no further pages.",
	}, a.listConsents)
	register(rt, operation{
		ID: "list-contact-events", Method: http.MethodGet, Path: path + "/events", Tag: tag, Role: postroom.RoleViewer,
		Summary:     "List a contact's events",
		Description: "The events that tell of the contact's present email address or, where it has none, of its id, newest first.",
	}, a.listContactEvents)
	register(rt, operation{
		ID: "list-contact-deliveries", Method: http.MethodGet, Path: path + "/deliveries", Tag: tag, Role: postroom.RoleViewer,
		Summary:     "List a contact's deliveries",
		Description: "The deliveries of the contact's events, newest event first. A page has those of as many events as `limit` says, so that it may have more deliveries, or fewer.",
	}, a.listContactDeliveries)
}

func (a *api) listContacts(ctx context.Context, c *call, in *listContactsInput) (*page[postroom.Contact], error) {
	found, err := a.App.Contacts(ctx, c.who, in.search(), in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showContact), nil
}

func (a *api) createContact(ctx context.Context, c *call, _ *struct{}) (*taggedContact, error) {
	var in contactInput
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	made, err := a.App.CreateContact(ctx, c.who, in.input())
	if err != nil {
		return nil, err
	}
	return newTaggedContact(http.StatusCreated, made), nil
}

type getContactInput struct {
	ContactRef
	IfMatch     string `header:"If-Match" doc:"Answers 412 unless this is the present ETag."`
	IfNoneMatch string `header:"If-None-Match" doc:"Answers 304, without a body, if this is the present ETag."`
}

func (a *api) getContact(ctx context.Context, c *call, in *getContactInput) (*taggedContact, error) {
	match, err := parseTags("If-Match", in.IfMatch, false)
	if err != nil {
		return nil, err
	}
	none, err := parseTags("If-None-Match", in.IfNoneMatch, true)
	if err != nil {
		return nil, err
	}
	found, err := a.App.Contact(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	if match.given && !match.has(found.Version) {
		return nil, errChanged()
	}
	if none.has(found.Version) {
		return newTaggedContact(http.StatusNotModified, found), nil
	}
	return newTaggedContact(http.StatusOK, found), nil
}

func (a *api) upsertContact(ctx context.Context, c *call, in *ContactRef) (*taggedContact, error) {
	var body contactInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	found, made, err := a.App.UpsertContact(ctx, c.who, in.ID, body.input())
	if err != nil {
		return nil, err
	}
	if made {
		return newTaggedContact(http.StatusCreated, found), nil
	}
	return newTaggedContact(http.StatusOK, found), nil
}

type changeContactInput struct {
	ContactRef
	Matching
}

// contactVersion is the version that a change of the contact is bound to; 0 for none.
func (a *api) contactVersion(ctx context.Context, c *call, in *changeContactInput) (int64, error) {
	match, err := parseTags("If-Match", in.IfMatch, false)
	if err != nil {
		return 0, err
	}
	return match.version(func() (int64, error) {
		found, err := a.App.Contact(ctx, c.who, in.ID)
		return found.Version, err
	})
}

func (a *api) updateContact(ctx context.Context, c *call, in *changeContactInput) (*taggedContact, error) {
	version, err := a.contactVersion(ctx, c, in)
	if err != nil {
		return nil, err
	}
	changed, err := a.App.UpdateContact(ctx, c.who, in.ID, version, func(s *app.ContactSettings) error {
		return patch(s, app.ContactSettings{Status: postroom.ContactSubscribed}, c.body)
	})
	if err != nil {
		return nil, err
	}
	return newTaggedContact(http.StatusOK, changed), nil
}

func (a *api) deleteContact(ctx context.Context, c *call, in *changeContactInput) (*done, error) {
	version, err := a.contactVersion(ctx, c, in)
	if err != nil {
		return nil, err
	}
	return &done{}, a.App.DeleteContact(ctx, c.who, in.ID, version)
}

type tagsInput struct {
	Add    []string `json:"add" doc:"Tags that the contact is given."`
	Remove []string `json:"remove" doc:"Tags that are taken from it."`
}

func (a *api) tagContact(ctx context.Context, c *call, in *ContactRef) (*taggedContact, error) {
	var body tagsInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	changed, err := a.App.TagContact(ctx, c.who, in.ID, body.Add, body.Remove)
	if err != nil {
		return nil, err
	}
	return newTaggedContact(http.StatusOK, changed), nil
}

func (a *api) listConsents(ctx context.Context, c *call, in *ContactRef) (*all[postroom.Consent], error) {
	found, err := a.App.Consents(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return newAll(found), nil
}

type contactPageInput struct {
	ContactRef
	PageParams
}

func (a *api) listContactEvents(ctx context.Context, c *call, in *contactPageInput) (*page[postroom.EventResource], error) {
	found, err := a.App.ContactEvents(ctx, c.who, in.ID, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showEvent), nil
}

func (a *api) listContactDeliveries(ctx context.Context, c *call, in *contactPageInput) (*page[postroom.DeliveryResource], error) {
	found, err := a.App.ContactDeliveries(ctx, c.who, in.ID, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showDelivery), nil
}

// showContact fills in the empty lists and maps, so that no contact has null for them.
func showContact(c postroom.Contact) postroom.Contact {
	c.Lists, c.Tags = notNil(c.Lists), notNil(c.Tags)
	if c.CustomFields == nil {
		c.CustomFields = map[string]json.RawMessage{}
	}
	return c
}
