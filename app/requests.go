package app

import (
	"context"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

// Requests lists requests without their headers and bodies, newest first.
func (a *App) Requests(ctx context.Context, who Caller, f postroom.RequestFilter, q postroom.PageQuery) (postroom.Page[postroom.Request], error) {
	var none postroom.Page[postroom.Request]
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	if err := checkRequestFilter(f); err != nil {
		return none, err
	}
	limit, cursor, err := pageOf(q)
	if err != nil {
		return none, err
	}
	found, rest, err := a.Store.Requests(ctx, who.Workspace, f, cursor, limit+1)
	if err != nil {
		return none, err
	}
	return postroom.NewPage(found, limit, cursor, rest, func(r postroom.Request) [16]byte { return r.ID }), nil
}

func checkRequestFilter(f postroom.RequestFilter) error {
	var p postroom.Problems
	if f.Status != "" && f.Status.States() == nil {
		p.Add("?status", "this is one of the statuses of requests")
	}
	checkSearch(&p, "?event_type", f.EventType)
	checkSearch(&p, "?sender", f.Sender)
	return p.Err()
}

// Request finds a request, whole.
func (a *App) Request(ctx context.Context, who Caller, ref string) (postroom.Request, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Request{}, err
	}
	return a.findRequest(ctx, who, ref)
}

func (a *App) findRequest(ctx context.Context, who Caller, ref string) (postroom.Request, error) {
	id, err := postroom.ParseID[postroom.RequestKind](ref)
	if err != nil {
		return postroom.Request{}, postroom.Errorf(postroom.CodeNotFound, "There is no request %s in this workspace.", quote(ref))
	}
	return a.Store.Request(ctx, who.Workspace, id)
}

// RetryRequest lets a request be processed again, now. It does not wait for it.
func (a *App) RetryRequest(ctx context.Context, who Caller, ref string) (postroom.Request, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Request{}, err
	}
	r, err := a.findRequest(ctx, who, ref)
	if err != nil {
		return r, err
	}
	if err := mayTrigger(who, r.SourceID.String()); err != nil {
		return r, err
	}
	if r.State == postroom.RequestRefused {
		return r, postroom.Errorf(postroom.CodeConflict, "The request was refused, so it was never processed: resend it to take it in although it was refused.")
	}
	done, err := a.Store.RetryRequest(ctx, who.Workspace, r.ID, a.Now())
	if err != nil {
		return r, unavailable(err)
	}
	if !done {
		return r, postroom.Errorf(postroom.CodeConflict, "The request is being processed right now.")
	}
	a.Intake.Wake()
	a.Log.Info("request retried", "workspace", who.Workspace, "request", r.ID, "key", who.Key)
	return a.Store.Request(ctx, who.Workspace, r.ID)
}

// ResendRequest takes a stored request in as a new one, which is not verified again, and is acted on although it came before.
func (a *App) ResendRequest(ctx context.Context, who Caller, ref string) (postroom.Request, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Request{}, err
	}
	r, err := a.findRequest(ctx, who, ref)
	if err != nil {
		return r, err
	}
	if err := mayTrigger(who, r.SourceID.String()); err != nil {
		return r, err
	}
	sent, err := a.Intake.Resend(ctx, r.SourceID, &r)
	if err != nil {
		return r, unavailable(err)
	}
	a.Log.Info("request resent", "workspace", who.Workspace, "request", r.ID, "as", sent.ID, "key", who.Key)
	return *sent, nil
}

// EachRequest visits all requests that the filter lets through, newest first, a page at a time; whole ones if asked for. One that is deleted
// meanwhile is left out.
func (a *App) EachRequest(ctx context.Context, who Caller, f postroom.RequestFilter, whole bool, visit func(postroom.Request) error) error {
	q := postroom.PageQuery{Limit: postroom.MaxPageLimit}
	for {
		page, err := a.Requests(ctx, who, f, q)
		if err != nil {
			return err
		}
		for _, r := range page.Data {
			if whole {
				r, err = a.Store.Request(ctx, who.Workspace, r.ID)
				if postroom.CodeOf(err) == postroom.CodeNotFound {
					continue
				}
				if err != nil {
					return err
				}
			}
			if err := visit(r); err != nil {
				return err
			}
		}
		if page.NextCursor == nil {
			return nil
		}
		q.Cursor = *page.NextCursor
	}
}

// ClearRequests deletes the log of a source, and says how many requests that were. It goes on when its caller has gone.
func (a *App) ClearRequests(ctx context.Context, who Caller, ref string) (n int64, err error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return 0, err
	}
	s, err := a.findSource(ctx, who, ref)
	if err != nil {
		return 0, err
	}
	ctx = context.WithoutCancel(ctx)
	begun := time.Now()
	n, err = a.Store.ClearRequests(ctx, who.Workspace, s.ID, func(int64) {
		pause(ctx, time.Since(begun)) // callers get as much time as each step took
		begun = time.Now()
	})
	a.audit(ctx, who, "source.requests_cleared", s.ID.String(), map[string]int64{"requests": n})
	a.Log.Info("requests cleared", "workspace", who.Workspace, "source", s.ID, "requests", n, "key", who.Key)
	return n, unavailable(err)
}

// caughtUp is how many requests WatchRequests looks up that came before it was called.
const caughtUp = 1000

// WatchRequests gives the requests that a source receives from now on, as this node stores them, until ctx ends; and before them those that
// came after since, up to a bound, if it is not zero. They are whole.
func (a *App) WatchRequests(ctx context.Context, who Caller, ref string, since postroom.RequestID) (<-chan postroom.Request, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	s, err := a.findSource(ctx, who, ref)
	if err != nil {
		return nil, err
	}
	live := a.Intake.Watch(ctx, who.Workspace, s.ID)
	if since.IsZero() {
		return live, nil
	}
	all := make(chan postroom.Request)
	go func() {
		defer close(all)
		seen, err := a.missedRequests(ctx, who, s.ID, since, all)
		if err != nil {
			a.Log.Warn("the requests that a watcher has missed could not be read", "source", s.ID, "error", err)
			return
		}
		for r := range live {
			if !slices.Contains(seen, r.ID) && !give(ctx, all, r) {
				return
			}
		}
	}()
	return all, nil
}

func give(ctx context.Context, to chan<- postroom.Request, r postroom.Request) bool {
	select {
	case to <- r:
		return true
	case <-ctx.Done():
		return false
	}
}

// missedRequests gives the requests of a source that came after since, from old to new, and returns their ids.
func (a *App) missedRequests(ctx context.Context, who Caller, source postroom.SourceID, since postroom.RequestID, to chan<- postroom.Request) ([]postroom.RequestID, error) {
	var ids []postroom.RequestID
	cursor := postroom.Cursor{Newer: true, ID: since}
	for len(ids) < caughtUp {
		found, rest, err := a.Store.Requests(ctx, who.Workspace, postroom.RequestFilter{Source: source}, &cursor, postroom.MaxPageLimit)
		if err != nil {
			return ids, err
		}
		for _, r := range found {
			cursor.ID = r.ID
			whole, err := a.Store.Request(ctx, who.Workspace, r.ID)
			if postroom.CodeOf(err) == postroom.CodeNotFound {
				continue
			}
			if err != nil {
				return ids, err
			}
			if ids = append(ids, r.ID); !give(ctx, to, whole) {
				return ids, ctx.Err()
			}
		}
		if rest != nil {
			cursor.ID = *rest
		} else if len(found) < postroom.MaxPageLimit {
			break
		}
	}
	return ids, nil
}
