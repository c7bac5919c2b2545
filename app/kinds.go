package app

import (
	"context"

	"github.com/postroom/postroom"
)

// Kind is a kind of source, as somebody who makes one sees it.
type Kind struct {
	Name, Title, Description string
	Signs                    bool // it has a signature of its own
	Required                 bool // without which calls are not taken
	Credentials              []KindCredential
	Samples                  []KindSample // calls to try a source with
}

// KindCredential is something secret that a source of a kind has.
type KindCredential struct{ Name, Title string }

// KindSample is a call as the kind's senders make it.
type KindSample struct {
	Name    string
	Headers []postroom.Header
	Body    string
}

// SourceKinds lists the kinds that a source may have, the generic one first.
func (a *App) SourceKinds(_ context.Context, who Caller) ([]Kind, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	all := []Kind{{Name: postroom.KindGeneric, Title: "Anything", Description: "Any system that posts JSON or a form. You say what its fields mean."}}
	for _, name := range a.Dialects.Kinds() {
		d := a.Dialects[name]
		k := Kind{Name: name, Title: d.Title, Description: d.Description, Signs: d.In.Verify != nil, Required: d.In.Required}
		for _, c := range d.In.Credentials {
			k.Credentials = append(k.Credentials, KindCredential{c.Name, c.Title})
		}
		for _, s := range d.In.Samples {
			sample := KindSample{Name: s.Name, Body: s.Body}
			for header, value := range s.Headers {
				sample.Headers = append(sample.Headers, postroom.Header{Name: header, Value: value})
			}
			k.Samples = append(k.Samples, sample)
		}
		all = append(all, k)
	}
	return all, nil
}

// SourceGlance is how a source is doing.
type SourceGlance struct {
	LastAt   *postroom.Timestamp // when the newest request came that is still in the log; nil for none
	Last     postroom.RequestStatus
	Failures int // requests in a row that could not be processed
	Since    *postroom.Timestamp
}

// SourceGlances says how sources are doing: at most so many as a page of a list has.
func (a *App) SourceGlances(ctx context.Context, who Caller, ids []postroom.SourceID) (map[postroom.SourceID]SourceGlance, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	all := make(map[postroom.SourceID]SourceGlance, len(ids))
	for _, id := range ids[:min(len(ids), postroom.MaxPageLimit)] {
		var g SourceGlance
		newest, _, err := a.Store.Requests(ctx, who.Workspace, postroom.RequestFilter{Source: id}, nil, 1)
		if err != nil {
			return nil, err
		}
		if len(newest) == 0 { // of another workspace, or without a log
			all[id] = g
			continue
		}
		at := stamp(newest[0].At)
		g.LastAt, g.Last = &at, newest[0].State.Status()
		health, failing, err := a.Store.SourceHealth(ctx, id)
		if err != nil {
			return nil, err
		}
		if failing {
			g.Failures, g.Since = health.Failures, &health.FailingSince
		}
		all[id] = g
	}
	return all, nil
}
