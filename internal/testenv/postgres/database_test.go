//go:build unix

package postgres_test

import (
	"strings"
	"testing"

	"github.com/postroom/postroom/internal/testenv/postgres"
)

func TestRefusals(t *testing.T) {
	// Both are refused before anything connects, so the addresses need not exist.
	_, err := postgres.CreateDatabase(t.Context(), "host=127.0.0.1 password=hunter2", false)
	if err == nil || !strings.Contains(err.Error(), "postgres://") {
		t.Errorf("a connection string that is no URL: %v", err)
	} else if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the message shows the password: %v", err)
	}

	const admin = "postgres://postgres@127.0.0.1:1/postgres"
	err = postgres.DropDatabase(t.Context(), admin, "postgres://postgres@127.0.0.1:1/production")
	if err == nil || !strings.Contains(err.Error(), `"production" was not made by a test`) {
		t.Errorf("dropping another database: %v", err)
	}
}
