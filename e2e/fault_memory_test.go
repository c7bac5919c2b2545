//go:build linux

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

// memory is the most resident memory that the server's process has had, in bytes.
func (s *server) memory(t *testing.T) int64 {
	t.Helper()
	text := must(os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid)))(t)
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no VmHWM in %s", text)
	}
	return must(strconv.ParseInt(string(m[1]), 10, 64))(t) << 10
}

// TestFaultsInMemory has receivers that offer a gigabyte each, as body, header and informational answers, 96 of them in all:
// neither is it read, nor does memory grow with it.
func TestFaultsInMemory(t *testing.T) {
	t.Parallel()
	const gigabyte, webhooks, calls = 1 << 30, 4, 8 // fewer failures in a row than the breaker allows
	s := startServer(t, settings{flags: devFlags()})
	x := newTenant(t, s)
	var sent atomic.Int64
	line := strings.Repeat("x", 32<<10)
	ids := map[postroom.WebhookID]postroom.DeliveryStatus{}
	for _, c := range []struct {
		before, again string
		becomes       postroom.DeliveryStatus
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", line, postroom.DeliverySucceeded},
		{"HTTP/1.1 200 OK\r\nA: ", line, postroom.DeliveryFailed},
		{"", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 500), postroom.DeliveryFailed},
	} {
		for range webhooks {
			w := x.webhook("/hook", client.WebhookInput{URL: answering(c.before, flood(c.again, gigabyte, &sent))(t), Retry: quick(0), Concurrency: calls})
			ids[w.ID] = c.becomes
		}
	}
	x.publishMany("warm", "contact.updated", 1000) // to nobody
	before := s.memory(t)
	x.publishMany("e", "email.opened", calls)
	for id, becomes := range ids {
		x.counted(id, map[postroom.DeliveryStatus]int{becomes: calls})
	}
	grown := s.memory(t) - before
	t.Logf("%d MiB were sent in %d calls, and memory grew by %d MiB to %d", sent.Load()>>20, len(ids)*calls, grown>>20, (before+grown)>>20)
	// What was sent is mostly in the buffers of the system.
	if most := int64(len(ids) * calls * 16 << 20); sent.Load() > most {
		t.Errorf("%d bytes were sent, want at most %d", sent.Load(), most)
	}
	if grown > 512<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
}
