package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/contacts"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/inbound"
	"github.com/postroom/postroom/internal/egress"
	"github.com/postroom/postroom/internal/expr"
	"github.com/postroom/postroom/internal/seal"
	"github.com/postroom/postroom/internal/tracing"
	"github.com/postroom/postroom/outbound"
	"github.com/postroom/postroom/store"
)

// parts are what a running Postroom is made of.
type parts struct {
	version string
	store   *store.Store
	engine  *outbound.Engine
	intake  *inbound.Intake
	app     *app.App

	trace      *tracing.Tracer      // nil for none
	upkeepDone *prometheus.GaugeVec // when each task of upkeep was last done
	readings   *queueReadings
}

// open opens the database and puts the parts together.
func open(ctx context.Context, cfg config.Config, version string, log *slog.Logger) (*parts, error) {
	key, err := secretKey(cfg, true)
	if err != nil {
		return nil, err
	}
	sealer, err := seal.New(key)
	if err != nil {
		return nil, err
	}
	types, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	dialects, err := loadDialects(types, cfg.Dialects)
	if err != nil {
		return nil, err
	}
	sender, err := egress.New(egress.Config{AllowNets: cfg.AllowNets, AllowHTTP: cfg.AllowHTTP, Dev: cfg.Dev, Proxy: cfg.Proxy, UserAgent: userAgent(version)})
	if err != nil {
		return nil, err
	}
	tracer, err := openTracer(ctx, cfg, version, log)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, store.Config{URL: databaseURL(cfg), Node: postroom.NewID[postroom.NodeKind](time.Now()), Log: log, Check: fits(sealer)})
	if err != nil {
		return nil, err
	}
	for _, name := range db.Applied() {
		log.Info("migrated", "migration", name)
	}
	filters, err := expr.NewCompiler()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	ids := &postroom.IDs{}
	engine := outbound.New(outbound.Config{Store: db, Sender: sender,
		SenderAs: func(id egress.Identity) outbound.Sender { return sender.As(id) }, Opener: sealer, Filters: filters, Dialects: dialects, IDs: ids, UserAgent: userAgent(version), Log: log, Trace: tracer,
		Shared: cfg.Database.Kind == config.Postgres, Lease: cfg.Lease, Drain: cfg.ShutdownTimeout / 2})
	locks := contacts.NewLocks()
	intake := inbound.New(inbound.Config{Store: db, Publisher: engine, Opener: sealer, Dialects: dialects, Types: eventTypes(db, types, dialects), IDs: ids,
		PublicURL: cfg.PublicURL, TrustedProxies: cfg.TrustedProxies, MaxBody: cfg.MaxBody, Log: log, Trace: tracer,
		Shared: cfg.Database.Kind == config.Postgres, Lease: cfg.Lease, Drain: cfg.ShutdownTimeout / 4, Locks: locks})
	application := app.New(app.Config{Store: db, Engine: engine, Catalogue: types, Dialects: dialects, Sealer: sealer, IDs: ids, Log: log,
		Intake: intake, Locks: locks, PublicURL: cfg.PublicURL,
		CheckURL: func(raw string) error { return checkURL(sender, raw) }})
	return &parts{version: version, store: db, engine: engine, intake: intake, app: application, trace: tracer, upkeepDone: newUpkeepDone(),
		readings: &queueReadings{store: db, dir: cfg.Database.Dir(), log: log, now: time.Now}}, nil
}

// eventTypes finds the types that events of a workspace may have: the catalogue's and its own.
func eventTypes(db *store.Store, known *catalogue.Catalogue, dialects dialect.Set) func(context.Context, postroom.WorkspaceID) (inbound.Types, error) {
	var names []string
	for _, t := range known.Types() {
		names = append(names, t.Name)
	}
	return func(ctx context.Context, workspace postroom.WorkspaceID) (inbound.Types, error) {
		own, err := db.EventTypes(ctx, workspace)
		if err != nil {
			return nil, err
		}
		all := slices.Clone(names)
		for _, t := range own {
			all = append(all, t.Name)
		}
		return inbound.NewTypes(all, dialects), nil
	}
}

// openTracer makes the tracer that the settings ask for; nil for none.
func openTracer(ctx context.Context, cfg config.Config, version string, log *slog.Logger) (*tracing.Tracer, error) {
	if cfg.OTLPEndpoint == nil {
		return nil, nil
	}
	return tracing.New(ctx, tracing.Config{Endpoint: cfg.OTLPEndpoint, Version: version, Log: log})
}

// fits refuses a database that was sealed with another key, before it is migrated.
func fits(sealer *seal.Sealer) func(store.Meta) error {
	return func(meta store.Meta) error { return app.CheckSecretKey(sealer, meta) }
}

func userAgent(version string) string {
	return "Postroom/" + strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || strings.ContainsRune("()/;", r) {
			return '-'
		}
		return r
	}, version)
}

// databaseURL is the database as the store wants it.
func databaseURL(cfg config.Config) string {
	if cfg.Database.Kind == config.SQLite {
		return "sqlite:" + cfg.Database.Path
	}
	return cfg.Database.URL.Reveal()
}

// checkURL refuses what a webhook may not call, with a code that people meet.
func checkURL(sender *egress.Client, raw string) error {
	_, err := sender.CheckURL(raw)
	var refused *egress.URLError
	if !errors.As(err, &refused) {
		return err
	}
	code := postroom.CodeURLInvalid
	if refused.Code == egress.CodeAddressNotAllowed {
		code = postroom.CodeAddressNotAllowed
	}
	return &postroom.Error{Code: code, Message: refused.Message}
}

// keyFile is where the generated secret key lives, beside the SQLite database.
const keyFile = "secret.key"

// secretKey is the key of the settings or, on SQLite, that of the file beside the database, which is made if it does not
// exist and create says so.
func secretKey(cfg config.Config, create bool) ([]byte, error) {
	if cfg.SecretKey != "" {
		return cfg.SecretKey.Bytes(), nil
	}
	if cfg.Database.Kind != config.SQLite {
		return nil, errors.New("POSTROOM_SECRET_KEY is not set: with PostgreSQL it is required, and the same on every node; make one with `openssl rand -base64 32`")
	}
	path := filepath.Join(cfg.Database.Dir(), keyFile)
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		if err != nil || len(key) != seal.KeySize {
			return nil, fmt.Errorf("%s does not hold a secret key: that is %d bytes in base64", path, seal.KeySize)
		}
		return key, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the secret key cannot be read: %w", err)
	}
	if _, err := os.Stat(cfg.Database.Path); err == nil {
		return nil, fmt.Errorf("the database %s exists, but its secret key %s does not: restore that file, or give the key as POSTROOM_SECRET_KEY", filepath.Clean(cfg.Database.Path), path)
	}
	if !create {
		return nil, fmt.Errorf("there is no secret key %s yet: the first start makes it", path)
	}
	return makeSecretKey(path)
}

// makeSecretKey writes a new key so that it is either there whole, and on the disk, or not at all: a database whose key is
// lost cannot be read.
func makeSecretKey(path string) ([]byte, error) {
	key := make([]byte, seal.KeySize)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	fail := func(err error) ([]byte, error) { return nil, fmt.Errorf("the secret key cannot be written: %w", err) }
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fail(err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), keyFile+".*") // made with mode 0600
	if err != nil {
		return fail(err)
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Link(f.Name(), path) // fails if another process was quicker
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return fail(err)
	}
	return key, syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
