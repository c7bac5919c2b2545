package config

import (
	"fmt"
	"regexp"
	"strings"
)

// orchestrated are the variables that Kubernetes sets for each service, so also for one that is called postroom.
var orchestrated = regexp.MustCompile(`^POSTROOM_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_[A-Z]+(_PROTO|_PORT|_ADDR)?)$`)

// unknownEnvironment blames each POSTROOM_ variable that is nobody's: it is more likely a slip than anything else.
func unknownEnvironment(env map[string]string) Faults {
	known := []string{"POSTROOM_URL", "POSTROOM_API_KEY", "POSTROOM_CPUPROFILE"} // the command line's own
	for _, s := range Settings() {
		known = append(known, s.Env)
	}
	var faults Faults
	for _, name := range sortedKeys(env) {
		switch {
		case !strings.HasPrefix(name, "POSTROOM_") || strings.HasPrefix(name, "POSTROOM_TEST_") || orchestrated.MatchString(name):
		case strings.HasSuffix(name, "_PORT") && strings.Contains(env[name], "://"): // Kubernetes again: tcp://10.0.0.1:80
		default:
			faults = append(faults, unknown("POSTROOM_", name, name, known)...)
		}
	}
	return faults
}

// unknown blames name, which is shown as where, unless it is one of known. All names begin with prefix.
func unknown(prefix, name, where string, known []string) Faults {
	word := strings.ToLower(strings.TrimPrefix(name, prefix))
	best, least := "", max(2, len(word)/3)+1
	for _, k := range known {
		if name == k {
			return nil
		}
		other := strings.ToLower(strings.TrimPrefix(k, prefix))
		d := edits(word, other)
		if strings.HasPrefix(word, other) {
			d = 1 // such as listen_address for listen
		}
		if d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return Faults{fmt.Sprintf("%s is not a setting; `postroom serve --help` lists them", where)}
	}
	return Faults{fmt.Sprintf("%s is not a setting; did you mean %s?", where, best)}
}

// edits is the least number of insertions, deletions and replacements of a byte that make b out of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := left
			if a[i] != b[j] {
				d = 1 + min(left, row[j], row[j+1])
			}
			left, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
