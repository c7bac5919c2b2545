package testenv

import (
	"net"
	"testing"
)

// FreePort returns a TCP port of 127.0.0.1 that nothing listens on at this moment. Another program may take it before
// the caller does, so a server that can report its own port should listen on port 0 instead.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}
