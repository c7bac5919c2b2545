package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/postroom/postroom"
)

// CreateImport stores an import that begins.
func (s *Store) CreateImport(ctx context.Context, i postroom.Import) error {
	problems, ended, err := importValues(i)
	if err != nil {
		return err
	}
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "import_insert", i.ID, i.WorkspaceID, string(i.State), i.Rows, i.Created, i.Updated, i.Unchanged, i.Refused, problems, i.Reason,
			micros(i.CreatedAt.Time), micros(i.UpdatedAt.Time), ended)
		return err
	})
}

// UpdateImport stores how far an import has come.
func (s *Store) UpdateImport(ctx context.Context, i postroom.Import) error {
	problems, ended, err := importValues(i)
	if err != nil {
		return err
	}
	return s.write(ctx, func(q querier) error {
		return touched(q.exec(ctx, "import_update", i.WorkspaceID, i.ID, string(i.State), i.Rows, i.Created, i.Updated, i.Unchanged, i.Refused, problems, i.Reason,
			micros(i.UpdatedAt.Time), ended))("import", i.ID.String())
	})
}

func importValues(i postroom.Import) (problems, ended any, err error) {
	if len(i.Problems) > 0 {
		list, err := json.Marshal(i.Problems)
		if err != nil {
			return nil, nil, err
		}
		problems = list
	}
	if i.EndedAt != nil {
		ended = micros(i.EndedAt.Time)
	}
	return problems, ended, nil
}

// Import finds an import of a workspace, with the rows that were refused.
func (s *Store) Import(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ImportID) (postroom.Import, error) {
	found, err := s.imports(ctx, "import_get", workspace, id)
	if err == nil && len(found) == 0 {
		err = errNoRow
	}
	if err != nil {
		return postroom.Import{}, notFound(err, "import", id.String())
	}
	return found[0], nil
}

// Imports lists up to limit imports of a workspace that are older than the cursor, newest first; or, when the cursor asks for newer ones,
// those, oldest first. The rows that were refused are left out.
func (s *Store) Imports(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int) ([]postroom.Import, error) {
	name, from := pageText("import_older", "import_newer", cursor)
	return s.imports(ctx, name, workspace, from[:], limit)
}

func (s *Store) imports(ctx context.Context, name string, args ...any) (all []postroom.Import, err error) {
	err = s.read(ctx, func(q querier) error {
		all = nil
		return q.each(ctx, name, func(row func(...any) error) error {
			i := postroom.Import{Problems: []postroom.BadRow{}}
			var problems []byte
			var created, updated int64
			var ended *int64
			if err := row(&i.ID, &i.WorkspaceID, &i.State, &i.Rows, &i.Created, &i.Updated, &i.Unchanged, &i.Refused, &problems, &i.Reason, &created, &updated, &ended); err != nil {
				return err
			}
			i.CreatedAt.Time, i.UpdatedAt.Time, i.EndedAt = fromMicros(created), fromMicros(updated), timestamp(ended)
			if problems != nil {
				if err := json.Unmarshal(problems, &i.Problems); err != nil {
					return fmt.Errorf("the refused rows of import %s cannot be read: %w", i.ID, err)
				}
			}
			all = append(all, i)
			return nil
		}, args...)
	})
	return all, err
}
