//go:build unix

package testenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// binary is a program that is built once, when the first test asks for it.
type binary struct {
	once sync.Once
	path string
	err  error
}

// Binary returns the path of the postroom program, built from this checkout once for the process, and with the race
// detector when the test has it.
func Binary(t testing.TB) string {
	t.Helper()
	return process.binary.built(t, "postroom", "")
}

// FailpointsBinary is [Binary] with the places at which a test may kill it (internal/failpoint).
func FailpointsBinary(t testing.TB) string {
	t.Helper()
	return process.failpoints.built(t, "postroom-failpoints", "failpoints")
}

func (b *binary) built(t testing.TB, name, tags string) string {
	t.Helper()
	b.once.Do(func() { b.path, b.err = build("./cmd/postroom", name, tags) })
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

// build compiles a package of this module to a file of the given name in the scratch directory.
func build(pkg, name, tags string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, err := process.scratch()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir.Path(), "bin", name)
	// Without -buildvcs=false a checkout that belongs to another user does not build.
	args := []string{"build", "-buildvcs=false", "-tags", tags, "-o", path}
	if raceDetector {
		// As in the Makefile, whose variable RACE says why; with other flags all of it would be compiled a second time.
		args = append(args, "-race", "-gcflags=modernc.org/sqlite/lib=-race=false", "-gcflags=modernc.org/libc=-race=false")
	}
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// moduleRoot is the nearest folder above the test's own, which is its working directory, that holds go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod in the working directory or above it; run the tests from a checkout")
		}
		dir = parent
	}
}
