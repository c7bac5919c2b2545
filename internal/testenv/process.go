//go:build unix

package testenv

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/postroom/postroom/internal/testenv/scratch"
)

// process is what one test process shares. It is the package's only state, and cannot be anything else: the functions
// of a test binary have nothing in common but the process, and a server for each test would take a second each.
var process shared

type shared struct {
	mu  sync.Mutex
	dir *scratch.Dir // nil until something is needed

	durable, fast      server
	binary, failpoints binary
}

// scratch returns the directory of this process, made when it is first asked for.
func (s *shared) scratch() (*scratch.Dir, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == nil {
		dir, err := scratch.New()
		if err != nil {
			return nil, err
		}
		s.dir = dir
	}
	return s.dir, nil
}

func (s *shared) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == nil {
		return nil
	}
	return s.dir.Close()
}

// Main runs the tests of a package, then stops the servers that they shared and removes the files. It sets the exit
// status and does not return. cleanup is what the package's tests share and end themselves.
func Main(m *testing.M, cleanup ...func()) {
	status := m.Run()
	for _, end := range cleanup {
		end()
	}
	if err := process.close(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv: clean up:", err)
		status = max(status, 1)
	}
	os.Exit(status)
}
