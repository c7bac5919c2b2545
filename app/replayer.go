package app

import (
	"context"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// replayer is what RunReplays shares with the calls that start replays.
type replayer struct {
	turn       sync.Mutex    // one turn at a time on this node
	woken      chan struct{} // there is work to do
	page, step int           // replayPage and replayStep; smaller in tests
}

func newReplayer() replayer {
	return replayer{woken: make(chan struct{}, 1), page: replayPage, step: replayStep}
}

func (r *replayer) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

const (
	lookEvery  = 5 * time.Second // for replays that another node has left
	maxReplays = 50              // that are looked at for one whose turn it is
	maxTries   = 30              // after so many failures in a row a replay is given up
)

// RunReplays does the work of replays until ctx ends. Replays take turns, so that a large one does not keep the others waiting. Any
// number of nodes may do this: a replay is held by one at a time, and another goes on with it when that one is gone.
func (a *App) RunReplays(ctx context.Context) {
	tries := map[postroom.ReplayID]*trial{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			a.leaveReplays(ctx)
			return
		case <-a.replays.woken:
		case <-timer.C:
		}
		for a.replayTick(ctx, tries) {
		}
		timer.Reset(lookEvery)
	}
}

// leaveReplays lets other nodes go on at once.
func (a *App) leaveReplays(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookEvery)
	defer cancel()
	if err := a.Store.LeaveReplays(ctx); err != nil {
		a.Log.Error("replays could not be left to other nodes; they wait until their lease ends", "error", err)
	}
}

// trial is how often a replay's turn has failed in a row.
type trial struct {
	failed int
	until  time.Time // it rests
}

// replayTick gives a turn to the replay that has waited longest for one; false when there is none to do now.
func (a *App) replayTick(ctx context.Context, tries map[postroom.ReplayID]*trial) bool {
	a.replays.turn.Lock()
	defer a.replays.turn.Unlock()
	if ctx.Err() != nil {
		return false
	}
	all, err := a.Store.UnfinishedReplays(ctx, a.Now(), maxReplays)
	if err != nil {
		if ctx.Err() == nil {
			a.Log.Error("replays could not be looked for; trying again", "error", err)
		}
		return false
	}
	for i := range all {
		r := &all[i]
		t := tries[r.ID]
		if t != nil && a.Now().Before(t.until) {
			continue
		}
		err := a.takeTurn(ctx, r)
		switch {
		case err == nil:
			delete(tries, r.ID)
			return true
		case ctx.Err() != nil:
			return false
		case postroom.CodeOf(err) == postroom.CodeUnavailable: // no replay can go on
			a.Log.Error("replays wait for the database", "error", err)
			return false
		case t == nil:
			t = &trial{}
			tries[r.ID] = t
		}
		a.rest(ctx, r, t, err)
		return true
	}
	return false
}

// rest puts a replay off whose turn has failed although the database is well, and gives it up after many failures.
func (a *App) rest(ctx context.Context, r *postroom.Replay, t *trial, cause error) {
	t.failed++
	t.until = a.Now().Add(min(time.Duration(t.failed)*time.Second, 30*time.Second))
	a.Log.Error("a step of a replay failed; trying again", "replay", r.ID, "failures", t.failed, "error", cause)
	if t.failed < maxTries {
		return
	}
	end := postroom.ReplayStep{Cursor: r.Cursor, End: postroom.ReplayFailed, Now: a.Now(), LeaseTo: a.Now(),
		Reason: "Its deliveries could not be moved, although it was tried many times; the log of the server has the cause."}
	if r.State == postroom.ReplayCancelled {
		end.End = postroom.ReplayCancelled
	}
	if _, err := a.Store.StepReplay(ctx, r, end); err != nil {
		a.Log.Error("a replay could not be given up", "replay", r.ID, "error", err)
	}
}

// takeTurn looks at one page of deliveries of a replay, and moves those that it is for, step by step. It leaves off when the replay
// turns out to be another node's, or cancelled.
func (a *App) takeTurn(ctx context.Context, r *postroom.Replay) error {
	if r.State == postroom.ReplayCancelled {
		return a.withdraw(ctx, r)
	}
	page, err := a.Store.ReplayPage(ctx, r.WorkspaceID, r.ReplayFilter, r.Cursor, a.replays.page)
	if err != nil {
		return err
	}
	var mine []postroom.Replayable
	for _, d := range page {
		if d.WebhookID == r.Webhook && !d.Deliverable {
			return a.stepReplay(ctx, r, nil, postroom.ReplayStep{Cursor: r.Cursor, End: postroom.ReplayFailed, Reason: "The webhook was deleted."})
		}
		if chosen(r.ReplayFilter, d) {
			mine = append(mine, d)
		}
	}
	for {
		some := mine[:min(len(mine), a.replays.step)]
		mine = mine[len(some):]
		step := postroom.ReplayStep{Cursor: r.Cursor}
		switch {
		case len(mine) > 0:
			step.Cursor = some[len(some)-1].ID
		case len(page) > 0:
			step.Cursor = page[len(page)-1].ID
		}
		if len(mine) == 0 && len(page) < a.replays.page {
			step.End = postroom.ReplayDone
		}
		if err := a.stepReplay(ctx, r, some, step); err != nil || len(mine) == 0 || step.Cursor != r.Cursor || ctx.Err() != nil {
			return err
		}
	}
}

// stepReplay stores a step, tells the lanes, and gives publishers as much time as the step took. When the replay was not where it was
// thought to be, it stays as it is.
func (a *App) stepReplay(ctx context.Context, r *postroom.Replay, some []postroom.Replayable, step postroom.ReplayStep) error {
	for _, d := range some {
		step.IDs = append(step.IDs, d.ID)
	}
	begun := time.Now()
	step.Now = a.Now().UTC().Truncate(time.Microsecond)
	step.LeaseTo = step.Now.Add(replayLease)
	moved, err := a.Store.StepReplay(ctx, r, step)
	if err != nil || !moved {
		return err
	}
	if r.State != postroom.ReplayCancelled {
		for _, w := range webhooksOf(some) {
			a.Engine.Wake(r.WorkspaceID, w, postroom.StateReplay, r.CreatedAt)
		}
	}
	if r.EndedAt != nil {
		a.Log.Info("replay "+string(r.State), "workspace", r.WorkspaceID, "replay", r.ID, "done", r.Done, "skipped", r.Skipped, "withdrawn", r.Withdrawn, "reason", r.Reason)
		return nil
	}
	pause(ctx, time.Since(begun))
	return nil
}

// withdraw takes back what waits of a cancelled replay, from new to old: the engine begins with the oldest.
func (a *App) withdraw(ctx context.Context, r *postroom.Replay) error {
	ids, last, err := a.Store.WaitingPage(ctx, r, a.replays.page)
	if err != nil {
		return err
	}
	for {
		some := ids[:min(len(ids), a.replays.step)]
		ids = ids[len(some):]
		step := postroom.ReplayStep{IDs: some, Cursor: last}
		switch {
		case len(ids) > 0:
			step.Cursor = some[len(some)-1]
		case last.IsZero():
			step.Cursor, step.End = r.Cursor, postroom.ReplayCancelled
		}
		if err := a.stepReplay(ctx, r, nil, step); err != nil || len(ids) == 0 || step.Cursor != r.Cursor || ctx.Err() != nil {
			return err
		}
	}
}

// maxPause bounds how long a step is followed by a pause.
const maxPause = 100 * time.Millisecond

// pause leaves the database to others for a while, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(min(d, maxPause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
