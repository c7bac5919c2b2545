package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// raw is a receiver that does to its connections what no HTTP server would. It hands each, with its number from 0, to
// handle, and closes it afterwards.
func raw(t testing.TB, handle func(n int, conn *net.TCPConn)) (address string) {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	running.Go(func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			running.Go(func() {
				defer func() {
					_ = conn.Close()
					mu.Lock()
					delete(open, conn)
					mu.Unlock()
				}()
				handle(n, conn.(*net.TCPConn))
			})
		}
	})
	return l.Addr().String()
}

// answering is a raw receiver that reads a request, writes a text, and then does what after says, if anything.
func answering(text string, after func(conn *net.TCPConn)) func(t *testing.T) (url string) {
	return func(t *testing.T) string {
		return "http://" + raw(t, func(_ int, conn *net.TCPConn) {
			if readRequest(bufio.NewReader(conn)) != nil {
				return
			}
			_, _ = io.WriteString(conn, text)
			if after != nil {
				after(conn)
			}
		})
	}
}

// readRequest reads one request with its body.
func readRequest(br *bufio.Reader) error {
	req, err := http.ReadRequest(br)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err
}

// untilClosed waits until the other side has closed the connection.
func untilClosed(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) }

// reset closes the connection with a RST instead of a FIN.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// drip sends a byte a second until the other side goes away.
func drip(conn *net.TCPConn) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range tick.C {
		if _, err := io.WriteString(conn, "x"); err != nil {
			return
		}
	}
}

// flood sends text again and again, until it has sent so many bytes in all or the other side goes away, and adds what it sent to
// sum if that is not nil.
func flood(text string, bytes int64, sum *atomic.Int64) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		for sent := int64(0); sent < bytes; {
			n, err := io.WriteString(conn, text)
			if sent += int64(n); sum != nil {
				sum.Add(int64(n))
			}
			if err != nil {
				return
			}
		}
	}
}

// greeting is a receiver that does not speak TLS: it waits for the first byte, and sends a text whatever it is.
func greeting(text string) func(t *testing.T) (url string) {
	return func(t *testing.T) string {
		return "https://" + raw(t, func(_ int, conn *net.TCPConn) {
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				return
			}
			_, _ = io.WriteString(conn, text)
			if text == "" {
				reset(conn)
				return
			}
			untilClosed(conn)
		})
	}
}

// servingTLS is a receiver that is well but for how it speaks TLS.
func servingTLS(cfg *tls.Config) func(t *testing.T) (url string) {
	return func(t *testing.T) string {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
		srv.TLS = cfg
		srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
		srv.StartTLS()
		t.Cleanup(srv.Close)
		return srv.URL
	}
}

// serving is a receiver that answers as a handler does.
func serving(handler http.HandlerFunc) func(t *testing.T) (url string) {
	return func(t *testing.T) string {
		srv := httptest.NewServer(handler)
		t.Cleanup(srv.Close)
		return srv.URL
	}
}

// saying is a raw receiver that answers every call with a status line, header lines and a body, and closes the connection.
func saying(status string, body string, headers ...string) func(t *testing.T) (url string) {
	headers = append(headers, fmt.Sprintf("Content-Length: %d", len(body)), "Connection: close")
	return answering("HTTP/1.1 "+status+"\r\n"+strings.Join(headers, "\r\n")+"\r\n\r\n"+body, nil)
}

// nowhere is a URL on a port where nothing listens.
func nowhere(t *testing.T) string {
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}

// overTLS is a receiver that is called with https although it does not speak that.
func overTLS(url func(t *testing.T) string) func(t *testing.T) string {
	return func(t *testing.T) string { return strings.Replace(url(t), "http:", "https:", 1) }
}
