//go:build failpoints && unix

package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// Variable is the environment variable that says where the process is to die: NAME:N, or nothing.
const Variable = "POSTROOM_TEST_FAILPOINT"

// armed is what the environment asks for. It is read when the first point is passed, and never changes.
var armed = sync.OnceValue(func() *arm {
	value := os.Getenv(Variable)
	if value == "" {
		return nil
	}
	name, count, _ := strings.Cut(value, ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 || !slices.Contains(Names(), Name(name)) {
		fmt.Fprintf(os.Stderr, "%s is %q, but must be NAME:N with one of the names of internal/failpoint\n", Variable, value)
		os.Exit(2)
	}
	a := &arm{name: Name(name)}
	a.left.Store(n)
	return a
})

type arm struct {
	name Name
	left atomic.Int64 // how many times until it kills
}

// Hit kills the process if this is the place and the time that the environment asks for.
func Hit(name Name) {
	if a := armed(); a != nil && a.name == name && a.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // cannot fail
		select {}                                      // the signal may take a moment, and nothing may happen in it
	}
}

// HitIf is Hit where a condition holds.
func HitIf(condition bool, name Name) {
	if condition {
		Hit(name)
	}
}
