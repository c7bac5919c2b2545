package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/postroom/postroom"
)

// workspaceInput is the part of a workspace that people set.
type workspaceInput struct {
	Name string `json:"name" doc:"For people." example:"Acme"`
}

// workspaceCreated is a new workspace, with its first key.
type workspaceCreated struct {
	postroom.Workspace
	AdminKey keyCreated `json:"admin_key" doc:"The workspace's first key, with the role admin. It is shown this once."`
}

func (a *api) routeWorkspaces(rt *router) {
	const path, tag = "/v1/workspaces", "Workspaces"
	register(rt, operation{
		ID: "list-workspaces", Method: http.MethodGet, Path: path, Tag: tag, Role: postroom.RoleViewer,
		Summary:     "List workspaces",
		Description: "All workspaces for the operator, else the key's own. Answers with all of them; there are no further pages.",
	}, a.listWorkspaces)
	register(rt, operation{
		ID: "create-workspace", Method: http.MethodPost, Path: path, Tag: tag, Role: postroom.RoleAdmin, Operator: true,
		Summary:     "Create a workspace",
		Description: "The answer holds the first key of the workspace, which is shown this once.",
		Status:      http.StatusCreated, Body: reflect.TypeFor[workspaceInput](), Need: true, Example: `{"name":"Acme"}`, Answer: exampleWorkspaceCreated,
	}, a.createWorkspace)
	register(rt, operation{
		ID: "get-workspace", Method: http.MethodGet, Path: path + "/{id}", Tag: tag, Role: postroom.RoleViewer,
		Summary:     "Get a workspace",
		Description: "The key's own workspace, or any for the operator.",
	}, a.getWorkspace)
	register(rt, operation{
		ID: "update-workspace", Method: http.MethodPatch, Path: path + "/{id}", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Change a workspace",
		Description: "A JSON merge patch (RFC 7396).",
		Body:        reflect.TypeFor[workspaceInput](), Need: true, Patch: true, Example: `{"name":"Acme Europe"}`,
	}, a.updateWorkspace)
	register(rt, operation{
		ID: "delete-workspace", Method: http.MethodDelete, Path: path + "/{id}", Tag: tag, Role: postroom.RoleAdmin, Operator: true,
		Summary:     "Delete a workspace",
		Description: "Deletes the workspace with everything in it. The key's own workspace cannot be deleted.",
		Status:      http.StatusNoContent,
		Codes:       []postroom.Code{postroom.CodeConflict},
	}, a.deleteWorkspace)
}

func (a *api) listWorkspaces(ctx context.Context, c *call, _ *struct{}) (*all[postroom.Workspace], error) {
	found, err := a.App.Workspaces(ctx, c.who)
	if err != nil {
		return nil, err
	}
	return newAll(found), nil
}

func (a *api) createWorkspace(ctx context.Context, c *call, _ *struct{}) (*created[workspaceCreated], error) {
	var in workspaceInput
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	w, k, value, err := a.App.CreateWorkspace(ctx, c.who, in.Name)
	if err != nil {
		return nil, err
	}
	return &created[workspaceCreated]{
		Location: "/v1/workspaces/" + w.ID.String(),
		Body:     workspaceCreated{Workspace: w, AdminKey: keyCreated{Key: k, Value: value}},
	}, nil
}

func (a *api) getWorkspace(ctx context.Context, c *call, in *ID) (*answer[postroom.Workspace], error) {
	w, err := a.App.Workspace(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[postroom.Workspace]{w}, nil
}

func (a *api) updateWorkspace(ctx context.Context, c *call, in *ID) (*answer[postroom.Workspace], error) {
	w, err := a.App.Workspace(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	next := workspaceInput{Name: w.Name}
	if err := patch(&next, workspaceInput{}, c.body); err != nil {
		return nil, err
	}
	if w, err = a.App.UpdateWorkspace(ctx, c.who, in.ID, next.Name); err != nil {
		return nil, err
	}
	return &answer[postroom.Workspace]{w}, nil
}

func (a *api) deleteWorkspace(ctx context.Context, c *call, in *ID) (*done, error) {
	return &done{}, a.App.DeleteWorkspace(ctx, c.who, in.ID)
}
