package app

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/postroom/postroom"
)

// DefaultSource are the settings of a source of which nothing else is said.
func (a *App) DefaultSource() postroom.SourceSettings {
	return postroom.SourceSettings{Kind: postroom.KindGeneric, Status: postroom.SourceActive, RequireToken: true, IPAllow: []string{},
		Dedupe: postroom.Dedupe{By: postroom.DedupeAuto}, Mapping: []postroom.MappingRow{}, Actions: []postroom.Action{}}
}

// CreateSource makes a source. The URL of the result has its token, and its API key is whole if it was made here: both are secret.
func (a *App) CreateSource(ctx context.Context, who Caller, in postroom.SourceSettings) (postroom.Source, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Source{}, err
	}
	now := a.Now()
	s := postroom.StoredSource{Source: postroom.Source{ID: postroom.Next[postroom.SourceKind](a.IDs, now), WorkspaceID: who.Workspace,
		SourceSettings: in, Version: 1, CreatedAt: stamp(now), UpdatedAt: stamp(now)}}
	e := sourceEdit{after: &s, secrets: postroom.SourceSecrets{Token: newSourceSecret()}}
	calls, err := a.settle(ctx, who, &e)
	if err != nil {
		return postroom.Source{}, err
	}
	if err := a.Store.CreateSource(ctx, &s, calls); err != nil {
		return postroom.Source{}, err
	}
	a.sourceChanged(who, s.ID, calls)
	a.audit(ctx, who, "source.created", s.ID.String(), nil)
	a.Log.Info("source created", "workspace", who.Workspace, "source", s.ID, "key", who.Key)
	return e.show(a.PublicURL), nil
}

// Sources lists sources, newest first.
func (a *App) Sources(ctx context.Context, who Caller, q postroom.PageQuery) (postroom.Page[postroom.Source], error) {
	var none postroom.Page[postroom.Source]
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	limit, cursor, err := pageOf(q)
	if err != nil {
		return none, err
	}
	found, err := a.Store.Sources(ctx, who.Workspace, cursor, limit+1)
	if err != nil {
		return none, err
	}
	sources := make([]postroom.Source, len(found))
	for i := range found {
		sources[i] = found[i].Source
		sources[i].URL = a.sourceURL(&sources[i], maskedToken)
	}
	page := postroom.NewPage(sources, limit, cursor, nil, func(s postroom.Source) [16]byte { return s.ID })
	return page, a.addCounts(ctx, who, page.Data)
}

// addCounts looks up how many requests sources had.
func (a *App) addCounts(ctx context.Context, who Caller, sources []postroom.Source) error {
	if len(sources) == 0 {
		return nil
	}
	ids := make([]postroom.SourceID, len(sources))
	for i := range sources {
		ids[i] = sources[i].ID
	}
	counts, err := a.Store.RequestCounts(ctx, who.Workspace, ids)
	for i := range sources {
		sources[i].Requests = counts[sources[i].ID]
	}
	return err
}

// Source finds a source by its id or the caller's uid. Its URL has the token only where an administrator asks for it.
func (a *App) Source(ctx context.Context, who Caller, ref string, showToken bool) (postroom.Source, error) {
	need := postroom.RoleViewer
	if showToken {
		need = postroom.RoleAdmin
	}
	if err := authorise(who, need); err != nil {
		return postroom.Source{}, err
	}
	s, err := a.findSource(ctx, who, ref)
	if err != nil {
		return postroom.Source{}, err
	}
	token := maskedToken
	if showToken {
		secrets, err := a.openSource(&s)
		if err != nil {
			return postroom.Source{}, err
		}
		token = secrets.Token
		a.audit(ctx, who, "source.token_shown", s.ID.String(), nil)
		a.Log.Info("source token shown", "workspace", who.Workspace, "source", s.ID, "key", who.Key)
	}
	return a.countedSource(ctx, who, s.Source, token)
}

func (a *App) countedSource(ctx context.Context, who Caller, s postroom.Source, token string) (postroom.Source, error) {
	s.URL = a.sourceURL(&s, token)
	one := []postroom.Source{s}
	err := a.addCounts(ctx, who, one)
	return one[0], err
}

func (a *App) findSource(ctx context.Context, who Caller, ref string) (postroom.StoredSource, error) {
	if id, err := postroom.ParseID[postroom.SourceKind](ref); err == nil {
		return a.Store.Source(ctx, who.Workspace, id)
	}
	if !webhookUID.MatchString(ref) { // nor can a database look for it
		return postroom.StoredSource{}, noSource(ref)
	}
	return a.Store.SourceByUID(ctx, who.Workspace, ref)
}

func noSource(ref string) error {
	return postroom.Errorf(postroom.CodeNotFound, "There is no source %s in this workspace.", quote(ref))
}

// UpdateSource changes settings: change gets the present ones, secret values redacted, and edits them. ifMatch is the version that the caller
// saw, or 0. An API key that was made by the change is whole in the result.
func (a *App) UpdateSource(ctx context.Context, who Caller, ref string, ifMatch int64, change func(*postroom.SourceSettings) error) (postroom.Source, error) {
	return a.updateSource(ctx, who, ref, ifMatch, func(e *sourceEdit) error { return change(&e.after.SourceSettings) })
}

// RenewSourceToken gives a source a new token. The old one ends at once. The URL of the result has the new one.
func (a *App) RenewSourceToken(ctx context.Context, who Caller, ref string) (postroom.Source, error) {
	return a.updateSource(ctx, who, ref, 0, func(e *sourceEdit) error {
		e.secrets.Token, e.newToken = newSourceSecret(), true
		return nil
	})
}

func (a *App) updateSource(ctx context.Context, who Caller, ref string, ifMatch int64, change func(*sourceEdit) error) (postroom.Source, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Source{}, err
	}
	found, err := a.findSource(ctx, who, ref)
	if err != nil {
		return postroom.Source{}, err
	}
	// The edit and its checks come before the transaction, which others wait for; the version tells whether it still fits.
	if err := checkSourceMatch(found, ifMatch); err != nil {
		return postroom.Source{}, err
	}
	e, err := a.beginEdit(found)
	if err != nil {
		return postroom.Source{}, err
	}
	if err := change(e); err != nil {
		return postroom.Source{}, err
	}
	calls, err := a.settle(ctx, who, e)
	if err != nil {
		return postroom.Source{}, err
	}
	stored, err := a.Store.UpdateSource(ctx, who.Workspace, found.ID, a.Now(), func(s *postroom.StoredSource) ([]postroom.StoredWebhook, error) {
		if s.Version != found.Version {
			return nil, postroom.Errorf(postroom.CodeConflict, "The source was changed by somebody else at the same time: look at it again.")
		}
		s.SourceSettings, s.Sealed = e.after.SourceSettings, e.after.Sealed
		return calls, nil
	})
	if err != nil {
		return postroom.Source{}, err
	}
	a.sourceChanged(who, found.ID, append(calls, e.gone...))
	what, action := "source changed", "source.changed"
	if e.newToken {
		what, action = "source token renewed", "source.token_regenerated"
	}
	a.audit(ctx, who, action, found.ID.String(), nil)
	a.Log.Info(what, "workspace", who.Workspace, "source", found.ID, "key", who.Key)
	e.after = &stored
	one := []postroom.Source{e.show(a.PublicURL)}
	err = a.addCounts(ctx, who, one)
	return one[0], err
}

func checkSourceMatch(s postroom.StoredSource, ifMatch int64) error {
	if ifMatch != 0 && ifMatch != s.Version {
		return postroom.Errorf(postroom.CodePreconditionFailed, "The source was changed by somebody else: its version is %d, and If-Match names %d.", s.Version, ifMatch)
	}
	return nil
}

// DeleteSource deletes a source with its log of requests, and the webhooks of its calls. What it has published stays.
func (a *App) DeleteSource(ctx context.Context, who Caller, ref string, ifMatch int64) error {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return err
	}
	s, err := a.findSource(ctx, who, ref)
	if err != nil {
		return err
	}
	if err := a.Store.DeleteSource(ctx, who.Workspace, s.ID, a.Now(), func(s postroom.StoredSource) error { return checkSourceMatch(s, ifMatch) }); err != nil {
		return err
	}
	for _, action := range s.Actions {
		if action.Call != nil && action.Call.WebhookID != nil {
			a.Engine.Changed(who.Workspace, *action.Call.WebhookID)
		}
	}
	a.sourceChanged(who, s.ID, nil)
	a.audit(ctx, who, "source.deleted", s.ID.String(), nil)
	a.Log.Info("source deleted", "workspace", who.Workspace, "source", s.ID, "key", who.Key)
	return nil
}

// sourceChanged tells those who keep sources and webhooks in memory.
func (a *App) sourceChanged(who Caller, id postroom.SourceID, calls []postroom.StoredWebhook) {
	for _, w := range calls {
		a.Engine.Changed(who.Workspace, w.ID)
	}
	a.Intake.Changed(id)
}

// sourceEdit is a source on its way from what it was to what it becomes.
type sourceEdit struct {
	before    *postroom.SourceSettings // nil for a new one
	after     *postroom.StoredSource
	secrets   postroom.SourceSecrets // before the edit; then as they become
	newToken  bool
	newAPIKey bool
	gone      []postroom.StoredWebhook // of calls that are no more
}

func (a *App) beginEdit(found postroom.StoredSource) (*sourceEdit, error) {
	secrets, err := a.openSource(&found)
	if err != nil {
		return nil, err
	}
	after := found
	if after.SourceSettings, err = cloneSource(found.SourceSettings); err != nil {
		return nil, err
	}
	return &sourceEdit{before: &found.SourceSettings, after: &after, secrets: secrets}, nil
}

// cloneSource copies settings deeply, so that an edit cannot reach what a cache holds.
func cloneSource(s postroom.SourceSettings) (c postroom.SourceSettings, err error) {
	b, err := json.Marshal(s)
	if err != nil {
		return c, err
	}
	err = json.Unmarshal(b, &c)
	return c, err
}

// settle fills in defaults and secrets, checks the source, makes the webhooks of its calls, and seals what is secret.
func (a *App) settle(ctx context.Context, who Caller, e *sourceEdit) ([]postroom.StoredWebhook, error) {
	s := &e.after.SourceSettings
	a.fillSource(s)
	e.setSecrets()
	var p postroom.Problems
	if err := a.checkSource(ctx, who, &p, s, e.secrets); err != nil {
		return nil, err
	}
	calls, err := a.callsOf(ctx, who, &p, e)
	if err != nil {
		return nil, err
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	redactSource(s)
	return calls, a.sealSource(e.after, e.secrets)
}

// fillSource sets what is unset and cannot be meant so.
func (a *App) fillSource(s *postroom.SourceSettings) {
	d := a.DefaultSource()
	if s.Kind == "" {
		s.Kind = d.Kind
	}
	if s.Status == "" {
		s.Status = d.Status
	}
	if s.Dedupe.By == "" {
		s.Dedupe.By = d.Dedupe.By
	}
	if s.IPAllow == nil {
		s.IPAllow = d.IPAllow
	}
	if s.Mapping == nil {
		s.Mapping = d.Mapping
	}
	if s.Actions == nil {
		s.Actions = d.Actions
	}
	if s.APIKey != nil && s.APIKey.Header == "" {
		s.APIKey.Header = defaultSourceKeyHeader
	}
	if g := s.Signature; g != nil && g.Secret == "" && len(g.Secrets) > 0 {
		g.Secret, g.Secrets = g.Secrets[0], g.Secrets[1:]
	}
}

// sourceURL is where calls of a source go.
func (a *App) sourceURL(s *postroom.Source, token string) string {
	return sourceURL(a.PublicURL, s, token)
}

func sourceURL(public string, s *postroom.Source, token string) string {
	url := strings.TrimRight(public, "/") + "/in/" + s.ID.String()
	if s.RequireToken {
		url += "?token=" + token
	}
	return url
}
