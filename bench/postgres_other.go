//go:build !linux

package bench

import (
	"context"
	"errors"
)

var errNoPostgres = errors.New("a private PostgreSQL is started on Linux only; give the URL of an empty database, postgres://…, or set " + EnvPostgres)

func postgresPrograms() (string, error) { return "", errNoPostgres }

func startPostgres(context.Context, string) (*child, string, error) { return nil, "", errNoPostgres }
