package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/internal/egress"
)

// Target is a webhook that is ready to be called: its secrets are open, and what does not change from call to call is
// made.
type Target struct {
	postroom.Webhook
	url, shownURL string // the latter without credentials
	header        header
	secret        map[string]bool // the headers that the log shows without their values
	conceal       concealer       // the credentials themselves
	own           *credentials    // nil for a webhook without a token and a certificate
	policy        Policy
	keys          []SigningKey
	gone          bool // deleted: what is left for it is cancelled

	bodies         *bodies
	payloadErr     error  // why the webhook's payload setting cannot be followed
	payloadPointer string // of the template in the settings
}

// Opener opens what was sealed for a context.
type Opener interface {
	Open(context string, sealed []byte) ([]byte, error)
}

// AuthContext is what a webhook's auth is sealed for.
func AuthContext(id postroom.WebhookID) string { return "webhook auth " + id.String() }

// SecretContext is what a webhook's secrets are sealed for.
func SecretContext(id postroom.WebhookID) string { return "webhook secret " + id.String() }

// maxTargets bounds how many webhooks are kept ready.
const maxTargets = 10000

// targets keeps webhooks ready to be called.
type targets struct {
	store     Store
	opener    Opener
	dialects  dialect.Set
	userAgent string
	now       func() time.Time
	sender    Sender
	senderAs  func(egress.Identity) Sender

	mu          sync.RWMutex
	ready       map[postroom.WebhookID]*Target
	credentials map[postroom.WebhookID]*credentials
	epoch       uint64 // grows with each change, so that what was read before one is not kept after it
}

// get finds a webhook, which may be a deleted one.
func (t *targets) get(ctx context.Context, id postroom.WebhookID) (*Target, error) {
	t.mu.RLock()
	found, epoch := t.ready[id], t.epoch
	t.mu.RUnlock()
	if found != nil {
		return found, nil
	}
	found, err := t.load(ctx, id)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if epoch == t.epoch {
		if len(t.ready) >= maxTargets {
			for other := range t.ready { // any one will do
				delete(t.ready, other)
				break
			}
		}
		t.ready[id] = found
	}
	return found, nil
}

// current tells whether a webhook that get found is kept, so that nothing has changed since.
func (t *targets) current(target *Target) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.ready[target.ID] == target
}

// forget drops what may have changed; the zero id drops all webhooks of the workspace.
func (t *targets) forget(workspace postroom.WorkspaceID, id postroom.WebhookID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.epoch++
	if !id.IsZero() {
		delete(t.ready, id)
		return
	}
	for other, target := range t.ready {
		if target.WorkspaceID == workspace {
			delete(t.ready, other)
		}
	}
}

func (t *targets) load(ctx context.Context, id postroom.WebhookID) (*Target, error) {
	workspace, err := t.store.WebhookOwner(ctx, id)
	if err != nil {
		if postroom.CodeOf(err) == postroom.CodeNotFound {
			return &Target{Webhook: postroom.Webhook{ID: id}, gone: true}, nil
		}
		return nil, err
	}
	now := t.now()
	w, err := t.store.Webhook(ctx, workspace, id, now)
	if postroom.CodeOf(err) == postroom.CodeNotFound {
		return &Target{Webhook: postroom.Webhook{ID: id, WorkspaceID: workspace}, gone: true}, nil
	}
	if err != nil {
		return nil, err
	}
	auth, err := OpenAuth(t.opener, w)
	if err != nil {
		return nil, err
	}
	secrets, err := t.store.Secrets(ctx, workspace, id, now)
	if err != nil {
		return nil, err
	}
	target, err := t.make(w.Webhook, auth, secrets)
	if err != nil {
		return nil, err
	}
	target.own, err = t.credentialsOf(id, auth)
	return target, err
}

// make makes a webhook ready to be called, of its settings, the values of its auth, and its secrets.
func (t *targets) make(w postroom.Webhook, auth *postroom.Auth, secrets []postroom.StoredSecret) (*Target, error) {
	d, err := t.dialectOf(&w)
	if err != nil {
		return nil, err
	}
	target, err := newTarget(w, auth, d, t.userAgent)
	if err != nil {
		return nil, err
	}
	target.keys, err = t.keysOf(w.ID, d, secrets)
	return target, err
}

func (t *targets) dialectOf(w *postroom.Webhook) (*dialect.Dialect, error) {
	d := t.dialects[w.Dialect]
	if d == nil {
		return nil, fmt.Errorf("there is no dialect %s, which the webhook %s has", w.Dialect, w.ID)
	}
	return d, nil
}

// keysOf are a webhook's secrets, ready to sign.
func (t *targets) keysOf(id postroom.WebhookID, d *dialect.Dialect, secrets []postroom.StoredSecret) (keys []SigningKey, err error) {
	for _, s := range secrets {
		plain, err := t.opener.Open(SecretContext(id), s.Sealed)
		if err != nil {
			return nil, fmt.Errorf("a secret of webhook %s: %w", id, err)
		}
		key, _, err := ParseSecretFor(d.Out.Signature.Scheme, string(plain))
		if err != nil {
			return nil, fmt.Errorf("a secret of webhook %s: %w", id, err)
		}
		if s.ExpiresAt != nil {
			key = key.until(s.ExpiresAt.Time)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// newTarget is a webhook that is ready to be called, but for its keys.
func newTarget(w postroom.Webhook, auth *postroom.Auth, d *dialect.Dialect, userAgent string) (*Target, error) {
	target := &Target{Webhook: w, header: fixedHeader(&w, auth, d.Out.ContentType, userAgent), secret: secretHeaders(&w), policy: PolicyOf(&w),
		conceal: concealAuth(auth), payloadPointer: pointerOf(w.Payload)}
	var err error
	// It was checked when it was saved, so that this only fails for what another version of Postroom saved. The attempts tell.
	if target.bodies, target.payloadErr = compileBodies(w.Payload, d, nil); target.payloadErr != nil {
		target.bodies = &bodies{dialect: d}
	}
	target.url, target.shownURL, err = authURL(w.URL, auth)
	return target, err
}

// PolicyOf is what a webhook wants done about failures.
func PolicyOf(w *postroom.Webhook) Policy {
	p := Policy{Jitter: w.Retry.Jitter, ExpectJSON: w.ExpectJSON}
	for _, d := range w.Retry.Schedule {
		p.Schedule = append(p.Schedule, time.Duration(d))
	}
	return p
}

// OpenAuth gives a webhook's auth with its secret values.
func OpenAuth(opener Opener, w postroom.StoredWebhook) (*postroom.Auth, error) {
	if w.Auth == nil || len(w.SealedAuth) == 0 {
		return w.Auth, nil
	}
	plain, err := opener.Open(AuthContext(w.ID), w.SealedAuth)
	if err != nil {
		return nil, fmt.Errorf("the auth of webhook %s: %w", w.ID, err)
	}
	auth := &postroom.Auth{}
	if err := json.Unmarshal(plain, auth); err != nil {
		return nil, fmt.Errorf("the auth of webhook %s: %w", w.ID, err)
	}
	return auth, nil
}

// DefaultAPIKeyHeader is where an api_key goes unless the webhook says otherwise.
const DefaultAPIKeyHeader = "X-Api-Key"

func authHeaders(a *postroom.Auth) map[string]string {
	if a == nil {
		return nil
	}
	switch a.Type {
	case postroom.AuthAPIKey:
		if a.Header == "" {
			return map[string]string{DefaultAPIKeyHeader: a.Key}
		}
		return map[string]string{a.Header: a.Key}
	case postroom.AuthBearer:
		return map[string]string{"Authorization": "Bearer " + a.Token}
	case postroom.AuthBasic:
		return map[string]string{"Authorization": "Basic " + basic(a.Username, a.Password)}
	case postroom.AuthHeader:
		return a.Headers
	}
	return nil
}

// authURL adds the query parameters that are credentials, and gives the URL for the log with their values left out.
func authURL(raw string, a *postroom.Auth) (full, shown string, err error) {
	if a == nil || a.Type != postroom.AuthQuery {
		return raw, raw, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", errors.New("the webhook's URL cannot be read")
	}
	// What the user wrote stays as it is, but for what the credentials replace.
	query, shownQuery := []string{}, []string{}
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if _, replaced := a.Query[name]; part != "" && (err != nil || !replaced) {
			query, shownQuery = append(query, part), append(shownQuery, part)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Query)) {
		key := url.QueryEscape(name) + "="
		query, shownQuery = append(query, key+url.QueryEscape(a.Query[name])), append(shownQuery, key+hidden)
	}
	u.RawQuery = strings.Join(query, "&")
	full = u.String()
	u.RawQuery = strings.Join(shownQuery, "&")
	return full, u.String(), nil
}

// secretHeaders are the headers of a call that the log shows without their values.
func secretHeaders(w *postroom.Webhook) map[string]bool {
	names := map[string]bool{}
	if w.Auth == nil {
		return names
	}
	for name := range authHeaders(w.Auth) {
		names[textproto.CanonicalMIMEHeaderKey(name)] = true
	}
	if w.Auth.Type == postroom.AuthOAuth2 {
		names[headerAuthorization] = true
	}
	return names
}

// ReservedHeader tells whether a header is Postroom's or HTTP's own, so that a user cannot set it.
func ReservedHeader(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case headerID, headerTimestamp, headerSignature, headerDelivery, headerAttempt, "Host", "Content-Length", "Content-Type",
		"Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Te", "Trailer", "Expect", "Proxy-Authorization", "Proxy-Connection", "User-Agent",
		"Idempotency-Key", "X-Idempotency-Key", "Accept-Encoding", "Content-Encoding":
		return true
	}
	return false
}
