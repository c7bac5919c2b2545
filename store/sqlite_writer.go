package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// sqliteWriter owns the writing connection. Only the committer's goroutine uses it.
//
// The hot statements are prepared once and run on the driver's own connection: database/sql would cost about as much
// again as SQLite itself.
type sqliteWriter struct {
	conn    *sql.Conn
	querier querier
	metrics *Metrics
	node    postroom.NodeID
	rollups rollups
	open    []driver.Stmt // all of the following

	begin, commitTx, rollback                        stmt
	eventInsert, keyGet, keyPut, deliveryInsert      stmt
	deliveryFinish, setDue, attemptInsert            stmt
	rollupAdd, webhookStop, workspaceTouch, eventGet stmt
	healthPut, healthDelete, orderLast, orderPromote stmt
	queueClaim                                       stmt
	commitStatements
}

// stmt is a prepared statement of the driver, with room for its arguments.
type stmt struct {
	name string
	driver.Stmt
	args []driver.NamedValue
}

func newSQLiteWriter(conn *sql.Conn, texts map[string]string, node postroom.NodeID, metrics *Metrics) (*sqliteWriter, error) {
	w := &sqliteWriter{conn: conn, querier: querier{conn, texts, newPrepared(conn, true)}, metrics: metrics, node: node}
	statements := []struct {
		to   *stmt
		name string
		text string
	}{
		{&w.begin, "begin", "BEGIN IMMEDIATE"}, {&w.commitTx, "commit", "COMMIT"}, {&w.rollback, "rollback", "ROLLBACK"},
		{&w.eventInsert, "event_insert", ""}, {&w.keyGet, "event_key_get", ""}, {&w.keyPut, "event_key_put", ""},
		{&w.deliveryInsert, "delivery_insert", ""}, {&w.deliveryFinish, "delivery_finish", ""}, {&w.setDue, "delivery_set_due", ""},
		{&w.attemptInsert, "attempt_insert", ""}, {&w.rollupAdd, "rollup_add", ""}, {&w.webhookStop, "webhook_stop", ""},
		{&w.healthPut, "webhook_health_put", ""}, {&w.healthDelete, "webhook_health_delete", ""},
		{&w.workspaceTouch, "workspace_touch", ""}, {&w.eventGet, "event_get", ""},
		{&w.queueClaim, "queue_claim", ""}, {&w.orderLast, "order_last", ""}, {&w.orderPromote, "order_promote", ""},
		{&w.requestInsert, "request_insert", ""}, {&w.requestHeld, "request_held", ""}, {&w.requestEnd, "request_finish", ""},
		{&w.requestKeyPut, "request_key_put", ""}, {&w.requestKeyGet, "request_key_get", ""},
		{&w.sourceHealthPut, "source_health_put", ""}, {&w.sourceHealthDelete, "source_health_delete", ""},
	}
	err := conn.Raw(func(dc any) error {
		c, ok := dc.(driver.ConnPrepareContext)
		if !ok {
			return errors.New("the SQLite driver cannot prepare statements")
		}
		for _, s := range statements {
			if s.text == "" {
				if s.text = texts[s.name]; s.text == "" {
					return fmt.Errorf("there is no SQL named %q", s.name)
				}
			}
			prepared, err := c.PrepareContext(context.Background(), s.text)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			*s.to = stmt{name: s.name, Stmt: prepared}
			w.open = append(w.open, prepared)
		}
		return nil
	})
	return w, err
}

// close closes the statements first: while one is open, SQLite keeps the database open too.
func (w *sqliteWriter) close() error {
	errs := []error{w.querier.prepared.close()}
	for _, prepared := range w.open {
		errs = append(errs, prepared.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// bind puts values where the driver reads them.
func (s *stmt) bind(values []driver.Value) []driver.NamedValue {
	s.args = s.args[:0]
	for i, v := range values {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s.args
}

// exec runs the statement and says how many rows it touched. Values are int64, string, []byte or nil.
func (s *stmt) exec(values ...driver.Value) (int64, error) {
	runner, ok := s.Stmt.(driver.StmtExecContext)
	if !ok {
		return 0, errors.New("the SQLite driver cannot run prepared statements")
	}
	res, err := runner.ExecContext(context.Background(), s.bind(values))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.name, err)
	}
	return res.RowsAffected()
}

// query runs the statement, for its rows.
func (s *stmt) query(values []driver.Value) (driver.Rows, error) {
	runner, ok := s.Stmt.(driver.StmtQueryContext)
	if !ok {
		return nil, errors.New("the SQLite driver cannot run prepared statements")
	}
	rows, err := runner.QueryContext(context.Background(), s.bind(values))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return rows, nil
}

// each runs the statement and reads one row after the other into dest, for f.
func (s *stmt) each(dest []driver.Value, f func() error, values ...driver.Value) error {
	rows, err := s.query(values)
	if err != nil {
		return err
	}
	for err = rows.Next(dest); err == nil; err = rows.Next(dest) {
		if err = f(); err != nil {
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, rows.Close())
}

// row runs the statement and reads its first row into dest; false when there is none.
func (s *stmt) row(dest []driver.Value, values ...driver.Value) (bool, error) {
	rows, err := s.query(values)
	if err != nil {
		return false, err
	}
	err = rows.Next(dest)
	closing := rows.Close()
	if errors.Is(err, io.EOF) {
		return false, closing
	}
	return err == nil, errors.Join(err, closing)
}

// commit runs the ops in one transaction. When one of them fails, each gets a transaction of its own, so that it
// cannot take the others with it.
func (w *sqliteWriter) commit(batch []*op) {
	err := w.transaction(batch)
	switch {
	case err == nil:
		return
	case len(batch) == 1:
		batch[0].err = err
		return
	}
	for _, o := range batch {
		o.err = w.transaction([]*op{o})
	}
}

func (w *sqliteWriter) transaction(batch []*op) (err error) {
	began := time.Now()
	if _, err := w.begin.exec(); err != nil {
		w.metrics.failed()
		return err
	}
	defer func() {
		if err != nil {
			w.metrics.failed()
			_, _ = w.rollback.exec() // fails when SQLite has rolled back already, as it does when the disk is full
		}
	}()
	w.rollups.reset()
	for _, o := range batch {
		if err := guarded(func() error { return w.apply(o, len(batch) > 1) }); err != nil {
			return err
		}
	}
	if err := w.addRollups(); err != nil {
		return err
	}
	if _, err := w.commitTx.exec(); err != nil {
		return err
	}
	w.metrics.committed(len(batch), time.Since(began))
	return nil
}

// apply does one op. An error that a change reports for a person ends that change only; any other error ends the
// transaction.
func (w *sqliteWriter) apply(o *op, shared bool) error {
	switch {
	case o.pubs != nil:
		for _, p := range o.pubs {
			if err := w.publish(p); err != nil {
				return err
			}
		}
		failpoint.Hit(failpoint.PublishInTransaction)
	case o.fins != nil:
		for _, f := range o.fins {
			if err := w.finish(f); err != nil {
				return err
			}
		}
		failpoint.Hit(failpoint.RecordInTransaction)
	case o.whole != nil:
		return w.commitWhole(o.whole)
	case o.dues != nil:
		for _, d := range o.dues {
			if _, err := w.setDue.exec(d.workspace[:], d.id[:], int64(d.claim), int64(d.state), micros(d.due)); err != nil {
				return err
			}
			failpoint.Hit(d.failpoint())
		}
	case o.claim != nil:
		return w.claim(o)
	case o.change != nil && !shared:
		return o.change(w.querier)
	case o.change != nil:
		return w.applyChange(o)
	}
	return nil
}

// applyChange runs a change under a savepoint, so that its failure leaves the rest of the transaction as it was.
func (w *sqliteWriter) applyChange(o *op) error {
	ctx := context.Background()
	if _, err := w.conn.ExecContext(ctx, "SAVEPOINT change"); err != nil {
		return err
	}
	if o.err = guarded(func() error { return o.change(w.querier) }); o.err != nil {
		if _, err := w.conn.ExecContext(ctx, "ROLLBACK TO change"); err != nil {
			return err
		}
	}
	_, err := w.conn.ExecContext(ctx, "RELEASE change")
	return err
}

func (w *sqliteWriter) publish(p *postroom.Publication) error {
	e := p.Event
	p.Duplicate = nil
	for _, key := range p.Keys {
		var found [2]driver.Value
		ok, err := w.keyGet.row(found[:], e.WorkspaceID[:], key)
		if err != nil {
			return err
		}
		if created, _ := found[1].(int64); ok && created > micros(e.PublishedAt().Add(-keyLife)) {
			var id postroom.EventID
			if err := id.Scan(found[0]); err != nil {
				return err
			}
			p.Duplicate = &id
			return nil
		}
	}
	for _, key := range p.Keys {
		if _, err := w.keyPut.exec(e.WorkspaceID[:], key, e.ID[:], micros(e.PublishedAt())); err != nil {
			return err
		}
	}
	if _, err := w.eventInsert.exec(e.ID[:], e.WorkspaceID[:], textOrNull(e.UID), e.Type, micros(e.Time), textOrNull(e.Actor),
		textOrNull(e.OrderingKey), textOrNull(e.Contact), textOrNull(e.Campaign), e.Data); err != nil {
		return err
	}
	for i := range p.Deliveries {
		d := &p.Deliveries[i]
		state, due, key, err := w.place(d)
		if err != nil {
			return err
		}
		if _, err := w.deliveryInsert.exec(d.ID[:], e.WorkspaceID[:], e.ID[:], d.WebhookID[:], e.Type, int64(state),
			firstClaim(state), due, boolInt(d.Test), key); err != nil {
			return err
		}
	}
	return nil
}

// place says how a new delivery is to be stored, in the line of its order key if it has one.
func (w *sqliteWriter) place(d *postroom.NewDelivery) (state postroom.DeliveryState, due int64, key driver.Value, err error) {
	var end line
	if d.OrderKey != nil {
		key = *d.OrderKey
		var last [2]driver.Value
		found, err := w.orderLast.row(last[:], d.WebhookID[:], key)
		if err != nil {
			return 0, 0, nil, err
		}
		if found {
			state, _ := last[0].(int64)
			due, _ := last[1].(int64)
			end = lineOf(postroom.DeliveryState(state), due)
		}
	}
	state, due = end.join(d)
	return state, due, key, nil
}

// keyLife is how long an event's id or an Idempotency-Key is remembered.
const keyLife = 24 * time.Hour

// firstClaim is the claim of a delivery that is stored leased: the publisher's node holds it from the start.
func firstClaim(state postroom.DeliveryState) int64 {
	if state == postroom.StateLeased {
		return 1
	}
	return 0
}

func (w *sqliteWriter) finish(f *postroom.Finish) error {
	v := finishValues(f)
	workspace := f.Job.Event.WorkspaceID
	touched, err := w.deliveryFinish.exec(workspace[:], f.Job.DeliveryID[:], int64(f.Job.Claim), int64(f.Outcome.State), v.due, v.made, v.statusCode, v.errorKind, v.at)
	if err != nil {
		return err
	}
	f.Lost, f.Next = touched == 0, false
	logged := f.Attempt != nil
	if logged && f.Lost { // of what was erased meanwhile nothing is kept
		if logged, err = w.there(f.Job); err != nil {
			return err
		}
	}
	if logged {
		added, err := w.attemptInsert.exec(v.attempt()...)
		if err != nil {
			return err
		}
		if added > 0 {
			w.rollups.add(f)
		}
	}
	if f.Lost {
		return nil
	}
	if k, ends := frees(f); ends {
		freed, err := w.orderPromote.exec(k.webhook[:], k.key, v.place())
		if err != nil {
			return err
		}
		f.Next = freed > 0
	}
	return w.follow(f, v.now)
}

// there tells whether the delivery of a job still exists.
func (w *sqliteWriter) there(j *postroom.Job) (found bool, err error) {
	err = w.querier.each(context.Background(), "delivery_there", func(func(...any) error) error {
		found = true
		return nil
	}, j.Event.WorkspaceID, j.DeliveryID)
	return found, err
}

// follow does what a result means beyond its delivery: for the health of the webhook, for its status, and which events it
// causes.
func (w *sqliteWriter) follow(f *postroom.Finish, now int64) error {
	workspace := f.Job.Event.WorkspaceID
	if f.Health != nil {
		statement, values := &w.healthPut, healthValues(f)
		if f.Health.Healthy() {
			statement, values = &w.healthDelete, []driver.Value{workspace[:], f.Job.WebhookID[:]}
		}
		if _, err := statement.exec(values...); err != nil {
			return err
		}
	}
	if f.Outcome.Stop != "" {
		if _, err := w.webhookStop.exec(workspace[:], f.Job.WebhookID[:], string(f.Outcome.Stop), f.Outcome.Reason, now); err != nil {
			return err
		}
		if _, err := w.workspaceTouch.exec(workspace[:]); err != nil {
			return err
		}
	}
	for _, p := range f.Also {
		if err := w.publish(p); err != nil {
			return err
		}
	}
	return nil
}

func (w *sqliteWriter) addRollups() error {
	for _, sum := range w.rollups.sorted() {
		values := append([]driver.Value{sum.workspace[:], sum.webhook[:], sum.startsAt, w.node[:]}, sum.values()...)
		if _, err := w.rollupAdd.exec(values...); err != nil {
			return err
		}
	}
	return nil
}

// claim leases due deliveries and reads their events. A delivery whose event is gone is cancelled.
func (w *sqliteWriter) claim(o *op) error {
	c, got := o.claim, []claimed(nil)
	var v [7]driver.Value
	err := w.queueClaim.each(v[:], func() error {
		j := c.claimed()
		claim, _ := v[3].(int64)
		attempts, _ := v[4].(int64)
		test, _ := v[5].(int64)
		j.Claim, j.Attempts, j.Test = int(claim), int(attempts), test == 1
		if key, ordered := v[6].(string); ordered {
			j.OrderKey = &key
		}
		err := errors.Join(j.DeliveryID.Scan(v[0]), j.workspace.Scan(v[1]), j.event.Scan(v[2]))
		got = append(got, j)
		return err
	}, int64(c.state), c.webhook[:], micros(c.now), micros(c.until), int64(c.limit))
	if err != nil {
		return err
	}
	o.jobs, err = resolve(got, w.event, func(j claimed) error {
		_, err := w.deliveryFinish.exec(j.workspace[:], j.DeliveryID[:], int64(j.Claim), int64(postroom.StateCancelled), micros(c.now), int64(0), int64(0), eventGone, nil)
		if k, ordered := orderKeyOf(j.Job); ordered && err == nil {
			_, err = w.orderPromote.exec(k.webhook[:], k.key, micros(c.now))
		}
		return err
	})
	failpoint.HitIf(len(got) > 0, failpoint.ClaimInTransaction)
	return err
}

// event reads the event of a claimed delivery; nil when it is gone.
func (w *sqliteWriter) event(j claimed) (*postroom.Event, error) {
	var v [10]driver.Value
	ok, err := w.eventGet.row(v[:], j.workspace[:], j.event[:])
	if err != nil || !ok {
		return nil, err
	}
	text := func(v driver.Value) string { s, _ := v.(string); return s }
	at, _ := v[4].(int64)
	data, _ := v[9].([]byte)
	return &postroom.Event{ID: j.event, WorkspaceID: j.workspace, UID: text(v[2]), Type: text(v[3]), Time: fromMicros(at), Actor: text(v[5]),
		OrderingKey: text(v[6]), Contact: text(v[7]), Campaign: text(v[8]), Data: data}, nil
}
