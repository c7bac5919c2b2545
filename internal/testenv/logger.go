package testenv

import (
	"io"
	"log/slog"
	"sync"
	"testing"
)

// Logger returns a logger of every level whose lines appear in the test's output: when the test fails, or with -v.
// What a goroutine logs after the test has ended is dropped, where [testing.T.Log] would panic.
func Logger(t testing.TB) *slog.Logger {
	w := &testWriter{output: t.Output()}
	t.Cleanup(w.close)
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// testWriter writes to the test's output until the test ends.
type testWriter struct {
	mu     sync.Mutex
	output io.Writer // nil once closed
}

func (w *testWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.output == nil {
		return len(line), nil
	}
	return w.output.Write(line)
}

func (w *testWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.output = nil
}
