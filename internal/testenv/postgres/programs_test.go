//go:build unix

package postgres

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindPrograms(t *testing.T) {
	empty, half, whole := t.TempDir(), t.TempDir(), t.TempDir()
	for _, program := range []string{
		filepath.Join(half, "initdb"), filepath.Join(whole, "initdb"), filepath.Join(whole, "postgres"),
	} {
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}

	if got, err := findPrograms([]string{empty, half, whole}); err != nil || got != whole {
		t.Errorf("found %q, %v; want %q", got, err, whole)
	}

	_, err := findPrograms([]string{empty, half})
	if err == nil {
		t.Fatal("found programs where there are none")
	}
	for _, part := range []string{"apt-get install postgresql", "POSTROOM_TEST_POSTGRES", "initdb"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the message does not mention %s: %v", part, err)
		}
	}
}

func TestVersionOf(t *testing.T) {
	for bin, want := range map[string]int{
		"/usr/lib/postgresql/9/bin":     9,
		"/usr/lib/postgresql/15/bin":    15,
		"/usr/lib/postgresql/other/bin": 0,
	} {
		if got := versionOf(bin); got != want {
			t.Errorf("versionOf(%s) = %d, want %d", bin, got, want)
		}
	}
}
