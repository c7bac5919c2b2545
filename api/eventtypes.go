package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// TypeName is the parameter of paths that name an event type. It is exported for huma.
type TypeName struct {
	Name string `path:"type" doc:"The event type's name." example:"order.paid"`
}

func (a *api) routeEventTypes(rt *router) {
	const path, tag = "/v1/event-types", "Event types"
	register(rt, operation{
		ID: "list-event-types", Method: http.MethodGet, Path: path, Tag: tag, Role: postroom.RoleViewer,
		Summary:     "List event types",
		Description: "The catalogue, then the types that the workspace declared. Answers with all of them; there are no further pages.",
	}, a.listEventTypes)
	register(rt, operation{
		ID: "create-event-type", Method: http.MethodPost, Path: path, Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Declare an event type",
		Description: "Adds a type of the workspace's own, so that events of it can be published and subscribed to.",
		Status:      http.StatusCreated, Body: reflect.TypeFor[app.EventTypeInput](), Need: true, Example: exampleEventType,
		Codes: []postroom.Code{postroom.CodeConflict},
	}, a.createEventType)
	register(rt, operation{
		ID: "get-event-type", Method: http.MethodGet, Path: path + "/{type}", Tag: tag, Role: postroom.RoleViewer,
		Summary:     "Get an event type",
		Description: "One type, with the JSON Schema of its data and a sample.",
	}, a.getEventType)
	register(rt, operation{
		ID: "update-event-type", Method: http.MethodPatch, Path: path + "/{type}", Tag: tag, Role: postroom.RoleAdmin,
		Summary: "Change an event type",
		Description: "A JSON merge patch (RFC 7396) of a type that the workspace declared. Objects are merged at every depth, the schema and the sample " +
			"too. The name stays as it is.",
		Body: reflect.TypeFor[app.EventTypeInput](), Need: true, Patch: true, Example: `{"title":"Order paid in full"}`,
		Codes: []postroom.Code{postroom.CodeConflict},
	}, a.updateEventType)
	register(rt, operation{
		ID: "delete-event-type", Method: http.MethodDelete, Path: path + "/{type}", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Delete an event type",
		Description: "Only of a type that the workspace declared. Its events stay.",
		Status:      http.StatusNoContent,
		Codes:       []postroom.Code{postroom.CodeConflict},
	}, a.deleteEventType)
	register(rt, operation{
		ID: "get-event-type-sample", Method: http.MethodGet, Path: path + "/{type}/sample", Tag: tag, Role: postroom.RoleViewer,
		Summary:     "Get a sample event",
		Description: "A whole event of the type, with type, time and data, as it could be published.",
		Shape:       reflect.TypeFor[sample](),
	}, a.getEventTypeSample)
}

func (a *api) listEventTypes(ctx context.Context, c *call, _ *struct{}) (*all[postroom.EventType], error) {
	types, err := a.App.EventTypes(ctx, c.who)
	if err != nil {
		return nil, err
	}
	return newAll(types), nil
}

func (a *api) createEventType(ctx context.Context, c *call, _ *struct{}) (*created[postroom.EventType], error) {
	var in app.EventTypeInput
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	t, err := a.App.CreateEventType(ctx, c.who, in)
	if err != nil {
		return nil, err
	}
	return &created[postroom.EventType]{Location: "/v1/event-types/" + url.PathEscape(t.Name), Body: t}, nil
}

func (a *api) getEventType(ctx context.Context, c *call, in *TypeName) (*answer[postroom.EventType], error) {
	t, err := a.App.EventType(ctx, c.who, in.Name)
	if err != nil {
		return nil, err
	}
	return &answer[postroom.EventType]{t}, nil
}

func (a *api) updateEventType(ctx context.Context, c *call, in *TypeName) (*answer[postroom.EventType], error) {
	t, err := a.App.UpdateEventType(ctx, c.who, in.Name, func(t *app.EventTypeInput) error {
		name := t.Name
		if err := patch(t, app.EventTypeInput{}, c.body); err != nil {
			return err
		}
		if t.Name != name {
			return postroom.Invalid(postroom.CodeInvalid, "/name", "cannot be changed; declare another type instead")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &answer[postroom.EventType]{t}, nil
}

func (a *api) deleteEventType(ctx context.Context, c *call, in *TypeName) (*done, error) {
	return &done{}, a.App.DeleteEventType(ctx, c.who, in.Name)
}

// sample is the shape of an event that could be published.
type sample struct {
	Type string             `json:"type" doc:"The event type's name."`
	Time postroom.Timestamp `json:"time" doc:"When it happened."`
	Data map[string]any     `json:"data" doc:"The event's data."`
}

func (a *api) getEventTypeSample(ctx context.Context, c *call, in *TypeName) (*answer[json.RawMessage], error) {
	event, err := a.App.EventTypeSample(ctx, c.who, in.Name)
	if err != nil {
		return nil, err
	}
	return &answer[json.RawMessage]{event}, nil
}
