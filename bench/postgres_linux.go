package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// postgresPrograms returns the folder of PostgreSQL's server programs: on PATH, else the newest that Debian's
// packages have installed.
func postgresPrograms() (string, error) {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well formed, the only possible error
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))) // what is no number comes last
		return n
	}
	slices.SortFunc(debian, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range append(dirs, debian...) {
		_, initErr := exec.LookPath(filepath.Join(dir, "initdb"))
		_, serverErr := exec.LookPath(filepath.Join(dir, "postgres"))
		if initErr == nil && serverErr == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("the programs initdb and postgres are neither on PATH nor in /usr/lib/postgresql/*/bin; "+
		"install PostgreSQL (on Debian: apt-get install postgresql), or set %s to the URL of an empty database", EnvPostgres)
}

// startPostgres makes a data directory in dir and starts a server for it that listens on a free port of 127.0.0.1 with
// a random password, and is otherwise as PostgreSQL comes: every commit waits for the disk. It returns the URL of the
// empty database "postgres".
func startPostgres(ctx context.Context, dir string) (*child, string, error) {
	programs, err := postgresPrograms()
	if err != nil {
		return nil, "", err
	}
	account, err := postgresAccount()
	if err != nil {
		return nil, "", err
	}
	home := filepath.Join(dir, "postgres")
	password := rand.Text()
	if err := makePostgres(ctx, programs, home, password, account); err != nil {
		return nil, "", err
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	cmd := command(filepath.Join(programs, "postgres"), []string{
		"-D", "data",
		"-c", "port=" + port,
		"-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", // none: their paths have a length limit that temporary directories reach
	}, home, "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account, Pdeathsig: syscall.SIGQUIT} // PostgreSQL's word for "at once"
	server, err := start("postgres", cmd)
	if err != nil {
		return nil, "", err
	}
	if err := postgresReady(ctx, server, home); err != nil {
		return nil, "", errors.Join(fmt.Errorf("start PostgreSQL: %w", err), server.end(syscall.SIGQUIT), server.lastWords())
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", password),
		Host: net.JoinHostPort("127.0.0.1", port), Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return server, u.String(), nil
}

// postgresAccount is the user postgres when this process is root, as PostgreSQL refuses to be; nil for our own.
func postgresAccount() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf(`PostgreSQL does not run as root, and there is no user "postgres" to run it as: %w`, err)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
}

// makePostgres makes home/data, which the account owns.
func makePostgres(ctx context.Context, programs, home, password string, account *syscall.Credential) error {
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	secret := filepath.Join(home, "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		return err
	}
	if account != nil {
		for _, path := range []string{home, secret} {
			if err := os.Chown(path, int(account.Uid), int(account.Gid)); err != nil {
				return err
			}
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(programs, "initdb"), "--pgdata=data", "--encoding=UTF8", "--locale=C",
		"--username=postgres", "--auth=scram-sha-256", "--pwfile=password")
	cmd.Dir = home
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account}
	endWithParent(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// postgresReady returns when the server takes connections, which the last line of postmaster.pid says.
func postgresReady(ctx context.Context, server *child, home string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return poll(ctx, 20*time.Millisecond, func() (bool, error) {
		if server.hasEnded() {
			return false, errors.New("it has ended")
		}
		text, err := os.ReadFile(filepath.Join(home, "data", "postmaster.pid"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return false, err
		}
		lines := strings.Split(string(text), "\n")
		return len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready", nil
	})
}
