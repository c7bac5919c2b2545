//go:build unix

package postgres

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// URLVariable names the environment variable with the URL of a database whose user may create databases. Where it is
// set, tests make their databases there and start no server of their own, unless a test needs one to stop or crash.
const URLVariable = "POSTROOM_TEST_POSTGRES"

var errNotInstalled = errors.New(`PostgreSQL's server programs (initdb, postgres) were not found by pg_config --bindir, ` +
	`in /usr/lib/postgresql/*/bin or on PATH; install them (on Debian: apt-get install postgresql), ` +
	`or set ` + URLVariable + ` to the URL of a database whose user may create databases`)

// findPrograms returns the first folder that holds initdb and postgres.
func findPrograms(dirs []string) (string, error) {
	for _, dir := range dirs {
		if isProgram(filepath.Join(dir, "initdb")) && isProgram(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", errNotInstalled
}

// candidates lists the folders to look in, best first. Debian's pg_config may belong to a client library without a
// server, so its word is one among others; of Debian's versions the newest comes first.
func candidates() []string {
	var dirs []string
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well formed, the only possible error
	slices.SortFunc(debian, func(a, b string) int { return versionOf(b) - versionOf(a) })
	dirs = append(dirs, debian...)
	if initdb, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(initdb))
	}
	return dirs
}

// versionOf returns 15 for /usr/lib/postgresql/15/bin, and 0 for a name that is no number.
func versionOf(bin string) int {
	version, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return version
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
