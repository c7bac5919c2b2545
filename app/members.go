package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// MemberSettings are what administrators say of a member.
type MemberSettings struct {
	Name       string        `json:"name"`
	Phone      string        `json:"phone"`
	Role       postroom.Role `json:"role"`
	MayTrigger []string      `json:"may_trigger"`
}

// MemberInput is a member to invite.
type MemberInput struct {
	Email string `json:"email"`
	MemberSettings
}

// Link lets a member sign in once.
type Link struct {
	URL       string             `json:"link"`
	ExpiresAt postroom.Timestamp `json:"link_expires_at"`
}

const (
	linkLife        = 3 * 24 * time.Hour
	maxTriggers     = 500
	placeholderMail = "admin@localhost" // of the first administrator, until they sign in
	signInPath      = "/sign-in/"
)

// check cleans the settings, and refuses those that cannot be.
func (s *MemberSettings) check(p *postroom.Problems) {
	s.Name = strings.TrimSpace(s.Name)
	checkText(p, "/name", s.Name, maxTitle)
	if s.Phone = strings.TrimSpace(s.Phone); s.Phone != "" {
		phone, err := contacts.Phone(s.Phone)
		if err != nil {
			p.Add("/phone", "%s", err)
		}
		s.Phone = phone
	}
	if !s.Role.Valid() {
		p.Add("/role", "this is %s, %s or %s", postroom.RoleAdmin, postroom.RolePublisher, postroom.RoleViewer)
	}
	if len(s.MayTrigger) > maxTriggers {
		p.Add("/may_trigger", "these are at most %d", maxTriggers)
	}
	for _, ref := range s.MayTrigger {
		_, notWebhook := postroom.ParseID[postroom.WebhookKind](ref)
		_, notSource := postroom.ParseID[postroom.SourceKind](ref)
		if ref != postroom.AllIntegrations && notWebhook != nil && notSource != nil {
			p.Add("/may_trigger", "%s is neither the id of a webhook or a source nor %q, which stands for all", quote(ref), postroom.AllIntegrations)
			break
		}
	}
	slices.Sort(s.MayTrigger)
	if s.MayTrigger = slices.Compact(s.MayTrigger); slices.Contains(s.MayTrigger, postroom.AllIntegrations) || s.MayTrigger == nil {
		s.MayTrigger = slices.DeleteFunc(append([]string{}, s.MayTrigger...), func(ref string) bool { return ref != postroom.AllIntegrations })
	}
}

// InviteMember makes somebody a member, and gives the link with which they accept, which is not shown again. Whether they have an account
// elsewhere does not show.
func (a *App) InviteMember(ctx context.Context, who Caller, in MemberInput) (postroom.Member, Link, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Member{}, Link{}, err
	}
	var p postroom.Problems
	email, err := contacts.Email(in.Email)
	if err != nil {
		p.Add("/email", "%s", err)
	}
	in.check(&p)
	if err := p.Err(); err != nil {
		return postroom.Member{}, Link{}, err
	}
	m, err := a.addMember(ctx, who.Workspace, postroom.Person{Email: email}, in.MemberSettings)
	if err != nil {
		return m, Link{}, err
	}
	a.Log.Info("member invited", "workspace", who.Workspace, "member", m.ID, "role", m.Role, "key", who.Key, "by", who.Member)
	a.audit(ctx, who, "member.invited", m.ID.String(), map[string]string{"role": string(m.Role)})
	link, err := a.makeLink(ctx, m, operate(who) == nil)
	return m, link, err
}

func (a *App) addMember(ctx context.Context, workspace postroom.WorkspaceID, p postroom.Person, s MemberSettings) (postroom.Member, error) {
	now := a.Now()
	p.ID = postroom.Next[postroom.PersonKind](a.IDs, now)
	return a.Store.AddMember(ctx, p, postroom.Member{ID: postroom.Next[postroom.MemberKind](a.IDs, now), WorkspaceID: workspace, Name: s.Name, Phone: s.Phone,
		Role: s.Role, MayTrigger: s.MayTrigger, Status: postroom.MemberInvited, CreatedAt: stamp(now), UpdatedAt: stamp(now)})
}

func (a *App) makeLink(ctx context.Context, m postroom.Member, resets bool) (Link, error) {
	token, sum := newToken()
	now := a.Now()
	l := postroom.SignInLink{MemberID: m.ID, WorkspaceID: m.WorkspaceID, PersonID: m.PersonID, Resets: resets, CreatedAt: now, ExpiresAt: now.Add(linkLife)}
	if err := a.Store.CreateLink(ctx, l, sum); err != nil {
		return Link{}, err
	}
	return Link{URL: a.PublicURL + signInPath + token, ExpiresAt: stamp(l.ExpiresAt)}, nil
}

// LinkMember makes a new link for a member who lost the last one, or the password. Earlier ones are void.
func (a *App) LinkMember(ctx context.Context, who Caller, ref string) (postroom.Member, Link, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Member{}, Link{}, err
	}
	m, err := a.Member(ctx, who, ref)
	if err != nil {
		return m, Link{}, err
	}
	link, err := a.makeLink(ctx, m, operate(who) == nil)
	if err != nil {
		return m, link, err
	}
	a.Log.Info("sign-in link made", "workspace", who.Workspace, "member", m.ID, "key", who.Key, "by", who.Member)
	a.audit(ctx, who, "member.linked", m.ID.String(), nil)
	return m, link, nil
}

// WorkspaceMembers lists the workspace's members, from old to new.
func (a *App) WorkspaceMembers(ctx context.Context, who Caller) ([]postroom.Member, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	return a.Store.Members(ctx, who.Workspace)
}

// Member finds a member by id or email.
func (a *App) Member(ctx context.Context, who Caller, ref string) (postroom.Member, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Member{}, err
	}
	if strings.Contains(ref, "@") && !strings.ContainsRune(ref, 0) {
		return a.Store.MemberByEmail(ctx, who.Workspace, ref)
	}
	id, err := postroom.ParseID[postroom.MemberKind](ref)
	if err != nil {
		return postroom.Member{}, postroom.Errorf(postroom.CodeNotFound, "There is no member %s in this workspace.", quote(ref))
	}
	return a.Store.Member(ctx, who.Workspace, id)
}

// UpdateMember changes a member. The last administrator stays one.
func (a *App) UpdateMember(ctx context.Context, who Caller, ref string, change func(*MemberSettings) error) (postroom.Member, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Member{}, err
	}
	m, err := a.Member(ctx, who, ref)
	if err != nil {
		return m, err
	}
	before := m.Role
	m, err = a.Store.UpdateMember(ctx, who.Workspace, m.ID, a.Now(), func(m *postroom.Member) error {
		s := MemberSettings{m.Name, m.Phone, m.Role, m.MayTrigger}
		if err := change(&s); err != nil {
			return err
		}
		var p postroom.Problems
		s.check(&p)
		m.Name, m.Phone, m.Role, m.MayTrigger = s.Name, s.Phone, s.Role, s.MayTrigger
		return p.Err()
	})
	if err != nil {
		return m, err
	}
	a.Log.Info("member changed", "workspace", who.Workspace, "member", m.ID, "role", m.Role, "key", who.Key, "by", who.Member)
	var detail map[string]string
	if m.Role != before {
		detail = map[string]string{"role": string(m.Role)}
	}
	a.audit(ctx, who, "member.changed", m.ID.String(), detail)
	return m, nil
}

// DeleteMember removes a member, who is signed out of the workspace at once. The last administrator stays.
func (a *App) DeleteMember(ctx context.Context, who Caller, ref string) error {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return err
	}
	m, err := a.Member(ctx, who, ref)
	if err != nil {
		return err
	}
	if err := a.Store.DeleteMember(ctx, who.Workspace, m.ID); err != nil {
		return err
	}
	a.Log.Info("member removed", "workspace", who.Workspace, "member", m.ID, "key", who.Key, "by", who.Member)
	a.audit(ctx, who, "member.removed", m.ID.String(), nil)
	return nil
}

// mayTrigger refuses a caller who may not test, retry or resend what belongs to a webhook or a source: who is no administrator, and was not
// given it.
func mayTrigger(who Caller, id string) error {
	m := postroom.Member{Role: who.Role, MayTrigger: who.MayTrigger}
	if who.Role.Valid() && m.Triggers(id) {
		return nil
	}
	return authorise(who, postroom.RoleAdmin)
}
