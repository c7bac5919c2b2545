package e2e

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/postroom/postroom/internal/failpoint"
	"github.com/postroom/postroom/internal/testenv"
)

// failpointVariable tells a program that is built for it where to die.
const failpointVariable = "POSTROOM_TEST_FAILPOINT"

// TestNoFailpoints checks that the program which people run cannot be told to kill itself.
func TestNoFailpoints(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{testenv.Binary(t): false, testenv.FailpointsBinary(t): true} {
		program, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(program, []byte(failpointVariable)); got != want {
			t.Errorf("%s names %s: %v, want %v", path, failpointVariable, got, want)
		}
	}
}

// TestFailpoint kills the server at a place, and checks that a wrong name is no silent success of a test.
func TestFailpoint(t *testing.T) {
	t.Parallel()
	s := newServer(t, settings{binary: testenv.FailpointsBinary(t), flags: devFlags()})
	s.env = []string{failpointVariable + "=" + string(failpoint.TakeOverCommitted) + ":1"}
	s.launch(t)
	if s.becomesReady(t) || s.exit(t, startTimeout) != -1 {
		t.Error("it was not killed")
	}
	s.env = []string{failpointVariable + "=nowhere:1"}
	s.launch(t)
	if status := s.exit(t, startTimeout); status != 2 || !strings.Contains(s.log.String(), `"nowhere:1"`) {
		t.Errorf("a wrong name ends with status %d: %s", status, s.log.String())
	}
}
