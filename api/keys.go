package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/postroom/postroom"
)

type keyInput struct {
	Name      string              `json:"name" doc:"What the key is for, for people." example:"Shop backend"`
	Role      postroom.Role       `json:"role" doc:"What the bearer may do."`
	ExpiresAt *postroom.Timestamp `json:"expires_at" doc:"When the key stops working; never if null."`
}

// keyCreated is a new key, itself included.
type keyCreated struct {
	postroom.Key
	Value string `json:"key" doc:"The key itself (prk_…), to be sent as Authorization: Bearer. It is shown this once."`
}

func (a *api) routeKeys(rt *router) {
	const path = "/v1/keys"
	register(rt, operation{
		ID: "list-keys", Method: http.MethodGet, Path: path, Tag: "Keys", Role: postroom.RoleViewer,
		Summary:     "List API keys",
		Description: "The keys of the workspace, without the keys themselves. Answers with all of them; there are no further pages.",
	}, a.listKeys)
	register(rt, operation{
		ID: "create-key", Method: http.MethodPost, Path: path, Tag: "Keys", Role: postroom.RoleAdmin,
		Summary:     "Create an API key",
		Description: "The answer holds the key itself, which is shown this once.",
		Status:      http.StatusCreated, Body: reflect.TypeFor[keyInput](), Need: true, Example: `{"name":"Shop backend","role":"publisher"}`,
		Answer: exampleKeyCreated,
	}, a.createKey)
	register(rt, operation{
		ID: "get-key", Method: http.MethodGet, Path: path + "/{id}", Tag: "Keys", Role: postroom.RoleViewer,
		Summary:     "Get an API key",
		Description: "One key, without the key itself.",
	}, a.getKey)
	register(rt, operation{
		ID: "delete-key", Method: http.MethodDelete, Path: path + "/{id}", Tag: "Keys", Role: postroom.RoleAdmin,
		Summary:     "Delete an API key",
		Description: "The key stops working at once.",
		Status:      http.StatusNoContent,
		Codes:       []postroom.Code{postroom.CodeConflict},
	}, a.deleteKey)
}

func (a *api) listKeys(ctx context.Context, c *call, _ *struct{}) (*all[postroom.Key], error) {
	keys, err := a.App.Keys(ctx, c.who)
	if err != nil {
		return nil, err
	}
	return newAll(keys), nil
}

func (a *api) createKey(ctx context.Context, c *call, _ *struct{}) (*created[keyCreated], error) {
	var in keyInput
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	if !in.Role.Valid() {
		return nil, postroom.Invalid(postroom.CodeInvalid, "/role", "is viewer, publisher or admin")
	}
	expires := moment(in.ExpiresAt)
	var until = &expires
	if in.ExpiresAt == nil {
		until = nil
	}
	k, value, err := a.App.CreateKey(ctx, c.who, in.Name, in.Role, until)
	if err != nil {
		return nil, err
	}
	return &created[keyCreated]{Location: "/v1/keys/" + k.ID.String(), Body: keyCreated{Key: k, Value: value}}, nil
}

func (a *api) getKey(ctx context.Context, c *call, in *ID) (*answer[postroom.Key], error) {
	k, err := a.App.Key(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[postroom.Key]{k}, nil
}

func (a *api) deleteKey(ctx context.Context, c *call, in *ID) (*done, error) {
	return &done{}, a.App.DeleteKey(ctx, c.who, in.ID)
}
