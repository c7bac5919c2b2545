package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/internal/seal"
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
	findings := []Finding{listenFinding(cfg), limitFinding()}
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

func limitFinding() Finding {
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
	path := filepath.Clean(cfg.Database.Path)
	dir := filepath.Dir(path)
	free, err := diskFree(dir)
	for errors.Is(err, syscall.ENOENT) && dir != filepath.Dir(dir) { // before the first start
		dir = filepath.Dir(dir)
		free, err = diskFree(dir)
	}
	if err != nil {
		found = append(found, broken("disk", fmt.Errorf("the folder %s: %w", dir, err)))
	} else {
		found = append(found, judgeDisk(dir, free))
	}
	found = append(found, filesFinding(path))
	if file, err := os.Stat(path + "-wal"); err == nil {
		found = append(found, judgeWAL(file.Size()))
	}
	key := filepath.Join(filepath.Dir(path), keyFile)
	if file, err := os.Stat(key); err == nil && file.Mode().Perm()&otherFiles != 0 {
		found = append(found, bad(Trouble, "files", fmt.Sprintf("Others than its owner may use the file %s.", key),
			"Run chmod 600 on it. If others may have read it, rotate the webhooks' secrets, and set their auth again."))
	}
	return found
}

// filesFinding tells whether whoever runs the doctor could run the server on these files.
func filesFinding(path string) Finding {
	for _, name := range []string{filepath.Dir(path), path, path + "-wal", path + "-shm", path + ".lock"} {
		const writable = 2
		if err := syscall.Access(name, writable); err != nil && !errors.Is(err, syscall.ENOENT) {
			return bad(Trouble, "files", fmt.Sprintf("This user cannot write %s (%v).", name, err), "Run the server and the doctor as the same user, or mend the permissions.")
		}
	}
	return well("files", "This user can write the database.")
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
