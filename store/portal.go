package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// Portal gives the settings of a workspace's portal; none of them set if there are none yet.
func (s *Store) Portal(ctx context.Context, workspace postroom.WorkspaceID) (p postroom.Portal, err error) {
	var settings []byte
	err = s.read(ctx, func(q querier) error { return q.one(ctx, "workspace_portal", []any{&settings}, workspace) })
	if err != nil || settings == nil {
		return p, notFound(err, "workspace", workspace.String())
	}
	if err := json.Unmarshal(settings, &p); err != nil {
		return p, fmt.Errorf("the settings of the portal of workspace %s cannot be read: %w", workspace, err)
	}
	return p, nil
}

// SetPortal stores the settings of a workspace's portal.
func (s *Store) SetPortal(ctx context.Context, workspace postroom.WorkspaceID, p postroom.Portal, now time.Time) error {
	settings, err := settingsJSON(p)
	if err != nil {
		return err
	}
	return s.write(ctx, func(q querier) error {
		return touched(q.exec(ctx, "workspace_set_portal", workspace, settings, micros(now)))("workspace", workspace.String())
	})
}
