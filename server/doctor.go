package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/internal/seal"
	"github.com/postroom/postroom/outbound"
	"github.com/postroom/postroom/store"
)

// Migrate applies the migrations that a database lacks, and says which.
func Migrate(ctx context.Context, cfg config.Config, out io.Writer) error {
	// A database never exists without its key.
	key, err := secretKey(cfg, true)
	if err != nil {
		return err
	}
	sealer, err := seal.New(key)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{URL: databaseURL(cfg), Check: fits(sealer)})
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
		findings = append(findings, diskFinding(cfg), filesFinding(cfg))
	}
	findings = append(findings, databaseFindings(ctx, cfg)...)
	unwell := false
	for _, f := range findings {
		mark := "✓"
		if !f.ok {
			mark, unwell = "✗", true
		}
		_, _ = fmt.Fprintf(out, "%s %-12s %s\n", mark, f.what, strings.Join(strings.Fields(f.said), " "))
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
	var fs syscall.Statfs_t
	dir := filepath.Clean(cfg.Database.Dir())
	err := syscall.Statfs(dir, &fs)
	for errors.Is(err, syscall.ENOENT) && dir != filepath.Dir(dir) { // before the first start
		dir = filepath.Dir(dir)
		err = syscall.Statfs(dir, &fs)
	}
	if err != nil {
		return finding{"disk", false, fmt.Sprintf("the folder %s cannot be looked at: %v", dir, err)}
	}
	free := int64(fs.Bavail) * fs.Bsize
	said := fmt.Sprintf("%.1f GiB free at %s", float64(free)/(1<<30), dir)
	if free < lowDisk {
		return finding{"disk", false, said + ": when it is full, events are refused"}
	}
	return finding{"disk", true, said}
}

// filesFinding tells whether whoever runs the doctor could run the server on these files.
func filesFinding(cfg config.Config) finding {
	path := filepath.Clean(cfg.Database.Path)
	for _, name := range []string{filepath.Dir(path), path, path + "-wal", path + "-shm", path + ".lock"} {
		const writable = 2
		if err := syscall.Access(name, writable); err != nil && !errors.Is(err, syscall.ENOENT) {
			return finding{"files", false, fmt.Sprintf("this user cannot write %s (%v): run the server and the doctor as the same user, or mend the permissions", name, err)}
		}
	}
	return finding{"files", true, "this user can write the database"}
}

// databaseFindings opens the database only to look at it, and tells what is there.
func databaseFindings(ctx context.Context, cfg config.Config) []finding {
	bad := func(err error) []finding { return []finding{{"database", false, err.Error()}} }
	db, err := store.Open(ctx, store.Config{URL: databaseURL(cfg), ReadOnly: true})
	if err != nil {
		return bad(err)
	}
	defer func() { _ = db.Close() }() // nothing was changed
	info, err := db.Info(ctx)
	switch {
	case err != nil:
		return bad(err)
	case info.Empty:
		return []finding{{"database", true, "it is empty: the first start prepares it"}}
	case len(info.Unknown) > 0:
		return bad(fmt.Errorf("it was used by a newer version of Postroom, which has migrated it to %s: run that version, or restore a backup that is older", info.Unknown[len(info.Unknown)-1]))
	case info.Damage != "":
		return bad(fmt.Errorf("the file is damaged: %s. Stop the server and restore a backup, or try `sqlite3 FILE .recover`", info.Damage))
	}
	said := fmt.Sprintf("%s %s, %.1f MiB, %s", info.Kind, info.Version, float64(info.SizeBytes)/(1<<20), info.Detail)
	if len(info.Pending) > 0 {
		said += "; the next start migrates it: " + strings.Join(info.Pending, ", ")
	}
	found := []finding{{"database", true, said}, clockFinding(info, time.Now()), secretFinding(ctx, cfg, db)}
	return append(found, queueFindings(ctx, db)...)
}

// clockTolerance is how far clocks may be apart before the doctor speaks of it.
const clockTolerance = 2 * time.Second

// clockFinding holds the clock of this machine against what it wrote itself, and against that of the database.
func clockFinding(info store.Info, now time.Time) finding {
	switch ahead := info.Newest.Sub(now); {
	case ahead > clockTolerance:
		return finding{"clock", false, fmt.Sprintf("the newest event was published at %s, which is %s from now: the clock was set back since, or was wrong then. What is due "+
			"by that clock waits until this one gets there", info.Newest.Format(postroom.TimestampFormat), ahead.Round(time.Second))}
	case info.ClockAhead.Abs() > clockTolerance:
		way := "ahead of"
		if info.ClockAhead < 0 {
			way = "behind"
		}
		return finding{"clock", false, fmt.Sprintf("the database's clock is %s %s this machine's: keep the clocks of all machines in step (NTP)", info.ClockAhead.Abs().Round(time.Second), way)}
	}
	return finding{"clock", true, "agrees with what was stored"}
}

func secretFinding(ctx context.Context, cfg config.Config, db *store.Store) finding {
	bad := func(err error) finding { return finding{"secret key", false, err.Error()} }
	key, err := secretKey(cfg, false)
	if err != nil {
		return bad(err)
	}
	sealer, err := seal.New(key)
	if err != nil {
		return bad(err)
	}
	if err := app.CheckSecretKey(sealer, func(key string) ([]byte, error) { return db.Meta(ctx, key) }); err != nil {
		return bad(err)
	}
	n, broken, err := checkSecrets(ctx, db, sealer)
	switch {
	case err != nil:
		return bad(err)
	case broken > 0:
		return bad(fmt.Errorf("%d of %d signing secrets cannot be opened with it: they were sealed with another key, or are damaged", broken, n))
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
