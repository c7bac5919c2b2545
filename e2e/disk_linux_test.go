package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// A disk can be made to refuse what a server writes, and to take it again.
type disk struct {
	dir    string // of the server
	refuse func(t *testing.T, s *server)
	accept func(t *testing.T, s *server)
	fills  bool     // what it refuses it has no room for, whoever writes
	says   []string // by the API
	logs   []string
}

// smallDisk is a disk of its own, which takes root to make.
func smallDisk(t *testing.T) disk {
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatalf("mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	return disk{dir: dir,
		refuse: func(t *testing.T, _ *server) {
			f := must(os.Create(ballast))(t)
			block := make([]byte, 4096)
			for {
				if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		},
		accept: func(t *testing.T, _ *server) {
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		},
		fills: true, says: []string{"The disk", "full"}, logs: []string{"full", "postroom.db", "free some space"},
	}
}

// failingDisk refuses with an error that is none of a disk that is full: the process may not write any more.
func failingDisk(t *testing.T) disk {
	limit := func(t *testing.T, s *server, most uint64) {
		new := syscall.Rlimit{Cur: most, Max: ^uint64(0)}
		if _, _, err := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(s.cmd.Process.Pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&new)), 0, 0, 0); err != 0 {
			t.Fatalf("prlimit: %v", err)
		}
	}
	return disk{dir: t.TempDir(),
		refuse: func(t *testing.T, s *server) { limit(t, s, 0) },
		accept: func(t *testing.T, s *server) { limit(t, s, ^uint64(0)) },
		says:   []string{"The disk", "fails"}, logs: []string{"disk I/O error", "postroom.db"},
	}
}

// TestDiskRefuses has the disk refuse everything while events come in, and accept it again: nothing that was acknowledged is
// lost, what was not is refused in clear words, and all goes on without a restart.
func TestDiskRefuses(t *testing.T) {
	t.Parallel()
	disks := map[string]func(*testing.T) disk{"it fails": failingDisk}
	if os.Geteuid() == 0 {
		disks["it is full"] = smallDisk
	}
	for name, makeDisk := range disks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := makeDisk(t)
			x := newTenant(t, startServer(t, settings{dir: d.dir, flags: devFlags()}))
			diskRefuses(x, d)
		})
	}
}

func diskRefuses(x *tenant, d disk) {
	w := x.webhook("/hook", client.WebhookInput{})
	slow := x.webhook("/slow", client.WebhookInput{})
	began := make(chan struct{}, 1000)
	release := make(chan struct{})
	x.r.answer("/slow", func(arrival) reply {
		began <- struct{}{}
		<-release
		return reply{}
	})
	acknowledged := x.publishMany("before", "email.opened", 5)
	for range 5 {
		<-began
	}

	d.refuse(x.t, x.s)
	close(release) // the results of attempts under way cannot be stored now
	data := `{"type":"email.opened","data":{"text":"` + strings.Repeat("x", 100<<10) + `"}}`
	var refused answer
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		a := x.do(http.MethodPost, "/v1/events", data)
		if a.status == http.StatusAccepted {
			var p postroom.Published
			a.into(x.t, &p)
			acknowledged = append(acknowledged, p.ID)
			return errors.New("the disk takes more")
		}
		refused = a
		return nil
	})
	p := refused.refused(x.t, http.StatusServiceUnavailable, postroom.CodeUnavailable, "")
	says(x.t, p.Detail, d.says...)
	if refused.header.Get("Retry-After") == "" {
		x.t.Error("a publisher is not told when to try again")
	}
	x.t.Logf("publish: %s", refused.body)
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPost, "/v1/events", data},
		{http.MethodPost, "/v1/webhooks", `{"name":"n","url":"https://example.com/","events":["*"]}`},
		{http.MethodPost, "/v1/webhooks/" + w.ID.String() + "/test", `{}`},
		{http.MethodPatch, "/v1/webhooks/" + w.ID.String(), `{"name":"other"}`},
		{http.MethodGet, "/readyz", ""},
	} {
		a := x.do(c.method, c.path, c.body)
		says(x.t, a.refused(x.t, http.StatusServiceUnavailable, postroom.CodeUnavailable, "").Detail, d.says...)
		x.t.Logf("%s %s: %s", c.method, c.path, a.body)
	}
	x.do(http.MethodGet, "/healthz", "").is(x.t, http.StatusOK) // there is no use in killing it
	x.do(http.MethodGet, "/v1/webhooks/"+w.ID.String(), "").is(x.t, http.StatusOK)
	x.do(http.MethodGet, "/v1/deliveries", "").is(x.t, http.StatusOK)
	says(x.t, x.s.log.String(), d.logs...)

	d.accept(x.t, x.s)
	testenv.Eventually(x.t, arrivalTimeout, x.s.ready)
	for i := range 20 {
		acknowledged = append(acknowledged, x.publish(fmt.Sprint("after-", i), "email.opened", `{}`).ID)
	}
	n := len(acknowledged)
	for _, id := range []postroom.WebhookID{w.ID, slow.ID} {
		x.counted(id, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: n})
		for _, delivery := range x.deliveries(id) {
			if delivery.AttemptCount != 1 {
				x.t.Errorf("the delivery of %s took %d attempts", delivery.EventID, delivery.AttemptCount)
			}
		}
	}
	for _, path := range []string{"/hook", "/slow"} {
		got := map[string]bool{}
		for _, id := range idsOf(x.r.on(path)) {
			got[id] = true
		}
		for _, id := range acknowledged {
			if !got[id] {
				x.t.Errorf("%s was acknowledged and did not arrive at %s", id, path)
			}
		}
	}
	if d.fills {
		startOnFullDisk(x, d)
	}
	x.s.signal(x.t, syscall.SIGTERM)
	if status := x.s.exit(x.t, startTimeout); status != 0 {
		x.t.Errorf("it ends with status %d", status)
	}
}

// startOnFullDisk kills the server while its disk is full, and starts it again. If it has nothing to write it runs, and is not
// ready; else it ends and says why.
func startOnFullDisk(x *tenant, d disk) {
	d.refuse(x.t, x.s)
	x.s.kill(x.t)
	before := len(x.s.log.String())
	x.s.launch(x.t)
	testenv.Eventually(x.t, startTimeout, func() error {
		if m := runningAt.FindStringSubmatch(x.s.out.String()); m != nil {
			x.s.setAddress(m[1])
		} else if !x.s.hasEnded() {
			return errors.New("it neither runs nor has it ended")
		}
		return nil
	})
	if x.s.hasEnded() {
		said := x.s.log.String()[before:]
		says(x.t, said, "postroom: the disk that holds the database is full", "postroom.db", "free some space")
		if strings.Count(said, "\n") != 1 {
			x.t.Errorf("it says, and should say in one line:\n%s", said)
		}
	} else if err := x.s.ready(); err == nil {
		x.t.Error("it is ready on a full disk")
	}
	d.accept(x.t, x.s)
	if x.s.hasEnded() {
		x.s.start(x.t)
	}
	testenv.Eventually(x.t, arrivalTimeout, x.s.ready)
}
