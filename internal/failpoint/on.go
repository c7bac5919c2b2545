//go:build failpoints

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

var point = sync.OnceValue(func() (p struct {
	name string
	left int
}) {
	name, n, _ := strings.Cut(os.Getenv("POSTROOM_TEST_FAILPOINT"), ":")
	p.name = name
	p.left, _ = strconv.Atoi(n)
	return p
})

var (
	mu   sync.Mutex
	hits int
)

// Hit kills the process when the environment asks for it.
func Hit(name string) {
	p := point()
	if p.name != name {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	if hits++; hits >= p.left {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {} // until it arrives
	}
}
