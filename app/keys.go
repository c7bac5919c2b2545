package app

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// hintLength is how much of a key is kept to tell keys apart: the prefix and six characters.
const hintLength = len(KeyPrefix) + 6

func (a *App) makeKey(workspace postroom.WorkspaceID, name string, role postroom.Role, plain string, now time.Time) (postroom.Key, [32]byte) {
	return postroom.Key{ID: postroom.Next[postroom.KeyKind](a.IDs, now), WorkspaceID: workspace, Name: name, Role: role, Hint: plain[:hintLength],
		CreatedAt: stamp(now)}, digest(plain)
}

func checkName(p *postroom.Problems, pointer, name string) {
	if strings.TrimSpace(name) == "" {
		p.Add(pointer, "this is required")
	}
	checkText(p, pointer, name, maxTitle)
}

// CreateKey makes an API key, which is the second result and never shown again.
func (a *App) CreateKey(ctx context.Context, who Caller, name string, role postroom.Role, expires *time.Time) (postroom.Key, string, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Key{}, "", err
	}
	now := a.Now()
	var p postroom.Problems
	checkName(&p, "/name", name)
	if !role.Valid() {
		p.Add("/role", "this is %s, %s or %s", postroom.RoleAdmin, postroom.RolePublisher, postroom.RoleViewer)
	}
	if expires != nil && !expires.After(now) {
		p.Add("/expires_at", "this is in the future")
	}
	if err := p.Err(); err != nil {
		return postroom.Key{}, "", err
	}
	plain := newKey()
	k, sum := a.makeKey(who.Workspace, name, role, plain, now)
	if expires != nil {
		at := stamp(*expires)
		k.ExpiresAt = &at
	}
	if err := a.Store.CreateKey(ctx, k, sum[:]); err != nil {
		return postroom.Key{}, "", err
	}
	a.Log.Info("key created", "workspace", who.Workspace, "created", k.ID, "role", role, "key", who.Key)
	a.audit(ctx, who, "key.created", k.ID.String(), map[string]string{"role": string(role)})
	return k, plain, nil
}

// Keys lists the workspace's keys, from old to new.
func (a *App) Keys(ctx context.Context, who Caller) ([]postroom.Key, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	return a.Store.Keys(ctx, who.Workspace)
}

// Key finds one key.
func (a *App) Key(ctx context.Context, who Caller, ref string) (postroom.Key, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Key{}, err
	}
	id, err := postroom.ParseID[postroom.KeyKind](ref)
	if err != nil {
		return postroom.Key{}, postroom.Errorf(postroom.CodeNotFound, "There is no key %s in this workspace.", quote(ref))
	}
	return a.Store.Key(ctx, who.Workspace, id)
}

// DeleteKey revokes a key. Other nodes may believe it for a few seconds more.
func (a *App) DeleteKey(ctx context.Context, who Caller, ref string) error {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return err
	}
	k, err := a.Key(ctx, who, ref)
	if err != nil {
		return err
	}
	if k.ID == who.Key {
		return postroom.Errorf(postroom.CodeConflict, "A key cannot delete itself: use another one.")
	}
	if err := a.Store.DeleteKey(ctx, who.Workspace, k.ID); err != nil {
		return err
	}
	a.keys.forget()
	a.Log.Info("key deleted", "workspace", who.Workspace, "deleted", k.ID, "key", who.Key)
	a.audit(ctx, who, "key.deleted", k.ID.String(), nil)
	return nil
}

// How long an Idempotency-Key is held: while its call runs, which prolongs that, so that the key of a node that dies is soon
// free; and after it has ended.
const (
	idempotentRun  = 15 * time.Second
	idempotentHold = idempotentRun / 3 // how often it is prolonged
	idempotentLife = 24 * time.Hour
)

func answerContext(workspace postroom.WorkspaceID, key string) string {
	return "answer " + workspace.String() + " " + key
}

// BeginIdempotent claims an Idempotency-Key for a call. It gives the stored answer if the call was made before; else
// HoldIdempotent, and at the end CompleteIdempotent or AbandonIdempotent, must follow.
func (a *App) BeginIdempotent(ctx context.Context, who Caller, key string, requestHash [32]byte) (*StoredAnswer, error) {
	now := a.Now()
	held, err := a.Store.BeginIdempotent(ctx, who.Workspace, key, requestHash[:], now, now.Add(idempotentRun))
	if err != nil || held == nil {
		return nil, unavailable(err)
	}
	if string(held.Hash) != string(requestHash[:]) {
		return nil, postroom.Errorf(postroom.CodeIdempotencyReuse, "The Idempotency-Key was used for another call.")
	}
	if held.Answer == nil {
		return nil, postroom.Errorf(postroom.CodeInFlight, "A call with this Idempotency-Key is still running.")
	}
	plain, err := a.Sealer.Open(answerContext(who.Workspace, key), held.Answer)
	if err != nil {
		return nil, err
	}
	answer := &StoredAnswer{}
	return answer, json.Unmarshal(plain, answer)
}

// HoldIdempotent keeps others from making the call that BeginIdempotent has claimed the key for, however long it runs, until
// stop is called.
func (a *App) HoldIdempotent(ctx context.Context, who Caller, key string, requestHash [32]byte) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		ticker := time.NewTicker(idempotentHold)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := a.Store.HoldIdempotent(ctx, who.Workspace, key, requestHash[:], a.Now().Add(idempotentRun)); err != nil && ctx.Err() == nil {
				a.Log.Warn("the Idempotency-Key of a call that runs could not be held; trying again", "workspace", who.Workspace, "error", err)
			}
		}
	}()
	return cancel
}

// CompleteIdempotent keeps the answer of a call for 24 hours.
func (a *App) CompleteIdempotent(ctx context.Context, who Caller, key string, answer StoredAnswer) error {
	plain, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	sealed := a.Sealer.Seal(answerContext(who.Workspace, key), plain)
	return a.Store.CompleteIdempotent(context.WithoutCancel(ctx), who.Workspace, key, sealed, a.Now().Add(idempotentLife))
}

// AbandonIdempotent lets the call be made again, after one that failed on Postroom's side.
func (a *App) AbandonIdempotent(ctx context.Context, who Caller, key string) error {
	return a.Store.AbandonIdempotent(context.WithoutCancel(ctx), who.Workspace, key)
}
