//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom/internal/testenv/postgres"
)

func TestRun(t *testing.T) {
	t.Setenv(postgres.URLVariable, "")
	var stdout, stderr strings.Builder
	status := run([]string{"sh", "-c", `printf %s "$` + postgres.URLVariable + `"; exit 7`}, &stdout, &stderr)
	if status != 7 {
		t.Errorf("exit status %d, want the command's, 7; it said: %s", status, stderr.String())
	}
	url := stdout.String()
	if !strings.HasPrefix(url, "postgres://postgres:") {
		t.Fatalf("the command was given %q", url)
	}
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		t.Error("the server still runs after the command", conn.Close(t.Context()))
	}
}

func TestRunWithServer(t *testing.T) {
	const given = "postgres://somewhere.example/else"
	t.Setenv(postgres.URLVariable, given)
	var stdout, stderr strings.Builder
	if status := run([]string{"sh", "-c", `printf %s "$` + postgres.URLVariable + `"`}, &stdout, &stderr); status != 0 {
		t.Errorf("exit status %d: %s", status, stderr.String())
	}
	if got := stdout.String(); got != given {
		t.Errorf("the command was given %q, want the server that was there, %q", got, given)
	}
}

func TestRunFails(t *testing.T) {
	t.Setenv(postgres.URLVariable, "postgres://somewhere.example/else") // no server is needed
	for _, test := range []struct {
		command []string
		status  int
		says    string
	}{
		{nil, 2, "usage: withpostgres COMMAND"},
		{[]string{"./there-is-no-such-program"}, 1, "no such file"},
		{[]string{"sh", "-c", "kill -TERM $$"}, 128 + 15, ""},
	} {
		var stdout, stderr strings.Builder
		if status := run(test.command, &stdout, &stderr); status != test.status {
			t.Errorf("%q: exit status %d, want %d", test.command, status, test.status)
		}
		if !strings.Contains(stderr.String(), test.says) {
			t.Errorf("%q said %q, want %q", test.command, stderr.String(), test.says)
		}
	}
}
