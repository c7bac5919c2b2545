package store

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// auditLife is how long the audit is kept.
const auditLife = 365 * 24 * time.Hour

// writeAudit stores entries of the audit.
func writeAudit(ctx context.Context, q querier, entries []postroom.AuditEntry) error {
	rows := make([][]any, len(entries))
	for i, e := range entries {
		var detail any
		if e.Detail != nil {
			detail = []byte(e.Detail)
		}
		rows[i] = []any{e.ID, e.WorkspaceID, micros(e.At.Time), e.KeyID, e.MemberID, e.Action, e.Subject, detail}
	}
	_, err := q.execRows(ctx, "audit_insert", rows)
	return err
}

// Audit lists up to limit entries of a workspace's audit that are older than the cursor, newest first; or, when the cursor asks for newer
// ones, those, oldest first.
func (s *Store) Audit(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int) (all []postroom.AuditEntry, err error) {
	name, from := pageText("audit_older", "audit_newer", cursor)
	err = s.read(ctx, func(q querier) error {
		all = nil
		return q.each(ctx, name, func(row func(...any) error) error {
			e := postroom.AuditEntry{WorkspaceID: workspace}
			var at int64
			var key postroom.KeyID
			var member postroom.MemberID
			var detail []byte
			if err := row(&e.ID, &at, &key, &member, &e.Action, &e.Subject, &detail); err != nil {
				return err
			}
			e.At.Time, e.KeyID, e.MemberID, e.Detail = fromMicros(at), some(key), some(member), detail
			all = append(all, e)
			return nil
		}, workspace, from[:], limit)
	})
	return all, err
}

// pageText chooses the text of a page, and gives the place at which it begins.
func pageText(older, newer string, cursor *postroom.Cursor) (name string, from place) {
	if cursor == nil {
		return older, place{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	if cursor.Newer {
		return newer, cursor.ID
	}
	return older, cursor.ID
}
