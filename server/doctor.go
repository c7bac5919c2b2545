package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/internal/seal"
	"github.com/postroom/postroom/outbound"
	"github.com/postroom/postroom/store"
)

// Migrate applies the migrations that a database lacks, and says which.
func Migrate(ctx context.Context, cfg config.Config, out io.Writer) error {
	// A database never exists without its key.
	if _, err := secretKey(cfg, true); err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{URL: databaseURL(cfg)})
	if err != nil {
		return err
	}
	for _, name := range db.Applied() {
		_, _ = fmt.Fprintf(out, "✓ %s\n", name)
	}
	if len(db.Applied()) == 0 {
		_, _ = fmt.Fprintln(out, "✓ The database is up to date.")
	}
	return db.Close()
}

// finding is what one look of the doctor found.
type finding struct {
	what string
	ok   bool
	said string
}

// ErrUnwell means that Doctor found trouble; it has said which.
var ErrUnwell = errors.New("there is trouble: see above")

// Doctor looks an installation over, changes nothing, and explains what it finds.
func Doctor(ctx context.Context, cfg config.Config, out io.Writer) error {
	findings := []finding{listenFinding(cfg)}
	if cfg.Database.Kind == config.SQLite {
		findings = append(findings, diskFinding(cfg))
	}
	db, err := store.Open(ctx, store.Config{URL: databaseURL(cfg), ReadOnly: true})
	if err != nil {
		findings = append(findings, finding{"database", false, err.Error()})
	} else {
		findings = append(findings, databaseFindings(ctx, cfg, db)...)
		if err := db.Close(); err != nil {
			findings = append(findings, finding{"database", false, err.Error()})
		}
	}
	unwell := false
	for _, f := range findings {
		mark := "✓"
		if !f.ok {
			mark, unwell = "✗", true
		}
		_, _ = fmt.Fprintf(out, "%s %-12s %s\n", mark, f.what, f.said)
	}
	if unwell {
		return ErrUnwell
	}
	return nil
}

func listenFinding(cfg config.Config) finding {
	conn, err := net.DialTimeout("tcp", cfg.Listen, time.Second)
	if err != nil {
		return finding{"server", true, "nothing listens at " + cfg.Listen + ": the server is not running, or runs elsewhere"}
	}
	_ = conn.Close()
	return finding{"server", true, "something listens at " + cfg.Listen}
}

// lowDisk is when a disk counts as nearly full.
const lowDisk = 1 << 30

func diskFinding(cfg config.Config) finding {
	dir := cfg.Database.Dir()
	free, err := diskFree(dir)
	if err != nil {
		return finding{"disk", false, fmt.Sprintf("the folder %s cannot be looked at: %v", filepath.Clean(dir), err)}
	}
	said := fmt.Sprintf("%.1f GiB free at %s", float64(free)/(1<<30), filepath.Clean(dir))
	if free < lowDisk {
		return finding{"disk", false, said + ": when it is full, events are refused"}
	}
	return finding{"disk", true, said}
}

// diskFree is how many bytes are left for us on the disk of a folder.
func diskFree(dir string) (int64, error) {
	var fs syscall.Statfs_t
	err := syscall.Statfs(dir, &fs)
	return int64(fs.Bavail) * fs.Bsize, err
}

func databaseFindings(ctx context.Context, cfg config.Config, db *store.Store) []finding {
	info, err := db.Info(ctx)
	if err != nil {
		return []finding{{"database", false, err.Error()}}
	}
	found := []finding{{"database", true, fmt.Sprintf("%s %s, %.1f MiB, %s", info.Kind, info.Version, float64(info.SizeBytes)/(1<<20), info.Detail)},
		secretFinding(ctx, cfg, db)}
	return append(found, queueFindings(ctx, db)...)
}

func secretFinding(ctx context.Context, cfg config.Config, db *store.Store) finding {
	key, err := secretKey(cfg, false)
	if err != nil {
		return finding{"secret key", false, err.Error()}
	}
	sealer, err := seal.New(key)
	if err != nil {
		return finding{"secret key", false, err.Error()}
	}
	n, bad, err := checkSecrets(ctx, db, sealer)
	switch {
	case err != nil:
		return finding{"secret key", false, err.Error()}
	case bad > 0:
		return finding{"secret key", false, fmt.Sprintf("%d of %d signing secrets cannot be opened with it: it is another key than the one they were sealed with", bad, n)}
	}
	return finding{"secret key", true, fmt.Sprintf("opens all %d signing secrets", n)}
}

// queueFindings tells what waits, webhook by webhook, and what is overdue.
func queueFindings(ctx context.Context, db *store.Store) []finding {
	now := time.Now()
	backlog, err := db.Backlog(ctx, now, maxBacklogLines)
	if err != nil {
		return []finding{{"queue", false, err.Error()}}
	}
	found := []finding{}
	for _, b := range backlog {
		f := finding{"queue", true, fmt.Sprintf("%s (%s): %d deliveries wait, the first since %s", b.WebhookID, b.Status, b.Waiting, b.Since.Format(postroom.TimestampFormat))}
		if b.Stuck > 0 {
			f.ok = false
			f.said += fmt.Sprintf("; the lease of %d ran out more than a minute ago and nobody has taken them over: is a server running?", b.Stuck)
		}
		found = append(found, f)
	}
	if len(found) == 0 {
		found = append(found, finding{"queue", true, "nothing waits"})
	}
	return found
}

const maxBacklogLines = 20

// checkSecrets tries to open every signing secret.
func checkSecrets(ctx context.Context, db *store.Store, sealer *seal.Sealer) (n, bad int, err error) {
	const page = 500
	var after postroom.SecretID
	for {
		secrets, err := db.SealedSecrets(ctx, after, page)
		if err != nil {
			return n, bad, err
		}
		for _, s := range secrets {
			n, after = n+1, s.ID
			if _, err := sealer.Open(outbound.SecretContext(s.WebhookID), s.Sealed); err != nil {
				bad++
			}
		}
		if len(secrets) < page {
			return n, bad, nil
		}
	}
}
