package store

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom"
)

// postgresBatch is the work of one shared commit.
type postgresBatch struct {
	pubs []*postroom.Publication
	fins []*postroom.Finish
	dues []dueChange
}

// attemptCommit commits the batch, or as much of it as can go together; the rest is left in it, and again is true. All
// transactions touch keys, events, deliveries and rollups in this order, and each in a sorted one, so that two cannot wait for each other in
// a circle.
func (s *postgresStore) attemptCommit(work *postgresBatch) (again bool, err error) {
	// The outcome of a commit must be known, so nobody's cancellation ends it; a dead database does.
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	for try := 1; ; try++ {
		rest, err := s.commitOnce(ctx, work)
		switch {
		case err == nil:
			*work = postgresBatch{pubs: rest}
			return len(rest) > 0, nil
		case errors.Is(err, errRaced) || passing(err):
			if try == maxTries {
				return false, err
			}
			backOff(try)
		case errors.Is(err, errStale):
			work.pubs = dropStale(work.pubs)
		default:
			return false, err
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

func (s *postgresStore) commitOnce(ctx context.Context, work *postgresBatch) (rest []*postroom.Publication, err error) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx)) // the connection may be gone: then so is the transaction
		}
	}()
	pubs, rest := splitByKeys(work.pubs)
	if pubs, err = s.takeKeys(ctx, tx, pubs); err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	queueRevisions(batch, pubs)
	queueEvents(batch, pubs)
	s.queueFinishes(batch, work.fins)
	queueDues(batch, work.dues)
	if batch.Len() > 0 {
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return nil, err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, err
	}
	return rest, nil
}

// splitByKeys leaves those for another transaction that share a key with one before them.
func splitByKeys(all []*postroom.Publication) (first, rest []*postroom.Publication) {
	type key struct {
		workspace postroom.WorkspaceID
		key       string
	}
	seen := map[key]bool{}
	for _, p := range all {
		taken := false
		for _, k := range p.Keys {
			taken = taken || seen[key{p.Event.WorkspaceID, k}]
		}
		if taken {
			rest = append(rest, p)
			continue
		}
		for _, k := range p.Keys {
			seen[key{p.Event.WorkspaceID, k}] = true
		}
		first = append(first, p)
	}
	return first, rest
}

// takeKeys marks those publications as duplicates of which a key is taken, takes the keys of the others, and returns
// the others.
func (s *postgresStore) takeKeys(ctx context.Context, tx pgx.Tx, pubs []*postroom.Publication) ([]*postroom.Publication, error) {
	var workspaces, events [][]byte
	var keys []string
	var created []int64
	byKey := map[string]*postroom.Publication{}
	name := func(workspace []byte, key string) string { return string(workspace) + key }
	for _, p := range pubs {
		p.Duplicate, p.Stale = nil, false
		for _, k := range p.Keys {
			byKey[name(p.Event.WorkspaceID[:], k)] = p
			workspaces, keys = append(workspaces, p.Event.WorkspaceID[:]), append(keys, k)
			created = append(created, micros(p.Event.PublishedAt().Add(-keyLife)))
		}
	}
	if len(keys) == 0 {
		return pubs, nil
	}
	rows, err := tx.Query(ctx, `SELECT k.workspace_id, k.key, k.event_id FROM event_keys k
		JOIN unnest($1::bytea[], $2::text[], $3::bigint[]) AS v (workspace_id, key, since)
		ON k.workspace_id = v.workspace_id AND k.key = v.key AND k.created_at > v.since`, workspaces, keys, created)
	if err != nil {
		return nil, err
	}
	var workspace, event []byte
	var key string
	if _, err := pgx.ForEachRow(rows, []any{&workspace, &key, &event}, func() error {
		id := postroom.EventID{}
		copy(id[:], event)
		byKey[name(workspace, key)].Duplicate = &id
		return nil
	}); err != nil {
		return nil, err
	}

	fresh := pubs[:0:0]
	workspaces, keys, created = workspaces[:0], keys[:0], created[:0]
	for _, p := range pubs {
		if p.Duplicate != nil {
			continue
		}
		fresh = append(fresh, p)
		for _, k := range p.Keys {
			workspaces, keys, events = append(workspaces, p.Event.WorkspaceID[:]), append(keys, k), append(events, p.Event.ID[:])
			created = append(created, micros(p.Event.PublishedAt()))
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

func queueEvents(batch *pgx.Batch, pubs []*postroom.Publication) {
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
		d.add(p)
	}
	batch.Queue(`INSERT INTO events (id, workspace_id, uid, type, time, actor, ordering_key, contact, campaign, data)
		SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[])`,
		ids, workspaces, uids, types, times, actors, orderingKeys, contacts, campaigns, data)
	if len(d.ids) > 0 {
		batch.Queue(`INSERT INTO deliveries (id, workspace_id, event_id, webhook_id, event_type, state, claim, due_at, attempts, status_code, test)
			SELECT id, workspace_id, event_id, webhook_id, event_type, state, claim, due_at, 0, 0, test
			FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
			AS v (id, workspace_id, event_id, webhook_id, event_type, state, claim, due_at, test)`,
			d.ids, d.workspaces, d.events, d.webhooks, d.types, d.states, d.claims, d.dues, d.tests)
	}
}

// deliveryColumnsOf are new deliveries, column by column.
type deliveryColumnsOf struct {
	ids, workspaces, events, webhooks [][]byte
	types                             []string
	states, claims, dues, tests       []int64
}

func (c *deliveryColumnsOf) add(p *postroom.Publication) {
	for i := range p.Deliveries {
		d := &p.Deliveries[i]
		c.ids, c.workspaces = append(c.ids, d.ID[:]), append(c.workspaces, p.Event.WorkspaceID[:])
		c.events, c.webhooks = append(c.events, p.Event.ID[:]), append(c.webhooks, d.WebhookID[:])
		c.types, c.states = append(c.types, p.Event.Type), append(c.states, int64(d.State))
		c.claims, c.dues = append(c.claims, firstClaim(d.State)), append(c.dues, micros(d.DueAt))
		c.tests = append(c.tests, boolInt(d.Test))
	}
}

func pointer(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// queueFinishes ends attempts. The bounds on the ids let the planner leave out the partitions that hold none of them.
func (s *postgresStore) queueFinishes(batch *pgx.Batch, fins []*postroom.Finish) {
	if len(fins) == 0 {
		return
	}
	byID := make(map[string]*postroom.Finish, len(fins))
	ordered := append([]*postroom.Finish(nil), fins...)
	sort.Slice(ordered, func(i, j int) bool {
		return string(ordered[i].Job.DeliveryID[:]) < string(ordered[j].Job.DeliveryID[:])
	})
	n := len(ordered)
	ids, claims, states, dues, mades, codes := make([][]byte, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	kinds, ats := make([]*string, n), make([]*int64, n)
	var sums rollups
	sums.reset()
	for i, f := range ordered {
		v := finishValues(f)
		f.Lost = true
		byID[string(f.Job.DeliveryID[:])] = f
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
		FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[])
			AS v (id, claim, state, due_at, made, status_code, error_kind, attempted_at)
		WHERE d.id = v.id AND d.claim = v.claim AND d.state = 0 AND d.id >= $9 AND d.id <= $10
		RETURNING d.id`, ids, claims, states, dues, mades, codes, kinds, ats, ids[0], ids[n-1]).Query(func(rows pgx.Rows) error {
		var id []byte
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			byID[string(id)].Lost = false
			return nil
		})
		return err
	})
	for _, sum := range sums.sorted() {
		args := []any{sum.workspace[:], sum.webhook[:], sum.minute, s.node[:], sum.attempts, sum.succeeded, sum.failed, sum.retried,
			sum.answered, sum.latencyUs, sum.statusCode, sum.at}
		for _, n := range sum.classes {
			args = append(args, n)
		}
		batch.Queue(s.texts["rollup_add"], args...)
	}
	for _, f := range ordered {
		if f.Outcome.Pause != "" {
			workspace := f.Job.Event.WorkspaceID
			batch.Queue(s.texts["webhook_pause"], workspace[:], f.Job.WebhookID[:], f.Outcome.Pause, finishValues(f).now)
			batch.Queue(s.texts["workspace_touch"], workspace[:])
		}
	}
}

func queueDues(batch *pgx.Batch, changes []dueChange) {
	if len(changes) == 0 {
		return
	}
	ids, claims, states, dues := [][]byte{}, []int64{}, []int64{}, []int64{}
	for _, c := range changes {
		ids, claims, states, dues = append(ids, c.id[:]), append(claims, int64(c.claim)), append(states, int64(c.state)), append(dues, micros(c.due))
	}
	batch.Queue(`UPDATE deliveries AS d SET state = v.state, due_at = v.due_at
		FROM (SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[]) AS u (id, claim, state, due_at) ORDER BY id) AS v
		WHERE d.id = v.id AND d.claim = v.claim AND d.state = 0`, ids, claims, states, dues)
}

// claim leases due deliveries and reads their events. A delivery whose event is gone is cancelled.
func (s *postgresStore) claim(ctx context.Context, c claim) ([]*postroom.Job, error) {
	o := &op{claim: &c}
	err := s.write(ctx, func(q querier) error {
		o.jobs = nil
		owners, ids := map[postroom.DeliveryID]postroom.EventID{}, [][]byte{}
		err := q.each(ctx, "queue_claim", func(row func(...any) error) error {
			j := &postroom.Job{WebhookID: c.webhook, From: c.state, LeaseUntil: c.until}
			var event postroom.EventID
			if err := row(&j.DeliveryID, &event, &j.Claim, &j.Attempts, &j.Test); err != nil {
				return err
			}
			o.jobs, ids = append(o.jobs, j), append(ids, event[:])
			owners[j.DeliveryID] = event
			return nil
		}, int64(c.state), c.webhook, micros(c.now), micros(c.until), c.limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		events := map[postroom.EventID]*postroom.Event{}
		if err := q.eachText(ctx, "claimed events", "SELECT "+eventColumns+" FROM events WHERE id = ANY($1::bytea[])", func(row func(...any) error) error {
			e, err := scanEvent(row)
			events[e.ID] = &e
			return err
		}, ids); err != nil {
			return err
		}
		return o.resolve(func(j *postroom.Job) (*postroom.Event, error) { return events[owners[j.DeliveryID]], nil },
			func(j *postroom.Job) error {
				_, err := q.exec(ctx, "delivery_finish", j.DeliveryID, int64(j.Claim), int64(postroom.StateCancelled), micros(c.now), int64(0), int64(0), eventGone, nil)
				return err
			})
	})
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	sort.Slice(o.jobs, func(i, j int) bool { return string(o.jobs[i].DeliveryID[:]) < string(o.jobs[j].DeliveryID[:]) })
	return o.jobs, nil
}
