package client

import (
	"context"
	"net/http"
	"time"

	"github.com/postroom/postroom"
)

// KeyInput is what a new API key is made of.
type KeyInput struct {
	Name    string        // for people
	Role    postroom.Role // what the bearer may do
	Expires time.Time     // when it stops working; zero for never
}

// CreatedKey is a new API key, which is shown this once.
type CreatedKey struct {
	postroom.Key
	Value string `json:"key"` // prk_…
}

// CreateKey makes an API key of the workspace.
func (c *Client) CreateKey(ctx context.Context, in KeyInput) (CreatedKey, error) {
	body := struct {
		Name      string             `json:"name"`
		Role      postroom.Role      `json:"role"`
		ExpiresAt postroom.Timestamp `json:"expires_at,omitzero"`
	}{in.Name, in.Role, postroom.Timestamp{Time: in.Expires}}
	var out CreatedKey
	err := c.post(ctx, "/v1/keys", body, &out)
	return out, err
}

// Keys gives the API keys of the workspace, without the keys themselves.
func (c *Client) Keys(ctx context.Context) ([]postroom.Key, error) {
	return all[postroom.Key](ctx, c, "/v1/keys")
}

// Key gives one API key, without the key itself.
func (c *Client) Key(ctx context.Context, id string) (postroom.Key, error) {
	var out postroom.Key
	err := c.get(ctx, path("v1", "keys", id), nil, &out)
	return out, err
}

// DeleteKey removes an API key, which stops working at once.
func (c *Client) DeleteKey(ctx context.Context, id string) error {
	return c.delete(ctx, path("v1", "keys", id))
}

// CreatedWorkspace is a new workspace with its first key, which is shown this once.
type CreatedWorkspace struct {
	postroom.Workspace
	AdminKey CreatedKey `json:"admin_key"`
}

// CreateWorkspace makes a workspace. It takes the operator's key, as do all changes to workspaces.
func (c *Client) CreateWorkspace(ctx context.Context, name string) (CreatedWorkspace, error) {
	var out CreatedWorkspace
	err := c.post(ctx, "/v1/workspaces", map[string]string{"name": name}, &out)
	return out, err
}

// Workspaces gives all workspaces to the operator, and to others their own.
func (c *Client) Workspaces(ctx context.Context) ([]postroom.Workspace, error) {
	return all[postroom.Workspace](ctx, c, "/v1/workspaces")
}

// Workspace gives one workspace.
func (c *Client) Workspace(ctx context.Context, id string) (postroom.Workspace, error) {
	var out postroom.Workspace
	err := c.get(ctx, path("v1", "workspaces", id), nil, &out)
	return out, err
}

// UpdateWorkspace renames a workspace.
func (c *Client) UpdateWorkspace(ctx context.Context, id, name string) (postroom.Workspace, error) {
	var out postroom.Workspace
	err := c.patch(ctx, path("v1", "workspaces", id), map[string]string{"name": name}, &out)
	return out, err
}

// DeleteWorkspace removes a workspace with everything in it.
func (c *Client) DeleteWorkspace(ctx context.Context, id string) error {
	return c.delete(ctx, path("v1", "workspaces", id))
}

// Health is what a server that is well says of itself.
type Health struct {
	Status  string `json:"status"`  // ok
	Version string `json:"version"` // of Postroom
}

// Healthz asks whether the server runs. It needs no key.
func (c *Client) Healthz(ctx context.Context) (Health, error) { return c.health(ctx, "/healthz") }

// Readyz asks whether the server can store events at present; it is an *Error with CodeUnavailable when it cannot. It
// needs no key, and is not repeated, since to wait is the caller's business here.
func (c *Client) Readyz(ctx context.Context) (Health, error) { return c.health(ctx, "/readyz") }

func (c *Client) health(ctx context.Context, path string) (Health, error) {
	once := *c
	once.retries = -1
	var out Health
	_, err := once.decode(ctx, request{method: http.MethodGet, path: path}, &out)
	return out, err
}
