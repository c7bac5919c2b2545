package main

import (
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	build := func(version string) func() (*debug.BuildInfo, bool) {
		return func() (*debug.BuildInfo, bool) {
			return &debug.BuildInfo{Main: debug.Module{Version: version}}, version != ""
		}
	}
	for _, tc := range []struct{ set, module, want string }{
		{"v1.2.3", "v9.9.9", "v1.2.3"},
		{"", "v1.2.3", "v1.2.3"},
		{"", "(devel)", "development"},
		{"", "", "development"},
	} {
		if got := versionOf(tc.set, build(tc.module)); got != tc.want {
			t.Errorf("%q and %q give %q, want %q", tc.set, tc.module, got, tc.want)
		}
	}
}
