//go:build unix

package scratch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// guardScript reads the list of adopted process ids, a line for each change, until the pipe closes. Then it ends
// them (SIGQUIT: PostgreSQL's immediate shutdown), kills what is left after five seconds, and removes $1.
const guardScript = `
pids=
while read -r line; do pids=$line; done
for pid in $pids; do kill -QUIT "$pid" 2>/dev/null; done
for pid in $pids; do
	tries=0
	while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
	kill -KILL "$pid" 2>/dev/null
done
rm -rf -- "$1"
`

// A Dir is a temporary directory with a guard: a small process that outlives this one just long enough to end what
// it adopted and to remove the directory. It is safe for use by several goroutines.
type Dir struct {
	path  string
	guard *exec.Cmd

	mu   sync.Mutex
	pipe io.WriteCloser // nil once closed
	pids []int
}

// New makes a directory under the system's temporary directory and starts its guard.
//
// The directory can be entered by every user, since PostgreSQL started by root runs as another one; what is private
// belongs in a subdirectory with mode 0700.
func New() (*Dir, error) {
	path, err := os.MkdirTemp("", "postroom-test-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	guard := exec.Command("/bin/sh", "-c", guardScript, "guard", path)
	guard.Dir = "/"
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C in a terminal must reach the tests, not the guard
	pipe, err := guard.StdinPipe()
	if err == nil {
		err = guard.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the guard of %s: %w", path, err), os.RemoveAll(path))
	}
	return &Dir{path: path, guard: guard, pipe: pipe}, nil
}

// Path is the absolute path of the directory.
func (d *Dir) Path() string { return d.path }

// Adopt makes the guard end the process pid when this process is gone or calls [Dir.Close].
func (d *Dir) Adopt(pid int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pids = append(d.pids, pid)
	return d.tell()
}

// Release undoes [Dir.Adopt]. It must be called once pid has ended, because the system may give the number to
// another process.
func (d *Dir) Release(pid int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pids = slices.DeleteFunc(d.pids, func(p int) bool { return p == pid })
	return d.tell()
}

// tell writes the whole list; the guard keeps the last one it read. It does nothing after Close.
func (d *Dir) tell() error {
	if d.pipe == nil {
		return nil
	}
	line := strings.Trim(fmt.Sprint(d.pids), "[]") + "\n"
	if _, err := io.WriteString(d.pipe, line); err != nil {
		return fmt.Errorf("tell the guard of %s: %w", d.path, err)
	}
	return nil
}

// Close ends the adopted processes, removes the directory, and returns when both are done. Closing twice is allowed.
func (d *Dir) Close() error {
	d.mu.Lock()
	pipe := d.pipe
	d.pipe = nil
	d.mu.Unlock()
	if pipe == nil {
		return nil
	}
	err := errors.Join(pipe.Close(), d.guard.Wait())
	return errors.Join(err, d.checkGone())
}

// checkGone reports a directory that the guard could not remove. A process that was killed may write for one more
// moment while its directory is being removed, so the removal is tried again before it counts as failed.
func (d *Dir) checkGone() error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := os.RemoveAll(d.path)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
