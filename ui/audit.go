package ui

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// auditApp is what the audit log needs of the application.
type auditApp interface {
	Audit(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.AuditEntry], error)
}

func auditRoutes() []route {
	return []route{get("/settings/audit", postroom.RoleViewer, auditPage)}
}

type auditData struct {
	postroom.Page[postroom.AuditEntry]
	names map[string]string // of members and keys, by id
}

// Who is the name of who did something.
func (d auditData) Who(e postroom.AuditEntry) string {
	id := ""
	switch {
	case e.MemberID != nil:
		id = e.MemberID.String()
	case e.KeyID != nil:
		id = e.KeyID.String()
	}
	return nameOr(d.names[id], id) // whoever is gone has no name any more
}

func auditPage(c *call) error {
	entries, err := c.app.Audit(c.Context(), c.in.Caller, c.pageQuery())
	if err != nil {
		return err
	}
	members, err := c.app.WorkspaceMembers(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	keys, err := c.app.Keys(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, m := range members {
		names[m.ID.String()] = nameOr(m.Name, m.Email)
	}
	for _, k := range keys {
		names[k.ID.String()] = "Key " + k.Name
	}
	p := settingsPage(c, "audit/list", "Audit log")
	p.Data = auditData{entries, names}
	return c.render(p)
}
