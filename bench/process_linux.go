package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endWithParent makes the kernel end the child when this process is gone, however it ends: with SIGKILL, unless the
// command names another signal. (The signal comes when the thread that started the child ends; the Go runtime ends
// threads only when a goroutine that is locked to one returns, and nothing here locks.)
func endWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if cmd.SysProcAttr.Pdeathsig == 0 {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
}

// ticksPerSecond is the unit of CPU times in /proc. It is USER_HZ, which the kernel has fixed at 100 for all the systems
// that Go runs on, whatever the kernel's own clock.
const ticksPerSecond = 100

// usageOf reads what a process has used since it began: the CPU time of all its threads and of the children that have
// ended, and the largest memory that it had resident. With descendants, their CPU time counts too.
func usageOf(pid int, descendants bool) (cpu time.Duration, peakBytes int64, err error) {
	own, err := statOf(pid)
	if err != nil {
		return 0, 0, err
	}
	ticks := own.ticks
	if descendants {
		for _, id := range descendantsOf(pid) {
			if s, err := statOf(id); err == nil { // else it has ended, and its parent's numbers have it
				ticks += s.ticks
			}
		}
	}
	peakBytes, err = peakOf(pid)
	return time.Duration(ticks) * time.Second / ticksPerSecond, peakBytes, err
}

type procStat struct {
	parent int
	ticks  int64
}

// statOf reads /proc/PID/stat; see proc_pid_stat(5). The second field is a name in parentheses that may hold anything.
func statOf(pid int) (s procStat, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, err
	}
	_, rest, ok := bytes.Cut(text[bytes.LastIndexByte(text, ')')+1:], []byte(" "))
	fields := strings.Fields(string(rest))
	if !ok || len(fields) < 15 {
		return s, fmt.Errorf("/proc/%d/stat is %q, which is not understood", pid, text)
	}
	s.parent, err = strconv.Atoi(fields[1])
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, parseErr := strconv.ParseInt(field, 10, 64)
		err = errors.Join(err, parseErr)
		s.ticks += n
	}
	return s, err
}

// peakOf is the largest memory that a process had resident.
func peakOf(pid int) (int64, error) { return statusOf(pid, "VmHWM") }

// residentOf is the memory that a process has resident now.
func residentOf(pid int) (int64, error) { return statusOf(pid, "VmRSS") }

// statusOf reads an amount of memory in /proc/PID/status, where it is in KiB.
func statusOf(pid int, name string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s; has the process ended?", pid, name)
}

// descendantsOf lists the processes that pid has started, and those that they have.
func descendantsOf(pid int) (ids []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := make(map[int][]int)
	for _, entry := range entries {
		id, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if s, err := statOf(id); err == nil {
			children[s.parent] = append(children[s.parent], id)
		}
	}
	for next := children[pid]; len(next) > 0; {
		id := next[0]
		ids = append(ids, id)
		next = append(next[1:], children[id]...)
	}
	return ids
}
