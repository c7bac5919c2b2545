package store

import (
	"bytes"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom"
)

// A connection that breaks while COMMIT is under way leaves open whether the results in it are stored. Whoever had them
// stored tries again, and by then it can be known: the log has their attempts, or not.

// doubt notes that a commit of these results may have succeeded.
func doubt(fins []*postroom.Finish) {
	for _, f := range fins {
		f.Doubtful = true
	}
}

// unstored leaves out the results that an earlier commit has stored: counted twice, statistics would be wrong. What was
// known of them before that commit, such as whether they were lost, holds.
func unstored(ctx context.Context, tx pgx.Tx, fins []*postroom.Finish) ([]*postroom.Finish, error) {
	var workspaces, ids [][]byte
	for _, f := range fins {
		if f.Doubtful && f.Attempt != nil {
			workspaces, ids = append(workspaces, f.Job.Event.WorkspaceID[:]), append(ids, f.Job.DeliveryID[:])
		}
	}
	if len(ids) == 0 {
		return fins, nil
	}
	// The earlier transaction may still be under way; it holds locks on what it changed.
	if _, err := tx.Exec(ctx, `SELECT 1 FROM deliveries WHERE (workspace_id, id) IN (SELECT * FROM unnest($1::bytea[], $2::bytea[]))
		ORDER BY id FOR UPDATE`, workspaces, ids); err != nil {
		return nil, err
	}
	type lease struct {
		delivery postroom.DeliveryID
		claim    int
	}
	stored := map[lease]bool{}
	rows, err := tx.Query(ctx, `SELECT delivery_id, claim FROM attempts WHERE delivery_id = ANY($1::bytea[]) AND delivery_id >= $2 AND delivery_id <= $3`,
		ids, slices.MinFunc(ids, bytes.Compare), slices.MaxFunc(ids, bytes.Compare))
	if err != nil {
		return nil, err
	}
	var l lease
	if _, err := pgx.ForEachRow(rows, []any{&l.delivery, &l.claim}, func() error {
		stored[l] = true
		return nil
	}); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(fins), func(f *postroom.Finish) bool {
		return f.Doubtful && f.Attempt != nil && stored[lease{f.Job.DeliveryID, f.Job.Claim}]
	}), nil
}
