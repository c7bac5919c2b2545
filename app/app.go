package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/contacts"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/outbound"
)

// Sealer seals secrets for a context, and opens them; *seal.Sealer does.
type Sealer interface {
	Seal(context string, plain []byte) []byte
	Open(context string, sealed []byte) ([]byte, error)
}

// Config is what an App is made of.
type Config struct {
	Store     Store
	Locks     *contacts.Locks // shared with all that changes contacts on this node; nil for its own
	Engine    *outbound.Engine
	Catalogue *catalogue.Catalogue
	Dialects  dialect.Set
	Sealer    Sealer
	IDs       *postroom.IDs
	// CheckURL refuses a URL that a webhook may not have; its error may have a Code() of postroom's.
	CheckURL func(raw string) error
	Intake   Intake
	// PublicURL is what the URLs of sources begin with.
	PublicURL string
	Now       func() time.Time // nil for time.Now
	Log       *slog.Logger     // nil for none
}

// App is the application.
type App struct {
	Config
	keys    keyCache
	types   typeCache
	replays replayer

	passwords passwords
}

// New makes an App.
func New(c Config) *App {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Locks == nil {
		c.Locks = contacts.NewLocks()
	}
	return &App{Config: c, keys: keyCache{ready: map[[32]byte]cachedKey{}}, types: typeCache{ready: map[postroom.WorkspaceID]cachedTypes{}},
		replays: newReplayer(), passwords: newPasswords()}
}

// authorise refuses a caller whose role is not enough.
func authorise(who Caller, need postroom.Role) error {
	if who.Role.Allows(need) {
		return nil
	}
	if !who.Member.IsZero() {
		return postroom.Errorf(postroom.CodeForbidden, "This needs the role %s, and you have the role %s.", need, who.Role)
	}
	return postroom.Errorf(postroom.CodeForbidden, "This needs the role %s, and the key has the role %s.", need, who.Role)
}

// KeyPrefix begins every API key.
const KeyPrefix = "prk_"

func newKey() string {
	b := make([]byte, 25)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return KeyPrefix + strings.ToLower(base32.StdEncoding.EncodeToString(b))
}

func digest(key string) [32]byte { return sha256.Sum256([]byte(key)) }

// keyLife is for how long a key is believed without asking the database: a key that is deleted on another node works for
// as long.
const keyLife = 5 * time.Second

const maxCachedKeys = 10000

type cachedKey struct {
	Caller
	expires *postroom.Timestamp
	until   time.Time
}

type keyCache struct {
	mu    sync.RWMutex
	ready map[[32]byte]cachedKey
}

func (c *keyCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.ready)
}

var errKey = &postroom.Error{Code: postroom.CodeUnauthenticated, Message: "The API key is missing, unknown or expired: send it as Authorization: Bearer prk_…"}

// Authenticate finds out who presents a key. Every reason to refuse looks the same.
func (a *App) Authenticate(ctx context.Context, key string) (Caller, error) {
	if !strings.HasPrefix(key, KeyPrefix) || len(key) > 256 {
		return Caller{}, errKey
	}
	// The digest, not the key, is looked up, so that the time it takes tells nothing about stored keys.
	sum, now := digest(key), a.Now()
	a.keys.mu.RLock()
	k, ok := a.keys.ready[sum]
	a.keys.mu.RUnlock()
	if !ok || !now.Before(k.until) {
		stored, err := a.Store.KeyByDigest(ctx, sum[:])
		if postroom.CodeOf(err) == postroom.CodeNotFound {
			return Caller{}, errKey
		}
		if err != nil {
			return Caller{}, err
		}
		k = cachedKey{Caller{Workspace: stored.WorkspaceID, Key: stored.ID, Role: stored.Role, Operator: stored.Operator}, stored.ExpiresAt, now.Add(keyLife)}
		a.keys.mu.Lock()
		if len(a.keys.ready) >= maxCachedKeys {
			clear(a.keys.ready)
		}
		a.keys.ready[sum] = k
		a.keys.mu.Unlock()
	}
	if k.expires != nil && !now.Before(k.expires.Time) {
		return Caller{}, errKey
	}
	return k.Caller, nil
}

// Ready proves that events can be stored now.
func (a *App) Ready(ctx context.Context) error {
	return unavailable(a.Store.Ping(ctx, a.Now()))
}

// pageOf clears a page query.
func pageOf(q postroom.PageQuery) (limit int, cursor *postroom.Cursor, err error) {
	limit = q.Limit
	if limit == 0 {
		limit = postroom.DefaultPageLimit
	}
	if limit < 1 || limit > postroom.MaxPageLimit {
		return 0, nil, postroom.Invalid(postroom.CodeInvalid, "?limit", "a page holds 1 to %d things", postroom.MaxPageLimit)
	}
	if q.Cursor == "" {
		return limit, nil, nil
	}
	c, err := postroom.ParseCursor(q.Cursor)
	return limit, &c, err
}
