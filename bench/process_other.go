//go:build !linux

package bench

import (
	"os/exec"
	"time"
)

// endWithParent does nothing where the system does not offer it. Children with a standard input notice its end.
func endWithParent(*exec.Cmd) {}

// usageOf knows nothing: CPU time and memory of other processes are read from /proc, which Linux alone has.
func usageOf(int, bool) (cpu time.Duration, peakBytes int64, err error) { return 0, 0, nil }

// residentOf knows nothing here.
func residentOf(int) (int64, error) { return 0, nil }

// peakOf knows nothing here.
func peakOf(int) (int64, error) { return 0, nil }
