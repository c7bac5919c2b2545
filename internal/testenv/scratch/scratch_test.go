//go:build unix

package scratch_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/testenv/scratch"
)

// asChild, in the environment of a copy of this test binary, makes it own a Dir until it is killed.
const asChild = "POSTROOM_SCRATCH_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		if err := ownUntilKilled(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// ownUntilKilled prints the directory and the id of an adopted process, then waits for its end.
func ownUntilKilled() error {
	dir, err := scratch.New()
	if err != nil {
		return err
	}
	cmd := exec.Command("sleep", "300")
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := dir.Adopt(cmd.Process.Pid); err != nil {
		return err
	}
	fmt.Println(dir.Path(), cmd.Process.Pid)
	return cmd.Wait()
}

func TestClose(t *testing.T) {
	dir, err := scratch.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir.Path(), "file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	kept, released := exec.Command("sleep", "300"), exec.Command("sleep", "300")
	for _, cmd := range []*exec.Cmd{kept, released} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := dir.Adopt(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
	}
	if err := dir.Release(released.Process.Pid); err != nil {
		t.Fatal(err)
	}

	ended := make(chan error, 1)
	go func() { ended <- kept.Wait() }()
	for range 2 {
		if err := dir.Close(); err != nil {
			t.Fatal(err)
		}
	}

	if err := <-ended; err == nil {
		t.Error("the adopted process ended by itself, and should have been ended by a signal")
	}
	if err := released.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the released process was ended too: %v", err)
	}
	if err := released.Process.Kill(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestOwnerKilled(t *testing.T) {
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), asChild+"=1")
	owner.Stderr = os.Stderr
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	path, pidText, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, err := strconv.Atoi(pidText)
	if err != nil {
		t.Fatal(err)
	}

	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Wait(); err == nil {
		t.Fatal("the owner ended well, and should have been killed")
	}

	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) && !running(pid) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("20s after its owner was killed: directory %s: %v; process %d running: %t", path, err, pid, running(pid))
		}
	}
}

// running tells whether pid is a process that still does something. A dead one that nobody has waited for keeps its
// number, and in a container without an init process it does so for good; /proc tells it apart where there is one.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) || !procMounted()
	}
	_, afterName, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(afterName, "Z")
}

func procMounted() bool {
	_, err := os.Stat("/proc/self/stat")
	return err == nil
}
