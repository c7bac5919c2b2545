package cli

import (
	"fmt"
	"runtime"
)

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(s *session) error {
	v := struct {
		Version string `json:"version"`
		Go      string `json:"go"`
		System  string `json:"system"`
	}{s.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	if s.global.Output != nil && *s.global.Output != asTable {
		return s.show(v, nil)
	}
	return s.write(fmt.Appendf(nil, "postroom %s (%s, %s)\n", v.Version, v.Go, v.System), nil)
}
