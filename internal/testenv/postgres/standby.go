//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// standbyName is what a standby calls itself to its primary.
const standbyName = "standby"

// NewStandby makes a synchronous standby of a running server: from now on a commit is durable only when both have it. It
// answers reads. [Server.Promote] makes it take the primary's place; it has the same databases and password, and a port of its
// own. There is one at most.
func (s *Server) NewStandby() (*Server, error) {
	dir, err := os.MkdirTemp(s.config.Scratch.Path(), "postgres-")
	if err != nil {
		return nil, err
	}
	if err := s.account.own(dir); err != nil {
		return nil, err
	}
	standby := &Server{config: s.config, account: s.account, programs: s.programs, dir: dir, password: s.password}
	s.mu.Lock()
	conninfo := "host=127.0.0.1 port=" + strconv.Itoa(s.port) + " user=postgres password=" + s.password + " sslmode=disable application_name=" + standbyName
	s.mu.Unlock()
	copying := s.account.command(dir, filepath.Join(s.programs, "pg_basebackup"), "--pgdata=data", "--dbname="+conninfo,
		"--write-recovery-conf", "--checkpoint=fast", "--no-sync")
	if out, err := copying.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	if err := standby.Start(); err != nil {
		return nil, err
	}
	if err := s.waitFor(standby); err != nil {
		return nil, errors.Join(err, standby.Close())
	}
	return standby, nil
}

// waitFor makes commits wait for the standby, once it follows.
func (s *Server) waitFor(standby *Server) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = '" + standbyName + "'", "SELECT pg_reload_conf()"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var states []string
		if err := conn.QueryRow(ctx, "SELECT array_agg(state || ' ' || sync_state) FROM pg_stat_replication").Scan(&states); err != nil {
			return err
		}
		if len(states) == 1 && states[0] == "streaming sync" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the standby does not follow (%s) within %v\n%s", strings.Join(states, ", "), startTimeout, standby.log())
		}
	}
}

// Promote makes a standby a server of its own, which takes writes when Promote returns.
func (s *Server) Promote() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	var promoted bool
	if err := conn.QueryRow(ctx, "SELECT pg_promote(true, $1)", int(startTimeout/time.Second)).Scan(&promoted); err != nil {
		return err
	}
	if !promoted {
		return fmt.Errorf("the standby was not promoted within %v\n%s", startTimeout, s.log())
	}
	return nil
}
