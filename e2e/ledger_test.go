package e2e

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/postroom/postroom"
)

// ledger is what the database has at the end, read past the server: what the API says of it is tested elsewhere.
type ledger struct {
	events     map[postroom.EventID]storedEvent
	byPublicID map[string]postroom.EventID
	deliveries map[postroom.DeliveryID]storedDelivery
	attempts   map[postroom.DeliveryID][]storedAttempt // in the order of their claims
	rollups    map[postroom.WebhookID]sums
}

type storedEvent struct {
	id   string // the public one
	kind string
	mark string // of the load
}

type storedDelivery struct {
	event    postroom.EventID
	webhook  postroom.WebhookID
	state    postroom.DeliveryState
	attempts int // that count, since a person retried it last
	test     bool
	reason   string
}

type storedAttempt struct {
	status int
	failed bool
}

// sums are the counters of a webhook, or what they should be.
type sums struct{ attempts, succeeded int }

// readLedger reads the database of servers that have stopped.
func readLedger(t testing.TB, s settings, workspace string) *ledger {
	t.Helper()
	db := openLedger(t, s)
	defer func() { _ = db.Close() }()
	id := must(postroom.ParseID[postroom.WorkspaceKind](workspace))(t)
	l := &ledger{events: map[postroom.EventID]storedEvent{}, byPublicID: map[string]postroom.EventID{}, deliveries: map[postroom.DeliveryID]storedDelivery{},
		attempts: map[postroom.DeliveryID][]storedAttempt{}, rollups: map[postroom.WebhookID]sums{}}
	each := func(query string, read func(rows *sql.Rows) error) {
		t.Helper()
		eachRow(t, db, query, id, read)
	}
	each("SELECT id, coalesce(uid, ''), type, data FROM events WHERE workspace_id = $1", func(rows *sql.Rows) error {
		var id postroom.EventID
		var e storedEvent
		var data []byte
		if err := rows.Scan(&id, &e.id, &e.kind, &data); err != nil {
			return err
		}
		if e.id == "" {
			e.id = id.String()
		}
		var content struct{ Mark string }
		if strings.HasPrefix(e.kind, "email.") {
			if err := json.Unmarshal(data, &content); err != nil {
				return err
			}
		}
		if e.mark = content.Mark; l.byPublicID[e.id] != (postroom.EventID{}) {
			t.Errorf("the event %s is stored twice", e.id)
		}
		l.events[id], l.byPublicID[e.id] = e, id
		return nil
	})
	each("SELECT id, event_id, webhook_id, state, attempts, test, coalesce(error_kind, '') FROM deliveries WHERE workspace_id = $1", func(rows *sql.Rows) error {
		var id postroom.DeliveryID
		var d storedDelivery
		var test int
		err := rows.Scan(&id, &d.event, &d.webhook, &d.state, &d.attempts, &test, &d.reason)
		d.test = test == 1
		l.deliveries[id] = d
		return err
	})
	each("SELECT delivery_id, status_code, error_kind IS NOT NULL FROM attempts WHERE workspace_id = $1 ORDER BY delivery_id, claim", func(rows *sql.Rows) error {
		var id postroom.DeliveryID
		var a storedAttempt
		err := rows.Scan(&id, &a.status, &a.failed)
		l.attempts[id] = append(l.attempts[id], a)
		return err
	})
	each(`SELECT webhook_id, sum(attempts), sum(succeeded) FROM (
		SELECT webhook_id, attempts, succeeded FROM rollups_open WHERE workspace_id = $1 UNION ALL
		SELECT webhook_id, attempts, succeeded FROM rollups WHERE workspace_id = $1 AND step = 60) AS r GROUP BY webhook_id`, func(rows *sql.Rows) error {
		var id postroom.WebhookID
		var s sums
		err := rows.Scan(&id, &s.attempts, &s.succeeded)
		l.rollups[id] = s
		return err
	})
	return l
}

// openLedger opens the database of servers that have stopped.
func openLedger(t testing.TB, s settings) *sql.DB {
	t.Helper()
	driver, source := "sqlite", "file:"+filepath.Join(s.dir, "postroom-data", "postroom.db")+"?mode=ro"
	if s.database != "" {
		driver, source = "pgx", s.database
	}
	return must(sql.Open(driver, source))(t)
}

// eachRow reads what a query finds of a workspace.
func eachRow(t testing.TB, db *sql.DB, query string, workspace postroom.WorkspaceID, read func(rows *sql.Rows) error) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, workspace[:])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := read(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
