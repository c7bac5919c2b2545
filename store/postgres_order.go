package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postroom/postroom"
)

// orderKeys are the order keys that a transaction is about: of what it publishes, of what it ends, and of what that causes.
func (w postgresBatch) orderKeys() (keys []orderKey) {
	keys = append(keys, keysOf(w.publications())...)
	for _, f := range w.fins {
		if k, ends := frees(f); ends {
			keys = append(keys, k)
		}
		keys = append(keys, keysOf(f.Also)...)
	}
	return keys
}

func keysOf(pubs []*postroom.Publication) (keys []orderKey) {
	for _, p := range pubs {
		for i := range p.Deliveries {
			if d := &p.Deliveries[i]; d.OrderKey != nil {
				keys = append(keys, orderKey{d.WebhookID, *d.OrderKey})
			}
		}
	}
	return keys
}

// queueOrderLocks waits until no other transaction is about these keys; later statements see what those have done. Everybody
// takes the locks in the same order, and before anything else.
func queueOrderLocks(batch *pgx.Batch, keys []orderKey) {
	if len(keys) == 0 {
		return
	}
	locks := make([]int64, len(keys))
	for i, k := range keys {
		locks[i] = k.lock()
	}
	slices.Sort(locks)
	batch.Queue("SELECT pg_advisory_xact_lock(n) FROM unnest($1::bigint[]) AS n", slices.Compact(locks))
}

// keyColumns are order keys, column by column.
func keyColumns(keys []orderKey) (webhooks [][]byte, texts []string) {
	for _, k := range keys {
		webhooks, texts = append(webhooks, k.webhook[:]), append(texts, k.key)
	}
	return webhooks, texts
}

// lines finds the ends of the lines that new deliveries join.
func lines(ctx context.Context, tx pgx.Tx, pubs []*postroom.Publication) (map[orderKey]*line, error) {
	found := map[orderKey]*line{}
	for _, k := range keysOf(pubs) {
		found[k] = &line{}
	}
	if len(found) == 0 {
		return nil, nil
	}
	keys := make([]orderKey, 0, len(found))
	for k := range found {
		keys = append(keys, k)
	}
	webhooks, texts := keyColumns(keys)
	rows, err := tx.Query(ctx, postgresOrderLast, webhooks, texts)
	if err != nil {
		return nil, err
	}
	var k orderKey
	var state postroom.DeliveryState
	var due int64
	_, err = pgx.ForEachRow(rows, []any{&k.webhook, &k.key, &state, &due}, func() error {
		*found[k] = lineOf(state, due)
		return nil
	})
	return found, err
}

// postgresOrderLast finds the last delivery in the line of each key.
const postgresOrderLast = `SELECT k.webhook_id, k.order_key, d.state, d.due_at
	FROM unnest($1::bytea[], $2::text[]) AS k (webhook_id, order_key), LATERAL (
		SELECT state, due_at FROM deliveries
		WHERE state < 10 AND webhook_id = k.webhook_id AND order_key = k.order_key COLLATE "C"
		ORDER BY state DESC, due_at DESC LIMIT 1) AS d`

// postgresOrderPromote makes the first of each key's line its head, unless it is that already.
const postgresOrderPromote = `UPDATE deliveries AS d SET state = 1, due_at = least(d.due_at, f.now)
	FROM (SELECT p.workspace_id, p.id, k.now
		FROM unnest($1::bytea[], $2::text[], $3::bigint[]) AS k (webhook_id, order_key, now), LATERAL (
			SELECT workspace_id, id, state FROM deliveries
			WHERE state < 10 AND webhook_id = k.webhook_id AND order_key = k.order_key COLLATE "C"
			ORDER BY state, due_at LIMIT 1) AS p
		WHERE p.state = 4) AS f
	WHERE d.workspace_id = f.workspace_id AND d.id = f.id AND d.state = 4
	RETURNING d.webhook_id, d.order_key`

// queuePromotions lets the next of each order key go whose head has ended. Where the result of an end is lost there is another
// head, and nothing happens.
func queuePromotions(batch *pgx.Batch, fins []*postroom.Finish) {
	byKey := map[orderKey][]*postroom.Finish{} // one at most of a key is not lost
	var keys []orderKey
	var nows []int64
	for _, f := range fins {
		f.Next = false
		k, ends := frees(f)
		if !ends {
			continue
		}
		if byKey[k] == nil {
			keys, nows = append(keys, k), append(nows, finishValues(f).place())
		}
		byKey[k] = append(byKey[k], f)
	}
	if len(keys) == 0 {
		return
	}
	webhooks, texts := keyColumns(keys)
	batch.Queue(postgresOrderPromote, webhooks, texts, nows).Query(func(rows pgx.Rows) error {
		var k orderKey
		_, err := pgx.ForEachRow(rows, []any{&k.webhook, &k.key}, func() error {
			for _, f := range byKey[k] {
				f.Next = true
			}
			return nil
		})
		return err
	})
}

// promote makes the first of each key's line its head, where there is none, and says how often.
func (s *postgresStore) promote(ctx context.Context, keys []orderKey, now time.Time) (n int64, err error) {
	nows := make([]int64, len(keys))
	for i := range nows {
		nows[i] = micros(now)
	}
	webhooks, texts := keyColumns(keys)
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			batch := &pgx.Batch{}
			queueOrderLocks(batch, keys)
			batch.Queue(postgresOrderPromote, webhooks, texts, nows).Exec(func(tag pgconn.CommandTag) error {
				n = tag.RowsAffected()
				return nil
			})
			return send(ctx, tx, batch)
		})
		if err == nil || !passing(err) || try == maxTries {
			return n, err
		}
		backOff(try)
	}
}
