package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// How long a child process may take to listen, and to end before it is killed.
const (
	startTimeout = 60 * time.Second
	endTimeout   = 15 * time.Second
)

// child is a process of the benchmark. It stays in the process group of this one, so that Ctrl-C in a terminal reaches
// it too, and ends with this one where the system offers that.
type child struct {
	name  string // for people: "receiver", "postroom"
	cmd   *exec.Cmd
	stdin io.Closer     // nil if it does not read
	log   string        // file that its standard error goes to, and its output unless that is read
	ended chan struct{} // closed when it has ended
}

// command prepares a child process that runs in dir and whose log is there. Its environment is this process's, without
// the settings of Postroom that are meant for another server, and env.
func command(program string, args []string, dir string, env ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "POSTROOM_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// start starts a child. What it writes goes to a file rather than through this process, whose time is measured.
func start(name string, cmd *exec.Cmd) (*child, error) {
	c := &child{name: name, cmd: cmd, log: filepath.Join(cmd.Dir, name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(c.ended)
	}()
	return c, nil
}

// startRole starts a receiver or a forwarder, and returns it with the address that it listens on.
func startRole(ctx context.Context, executable, dir, role string, args ...string) (*child, string, error) {
	cmd := command(executable, append([]string{roleCommand, role}, args...), dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	// Not StdoutPipe, which Wait closes: the line may still have to be read when a child that fails has ended.
	stdout, write, err := os.Pipe()
	if err != nil {
		return nil, "", errors.Join(err, stdin.Close())
	}
	defer stdout.Close()
	cmd.Stdout = write
	c, err := start(role, cmd)
	err = errors.Join(err, write.Close()) // the child has its own
	if err != nil {
		return nil, "", errors.Join(err, stdin.Close())
	}
	c.stdin = stdin
	if err := stdout.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return nil, "", errors.Join(err, c.end(syscall.SIGKILL))
	}
	defer context.AfterFunc(ctx, func() { _ = stdout.SetReadDeadline(time.Now()) })()
	address, err := readAddress(stdout)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("start %s: %w", role, err), c.end(syscall.SIGKILL), c.lastWords())
	}
	return c, address, nil
}

// readAddress reads the line by which a role says where it listens.
func readAddress(r io.Reader) (string, error) {
	line, err := bufio.NewReader(r).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), listening)
	if err != nil || !ok {
		return "", fmt.Errorf("it wrote %q where it should have said on which address it listens (%w)", line, err)
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", fmt.Errorf("it listens on %q, which is no address: %w", address, err)
	}
	return address, nil
}

// end asks the process to end, kills it when it takes too long, and returns when it is gone. A child that has ended by
// itself is not an error here: whoever waited for its work has noticed.
func (c *child) end(signal syscall.Signal) error {
	if c == nil {
		return nil
	}
	if c.stdin != nil {
		_ = c.stdin.Close() // closed already if this is the second time
	}
	if err := c.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return c.kill() // as on systems without this signal
	}
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	select {
	case <-c.ended:
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("%s did not end within %v and was killed", c.name, endTimeout), c.kill(), c.lastWords())
	}
}

func (c *child) kill() error {
	err := c.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-c.ended
	return err
}

// hasEnded tells whether the process is gone.
func (c *child) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// lastWords is an error with the end of the child's log, nil if there is nothing in it.
func (c *child) lastWords() error {
	text, err := os.ReadFile(c.log)
	if err != nil {
		return err
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil
	}
	lines := bytes.Split(text, []byte("\n"))
	return fmt.Errorf("the last words of %s:\n  %s", c.name, bytes.Join(lines[max(0, len(lines)-10):], []byte("\n  ")))
}

// freePort returns a port that nothing listens on at this moment.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), l.Close()
}

// poll calls check until it says true, with pauses of the given length; it gives up when ctx ends.
func poll(ctx context.Context, pause time.Duration, check func() (bool, error)) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		if done, err := check(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
