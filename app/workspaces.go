package app

import (
	"context"
	"errors"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/outbound"
)

func operate(who Caller) error {
	if who.Operator && who.Role.Allows(postroom.RoleAdmin) {
		return nil
	}
	return postroom.Errorf(postroom.CodeForbidden, "This needs the key of an operator: the first key of the installation.")
}

// CreateWorkspace makes a workspace with its first key, of the role admin; the key is shown once.
func (a *App) CreateWorkspace(ctx context.Context, who Caller, name string) (postroom.Workspace, postroom.Key, string, error) {
	if err := operate(who); err != nil {
		return postroom.Workspace{}, postroom.Key{}, "", err
	}
	w, k, key, err := a.createWorkspace(ctx, name, newKey(), false)
	if err == nil {
		a.audit(ctx, who, "workspace.created", w.ID.String(), nil)
	}
	return w, k, key, err
}

func (a *App) createWorkspace(ctx context.Context, name, key string, operator bool) (postroom.Workspace, postroom.Key, string, error) {
	var p postroom.Problems
	checkName(&p, "/name", name)
	if err := p.Err(); err != nil {
		return postroom.Workspace{}, postroom.Key{}, "", err
	}
	now := a.Now()
	w := postroom.Workspace{ID: postroom.Next[postroom.WorkspaceKind](a.IDs, now), Name: name, CreatedAt: stamp(now), UpdatedAt: stamp(now)}
	k, sum := a.makeKey(w.ID, "First key", postroom.RoleAdmin, key, now)
	k.Operator = operator
	if err := a.Store.CreateWorkspace(ctx, w, k, sum[:]); err != nil {
		return postroom.Workspace{}, postroom.Key{}, "", err
	}
	a.Log.Info("workspace created", "workspace", w.ID)
	return w, k, key, nil
}

// Workspaces lists all workspaces for an operator, else the caller's own.
func (a *App) Workspaces(ctx context.Context, who Caller) ([]postroom.Workspace, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	if operate(who) == nil {
		return a.Store.Workspaces(ctx)
	}
	own, err := a.Store.Workspace(ctx, who.Workspace)
	return []postroom.Workspace{own}, err
}

// Workspace finds a workspace: any for an operator, else the caller's own.
func (a *App) Workspace(ctx context.Context, who Caller, ref string) (postroom.Workspace, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Workspace{}, err
	}
	id, err := postroom.ParseID[postroom.WorkspaceKind](ref)
	if err != nil || id != who.Workspace && operate(who) != nil {
		return postroom.Workspace{}, postroom.Errorf(postroom.CodeNotFound, "There is no workspace %s.", quote(ref))
	}
	return a.Store.Workspace(ctx, id)
}

// UpdateWorkspace renames a workspace.
func (a *App) UpdateWorkspace(ctx context.Context, who Caller, ref, name string) (postroom.Workspace, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Workspace{}, err
	}
	w, err := a.Workspace(ctx, who, ref)
	if err != nil {
		return w, err
	}
	var p postroom.Problems
	checkName(&p, "/name", name)
	if err := p.Err(); err != nil {
		return w, err
	}
	if err := a.Store.RenameWorkspace(ctx, w.ID, name, a.Now()); err != nil {
		return w, err
	}
	a.audit(ctx, who, "workspace.changed", w.ID.String(), nil)
	return a.Workspace(ctx, who, ref)
}

// DeleteWorkspace deletes a workspace with all that is in it, but never the caller's own.
func (a *App) DeleteWorkspace(ctx context.Context, who Caller, ref string) error {
	if err := operate(who); err != nil {
		return err
	}
	w, err := a.Workspace(ctx, who, ref)
	if err != nil {
		return err
	}
	if w.ID == who.Workspace {
		return postroom.Errorf(postroom.CodeConflict, "A workspace cannot be deleted with its own key: use the key of an operator in another one.")
	}
	if err := a.Store.DeleteWorkspace(context.WithoutCancel(ctx), w.ID); err != nil {
		return err
	}
	a.keys.forget()
	a.types.forget(w.ID)
	a.Engine.Changed(w.ID, postroom.WebhookID{})
	a.Log.Info("workspace deleted", "workspace", w.ID, "key", who.Key)
	a.audit(ctx, who, "workspace.deleted", w.ID.String(), nil)
	return nil
}

const (
	keyCheck        = "secret_key_check" // in meta
	keyCheckContext = "secret key check"
)

// Bootstrap prepares a database for this process. It refuses a secret key that is not the one with which the database was
// sealed. In an empty database it makes the workspace "default" and its first key: adminKey, or a new one. If the
// database is not empty, and adminKey is given and unknown, it is added to the first workspace. Where nobody can sign in yet, it makes an
// administrator of the first workspace.
func (a *App) Bootstrap(ctx context.Context, adminKey string) (shown Shown, err error) {
	if err := a.checkSecretKey(ctx); err != nil {
		return Shown{}, err
	}
	if shown.Key, err = a.firstKey(ctx, adminKey); err != nil {
		return Shown{}, err
	}
	shown.Link, err = a.firstAdmin(ctx)
	return shown, err
}

// Shown is what Bootstrap has made up, to be shown once. What it has not is empty.
type Shown struct {
	Key  string
	Link string // with which the first administrator signs in
}

func (a *App) firstAdmin(ctx context.Context) (link string, err error) {
	if some, err := a.Store.AnyPerson(ctx); err != nil || some {
		return "", err
	}
	all, err := a.Store.Workspaces(ctx)
	if err != nil {
		return "", err
	}
	m, err := a.addMember(ctx, all[0].ID, postroom.Person{Email: placeholderMail, Operator: true}, MemberSettings{Name: "Administrator", Role: postroom.RoleAdmin})
	if postroom.CodeOf(err) == postroom.CodeConflict { // another node was quicker
		return "", nil
	}
	if err != nil {
		return "", err
	}
	made, err := a.makeLink(ctx, m, true)
	return made.URL, err
}

func (a *App) firstKey(ctx context.Context, adminKey string) (shown string, err error) {
	all, err := a.Store.Workspaces(ctx)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		key := adminKey
		if key == "" {
			key, shown = newKey(), "set"
		}
		if _, _, _, err := a.createWorkspace(ctx, "default", key, true); err != nil {
			return "", err
		}
		if shown != "" {
			shown = key
		}
		return shown, nil
	}
	if adminKey == "" {
		return "", nil
	}
	sum := digest(adminKey)
	if _, err := a.Store.KeyByDigest(ctx, sum[:]); postroom.CodeOf(err) != postroom.CodeNotFound {
		return "", err
	}
	k, sum := a.makeKey(all[0].ID, "Given at the start", postroom.RoleAdmin, adminKey, a.Now())
	k.Operator = true
	return "", a.Store.CreateKey(ctx, k, sum[:])
}

// ErrSecretKey means that the database was sealed with another secret key.
var ErrSecretKey = errors.New("the secret key is not the one with which this database was sealed, and without that one signing secrets and credentials " +
	"cannot be read: check POSTROOM_SECRET_KEY, or restore the file secret.key that belongs to the database")

// CheckSecretKey tells whether a database was sealed with the key of sealer, by what it keeps; ErrSecretKey when it was not. A
// database that was never sealed takes any key.
func CheckSecretKey(sealer Sealer, meta func(key string) ([]byte, error)) error {
	sealed, err := meta(keyCheck)
	if err != nil || sealed == nil {
		return err
	}
	if _, err := sealer.Open(keyCheckContext, sealed); err != nil {
		return ErrSecretKey
	}
	return nil
}

func (a *App) checkSecretKey(ctx context.Context) error {
	sealed, err := a.Store.Meta(ctx, keyCheck)
	if err != nil {
		return err
	}
	if sealed == nil {
		return a.Store.SetMeta(ctx, keyCheck, a.Sealer.Seal(keyCheckContext, []byte(outbound.NewSecret(postroom.SecretHMAC))))
	}
	return CheckSecretKey(a.Sealer, func(string) ([]byte, error) { return sealed, nil })
}
