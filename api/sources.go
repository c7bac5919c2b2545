package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/postroom/postroom"
)

// sourceInput is the body of a call that makes a source.
type sourceInput struct {
	postroom.SourceSettings
}

// newSource is the answer that has a new source.
type newSource struct {
	Location string `header:"Location" doc:"The path of the source."`
	ETag     string `header:"ETag" doc:"The version of the source, for If-Match and If-None-Match."`
	Body     postroom.Source
}

// taggedSource is an answer that is a source.
type taggedSource struct {
	Status int
	ETag   string `header:"ETag" doc:"The version of the source, for If-Match and If-None-Match."`
	Body   postroom.Source
}

func newTaggedSource(s postroom.Source) *taggedSource {
	return &taggedSource{Status: http.StatusOK, ETag: etag(s.Version), Body: showSource(s)}
}

// SourceRef is the parameter of paths that name a source. It is exported for huma.
type SourceRef struct {
	ID string `path:"id" doc:"The source's id (src_…), or its uid."`
}

func (a *api) routeSources(rt *router) {
	const path = "/v1/sources"
	register(rt, operation{
		ID: "list-sources", Method: http.MethodGet, Path: path, Tag: "Sources", Role: postroom.RoleViewer,
		Summary:     "List sources",
		Description: "All sources of the workspace, newest first. Tokens are masked in their URLs.",
	}, a.listSources)
	register(rt, operation{
		ID: "create-source", Method: http.MethodPost, Path: path, Tag: "Sources", Role: postroom.RoleAdmin,
		Summary: "Create a source",
		Description: "Makes a URL of its own for a system to post to. What is left out has its default. The answer's `url` has the token, which is shown again to an administrator who asks for it, " +
			"and on renewal. An `api_key` without a `key` gets one, which is shown this once.",
		Status: http.StatusCreated, Body: reflect.TypeFor[sourceInput](), Need: true, Example: exampleSourceInput, Answer: exampleSourceCreated,
		Codes: []postroom.Code{postroom.CodeConflict, postroom.CodeURLInvalid, postroom.CodeAddressNotAllowed, postroom.CodeUnknownEventType},
	}, a.createSource)
	register(rt, operation{
		ID: "get-source", Method: http.MethodGet, Path: path + "/{id}", Tag: "Sources", Role: postroom.RoleViewer,
		Summary: "Get a source",
		Description: "Secrets read as `•••`, and the token in `url` as `***`; with `show_token` an administrator sees it. Answers 304 when `If-None-Match` has the present ETag. " +
			"`requests` changes without a change of the ETag.",
		Answer: exampleSource, Conditional: true,
		Codes: []postroom.Code{postroom.CodePreconditionFailed, postroom.CodeForbidden},
	}, a.getSource)
	register(rt, operation{
		ID: "update-source", Method: http.MethodPatch, Path: path + "/{id}", Tag: "Sources", Role: postroom.RoleAdmin,
		Summary: "Change a source",
		Description: "A JSON merge patch (RFC 7396): fields that are left out stay as they are, objects are merged at every depth, lists (`mapping` and `actions` too) are " +
			"replaced, and `null` sets a field back to its default. Another `signature.scheme` replaces all of `signature` but its secrets. A value of `•••` stays as it was; in `signature.secrets` it also stands " +
			"for a `signature.secret` that is replaced, so that both fit while a secret is rotated. An empty `api_key.key` makes a new one, which is shown this once.",
		Body: reflect.TypeFor[postroom.SourceSettings](), Need: true, Patch: true, Example: `{"status":"inactive","rate_limit":{"limit":50,"period":"1s"}}`,
		Answer: exampleSource,
		Codes: []postroom.Code{postroom.CodeConflict, postroom.CodePreconditionFailed, postroom.CodeURLInvalid, postroom.CodeAddressNotAllowed,
			postroom.CodeUnknownEventType},
	}, a.updateSource)
	register(rt, operation{
		ID: "delete-source", Method: http.MethodDelete, Path: path + "/{id}", Tag: "Sources", Role: postroom.RoleAdmin,
		Summary:     "Delete a source",
		Description: "Its URL ends at once, and its log of requests goes with it. Events and contacts that came of them stay.",
		Status:      http.StatusNoContent,
		Codes:       []postroom.Code{postroom.CodePreconditionFailed},
	}, a.deleteSource)
	register(rt, operation{
		ID: "renew-source-token", Method: http.MethodPost, Path: path + "/{id}/token", Tag: "Sources", Role: postroom.RoleAdmin,
		Summary:     "Renew a source's token",
		Description: "The old token ends at once. The answer's `url` has the new one.",
		Answer:      exampleSourceCreated,
		Codes:       []postroom.Code{postroom.CodeConflict},
	}, a.renewToken)
	a.routeSourceTest(rt)
	a.routeRequests(rt)
	a.routeRequestTail(rt)
}

// showSource fills in the empty lists, so that no source has null for them.
func showSource(s postroom.Source) postroom.Source {
	s.IPAllow, s.Mapping, s.Actions = notNil(s.IPAllow), notNil(s.Mapping), notNil(s.Actions)
	return s
}

func (a *api) listSources(ctx context.Context, c *call, in *PageParams) (*page[postroom.Source], error) {
	found, err := a.App.Sources(ctx, c.who, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showSource), nil
}

func (a *api) createSource(ctx context.Context, c *call, _ *struct{}) (*newSource, error) {
	in := sourceInput{a.App.DefaultSource()}
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	s, err := a.App.CreateSource(ctx, c.who, in.SourceSettings)
	if err != nil {
		return nil, err
	}
	return &newSource{Location: "/v1/sources/" + s.ID.String(), ETag: etag(s.Version), Body: showSource(s)}, nil
}

type getSourceInput struct {
	SourceRef
	ShowToken   bool   `query:"show_token" doc:"Show the token in the URL, to an administrator."`
	IfMatch     string `header:"If-Match" doc:"Answers 412 unless this is the present ETag."`
	IfNoneMatch string `header:"If-None-Match" doc:"Answers 304, without a body, if this is the present ETag."`
}

func (a *api) getSource(ctx context.Context, c *call, in *getSourceInput) (*taggedSource, error) {
	match, err := parseTags("If-Match", in.IfMatch, false)
	if err != nil {
		return nil, err
	}
	none, err := parseTags("If-None-Match", in.IfNoneMatch, true)
	if err != nil {
		return nil, err
	}
	s, err := a.App.Source(ctx, c.who, in.ID, in.ShowToken)
	if err != nil {
		return nil, err
	}
	if match.given && !match.has(s.Version) {
		return nil, errChanged()
	}
	out := newTaggedSource(s)
	if none.has(s.Version) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

type changeSourceInput struct {
	SourceRef
	Matching
}

// sourceMatch is the version that a change of the source is bound to; 0 for none.
func (a *api) sourceMatch(ctx context.Context, c *call, in *changeSourceInput) (int64, error) {
	match, err := parseTags("If-Match", in.IfMatch, false)
	if err != nil {
		return 0, err
	}
	return match.version(func() (int64, error) {
		s, err := a.App.Source(ctx, c.who, in.ID, false)
		return s.Version, err
	})
}

func (a *api) updateSource(ctx context.Context, c *call, in *changeSourceInput) (*taggedSource, error) {
	version, err := a.sourceMatch(ctx, c, in)
	if err != nil {
		return nil, err
	}
	s, err := a.App.UpdateSource(ctx, c.who, in.ID, version, func(s *postroom.SourceSettings) error { return a.patchSource(s, c.body) })
	if err != nil {
		return nil, err
	}
	return newTaggedSource(s), nil
}

// patchSource merges a patch into settings. The parameters of one scheme mean nothing to another, so a patch that changes the scheme begins
// with a signature that has nothing but its secrets.
func (a *api) patchSource(s *postroom.SourceSettings, body []byte) error {
	var wanted struct {
		Signature struct{ Scheme *string }
	}
	if json.Unmarshal(body, &wanted) == nil && s.Signature != nil { // faults are found by patch
		if to := wanted.Signature.Scheme; to != nil && *to != s.Signature.Scheme {
			s.Signature = &postroom.SourceSignature{Scheme: *to, Secret: s.Signature.Secret, Secrets: s.Signature.Secrets, Credentials: s.Signature.Credentials}
		}
	}
	return patch(s, a.App.DefaultSource(), body)
}

func (a *api) deleteSource(ctx context.Context, c *call, in *changeSourceInput) (*done, error) {
	version, err := a.sourceMatch(ctx, c, in)
	if err != nil {
		return nil, err
	}
	return &done{}, a.App.DeleteSource(ctx, c.who, in.ID, version)
}

func (a *api) renewToken(ctx context.Context, c *call, in *SourceRef) (*taggedSource, error) {
	s, err := a.App.RenewSourceToken(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return newTaggedSource(s), nil
}
