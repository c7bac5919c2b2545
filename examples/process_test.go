package examples

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	startTimeout = 60 * time.Second // on a busy machine
	operatorKey  = "prk_examples-tests-operator-0001"
)

// process is a program that runs until the test ends. What it said is shown when the test fails.
type process struct {
	cmd *exec.Cmd
	end chan struct{}

	mu  sync.Mutex
	out bytes.Buffer // stdout and stderr
}

// Write keeps what the program says.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, end: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.end)
		_ = cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", strings.Join(cmd.Args, " "), p.said())
		}
	})
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.end
}

// await waits until the program is ready; that it ends before fails the test.
func (p *process) await(t *testing.T, ready func() error) {
	t.Helper()
	testenv.Eventually(t, startTimeout, func() error {
		select {
		case <-p.end:
			t.Fatalf("the program ended at its start:\n%s", p.said())
		default:
		}
		return ready()
	})
}

var runningAt = regexp.MustCompile(`(?m)^Postroom \S+ is running at (http://\S+)$`)

// startPostroom starts the program on an empty SQLite database, and gives its address.
func startPostroom(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(testenv.Binary(t), "serve", "--dev", "--listen", "127.0.0.1:0")
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "POSTROOM_ADMIN_KEY=" + operatorKey}
	p := start(t, cmd)
	var url string
	p.await(t, func() error {
		found := runningAt.FindStringSubmatch(p.said())
		if found == nil {
			return errors.New("Postroom has not told its address")
		}
		url = found[1]
		status, err := call(http.MethodGet, url+"/readyz", nil, "")
		if status != http.StatusOK {
			return cmp.Or(err, fmt.Errorf("/readyz answers %d", status))
		}
		return nil
	})
	return url
}

// newWorkspace gives a client that is the administrator of a new workspace, and its key.
func newWorkspace(t *testing.T, url string) (api *client.Client, key string) {
	t.Helper()
	operator, err := client.New(client.Config{URL: url, Key: operatorKey})
	if err != nil {
		t.Fatal(err)
	}
	w, err := operator.CreateWorkspace(t.Context(), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	api, err = client.New(client.Config{URL: url, Key: w.AdminKey.Value})
	if err != nil {
		t.Fatal(err)
	}
	return api, w.AdminKey.Value
}

// call makes an HTTP call and gives the answer's status.
func call(method, url string, header http.Header, body string) (int, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// environment is what an example is started with.
func environment(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"}, more...)
}

// program finds a program; where it is missing, scripts/deps-test says more.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("the examples need %s: `make deps-test` installs it, or says what to install", name)
	}
	return path
}

// python finds an interpreter that has Flask: the first one on PATH may be another than Debian's.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import flask").Run() == nil {
			return name
		}
	}
	t.Fatal("the examples need a python3 that has Flask: `make deps-test` installs it, or says what to install")
	return ""
}

// node finds Node.js, and fails where Express is not installed beside the example.
func node(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("node-express/node_modules/express"); err != nil {
		t.Fatal("the examples need Express: `make deps-test` installs it, and so does `npm ci` in examples/node-express")
	}
	return program(t, "node")
}
