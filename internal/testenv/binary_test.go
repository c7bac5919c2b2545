//go:build unix

package testenv

import (
	"os/exec"
	"strings"
	"testing"
)

func TestBuild(t *testing.T) {
	path, err := build("./internal/testenv/withpostgres", "withpostgres", "")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path).CombinedOutput()
	if err == nil || !strings.HasPrefix(string(out), "usage: withpostgres") {
		t.Errorf("the program that was built says %q, %v", out, err)
	}
}

func TestBuildFails(t *testing.T) {
	_, err := build("./internal/testenv/there-is-no-such-package", "nothing", "")
	if err == nil || !strings.Contains(err.Error(), "there-is-no-such-package") {
		t.Errorf("building what does not exist: %v", err)
	}
}
