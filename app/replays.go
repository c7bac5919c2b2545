package app

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/postroom/postroom"
)

// ReplayPreview is what a replay would be for. Counts are of what it looked at, which is bounded.
type ReplayPreview struct {
	postroom.ReplayFilter
	Total    int64
	AtLeast  bool // there may be more: not all could be looked at
	ByStatus map[postroom.DeliveryStatus]int64
	ByType   map[string]int64
}

// Bounds of replays.
const (
	replayLook  = 100_001          // deliveries that a preview looks at, one more than it counts exactly: some tenths of a second
	replayPage  = 2000             // deliveries that a turn looks at
	replayStep  = 200              // deliveries that one transaction moves: few enough that publishers do not notice
	replayLease = 15 * time.Second // a turn is much shorter, and each of its steps renews it
	maxWaiting  = 100_000          // to which what waits is counted
)

// checkReplay completes a filter. ref names a webhook; empty for all.
func (a *App) checkReplay(ctx context.Context, who Caller, ref string, f *postroom.ReplayFilter, now time.Time) error {
	var p postroom.Problems
	switch f.Status {
	case "", postroom.DeliverySucceeded, postroom.DeliveryFailed, postroom.DeliveryCancelled:
	default:
		p.Add("/status", "this is %s, %s or %s; what is pending or held will be delivered anyway",
			postroom.DeliverySucceeded, postroom.DeliveryFailed, postroom.DeliveryCancelled)
	}
	if len(f.Types) > maxPatterns {
		p.Add("/types", "there are at most %d event types", maxPatterns)
	}
	for i, pattern := range f.Types {
		if err := checkPattern(pattern); err != nil {
			p.Add("/types/"+strconv.Itoa(i), "%s", err.Error())
		}
	}
	if f.Before.IsZero() || f.Before.After(now) {
		f.Before = now
	}
	f.After, f.Before = f.After.UTC().Truncate(time.Microsecond), f.Before.UTC().Truncate(time.Microsecond)
	if !f.After.Before(f.Before) {
		p.Add("/after", "this is earlier than before, and than now")
	}
	if err := p.Err(); err != nil || ref == "" {
		return err
	}
	w, err := a.findWebhook(ctx, who, ref)
	f.Webhook = w.ID
	return err
}

// PreviewReplay says what StartReplay would deliver again. It looks at a bounded number of deliveries.
func (a *App) PreviewReplay(ctx context.Context, who Caller, ref string, f postroom.ReplayFilter) (ReplayPreview, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return ReplayPreview{}, err
	}
	if err := a.checkReplay(ctx, who, ref, &f, a.Now()); err != nil {
		return ReplayPreview{}, err
	}
	return a.previewReplay(ctx, who, f)
}

func (a *App) previewReplay(ctx context.Context, who Caller, f postroom.ReplayFilter) (ReplayPreview, error) {
	p := ReplayPreview{ReplayFilter: f, ByStatus: map[postroom.DeliveryStatus]int64{}, ByType: map[string]int64{}}
	groups, whole, err := a.Store.ReplayCounts(ctx, who.Workspace, f, replayLook)
	if err != nil {
		return p, err
	}
	p.AtLeast = !whole
	statuses := map[postroom.DeliveryState]postroom.DeliveryStatus{postroom.StateSucceeded: postroom.DeliverySucceeded,
		postroom.StateFailed: postroom.DeliveryFailed, postroom.StateCancelled: postroom.DeliveryCancelled}
	for _, g := range groups {
		if chosen(f, g) {
			p.Total += g.Count
			p.ByStatus[statuses[g.State]] += g.Count
			p.ByType[g.Type] += g.Count
		}
	}
	return p, nil
}

// chosen tells whether the filter chooses a delivery that ReplayPage has found.
func chosen(f postroom.ReplayFilter, r postroom.Replayable) bool {
	first, last := f.States()
	return r.Deliverable && !r.Test && first <= r.State && r.State <= last && (f.Webhook.IsZero() || f.Webhook == r.WebhookID) &&
		(len(f.Types) == 0 || matchesAny(f.Types, r.Type))
}

// StartReplay delivers again what the filter chooses: of one webhook, which ref names, or of all when it is empty. A small replay
// is done when it returns; the rest of a larger one follows, on whichever node is there. The deliveries wait behind fresh ones. That of one
// webhook may be started by members who may trigger it.
func (a *App) StartReplay(ctx context.Context, who Caller, ref string, f postroom.ReplayFilter) (postroom.Replay, error) {
	least := postroom.RoleAdmin
	if ref != "" {
		least = postroom.RoleViewer
	}
	if err := authorise(who, least); err != nil {
		return postroom.Replay{}, err
	}
	now := a.Now().UTC().Truncate(time.Microsecond)
	if err := a.checkReplay(ctx, who, ref, &f, now); err != nil {
		return postroom.Replay{}, err
	}
	if err := mayTrigger(who, f.Webhook.String()); err != nil {
		return postroom.Replay{}, err
	}
	p, err := a.previewReplay(ctx, who, f)
	if err != nil {
		return postroom.Replay{}, err
	}
	r := postroom.Replay{ID: postroom.Next[postroom.ReplayKind](a.IDs, now), WorkspaceID: who.Workspace, ReplayFilter: p.ReplayFilter, State: postroom.ReplayRunning,
		Total: p.Total, AtLeast: p.AtLeast, CreatedBy: who.Key, CreatedAt: now, UpdatedAt: now}
	if r.Types == nil {
		r.Types = []string{}
	}
	ctx = context.WithoutCancel(ctx)
	if err := a.Store.CreateReplay(ctx, r, now.Add(replayLease)); err != nil {
		return r, unavailable(err)
	}
	a.Log.Info("replay started", "workspace", who.Workspace, "replay", r.ID, "deliveries", r.Total, "key", who.Key) // the rest is stored with it
	return a.firstTurn(ctx, r)
}

// firstTurn lets a replay do some work at once, and leaves the rest to RunReplays.
func (a *App) firstTurn(ctx context.Context, r postroom.Replay) (postroom.Replay, error) {
	a.replays.turn.Lock()
	now, err := a.Store.Replay(ctx, r.WorkspaceID, r.ID)
	if err == nil && now.EndedAt == nil {
		if failed := a.takeTurn(ctx, &now); failed != nil {
			a.Log.Error("a replay's first step failed; trying again", "replay", r.ID, "error", failed)
		}
	}
	a.replays.turn.Unlock()
	if now.EndedAt == nil {
		a.replays.wake()
	}
	return now, err
}

// Replays lists replays, newest first.
func (a *App) Replays(ctx context.Context, who Caller, q postroom.PageQuery) (postroom.Page[postroom.Replay], error) {
	var none postroom.Page[postroom.Replay]
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	limit, cursor, err := pageOf(q)
	if err != nil {
		return none, err
	}
	found, err := a.Store.Replays(ctx, who.Workspace, cursor, limit+1)
	if err != nil {
		return none, err
	}
	return postroom.NewPage(found, limit, cursor, nil, func(r postroom.Replay) [16]byte { return r.ID }), nil
}

// Replay finds a replay, and how many of its deliveries wait and were not begun, counted up to 100,000.
func (a *App) Replay(ctx context.Context, who Caller, ref string) (r postroom.Replay, waiting int64, err error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return r, 0, err
	}
	id, err := postroom.ParseID[postroom.ReplayKind](ref)
	if err != nil {
		return r, 0, postroom.Errorf(postroom.CodeNotFound, "There is no replay %s in this workspace.", quote(ref))
	}
	if r, err = a.Store.Replay(ctx, who.Workspace, id); err != nil {
		return r, 0, err
	}
	waiting, err = a.Store.ReplayWaiting(ctx, &r, maxWaiting)
	return r, waiting, err
}

// CancelReplay ends a replay. What has not been made to wait again stays as it is; what waits and was not begun goes back to how it had
// ended before. What a node has taken in hand, a few hundred deliveries of a webhook at most, is still attempted.
func (a *App) CancelReplay(ctx context.Context, who Caller, ref string) (r postroom.Replay, waiting int64, err error) {
	if r, waiting, err = a.Replay(ctx, who, ref); err != nil {
		return r, waiting, err
	}
	err = mayTrigger(who, r.Webhook.String())
	switch {
	case err != nil || r.State == postroom.ReplayCancelled:
		return r, waiting, err
	case r.State == postroom.ReplayFailed, r.State == postroom.ReplayDone && waiting == 0:
		return r, 0, postroom.Errorf(postroom.CodeConflict, "The replay is over: it is %s, and none of its deliveries wait.", r.State)
	}
	ctx = context.WithoutCancel(ctx)
	now := a.Now()
	done, err := a.Store.CancelReplay(ctx, who.Workspace, r.ID, now, now.Add(replayLease))
	if err != nil {
		return r, 0, unavailable(err)
	}
	if done {
		a.Log.Info("replay cancelled", "workspace", who.Workspace, "replay", r.ID, "key", who.Key)
		if _, err := a.firstTurn(ctx, r); err != nil {
			return r, 0, err
		}
	}
	return a.Replay(ctx, who, ref)
}

// webhooksOf are the webhooks of deliveries, each once.
func webhooksOf(page []postroom.Replayable) (ids []postroom.WebhookID) {
	for _, r := range page {
		if !slices.Contains(ids, r.WebhookID) {
			ids = append(ids, r.WebhookID)
		}
	}
	return ids
}
