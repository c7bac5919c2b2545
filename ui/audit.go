package ui

import (
	"strings"

	"github.com/postroom/postroom"
)

// auditLine is an entry of the audit log, with the name of who it was.
type auditLine struct {
	postroom.AuditEntry
	Who, Link string
}

// What was done, in words: source.token_regenerated is "source token regenerated".
func (l auditLine) What() string { return strings.NewReplacer(".", " ", "_", " ").Replace(l.Action) }

// auditPage lists what people and programs did. Names are looked up once for the page: members and keys are few.
func auditPage(c *call) error {
	found, err := c.app.Audit(c.Context(), c.in.Caller, c.pageQuery())
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
		names[k.ID.String()] = "key " + k.Name
	}
	shown := postroom.Page[auditLine]{NextCursor: found.NextCursor, PrevCursor: found.PrevCursor}
	for _, e := range found.Data {
		line := auditLine{AuditEntry: e, Link: subjectPath(e.Subject)}
		switch {
		case e.MemberID != nil:
			line.Who = nameOr(names[e.MemberID.String()], e.MemberID.String())
		case e.KeyID != nil:
			line.Who = nameOr(names[e.KeyID.String()], e.KeyID.String())
		}
		shown.Data = append(shown.Data, line)
	}
	p := settingsPage(c, "settings/audit", "Audit log")
	p.Data = shown
	return c.render(p)
}

// subjectPath is the page of what something was done to; empty where there is none.
func subjectPath(id string) string {
	for prefix, path := range map[string]string{"whk_": "/webhooks/", "src_": "/sources/", "con_": "/contacts/", "lst_": "/lists/", "imp_": "/contacts/imports/"} {
		if strings.HasPrefix(id, prefix) {
			return path + id
		}
	}
	return ""
}
