package app

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// SourceTestInput is the call that a source is tried with: a stored one, or one that is made up.
type SourceTestInput struct {
	Request string // the id of a stored request; the rest of the call is then left out
	Method  string // by default POST
	Query   string
	Headers []postroom.Header
	Body    []byte
	Mapping []postroom.MappingRow // tried in place of the source's own, unless nil
	Actions []postroom.Action     // tried in place of the source's own, unless nil
	Store   bool                  // it is not only tried, but taken in, though not verified
}

// TestSource says what a source makes of a call, which is the first result; the Request of the second one is left to whoever shows it. Nothing
// is stored unless that is asked for.
func (a *App) TestSource(ctx context.Context, who Caller, ref string, in SourceTestInput) (postroom.Request, postroom.SourceTest, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Request{}, postroom.SourceTest{}, err
	}
	s, err := a.findSource(ctx, who, ref)
	if err != nil {
		return postroom.Request{}, postroom.SourceTest{}, err
	}
	if err := mayTrigger(who, s.ID.String()); err != nil {
		return postroom.Request{}, postroom.SourceTest{}, err
	}
	r, err := a.testRequest(ctx, who, &s, in)
	if err != nil {
		return postroom.Request{}, postroom.SourceTest{}, err
	}
	if in.Store {
		return a.storeTest(ctx, who, &s, r, in)
	}
	if err := a.tryInstead(ctx, who, &s, in); err != nil {
		return *r, postroom.SourceTest{}, err
	}
	test, err := a.Intake.DryRun(ctx, &s, r)
	return *r, test, err
}

// storeTest takes a test's call in.
func (a *App) storeTest(ctx context.Context, who Caller, s *postroom.StoredSource, r *postroom.Request, in SourceTestInput) (postroom.Request, postroom.SourceTest, error) {
	if in.Mapping != nil || in.Actions != nil {
		return *r, postroom.SourceTest{}, postroom.Invalid(postroom.CodeInvalid, "/store", "what is only tried cannot be stored: leave mapping and actions out, or this")
	}
	sent, err := a.Intake.Resend(ctx, s.ID, r)
	if err != nil {
		return *r, postroom.SourceTest{}, unavailable(err)
	}
	a.Log.Info("source tested", "workspace", who.Workspace, "source", s.ID, "request", sent.ID, "key", who.Key)
	return *sent, postroom.SourceTest{Stored: true, Error: sent.Log.Error, Warnings: sent.Log.Warnings}, nil
}

// tryInstead puts what is tried in the place of the source's own, if it can be used.
func (a *App) tryInstead(ctx context.Context, who Caller, s *postroom.StoredSource, in SourceTestInput) error {
	if in.Mapping == nil && in.Actions == nil {
		return nil
	}
	e, err := a.beginEdit(*s)
	if err != nil {
		return err
	}
	if in.Mapping != nil {
		e.after.Mapping = in.Mapping
	}
	if in.Actions != nil {
		e.after.Actions = in.Actions
	}
	if _, err := a.settle(ctx, who, e); err != nil {
		return err
	}
	*s = *e.after
	return nil
}

// testRequest is the call of a test as a request.
func (a *App) testRequest(ctx context.Context, who Caller, s *postroom.StoredSource, in SourceTestInput) (*postroom.Request, error) {
	if in.Request != "" {
		r, err := a.findRequest(ctx, who, in.Request)
		if postroom.CodeOf(err) == postroom.CodeNotFound || err == nil && r.SourceID != s.ID {
			return nil, postroom.Invalid(postroom.CodeInvalid, "/request", "the source has no request %s", quote(in.Request))
		}
		return &r, err
	}
	var p postroom.Problems
	method := in.Method
	if method == "" {
		method = http.MethodPost
	}
	if !slices.Contains([]string{http.MethodPost, http.MethodGet, http.MethodPut, http.MethodPatch}, method) {
		p.Add("/method", "this is POST, PUT, PATCH or GET")
	}
	if strings.ContainsFunc(in.Query, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }) {
		p.Add("/query", "this is what follows the question mark of a URL, percent-encoded")
	}
	now := a.Now()
	r := &postroom.Request{ID: postroom.Next[postroom.RequestKind](a.IDs, now), WorkspaceID: who.Workspace, SourceID: s.ID, At: stamp(now).Time, Method: method,
		Target: "/in/" + s.ID.String(), Body: in.Body}
	if query := strings.TrimPrefix(in.Query, "?"); query != "" {
		r.Target += "?" + query
	}
	typed := false
	for _, h := range in.Headers {
		at := "/headers/" + escapePointer(h.Name)
		if !tokenName.MatchString(h.Name) {
			p.Add(at, "%s cannot be the name of a header", quote(h.Name))
		}
		checkText(&p, at, h.Value, maxHeaderValue)
		h.Name = headerName(h.Name)
		typed = typed || h.Name == "Content-Type"
		r.Headers = append(r.Headers, h)
	}
	if !typed && len(in.Body) > 0 && payload.Valid(in.Body) == nil {
		r.Headers = append(r.Headers, postroom.Header{Name: "Content-Type", Value: "application/json"})
	}
	slices.SortFunc(r.Headers, func(a, b postroom.Header) int { return strings.Compare(a.Name, b.Name) })
	return r, p.Err()
}

// SourceStats sums what happened to a source's requests in a span of time.
func (a *App) SourceStats(ctx context.Context, who Caller, ref string, span Span) (postroom.SourceStats, error) {
	var none postroom.SourceStats
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	s, err := a.findSource(ctx, who, ref)
	if err != nil {
		return none, err
	}
	after, before, step, err := span.bounds(a.Now())
	if err != nil {
		return none, err
	}
	stats, err := a.Store.SourceStats(ctx, who.Workspace, s.ID, after, before, step)
	return sourceStats(stats), err
}

// sourceStats names what the store counts as it does for webhooks.
func sourceStats(s postroom.Stats) postroom.SourceStats {
	out := postroom.SourceStats{After: s.After, Before: s.Before, Requests: s.Attempts, Processed: s.Succeeded, Failed: s.Failed, Retried: s.Retried, Duplicates: s.Duplicates,
		Refused: s.Refused, DurationMs: s.LatencyMs, LastAt: s.LastAt, Series: make([]postroom.SourceStatsPoint, len(s.Series))}
	for i, at := range s.Series {
		out.Series[i] = postroom.SourceStatsPoint{At: at.At, Requests: at.Attempts, Processed: at.Succeeded, Failed: at.Failed, Retried: at.Retried,
			Duplicates: at.Duplicates, Refused: at.Refused}
	}
	return out
}
