package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// postgresBatch is the work of one shared commit.
type postgresBatch struct {
	node postroom.NodeID // whose rollups it adds to
	pubs []*postroom.Publication
	fins []*postroom.Finish
	dues []dueChange
	// What is stored whole or not at all; see commit_request.go.
	wholes []*wholeCommit
}

// attemptCommit commits the batch, without the publications that it marks as duplicates or stale, and without the commits that it
// marks as refused. All transactions touch keys, requests, events, deliveries and rollups in this order, and each in a sorted one, so that
// two cannot wait for each other in a circle.
func (s *postgresStore) attemptCommit(work postgresBatch) error {
	// The outcome of a commit must be known, so nobody's cancellation ends it; a dead database does.
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	for try := 1; ; try++ {
		committing, err := s.commitOnce(ctx, work)
		switch {
		case err == nil:
			s.grown(work)
			return nil
		case errors.Is(err, errStale), errors.Is(err, errNotAll):
			if work = work.withoutRefused(); work.empty() {
				return nil
			}
			continue
		case errors.Is(err, errKeysTaken):
			if err = s.lookUpKeys(ctx, work.wholes); err == nil {
				if work = work.withoutRefused(); work.empty() {
					return nil
				}
				continue
			}
		}
		switch {
		case try < maxTries && (errors.Is(err, errRaced) || passing(err) || !committing && lostConnection(err)):
			backOff(try)
		default:
			return err
		}
	}
}

const commitTimeout = 30 * time.Second

var (
	errRaced = errors.New("another node took the same key at the same time")
	errStale = errors.New("the subscriptions have changed")
)

func dropStale(pubs []*postroom.Publication) []*postroom.Publication {
	kept := pubs[:0:0]
	for _, p := range pubs {
		if !p.Stale {
			kept = append(kept, p)
		}
	}
	return kept
}

// commitOnce tries to commit the batch. Until committing, nothing of it can have been stored.
func (s *postgresStore) commitOnce(ctx context.Context, work postgresBatch) (committing bool, err error) {
	tx, q, end, err := s.begin(ctx, work)
	if err != nil {
		return false, err
	}
	// Rolls nothing back after the commit. The connection may be gone: then so is the transaction.
	defer end()
	for _, c := range work.wholes {
		c.reset()
	}
	all := work.publications()
	batch := &pgx.Batch{}
	queueOrderLocks(batch, work.orderKeys())
	if len(all) > 0 || slices.ContainsFunc(work.fins, func(f *postroom.Finish) bool { return f.Doubtful }) {
		if err := send(ctx, tx, batch); err != nil { // what is looked up next must have waited for the locks
			return false, err
		}
		batch = &pgx.Batch{}
	}
	pubs, err := takeKeys(ctx, tx, all)
	if err != nil {
		return false, err
	}
	if work.fins, err = unstored(ctx, tx, work.fins); err != nil {
		return false, err
	}
	ends, err := lines(ctx, tx, pubs)
	if err != nil {
		return false, err
	}
	if err := writeContactsOf(ctx, q, work.wholes); err != nil {
		return false, err
	}
	queueRevisions(batch, pubs)
	s.queueWholes(batch, work)
	queueEvents(batch, pubs, ends)
	s.queueFinishes(batch, work)
	queueDues(batch, work.dues)
	queuePromotions(batch, work.fins)
	if err := send(ctx, tx, batch); err != nil {
		return false, err
	}
	after := &pgx.Batch{}
	if err := s.queueConsequences(ctx, tx, after, work.fins); err != nil {
		return false, err
	}
	if err := send(ctx, tx, after); err != nil {
		return false, err
	}
	failpoint.HitIf(len(work.pubs) > 0, failpoint.PublishInTransaction)
	failpoint.HitIf(len(work.wholes) > 0, failpoint.CommitInTransaction)
	failpoint.HitIf(len(work.fins) > 0, failpoint.RecordInTransaction)
	for _, c := range work.dues {
		failpoint.Hit(c.failpoint())
	}
	if err = tx.Commit(ctx); err != nil {
		doubt(work.fins)
	}
	return true, err
}

// send runs what was queued, one after the other, in one round trip.
func send(ctx context.Context, tx pgx.Tx, batch *pgx.Batch) error {
	if batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, batch).Close()
}

// eventKey is a key of a publication, and takenKey what has it.
type (
	eventKey struct {
		workspace postroom.WorkspaceID
		key       string
	}
	takenKey struct {
		event   postroom.EventID
		created int64
		now     bool // in this transaction
	}
)

// takeKeys marks those publications as duplicates of which a key is taken, by an event that is stored or by one before
// them, takes the keys of the others, and returns the others.
func takeKeys(ctx context.Context, tx pgx.Tx, pubs []*postroom.Publication) (fresh []*postroom.Publication, err error) {
	taken, err := takenKeys(ctx, tx, pubs)
	if err != nil {
		return nil, err
	}
	for _, p := range pubs {
		p.Duplicate, p.Stale = nil, false
		for _, k := range p.Keys {
			if by, ok := taken[eventKey{p.Event.WorkspaceID, k}]; ok && by.created > micros(p.Event.PublishedAt().Add(-keyLife)) {
				p.Duplicate = &by.event
				break
			}
		}
		if p.Duplicate != nil {
			continue
		}
		fresh = append(fresh, p)
		for _, k := range p.Keys {
			taken[eventKey{p.Event.WorkspaceID, k}] = takenKey{p.Event.ID, micros(p.Event.PublishedAt()), true}
		}
	}
	var workspaces, events [][]byte
	var keys []string
	var created []int64
	for k, by := range taken {
		if by.now {
			workspaces, keys, events, created = append(workspaces, k.workspace[:]), append(keys, k.key), append(events, by.event[:]), append(created, by.created)
		}
	}
	if len(keys) == 0 {
		return fresh, nil
	}
	tag, err := tx.Exec(ctx, `INSERT INTO event_keys AS k (workspace_id, key, event_id, created_at)
		SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bigint[]) AS v (workspace_id, key, event_id, created_at)
		ORDER BY workspace_id, key
		ON CONFLICT (workspace_id, key) DO UPDATE SET event_id = excluded.event_id, created_at = excluded.created_at
		WHERE k.created_at <= excluded.created_at - $5`, workspaces, keys, events, created, keyLife.Microseconds())
	if err != nil {
		return nil, err
	}
	if tag.RowsAffected() < int64(len(keys)) {
		return nil, errRaced
	}
	return fresh, nil
}

// takenKeys finds which of the publications' keys are stored, however old they are.
func takenKeys(ctx context.Context, tx pgx.Tx, pubs []*postroom.Publication) (map[eventKey]takenKey, error) {
	taken := map[eventKey]takenKey{}
	var workspaces [][]byte
	var keys []string
	for _, p := range pubs {
		for _, k := range p.Keys {
			workspaces, keys = append(workspaces, p.Event.WorkspaceID[:]), append(keys, k)
		}
	}
	if len(keys) == 0 {
		return taken, nil
	}
	rows, err := tx.Query(ctx, `SELECT k.workspace_id, k.key, k.event_id, k.created_at FROM event_keys k
		JOIN unnest($1::bytea[], $2::text[]) AS v (workspace_id, key) ON k.workspace_id = v.workspace_id AND k.key = v.key`, workspaces, keys)
	if err != nil {
		return nil, err
	}
	var k eventKey
	var by takenKey
	_, err = pgx.ForEachRow(rows, []any{&k.workspace, &k.key, &by.event, &by.created}, func() error {
		taken[k] = by
		return nil
	})
	return taken, err
}

// queueRevisions compares the revision that each publication was matched with to the present one.
func queueRevisions(batch *pgx.Batch, pubs []*postroom.Publication) {
	revisions := map[postroom.WorkspaceID]int64{}
	var ids [][]byte
	for _, p := range pubs {
		if w := p.Event.WorkspaceID; p.Revision != 0 && revisions[w] == 0 {
			revisions[w] = p.Revision
			ids = append(ids, w[:])
		}
	}
	if len(ids) == 0 {
		return
	}
	batch.Queue("SELECT id, revision FROM workspaces WHERE id = ANY($1::bytea[])", ids).Query(func(rows pgx.Rows) error {
		var id []byte
		var revision int64
		now := map[string]int64{}
		if _, err := pgx.ForEachRow(rows, []any{&id, &revision}, func() error {
			now[string(id)] = revision
			return nil
		}); err != nil {
			return err
		}
		stale := false
		for _, p := range pubs {
			p.Stale = p.Revision != 0 && now[string(p.Event.WorkspaceID[:])] != p.Revision
			stale = stale || p.Stale
		}
		if stale {
			return errStale
		}
		return nil
	})
}

// queueEvents stores events and their deliveries. ends are the lines that those with an order key join.
func queueEvents(batch *pgx.Batch, pubs []*postroom.Publication, ends map[orderKey]*line) {
	if len(pubs) == 0 {
		return
	}
	n := len(pubs)
	ids, workspaces, data := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	uids, actors, orderingKeys, contacts, campaigns := make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n), make([]*string, n)
	types, times := make([]string, n), make([]int64, n)
	var d deliveryColumnsOf
	for i, p := range pubs {
		e := p.Event
		ids[i], workspaces[i], data[i] = e.ID[:], e.WorkspaceID[:], e.Data
		uids[i], actors[i], orderingKeys[i] = pointer(e.UID), pointer(e.Actor), pointer(e.OrderingKey)
		contacts[i], campaigns[i] = pointer(e.Contact), pointer(e.Campaign)
		types[i], times[i] = e.Type, micros(e.Time)
		d.add(p, ends)
	}
	batch.Queue(`INSERT INTO events (id, workspace_id, uid, type, time, actor, ordering_key, contact, campaign, data)
		SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[])`,
		ids, workspaces, uids, types, times, actors, orderingKeys, contacts, campaigns, data)
	if len(d.ids) > 0 {
		batch.Queue(`INSERT INTO deliveries (id, workspace_id, event_id, webhook_id, event_type, state, claim, due_at, attempts, status_code, test, order_key)
			SELECT id, workspace_id, event_id, webhook_id, event_type, state, claim, due_at, 0, 0, test, order_key
			FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[])
			AS v (id, workspace_id, event_id, webhook_id, event_type, state, claim, due_at, test, order_key)`,
			d.ids, d.workspaces, d.events, d.webhooks, d.types, d.states, d.claims, d.dues, d.tests, d.orderKeys)
	}
}

// deliveryColumnsOf are new deliveries, column by column.
type deliveryColumnsOf struct {
	ids, workspaces, events, webhooks [][]byte
	types                             []string
	states, claims, dues, tests       []int64
	orderKeys                         []*string
}

func (c *deliveryColumnsOf) add(p *postroom.Publication, ends map[orderKey]*line) {
	for i := range p.Deliveries {
		d, end := &p.Deliveries[i], &line{}
		if d.OrderKey != nil {
			end = ends[orderKey{d.WebhookID, *d.OrderKey}]
		}
		state, due := end.join(d)
		c.ids, c.workspaces = append(c.ids, d.ID[:]), append(c.workspaces, p.Event.WorkspaceID[:])
		c.events, c.webhooks = append(c.events, p.Event.ID[:]), append(c.webhooks, d.WebhookID[:])
		c.types, c.states = append(c.types, p.Event.Type), append(c.states, int64(state))
		c.claims, c.dues = append(c.claims, firstClaim(state)), append(c.dues, due)
		c.tests, c.orderKeys = append(c.tests, boolInt(d.Test)), append(c.orderKeys, d.OrderKey)
	}
}

func pointer(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// queueFinishes ends attempts. The bounds on the ids let the planner leave out the partitions that hold none of them.
func (s *postgresStore) queueFinishes(batch *pgx.Batch, work postgresBatch) {
	fins := work.fins
	if len(fins) == 0 {
		return
	}
	type lease struct {
		delivery postroom.DeliveryID
		claim    int
	}
	byLease := make(map[lease]*postroom.Finish, len(fins))
	ordered := append([]*postroom.Finish(nil), fins...)
	sort.Slice(ordered, func(i, j int) bool {
		return string(ordered[i].Job.DeliveryID[:]) < string(ordered[j].Job.DeliveryID[:])
	})
	n := len(ordered)
	ids, workspaces, claims, states, dues, mades, codes := make([][]byte, n), make([][]byte, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	kinds, ats := make([]*string, n), make([]*int64, n)
	var sums rollups
	sums.reset()
	for i, f := range ordered {
		v := finishValues(f)
		f.Lost = true
		byLease[lease{f.Job.DeliveryID, f.Job.Claim}] = f
		workspaces[i] = f.Job.Event.WorkspaceID[:]
		ids[i], claims[i], states[i], dues[i], mades[i], codes[i] = f.Job.DeliveryID[:], int64(f.Job.Claim), int64(f.Outcome.State), v.due, v.made, v.statusCode
		if kind, ok := v.errorKind.(string); ok {
			kinds[i] = &kind
		}
		if at, ok := v.at.(int64); ok {
			ats[i] = &at
		}
		if f.Attempt != nil {
			sums.add(f)
			args := make([]any, 0, 18)
			for _, value := range v.attempt() {
				args = append(args, value)
			}
			batch.Queue(s.texts["attempt_insert"], args...)
		}
	}
	batch.Queue(`UPDATE deliveries AS d SET state = v.state, due_at = v.due_at, attempts = d.attempts + v.made, status_code = v.status_code,
			error_kind = v.error_kind, attempted_at = coalesce(v.attempted_at, d.attempted_at)
		FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[], $11::bytea[])
			AS v (id, claim, state, due_at, made, status_code, error_kind, attempted_at, workspace_id)
		WHERE d.workspace_id = v.workspace_id AND d.id = v.id AND d.claim = v.claim AND d.state = 0 AND d.id >= $9 AND d.id <= $10
		RETURNING d.id, d.claim`, ids, claims, states, dues, mades, codes, kinds, ats, ids[0], ids[n-1], workspaces).Query(func(rows pgx.Rows) error {
		var l lease
		_, err := pgx.ForEachRow(rows, []any{&l.delivery, &l.claim}, func() error {
			byLease[l].Lost = false
			return nil
		})
		return err
	})
	s.queueRollups(batch, work.node, &sums)
}

// queueConsequences does what results mean beyond their deliveries: for the health of webhooks, for their status, and which
// events they cause. It is rare, and comes after it is known which results count.
func (s *postgresStore) queueConsequences(ctx context.Context, tx pgx.Tx, batch *pgx.Batch, fins []*postroom.Finish) error {
	health := map[postroom.WebhookID]*postroom.Finish{}
	var caused []*postroom.Publication
	for _, f := range fins {
		workspace := f.Job.Event.WorkspaceID
		if f.Lost {
			if f.Attempt != nil { // of what was erased meanwhile nothing is kept
				batch.Queue(s.texts["attempt_delete_orphan"], workspace[:], f.Job.DeliveryID[:], int64(f.Job.Claim))
			}
			continue
		}
		if f.Outcome.Stop != "" {
			batch.Queue(s.texts["workspace_touch"], workspace[:])
			batch.Queue(s.texts["webhook_stop"], workspace[:], f.Job.WebhookID[:], string(f.Outcome.Stop), f.Outcome.Reason, finishValues(f).now)
		}
		if f.Health != nil {
			health[f.Job.WebhookID] = f // the newest counts
		}
		caused = append(caused, f.Also...)
	}
	for _, id := range slices.SortedFunc(maps.Keys(health), func(a, b postroom.WebhookID) int { return bytes.Compare(a[:], b[:]) }) {
		f := health[id]
		workspace := f.Job.Event.WorkspaceID
		if f.Health.Healthy() {
			batch.Queue(s.texts["webhook_health_delete"], workspace[:], id[:])
			continue
		}
		args := make([]any, 0, 7)
		for _, value := range healthValues(f) {
			args = append(args, value)
		}
		batch.Queue(s.texts["webhook_health_put"], args...)
	}
	ends, err := lines(ctx, tx, caused)
	if err != nil {
		return err
	}
	queueEvents(batch, caused, ends)
	return nil
}

func queueDues(batch *pgx.Batch, changes []dueChange) {
	if len(changes) == 0 {
		return
	}
	workspaces, ids, claims, states, dues := [][]byte{}, [][]byte{}, []int64{}, []int64{}, []int64{}
	for _, c := range changes {
		workspaces = append(workspaces, c.workspace[:])
		ids, claims, states, dues = append(ids, c.id[:]), append(claims, int64(c.claim)), append(states, int64(c.state)), append(dues, micros(c.due))
	}
	batch.Queue(`UPDATE deliveries AS d SET state = v.state, due_at = v.due_at
		FROM (SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[]) AS u (id, claim, state, due_at, workspace_id) ORDER BY id) AS v
		WHERE d.workspace_id = v.workspace_id AND d.id = v.id AND d.claim = v.claim AND d.state = 0`, ids, claims, states, dues, workspaces)
}

// claim leases due deliveries and reads their events. A delivery whose event is gone is cancelled.
func (s *postgresStore) claim(ctx context.Context, c claim) (jobs []*postroom.Job, err error) {
	var headless []orderKey
	err = s.write(ctx, func(q querier) error {
		headless = nil
		var got []claimed
		var ids [][]byte
		err := q.each(ctx, "queue_claim", func(row func(...any) error) error {
			j, err := c.scanClaimed(row)
			got, ids = append(got, j), append(ids, j.event[:])
			return err
		}, int64(c.state), c.webhook, micros(c.now), micros(c.until), c.limit)
		if err != nil || len(ids) == 0 {
			jobs = nil
			return err
		}
		events := map[postroom.EventID]*postroom.Event{}
		// All are of one webhook, so of one workspace.
		if err := q.eachText(ctx, "claimed events", "SELECT "+eventColumns+" FROM events WHERE workspace_id = $1 AND id = ANY($2::bytea[])", func(row func(...any) error) error {
			e, err := scanEvent(row)
			events[e.ID] = &e
			return err
		}, got[0].workspace, ids); err != nil {
			return err
		}
		jobs, err = resolve(got, func(j claimed) (*postroom.Event, error) { return events[j.event], nil }, func(j claimed) error {
			_, err := q.exec(ctx, "delivery_finish", j.workspace, j.DeliveryID, int64(j.Claim), int64(postroom.StateCancelled), micros(c.now), int64(0), int64(0), eventGone, nil)
			if k, ordered := orderKeyOf(j.Job); ordered {
				headless = append(headless, k)
			}
			return err
		})
		failpoint.Hit(failpoint.ClaimInTransaction)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	if len(headless) > 0 { // what fails is mended later; the claim counts
		_, _ = s.promote(ctx, headless, c.now)
	}
	return jobs, nil
}
