package testenv_test

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom/internal/testenv"
)

func TestEventually(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, calls := time.Now(), 0
		testenv.Eventually(t, 10*time.Second, func() error {
			calls++
			if time.Since(start) < time.Second {
				return errors.New("not yet")
			}
			return nil
		})
		if took := time.Since(start); took < time.Second || took > 1050*time.Millisecond {
			t.Errorf("took %v, want a second and at most one more pause of 50ms", took)
		}
		if calls < 20 || calls > 40 {
			t.Errorf("checked %d times in a second, want about 25", calls)
		}
	})
}

func TestEventuallyFails(t *testing.T) {
	for _, test := range []struct {
		timeout time.Duration
		took    time.Duration
	}{
		{timeout: 2 * time.Second, took: 2 * time.Second},
		{timeout: 0, took: 0},
		{timeout: -time.Second, took: 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			start, calls := time.Now(), 0
			message := failure(t, func(t testing.TB) {
				testenv.Eventually(t, test.timeout, func() error {
					calls++
					return fmt.Errorf("%d of 1000 arrived", calls)
				})
			})
			if took := time.Since(start); took != test.took {
				t.Errorf("gave up after %v, want %v", took, test.took)
			}
			want := fmt.Sprintf("not so within %v (tried %d times in %v): %d of 1000 arrived", test.timeout, calls, test.took, calls)
			if message != want {
				t.Errorf("the message is\n%s\nwant\n%s", message, want)
			}
			if calls < 2 {
				t.Errorf("checked %d times, want at least twice", calls)
			}
		})
	}
}

func TestFreePort(t *testing.T) {
	port := testenv.FreePort(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestLogger(t *testing.T) {
	var output strings.Builder
	var log interface{ Debug(string, ...any) }
	t.Run("logs", func(t *testing.T) {
		logger := testenv.Logger(outputTo{TB: t, output: &output})
		logger.Debug("during", "n", 1)
		log = logger
	})
	log.Debug("after")
	if got := output.String(); !strings.Contains(got, "level=DEBUG msg=during n=1\n") {
		t.Errorf("the test's output is %q", got)
	}
	if strings.Contains(output.String(), "after") {
		t.Error("a line was written after the test had ended")
	}
}

// failure runs f as a test and returns the message of its Fatalf.
func failure(t *testing.T, f func(testing.TB)) string {
	t.Helper()
	failing := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(failing)
	}()
	<-done
	return failing.message
}

type failing struct {
	testing.TB
	message string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
