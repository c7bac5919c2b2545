package bench

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRoleEnds checks the protocol of child processes: a line with the address, then service until the end is near.
func TestRoleEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		path string
		end  func(stdin io.Closer, cancel func())
	}{
		{roleReceiver, nil, statsPath, func(stdin io.Closer, _ func()) { _ = stdin.Close() }},
		{roleReceiver, nil, statsPath, func(_ io.Closer, cancel func()) { cancel() }},
		{roleHandler, nil, "", func(stdin io.Closer, _ func()) { _ = stdin.Close() }},
		{roleForwarder, []string{"--to", "http://127.0.0.1:1/in/0", "--workers", "2"}, "", func(stdin io.Closer, _ func()) { _ = stdin.Close() }},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		stdin, writeStdin := io.Pipe()
		readStdout, stdout := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- runRole(ctx, test.name, test.args, stdin, stdout) }()

		address, err := readAddress(readStdout)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		caller := newCaller()
		err = call(ctx, caller, http.MethodGet, "http://"+address+test.path, nil, nil)
		if refused := err != nil && strings.Contains(err.Error(), "400"); test.name == roleForwarder != refused {
			t.Errorf("%s: asking it gave %v", test.name, err)
		}
		caller.CloseIdleConnections()
		test.end(writeStdin, cancel)
		if err := <-ended; err != nil {
			t.Errorf("%s ended with %v", test.name, err)
		}
		cancel()
	}
}

func TestRoleRefuses(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"postman"}, `no role "postman"; there are receiver, forwarder and handler`},
		{[]string{roleForwarder}, `--to is "", and must be a URL with http`},
		{[]string{roleForwarder, "--to", "ftp://x"}, `--to is "ftp://x"`},
		{[]string{roleForwarder, "--to", "http://x/", "--workers", "0"}, "must be at least 1"},
		{[]string{roleReceiver, "--loud"}, "not defined: -loud"},
	} {
		err := runRole(t.Context(), test.args[0], test.args[1:], strings.NewReader(""), io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %s", test.args, err, test.want)
		}
	}
}

func TestReadAddress(t *testing.T) {
	for line, ok := range map[string]bool{
		"listening 127.0.0.1:8080\n": true, "listening 127.0.0.1:8080": false, "": false, "hello\n": false, "listening here\n": false,
	} {
		got, err := readAddress(strings.NewReader(line))
		if (err == nil) != ok || ok && got != "127.0.0.1:8080" {
			t.Errorf("%q: got %q, %v", line, got, err)
		}
	}
}

func TestStartRoleFails(t *testing.T) {
	cfg := testConfig(t)
	_, _, err := startRole(t.Context(), cfg.Executable, cfg.Dir, "postman")
	if err == nil || !strings.Contains(err.Error(), "the last words of postman:\n  there is no role") {
		t.Errorf("a child that fails: %v", err)
	}
	_, _, err = startRole(t.Context(), "/there/is/no/such/program", cfg.Dir, roleReceiver)
	if err == nil || !strings.Contains(err.Error(), "start receiver") {
		t.Errorf("a program that is not there: %v", err)
	}
}

// TestChildEnvironment checks that settings of another Postroom do not reach the one that is measured.
func TestChildEnvironment(t *testing.T) {
	t.Setenv("POSTROOM_MAX_BODY", "17")
	t.Setenv("BENCH_TEST_VISIBLE", "yes")
	env := command("x", nil, "", "POSTROOM_DATABASE=sqlite:x").Env
	joined := "\n" + strings.Join(env, "\n") + "\n"
	if strings.Contains(joined, "POSTROOM_MAX_BODY") || !strings.Contains(joined, "\nBENCH_TEST_VISIBLE=yes\n") || !strings.Contains(joined, "\nPOSTROOM_DATABASE=sqlite:x\n") {
		t.Errorf("the environment is %q", env)
	}
}

func TestChildEnds(t *testing.T) {
	cfg := testConfig(t)
	c, _, err := startRole(t.Context(), cfg.Executable, cfg.Dir, roleReceiver)
	if err != nil {
		t.Fatal(err)
	}
	if c.hasEnded() {
		t.Error("it has ended at once")
	}
	for range 2 { // the second time it is gone already
		if err := c.end(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	if !c.hasEnded() {
		t.Error("it runs on")
	}
	if state := c.cmd.ProcessState; !state.Success() {
		t.Errorf("it ended with %v", state)
	}
}

// leaveOrphan starts a server that does not read its standard input, says where it listens, and waits to be killed.
func leaveOrphan(dir, program string) error {
	ctx := context.Background()
	var address string
	switch program {
	case "postgres":
		_, databaseURL, err := startPostgres(ctx, dir)
		if err != nil {
			return err
		}
		u, err := url.Parse(databaseURL)
		if err != nil {
			return err
		}
		address = u.Host
	case "serve":
		port, err := freePort()
		if err != nil {
			return err
		}
		executable, err := os.Executable()
		if err != nil {
			return err
		}
		address = "127.0.0.1:" + port
		c, err := start("postroom", command(executable, []string{"serve", "--listen", address, "--dev"}, dir, "POSTROOM_DATABASE=sqlite:"+dir+"/x.db"))
		if err != nil {
			return err
		}
		g := &gateway{server: c, base: "http://" + address}
		if err := g.ready(ctx); err != nil {
			return err
		}
	}
	if _, err := os.Stdout.WriteString(listening + address + "\n"); err != nil {
		return err
	}
	select {}
}

// startOrphanage starts a copy of this program that starts a server, and returns it with the server's address.
func startOrphanage(t *testing.T, dir, program string) (cmd *exec.Cmd, address string) {
	t.Helper()
	cmd = exec.Command(testConfig(t).Executable, "leave-orphan", dir, program)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if address, err = readAddress(out); err != nil {
		t.Fatal(err)
	}
	return cmd, address
}

// waitGone returns when nothing listens at the address.
func waitGone(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := poll(ctx, 10*time.Millisecond, func() (bool, error) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return true, nil
		}
		return false, conn.Close()
	})
	if err != nil {
		t.Errorf("the child of a process that was killed still listens: %v", err)
	}
}
