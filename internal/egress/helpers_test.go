package egress

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// loopback allows what the test servers listen on, the way an operator does.
func loopback() Config {
	return Config{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AllowHTTP: true}
}

func newClient(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func newRequest(t testing.TB, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// post makes a call that has 10 s, which is only reached when a test fails.
func post(t testing.TB, c *Client, url, body string) (*Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.Do(ctx, newRequest(t, url, body), Limits{})
}

// mustPost is post where a failure ends the test.
func mustPost(t testing.TB, c *Client, url, body string) *Result {
	t.Helper()
	res, err := post(t, c, url, body)
	if err != nil {
		t.Fatalf("POST %s: %v (%v)", url, err, errors.Unwrap(err))
	}
	return res
}

// wantFailure checks kind and a part of the sentence, and that the sentence is one.
func wantFailure(t testing.TB, err error, kind, part string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want kind %s", kind)
	}
	gotKind, sentence := Classify(err)
	if gotKind != kind || !strings.Contains(sentence, part) {
		t.Errorf("got %s: %q (%v)\nwant %s: …%s…", gotKind, sentence, errors.Unwrap(err), kind, part)
	}
	if !strings.HasSuffix(sentence, ".") || strings.ContainsAny(sentence, "\r\n") {
		t.Errorf("not a sentence: %q", sentence)
	}
}

// serveRaw runs a TCP server that hands each connection, with its number from 0, to handle, and closes it afterwards.
func serveRaw(t testing.TB, handle func(n int, conn *net.TCPConn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	running.Go(func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer func() { _ = conn.Close() }()
				handle(n, conn.(*net.TCPConn))
			})
		}
	})
	return l.Addr().String()
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

// answerWith serves connections that read a request, write text, and then do what after says, if anything.
func answerWith(t testing.TB, text string, after func(conn *net.TCPConn)) (url string) {
	return "http://" + serveRaw(t, func(_ int, conn *net.TCPConn) {
		if readRequest(bufio.NewReader(conn)) != nil {
			return
		}
		_, _ = io.WriteString(conn, text)
		if after != nil {
			after(conn)
		}
	})
}

// untilClosed waits until the client has closed the connection.
func untilClosed(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) }

// reset closes the connection with a RST instead of a FIN.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// resolver returns a resolver whose name server answers with what lookup returns for a name without its last dot: its
// addresses, or false for a name that does not exist. Both may differ from one time to the next.
func resolver(lookup func(name string) ([]netip.Addr, bool)) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe() // not a net.PacketConn, so that messages have their length in front, as over TCP
		go func() {
			defer func() { _ = ours.Close() }()
			for {
				var size [2]byte
				if _, err := io.ReadFull(ours, size[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(ours, query); err != nil {
					return
				}
				reply := answerQuery(query, lookup)
				if _, err := ours.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
					return
				}
			}
		}()
		return theirs, nil
	}}
}

// answerQuery builds the DNS message (RFC 1035, section 4) that answers a query with one question.
func answerQuery(query []byte, lookup func(string) ([]netip.Addr, bool)) []byte {
	end := 12
	var labels []string
	for query[end] != 0 {
		labels = append(labels, string(query[end+1:end+1+int(query[end])]))
		end += 1 + int(query[end])
	}
	kind := binary.BigEndian.Uint16(query[end+1:])
	question := query[12 : end+5]

	addrs, exists := lookup(strings.Join(labels, "."))
	var records []byte
	count := uint16(0)
	for _, a := range addrs {
		if (kind == 1) != a.Is4() || kind != 1 && kind != 28 {
			continue
		}
		count++
		records = append(records, 0xc0, 12) // the name is that of the question
		records = binary.BigEndian.AppendUint16(records, kind)
		records = append(records, 0, 1, 0, 0, 0, 0) // class IN, no time to live
		records = binary.BigEndian.AppendUint16(records, uint16(len(a.AsSlice())))
		records = append(records, a.AsSlice()...)
	}
	flags := uint16(0x8180)
	if !exists {
		flags |= 3
	}
	reply := append([]byte{}, query[:2]...)
	for _, n := range []uint16{flags, 1, count, 0, 0} {
		reply = binary.BigEndian.AppendUint16(reply, n)
	}
	return append(append(reply, question...), records...)
}

// names makes a resolver with a fixed table.
func names(table map[string]string) *net.Resolver {
	return resolver(func(name string) ([]netip.Addr, bool) {
		a, ok := table[name]
		if !ok {
			return nil, false
		}
		return []netip.Addr{netip.MustParseAddr(a)}, true
	})
}
