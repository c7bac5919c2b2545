package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Machine is what figures depend on besides Postroom. What a system does not tell is left empty.
type Machine struct {
	Cores      int     `json:"cores"` // that this process may use
	CPU        string  `json:"cpu"`
	Kernel     string  `json:"kernel"`
	Go         string  `json:"go"`
	FileSystem string  `json:"file_system"` // of the directory where databases are made
	SyncMS     float64 `json:"sync_ms"`     // what a small durable write takes there, median
	Load       string  `json:"load"`        // average of the minute before: what else is running
}

// machineOf describes the machine; dir is where databases are made.
func machineOf(dir string) Machine {
	m := Machine{
		Cores: runtime.GOMAXPROCS(0), Kernel: runtime.GOOS + "/" + runtime.GOARCH, Go: strings.TrimPrefix(runtime.Version(), "go"),
		CPU: cpuModel(readText("/proc/cpuinfo")), FileSystem: fileSystem(readText("/proc/self/mountinfo"), dir),
	}
	if release := strings.TrimSpace(readText("/proc/sys/kernel/osrelease")); release != "" {
		m.Kernel = "Linux " + release + " " + runtime.GOARCH
	}
	m.Load, _, _ = strings.Cut(readText("/proc/loadavg"), " ")
	if cost, err := syncCost(dir); err == nil { // else the databases will say what is wrong with it
		m.SyncMS = float64(cost.Microseconds()) / 1000
	}
	return m
}

// words are the facts as a reader wants them.
func (m Machine) words() string {
	parts := []string{fmt.Sprintf("%d cores", m.Cores)}
	if m.Cores == 1 {
		parts[0] = "1 core"
	}
	if m.CPU != "" {
		parts[0] += " of " + m.CPU
	}
	parts = append(parts, m.Kernel, "Go "+m.Go)
	durable := fmt.Sprintf("a durable write takes %s ms", ms(m.SyncMS))
	if m.FileSystem != "" {
		durable = m.FileSystem + ", where " + durable
	}
	if m.FileSystem == "tmpfs" {
		durable += " since nothing there is durable"
	}
	parts = append(parts, durable)
	if m.Load != "" {
		parts = append(parts, "load "+m.Load)
	}
	return strings.Join(parts, "; ")
}

// readText is empty where the file is not, as on systems without /proc.
func readText(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// cpuModel reads the first processor's name from /proc/cpuinfo; not every architecture gives one.
func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	return ""
}

// fileSystem reads from /proc/self/mountinfo (see proc_pid_mountinfo(5)) which kind of file system holds dir: that of the
// deepest mount point above it, and of the last one where several are mounted over each other.
func fileSystem(mountinfo, dir string) string {
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	kind, depth := "", -1
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		fields, types := strings.Fields(left), strings.Fields(right)
		if !ok || len(fields) < 5 || len(types) == 0 {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
		above := dir == point || strings.HasPrefix(dir, strings.TrimSuffix(point, "/")+"/")
		if above && len(point) >= depth {
			kind, depth = types[0], len(point)
		}
	}
	return kind
}

// syncCost is the median time that a write of 4 KiB takes until it is on the disk.
func syncCost(dir string) (cost time.Duration, err error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name()) // the directory goes too
	}()
	const writes = 50
	took := make([]float64, 0, writes)
	block := make([]byte, 4<<10)
	for range writes {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(start)))
	}
	return time.Duration(median(took)), nil
}
