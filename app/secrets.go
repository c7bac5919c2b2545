package app

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/outbound"
)

// Bounds of secrets.
const (
	maxSecrets = 5                   // that sign at the same time
	maxOverlap = 30 * 24 * time.Hour // for which an old one signs beside a new one
)

// newSecret makes a secret of a kind, or takes the one that is given.
func (a *App) newSecret(w *postroom.Webhook, kind postroom.SecretKind, given string, now time.Time) (postroom.StoredSecret, string, error) {
	var none postroom.StoredSecret
	if kind != postroom.SecretHMAC && kind != postroom.SecretEd25519 {
		return none, "", postroom.Invalid(postroom.CodeInvalid, "/kind", "this is %s or %s", postroom.SecretHMAC, postroom.SecretEd25519)
	}
	plain := given
	if plain == "" {
		plain = outbound.NewSecret(kind)
	}
	key, public, err := outbound.ParseSecretFor(a.Dialects[w.Dialect].Out.Signature.Scheme, plain)
	if err != nil {
		return none, "", postroom.Invalid(postroom.CodeInvalid, "/secret", "%s", err.Error())
	}
	if key.Kind() != kind {
		return none, "", postroom.Invalid(postroom.CodeInvalid, "/secret", "this is a secret of the kind %s, not %s", key.Kind(), kind)
	}
	return postroom.StoredSecret{
		Secret: postroom.Secret{ID: postroom.Next[postroom.SigningSecretKind](a.IDs, now), Kind: kind, PublicKey: public, CreatedAt: stamp(now)},
		Sealed: a.Sealer.Seal(outbound.SecretContext(w.ID), []byte(plain)),
	}, plain, nil
}

// WebhookSecrets lists the secrets that sign now, newest first, without their values.
func (a *App) WebhookSecrets(ctx context.Context, who Caller, ref string) ([]postroom.Secret, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	w, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return nil, err
	}
	stored, err := a.Store.Secrets(ctx, who.Workspace, w.ID, a.Now())
	secrets := make([]postroom.Secret, len(stored))
	for i, s := range stored {
		secrets[i] = s.Secret
	}
	return secrets, err
}

// RotateSecret makes a new secret, which is the second result and never shown again. An empty kind keeps that of the
// newest; given is the caller's own secret, or empty. The old ones go on signing for overlap, each call carrying a
// signature of every one.
func (a *App) RotateSecret(ctx context.Context, who Caller, ref string, kind postroom.SecretKind, given string, overlap time.Duration) (postroom.Secret, string, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Secret{}, "", err
	}
	if overlap < 0 || overlap > maxOverlap {
		return postroom.Secret{}, "", postroom.Invalid(postroom.CodeInvalid, "/overlap", "this is 0s to %s", postroom.Duration(maxOverlap))
	}
	w, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return postroom.Secret{}, "", err
	}
	now := a.Now()
	have, err := a.Store.Secrets(ctx, who.Workspace, w.ID, now)
	if err != nil {
		return postroom.Secret{}, "", err
	}
	if overlap > 0 && len(have) >= maxSecrets {
		return postroom.Secret{}, "", postroom.Errorf(postroom.CodeConflict, "The webhook has %d secrets that sign already: wait until one ends, or rotate with an overlap of 0s, which ends them all.", len(have))
	}
	if kind == "" {
		kind = postroom.SecretHMAC
		if len(have) > 0 {
			kind = have[0].Kind
		}
	}
	secret, plain, err := a.newSecret(&w.Webhook, kind, given, now)
	if err != nil {
		return postroom.Secret{}, "", err
	}
	if err := a.Store.RotateSecret(ctx, who.Workspace, w.ID, secret, now.Add(overlap), now); err != nil {
		return postroom.Secret{}, "", err
	}
	a.Engine.Changed(who.Workspace, w.ID)
	a.Log.Info("webhook secret rotated", "workspace", who.Workspace, "webhook", w.ID, "key", who.Key)
	a.audit(ctx, who, "webhook.secret_rotated", w.ID.String(), nil)
	return secret.Secret, plain, nil
}
