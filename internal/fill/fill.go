package fill

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers its driver
	_ "modernc.org/sqlite"             // registers its driver

	"github.com/postroom/postroom"
)

// Database is a database that no server uses at the moment.
type Database struct {
	db       *sql.DB
	conn     *sql.Conn
	postgres bool
	progress func(rows int)
}

// Open opens a database that a server has migrated: "sqlite:PATH" or "postgres://…". progress, if not nil, is told how many rows
// were written since it was told last.
func Open(ctx context.Context, url string, progress func(rows int)) (*Database, error) {
	d := &Database{postgres: strings.HasPrefix(url, "postgres"), progress: progress}
	if d.progress == nil {
		d.progress = func(int) {}
	}
	driver, name := "sqlite", "file:"+strings.TrimPrefix(url, "sqlite:")+"?_pragma=synchronous(off)&_pragma=cache_size(-262144)"
	if d.postgres {
		driver, name = "pgx", url
	}
	var err error
	if d.db, err = sql.Open(driver, name); err != nil {
		return nil, err
	}
	if d.conn, err = d.db.Conn(ctx); err != nil {
		return nil, errors.Join(err, d.db.Close())
	}
	return d, nil
}

// Close writes what is in memory to the disk, and gathers statistics, as would have happened meanwhile.
func (d *Database) Close() error {
	text := "PRAGMA wal_checkpoint(truncate)"
	if d.postgres {
		text = "VACUUM (ANALYZE) events, deliveries, attempts"
	}
	_, err := d.conn.ExecContext(context.Background(), text)
	return errors.Join(err, d.conn.Close(), d.db.Close())
}

// Workspace finds whose a webhook is.
func (d *Database) Workspace(ctx context.Context, webhook postroom.WebhookID) (id postroom.WorkspaceID, err error) {
	err = d.conn.QueryRowContext(ctx, "SELECT workspace_id FROM webhooks WHERE id = "+d.blob(webhook[:])).Scan(&id)
	return id, err
}

// Log is what a month of publishing leaves: of each event two deliveries, and of each delivery one attempt.
type Log struct {
	Workspace postroom.WorkspaceID
	Webhooks  []postroom.WebhookID // the first gets every event, the others in turn, but the last only what is Rare
	Attempts  int
	Until     time.Time // when the last was made; the first was 30 days earlier
}

// What is in a log. Of what is rare there are about twenty, evenly spread.
const (
	RareType     = "email.complained"
	RareCampaign = "rare"
	RareContact  = "rare@example.com"
	RareText     = "needle"
	RareCode     = 404 // of failures
	RareSuccess  = 202
	CommonType   = "email.opened"
)

const month = 30 * 24 * time.Hour

// Contact is one of the contacts, who have about five events each.
const Contact = "reader-8@example.com"

// Campaign is one of 200 campaigns, each of which was sent at a time of its own.
const Campaign = "campaign-77"

// step is how many events one statement writes.
const step = 50_000

// Log writes a log.
func (d *Database) Log(ctx context.Context, l Log) error {
	from := l.Until.Add(-month)
	if err := d.partitions(ctx, from, l.Until); err != nil {
		return err
	}
	events := max(l.Attempts/2, 1)
	rare := max(events/20, 10)
	common := strings.NewReplacer(
		"{events}", strconv.Itoa(events), "{workspace}", d.blob(l.Workspace[:]), "{rare}", fmt.Sprintf("k %% %d = %d", rare, rare/2+3),
		"{gone}", fmt.Sprintf("k %% %d = %d", rare, rare/2+4), "{contacts}", strconv.Itoa(max(events/5, 1)), "{campaigns}", strconv.Itoa(max(events/200, 1)),
		"{event}", d.id("k", from, month, events), "{delivery}", d.id("n", from, month, events), "{us}", millis(from, month, events)+" * 1000",
		"{webhook}", d.webhookOf(l.Webhooks), "{one}", d.series("k", 1), "{two}", d.series("n", 2), "{data}", d.bytes(logData), "{later}", strconv.FormatInt(l.Until.AddDate(1, 0, 0).UnixMicro(), 10),
		"{type}", "CASE WHEN {rare} THEN '"+RareType+"' ELSE "+types+" END",
		"{state}", "CASE WHEN {gone} AND n % 2 = 1 THEN 12 WHEN {rare} THEN CASE n % 2 WHEN 1 THEN 11 ELSE 10 END WHEN n % 1000 BETWEEN 901 AND 910 THEN 11 WHEN n % 1000 = 911 THEN 2 ELSE 10 END",
		"{code}", "CASE WHEN {gone} AND n % 2 = 1 THEN 0 WHEN {rare} THEN CASE n % 2 WHEN 1 THEN "+strconv.Itoa(RareCode)+" ELSE "+strconv.Itoa(RareSuccess)+" END WHEN n % 1000 BETWEEN 901 AND 910 THEN 500 WHEN n % 1000 = 911 THEN 503 WHEN n % 10 = 3 THEN 204 ELSE 200 END",
	)
	return d.inSteps(ctx, events, func(first, last int) []string {
		var texts []string
		for _, text := range []string{logEvents, logDeliveries, logAttempts} {
			text = common.Replace(common.Replace(text)) // twice: what is put in has names of its own
			texts = append(texts, strings.NewReplacer("{first}", strconv.Itoa(first), "{last}", strconv.Itoa(last)).Replace(text))
		}
		return texts
	}, 5)
}

const (
	types   = "CASE k % 10 WHEN 0 THEN 'email.clicked' WHEN 1 THEN 'email.sent' WHEN 2 THEN 'email.sent' WHEN 3 THEN 'email.delivered' WHEN 4 THEN 'email.delivered' WHEN 5 THEN 'contact.updated' ELSE '" + CommonType + "' END"
	logData = `'{"contact":{"id":' || k || ',"email":"reader-' || (k * 7919 % {contacts}) || '@example.com","first_name":"Zoë","last_name":"Lindström","status":"subscribed"},` +
		`"campaign":{"id":' || (k / {campaigns}) || ',"name":"Spring launch","subject":"Your spring roast is here"},"message":{"id":"m-' || k || '","subject":"Your spring roast is here"},` +
		`"note":"' || (CASE WHEN {rare} THEN '` + RareText + `' ELSE 'nothing' END) || '"}'`

	logEvents = `INSERT INTO events (id, workspace_id, type, time, contact, campaign, data)
		SELECT {event}, {workspace}, {type}, {us}, CASE WHEN {rare} THEN '` + RareContact + `' ELSE 'reader-' || (k * 7919 % {contacts}) || '@example.com' END,
		CASE WHEN {rare} THEN '` + RareCampaign + `' ELSE 'campaign-' || (k / {campaigns}) END, {data} FROM {one}`
	logDeliveries = `INSERT INTO deliveries (id, workspace_id, event_id, webhook_id, event_type, state, claim, due_at, attempts, status_code, error_kind, attempted_at, test)
		SELECT {delivery}, {workspace}, {event}, {webhook}, {type}, {state}, 1, CASE WHEN {state} = 2 THEN {later} ELSE 0 END, 1, {code},
		CASE WHEN {state} IN (2, 11) THEN 'status' END, {us}, 0 FROM {two}`
	logAttempts = `INSERT INTO attempts (delivery_id, claim, workspace_id, at, status_code, error_kind, dns_us, connect_us, tls_us, first_byte_us, total_us,
		request_line, request_headers, response_headers, response_body, truncated)
		SELECT {delivery}, 1, {workspace}, {us}, {code}, CASE WHEN {state} IN (2, 11) THEN 'status' END, 0, 200, 900, 3000, 4000, 'POST https://example.com/hooks',
		'content-type: application/json', 'content-type: text/plain', NULL, 0 FROM {two}`
)

// Waiting are deliveries, one of each event, that wait for their first attempt, due in the order in which they were made.
type Waiting struct {
	Workspace postroom.WorkspaceID
	Webhooks  []postroom.WebhookID // in turn
	Type      string
	Events    int
	First     int64     // what "seq" in the data of the first event is; the next ones count up
	Until     time.Time // when the last was made; the first was an hour earlier
}

// Waiting writes deliveries that wait.
func (d *Database) Waiting(ctx context.Context, w Waiting) error {
	from := w.Until.Add(-time.Hour)
	if err := d.partitions(ctx, from, w.Until); err != nil {
		return err
	}
	if _, err := d.conn.ExecContext(ctx, "CREATE TEMPORARY TABLE waits (number BIGINT PRIMARY KEY, webhook "+map[bool]string{false: "BLOB", true: "BYTEA"}[d.postgres]+" NOT NULL)"); err != nil {
		return err
	}
	for i := 0; i < len(w.Webhooks); i += 500 {
		var values []string
		for k, id := range w.Webhooks[i:min(i+500, len(w.Webhooks))] {
			values = append(values, fmt.Sprintf("(%d, %s)", i+k, d.blob(id[:])))
		}
		if _, err := d.conn.ExecContext(ctx, "INSERT INTO waits VALUES "+strings.Join(values, ", ")); err != nil {
			return err
		}
	}
	common := strings.NewReplacer(
		"{workspace}", d.blob(w.Workspace[:]), "{type}", "'"+w.Type+"'", "{event}", d.id("k", from, time.Hour, w.Events), "{delivery}", d.id("k", from, time.Hour, w.Events),
		"{us}", millis(from, time.Hour, w.Events)+" * 1000", "{one}", d.series("k", 1),
		"{data}", d.bytes(fmt.Sprintf(`'{"seq":' || (%d + k) || ',"sent_us":1000000000000000,"contact":{"email":"reader-' || k || '@example.com"},"note":"`+strings.Repeat("x", 800)+`"}'`, w.First)))
	const events = `INSERT INTO events (id, workspace_id, type, time, data) SELECT {event}, {workspace}, {type}, {us}, {data} FROM {one}`
	deliveries := fmt.Sprintf(`INSERT INTO deliveries (id, workspace_id, event_id, webhook_id, event_type, state, claim, due_at, attempts, status_code, test)
		SELECT {delivery}, {workspace}, {event}, w.webhook, {type}, 1, 0, {us}, 0, 0, 0 FROM {one} JOIN waits w ON w.number = k %% %d`, len(w.Webhooks))
	return d.inSteps(ctx, w.Events, func(first, last int) (texts []string) {
		for _, text := range []string{events, deliveries} {
			texts = append(texts, strings.NewReplacer("{first}", strconv.Itoa(first), "{last}", strconv.Itoa(last)).Replace(common.Replace(text)))
		}
		return texts
	}, 2)
}

// inSteps runs the texts of each step in one transaction.
func (d *Database) inSteps(ctx context.Context, events int, texts func(first, last int) []string, rows int) error {
	for first := 0; first < events; first += step {
		last := min(first+step, events)
		tx, err := d.conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		for _, text := range texts(first, last) {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return errors.Join(fmt.Errorf("fill the database: %w", err), tx.Rollback())
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		d.progress(rows * (last - first))
	}
	return nil
}

// series is a table of the numbers k of events from {first} to before {last}; with the numbers n of their deliveries, several
// of each.
func (d *Database) series(name string, each int) string {
	columns := "k"
	if name != "k" {
		columns = fmt.Sprintf("n / %d AS k, n", each)
	}
	from, to := fmt.Sprintf("{first} * %d", each), fmt.Sprintf("{last} * %d - 1", each)
	if d.postgres {
		return fmt.Sprintf("(SELECT %s FROM generate_series((%s)::bigint, (%s)::bigint) AS s (%s)) AS numbers", columns, from, to, name)
	}
	return fmt.Sprintf("(WITH RECURSIVE s (%[2]s) AS (SELECT %[3]s UNION ALL SELECT %[2]s + 1 FROM s WHERE %[2]s < %[4]s) SELECT %[1]s FROM s) AS numbers", columns, name, from, to)
}

// id makes an id of a number, of the time of event k among so many in a span of time.
func (d *Database) id(number string, from time.Time, span time.Duration, events int) string {
	ms := millis(from, span, events)
	if d.postgres {
		return fmt.Sprintf("decode(lpad(to_hex(%[2]s), 12, '0') || '7' || lpad(to_hex((%[1]s) %% 4096), 3, '0') || '8' || lpad(to_hex(%[1]s), 15, '0'), 'hex')", number, ms)
	}
	return fmt.Sprintf("unhex(printf('%%012x7%%03x8%%015x', %[2]s, (%[1]s) %% 4096, %[1]s))", number, ms)
}

// millis is when event k was made.
func millis(from time.Time, span time.Duration, events int) string {
	return fmt.Sprintf("(%d + k * %d / %d)", from.UnixMilli(), span.Milliseconds(), events)
}

func (d *Database) blob(id []byte) string {
	if d.postgres {
		return fmt.Sprintf(`'\x%x'::bytea`, id)
	}
	return fmt.Sprintf("x'%x'", id)
}

// bytes turns a text into what the column of data holds.
func (d *Database) bytes(text string) string {
	if d.postgres {
		return "convert_to(" + text + ", 'UTF8')"
	}
	return "CAST(" + text + " AS BLOB)"
}

// webhookOf is whose delivery n of event k is.
func (d *Database) webhookOf(ids []postroom.WebhookID) string {
	text := "CASE WHEN n % 2 = 0 THEN " + d.blob(ids[0][:]) + " WHEN {rare} THEN " + d.blob(ids[len(ids)-1][:])
	others := ids[1 : len(ids)-1]
	for i, id := range others {
		text += fmt.Sprintf(" WHEN k %% %d = %d THEN %s", len(others), i, d.blob(id[:]))
	}
	return text + " END"
}

// partitions makes those that PostgreSQL needs for rows as old as these.
func (d *Database) partitions(ctx context.Context, from, until time.Time) error {
	if !d.postgres {
		return nil
	}
	for day := from.UTC().Truncate(24 * time.Hour); !day.After(until); day = day.AddDate(0, 0, 1) {
		first, last := postroom.FirstID[postroom.DeliveryKind](day), postroom.FirstID[postroom.DeliveryKind](day.AddDate(0, 0, 1))
		for _, table := range []string{"events", "deliveries", "attempts"} {
			text := fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %[1]s_%[2]s PARTITION OF %[1]s FOR VALUES FROM ('\x%[3]x') TO ('\x%[4]x')`, table, day.Format("20060102"), first[:], last[:])
			if _, err := d.conn.ExecContext(ctx, text); err != nil {
				return err
			}
		}
	}
	return nil
}
