package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/postroom/postroom"
)

// AddMember stores a member, and the person whose email it has unless there is one, and gives the member as stored. CodeConflict means
// that the person is a member already.
func (s *Store) AddMember(ctx context.Context, p postroom.Person, m postroom.Member) (added postroom.Member, err error) {
	err = s.write(ctx, func(q querier) error {
		added = m
		if _, err := q.exec(ctx, "person_insert", p.ID, p.Email, postroom.Fold(p.Email), p.Password, boolInt(p.Operator), micros(m.CreatedAt.Time)); err != nil {
			return err
		}
		var operator bool
		if err := q.one(ctx, "person_by_email", []any{&added.PersonID, &added.Email, new(string), &operator}, postroom.Fold(p.Email)); err != nil {
			return err
		}
		n, err := q.exec(ctx, "member_insert", m.ID, m.WorkspaceID, added.PersonID, m.Name, m.Phone, string(m.Role), triggers(m), string(m.Status), micros(m.CreatedAt.Time))
		if err == nil && n == 0 {
			return postroom.Invalid(postroom.CodeConflict, "/email", "this person is a member of the workspace already")
		}
		return err
	})
	return added, err
}

func triggers(m postroom.Member) []byte {
	if m.MayTrigger == nil {
		return []byte("[]")
	}
	b, _ := json.Marshal(m.MayTrigger) // of texts: it cannot fail
	return b
}

// Members lists a workspace's members, from old to new.
func (s *Store) Members(ctx context.Context, workspace postroom.WorkspaceID) ([]postroom.Member, error) {
	return s.members(ctx, "member_list", workspace)
}

// Member finds a member of a workspace.
func (s *Store) Member(ctx context.Context, workspace postroom.WorkspaceID, id postroom.MemberID) (postroom.Member, error) {
	return s.oneMember(ctx, "member_get", id.String(), workspace, id)
}

// MemberByEmail finds a member of a workspace by email.
func (s *Store) MemberByEmail(ctx context.Context, workspace postroom.WorkspaceID, email string) (postroom.Member, error) {
	return s.oneMember(ctx, "member_by_email", email, workspace, postroom.Fold(email))
}

func (s *Store) oneMember(ctx context.Context, name, ref string, args ...any) (m postroom.Member, err error) {
	all, err := s.members(ctx, name, args...)
	if err == nil && len(all) == 0 {
		err = errNoRow
	}
	if err != nil {
		return m, notFound(err, "member", ref)
	}
	return all[0], nil
}

func (s *Store) members(ctx context.Context, name string, args ...any) (all []postroom.Member, err error) {
	err = s.read(ctx, func(q querier) error {
		all, err = membersIn(ctx, q, name, args...)
		return err
	})
	return all, err
}

func membersIn(ctx context.Context, q querier, name string, args ...any) ([]postroom.Member, error) {
	all := []postroom.Member{}
	err := q.each(ctx, name, func(row func(...any) error) error {
		m, err := scanMember(row)
		all = append(all, m)
		return err
	}, args...)
	return all, err
}

func scanMember(row func(...any) error, more ...any) (m postroom.Member, err error) {
	var created, updated int64
	var triggers []byte
	dest := append([]any{&m.ID, &m.WorkspaceID, &m.PersonID, &m.Email, &m.Name, &m.Phone, &m.Role, &triggers, &m.Status, &created, &updated}, more...)
	if err := row(dest...); err != nil {
		return m, err
	}
	m.CreatedAt.Time, m.UpdatedAt.Time = fromMicros(created), fromMicros(updated)
	return m, json.Unmarshal(triggers, &m.MayTrigger)
}

// Places lists the workspaces in which a person is a member, the oldest first.
func (s *Store) Places(ctx context.Context, person postroom.PersonID) ([]postroom.Place, error) {
	all := []postroom.Place{}
	err := s.read(ctx, func(q querier) error {
		all = all[:0]
		return q.each(ctx, "member_places", func(row func(...any) error) error {
			var p postroom.Place
			m, err := scanMember(row, &p.Workspace)
			p.Member = m
			all = append(all, p)
			return err
		}, person)
	})
	return all, err
}

var errLastAdmin = &postroom.Error{Code: postroom.CodeConflict, Message: "This is the last administrator of the workspace: make somebody else one first."}

// UpdateMember changes a member as change says. The last administrator stays one.
func (s *Store) UpdateMember(ctx context.Context, workspace postroom.WorkspaceID, id postroom.MemberID, now time.Time, change func(*postroom.Member) error) (m postroom.Member, err error) {
	err = s.changeMember(ctx, workspace, id, func(q querier, before postroom.Member) error {
		m = before
		if err := change(&m); err != nil {
			return err
		}
		if m.Role != postroom.RoleAdmin {
			if err := keepAdmin(ctx, q, before); err != nil {
				return err
			}
		}
		m.UpdatedAt.Time = fromMicros(micros(now))
		_, err := q.exec(ctx, "member_update", workspace, id, m.Name, m.Phone, string(m.Role), triggers(m), micros(now))
		return err
	})
	return m, err
}

// DeleteMember removes a member, who is signed out of the workspace. The last administrator stays. Who is nobody's member any more is
// forgotten.
func (s *Store) DeleteMember(ctx context.Context, workspace postroom.WorkspaceID, id postroom.MemberID) error {
	return s.changeMember(ctx, workspace, id, func(q querier, m postroom.Member) error {
		if err := keepAdmin(ctx, q, m); err != nil {
			return err
		}
		for _, step := range []struct {
			name string
			args []any
		}{
			{"session_delete_member", []any{m.PersonID, workspace}}, {"link_delete_member", []any{workspace, id}},
			{"member_delete", []any{workspace, id}}, {"person_delete_gone", []any{m.PersonID}},
		} {
			if _, err := q.exec(ctx, step.name, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) changeMember(ctx context.Context, workspace postroom.WorkspaceID, id postroom.MemberID, change func(q querier, m postroom.Member) error) error {
	return s.write(ctx, func(q querier) error {
		if _, err := q.exec(ctx, "workspace_lock", workspace); err != nil {
			return err
		}
		found, err := membersIn(ctx, q, "member_get", workspace, id)
		if err == nil && len(found) == 0 {
			err = errNoRow
		}
		if err != nil {
			return notFound(err, "member", id.String())
		}
		return change(q, found[0])
	})
}

// keepAdmin refuses a change after which nobody would administer the workspace.
func keepAdmin(ctx context.Context, q querier, m postroom.Member) error {
	if m.Role != postroom.RoleAdmin || m.Status != postroom.MemberActive {
		return nil
	}
	var others int64
	if err := q.one(ctx, "member_other_admins", []any{&others}, m.WorkspaceID, m.ID); err != nil {
		return err
	}
	if others == 0 {
		return errLastAdmin
	}
	return nil
}

// AcceptMember notes that a member has accepted the invitation.
func (s *Store) AcceptMember(ctx context.Context, workspace postroom.WorkspaceID, id postroom.MemberID, now time.Time) error {
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "member_accept", workspace, id, micros(now))
		return err
	})
}
