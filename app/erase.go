package app

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// Erasure is what EraseContact has done.
type Erasure struct {
	ContactID postroom.ContactID
	Rows      int64 // that told of the contact, and are gone
}

// EraseContact removes a person: the contact with its history, and all that the log tells of it. It goes on when its caller has gone, and when a crash cuts
// it off, the server ends it later; then, and when it is repeated by the contact's id, no event follows. progress is told from time to time how many rows are gone.
// The event contact.deleted follows, with nothing but the contact's id.
func (a *App) EraseContact(ctx context.Context, who Caller, ref string, progress func(rows int64)) (Erasure, error) {
	var e Erasure
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return e, err
	}
	c, err := a.Contact(ctx, who, ref)
	there := err == nil
	if id, bad := postroom.ParseID[postroom.ContactKind](ref); bad == nil && postroom.CodeOf(err) == postroom.CodeNotFound {
		c, err = postroom.Contact{ID: id, WorkspaceID: who.Workspace}, nil // its traces may be there still
	}
	if err != nil {
		return e, err
	}
	e.ContactID = c.ID
	ctx = context.WithoutCancel(ctx)
	begun := time.Now()
	entry := a.auditEntry(who, "contact.erased", c.ID.String(), nil)
	err = a.Store.EraseContact(ctx, who.Workspace, c, entry, a.Now(), func(n int64) {
		e.Rows += n
		progress(e.Rows)
		pause(ctx, time.Since(begun)) // publishers get as much time as each step took
		begun = time.Now()
	})
	if err != nil || !there {
		return e, unavailable(err)
	}
	b := contacts.NewBatch(contacts.BatchConfig{Workspace: who.Workspace, IDs: a.IDs, Now: a.Now()})
	b.Erased(c.ID)
	a.Log.Info("contact erased", "workspace", who.Workspace, "contact", c.ID, "rows", e.Rows, "key", who.Key)
	return e, unavailable(a.commit(ctx, b, nil))
}
