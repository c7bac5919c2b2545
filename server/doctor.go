package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/postroom/postroom/config"
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

// Checkup is what the doctor found.
type Checkup struct {
	OK       bool      `json:"ok"` // there is no trouble; there may be warnings
	Findings []Finding `json:"findings"`
}

// Finding is what one look of the doctor found.
type Finding struct {
	Check   string  `json:"check"`   // what was looked at, in a word
	Status  Verdict `json:"status"`  // whether that is well
	Finding string  `json:"finding"` // what was seen, in a sentence
	Advice  string  `json:"advice"`  // what to do about it; empty for nothing
}

// Verdict says how bad a finding is.
type Verdict string

// The verdicts.
const (
	Well    Verdict = "ok"
	Warning Verdict = "warning" // it may become trouble, or is trouble of a receiver
	Trouble Verdict = "trouble" // it is trouble of this installation
)

func well(check, said string, args ...any) Finding {
	return Finding{check, Well, fmt.Sprintf(said, args...), ""}
}

func bad(status Verdict, check, said, advice string) Finding {
	return Finding{check, status, said, advice}
}

// broken is a look that failed.
func broken(check string, err error) Finding {
	return bad(Trouble, check, "This could not be looked at: "+err.Error()+".", "")
}

// Doctor looks an installation over, changes nothing, and explains what it finds.
func Doctor(ctx context.Context, cfg config.Config) (Checkup, error) {
	findings := []Finding{listenFinding(cfg), filesFinding()}
	if cfg.Database.Kind == config.SQLite {
		findings = append(findings, diskFindings(cfg)...)
	}
	findings = append(findings, databaseFindings(ctx, cfg, time.Now())...)
	c := Checkup{OK: true, Findings: findings}
	for _, f := range findings {
		c.OK = c.OK && f.Status != Trouble
	}
	return c, nil
}

func listenFinding(cfg config.Config) Finding {
	conn, err := net.DialTimeout("tcp", cfg.Listen, time.Second)
	if err != nil {
		return well("server", "Nothing listens at %s: the server is not running, or runs elsewhere.", cfg.Listen)
	}
	_ = conn.Close()
	return well("server", "Something listens at %s.", cfg.Listen)
}

// fewFiles is how many open files are few: each connection is one, and there may be 1024 attempts at once beside the publishers.
const fewFiles = 4096

func filesFinding() Finding {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return broken("open files", err)
	}
	return judgeFiles(uint64(limit.Cur)) //nolint:unconvert // its type differs from system to system
}

func judgeFiles(limit uint64) Finding {
	if limit < fewFiles {
		return bad(Warning, "open files", fmt.Sprintf("A process that is started as this one may open %d files and connections.", limit),
			fmt.Sprintf("Let the server have %d or more: LimitNOFILE= of systemd, `ulimit -n` in a shell.", fewFiles))
	}
	return well("open files", "A process that is started as this one may open %d files and connections.", limit)
}

// Bounds of what is wrong with disks.
const (
	lowDisk    = 1 << 30   // free: then a disk counts as nearly full
	largeWAL   = 512 << 20 // then something keeps SQLite from copying it back
	otherFiles = 0o077     // permissions that others should not have
)

func diskFindings(cfg config.Config) (found []Finding) {
	dir := filepath.Clean(cfg.Database.Dir())
	free, err := diskFree(dir)
	if err != nil {
		return []Finding{broken("disk", fmt.Errorf("the folder %s: %w", dir, err))}
	}
	var wal int64
	if file, err := os.Stat(cfg.Database.Path + "-wal"); err == nil {
		wal = file.Size()
	}
	found = append(found, judgeDisk(dir, free), judgeWAL(wal))
	if file, err := os.Stat(filepath.Join(dir, keyFile)); err == nil && file.Mode().Perm()&otherFiles != 0 {
		found = append(found, bad(Trouble, "secret key", fmt.Sprintf("Others than its owner may use the file %s.", filepath.Join(dir, keyFile)),
			"Run chmod 600 on it. If others may have read it, give the server a new installation's key and rotate the webhooks' secrets."))
	}
	return found
}

func judgeDisk(dir string, free int64) Finding {
	said := fmt.Sprintf("The disk has %s left at %s.", size(free), dir)
	if free < lowDisk {
		return bad(Trouble, "disk", said, "Make room, or keep less with --retention: when the disk is full, events are refused.")
	}
	return well("disk", "%s", said)
}

func judgeWAL(bytes int64) Finding {
	said := fmt.Sprintf("The log that SQLite writes first has %s.", size(bytes))
	if bytes > largeWAL {
		return bad(Warning, "write-ahead log", said, "Something reads the database for very long, such as a backup or a shell: end it, and the log shrinks.")
	}
	return well("write-ahead log", "%s", said)
}

// diskFree is how many bytes are left for us on the disk of a folder.
func diskFree(dir string) (int64, error) {
	var fs syscall.Statfs_t
	err := syscall.Statfs(dir, &fs)
	return int64(fs.Bavail) * fs.Bsize, err
}

// size writes bytes for people.
func size(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	default:
		return fmt.Sprintf("%d bytes", bytes)
	}
}
