package cli

import (
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type membersCmd struct {
	Invite memberInviteCmd `cmd:"" help:"Invite a person, with a link to sign in with."`
	List   memberListCmd   `cmd:"" help:"List members."`
	Update memberUpdateCmd `cmd:"" help:"Change a member."`
	Remove memberRemoveCmd `cmd:"" help:"Remove a member, who is signed out at once."`
	Link   memberLinkCmd   `cmd:"" help:"Make a new sign-in link, for who has lost the last one or the password."`
}

type memberInviteCmd struct {
	Email   string   `arg:"" help:"The person's email address."`
	Role    string   `required:"" enum:"viewer,publisher,admin" placeholder:"ROLE" help:"What the member may do: viewer (read), publisher (and publish) or admin (and change everything)."`
	Name    string   `short:"n" placeholder:"TEXT" help:"Name, for people."`
	Phone   string   `placeholder:"NUMBER" help:"Phone number, with the country code."`
	Trigger []string `placeholder:"ID" help:"Webhooks and sources that the member may test, retry and resend without being an administrator; * for all."`
}

// Help is shown by `postroom members invite --help`.
func (memberInviteCmd) Help() string {
	return `The link is shown this once, and is not mailed. It works once, within three days.

    postroom members invite ada@example.com --role publisher -n "Ada Lovelace"`
}

// Run invites the person.
func (cmd memberInviteCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	m, err := c.InviteMember(s.ctx, client.MemberInput{Email: cmd.Email, Name: cmd.Name, Phone: cmd.Phone, Role: postroom.Role(cmd.Role), MayTrigger: cmd.Trigger})
	if err != nil {
		return err
	}
	return s.show(m, func(p *screen) {
		p.done("Member invited")
		p.fields(append(memberFields(m.Member), linkFields(p, m)...)...)
	})
}

func memberFields(m postroom.Member) []field {
	triggers := "-"
	if len(m.MayTrigger) > 0 {
		triggers = strings.Join(m.MayTrigger, ", ")
	}
	return []field{
		{label: "ID", value: val(m.ID.String())},
		{label: "Email", value: val(m.Email)},
		{label: "Name", value: val(m.Name)},
		{label: "Phone", value: val(m.Phone)},
		{label: "Role", value: val(string(m.Role))},
		{label: "Triggers", value: val(triggers)},
		{label: "Status", value: val(string(m.Status))},
	}
}

func linkFields(p *screen, m client.LinkedMember) []field {
	return []field{{label: "Expires", value: val(p.time(m.LinkExpiresAt.Time))}, {"Link", val(m.Link), "shown once"}}
}

type memberListCmd struct{}

// Run lists the members.
func (memberListCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	list, err := c.WorkspaceMembers(s.ctx)
	if err != nil {
		return err
	}
	t := newTable("ID", "EMAIL", "NAME", "ROLE", "STATUS", "SINCE")
	return showList(s, list, false, "There are no members.", t, func(p *screen, m postroom.Member) {
		t.row(val(m.ID.String()), val(m.Email), val(m.Name), val(string(m.Role)), val(string(m.Status)), val(p.time(m.CreatedAt.Time)))
	})
}

type memberUpdateCmd struct {
	Member  string    `arg:"" help:"The member's email or id (mem_…)."`
	Role    *string   `enum:"viewer,publisher,admin" placeholder:"ROLE" help:"What the member may do."`
	Name    *string   `short:"n" placeholder:"TEXT" help:"Name, for people."`
	Phone   *string   `placeholder:"NUMBER" help:"Phone number, with the country code; empty for none."`
	Trigger *[]string `placeholder:"ID" help:"Webhooks and sources that the member may test, retry and resend without being an administrator; * for all, empty for none."`
}

// Run changes the member.
func (cmd memberUpdateCmd) Run(s *session) error {
	in := client.MemberPatch{Name: cmd.Name, Phone: cmd.Phone, MayTrigger: cmd.Trigger}
	if cmd.Role != nil {
		role := postroom.Role(*cmd.Role)
		in.Role = &role
	}
	if in == (client.MemberPatch{}) {
		return usagef("nothing to change")
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	m, err := c.UpdateMember(s.ctx, cmd.Member, in)
	if err != nil {
		return err
	}
	return s.show(m, func(p *screen) {
		p.done("Member changed")
		p.fields(memberFields(m)...)
	})
}

type memberRemoveCmd struct {
	Member string `arg:"" help:"The member's email or id (mem_…)."`
	Force  bool   `short:"f" help:"Remove without asking."`
}

// Run removes the member.
func (cmd memberRemoveCmd) Run(s *session) error {
	if err := s.askable(cmd.Force); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	m, err := c.Member(s.ctx, cmd.Member)
	if err != nil {
		return err
	}
	if err := s.confirm(cmd.Force, "Remove member %s? They are signed out at once.", named(m.ID.String(), m.Email)); err != nil {
		return err
	}
	if err := c.DeleteMember(s.ctx, m.ID.String()); err != nil {
		return err
	}
	return s.showDeleted("Member", m.ID.String())
}

type memberLinkCmd struct {
	Member string `arg:"" help:"The member's email or id (mem_…)."`
}

// Help is shown by `postroom members link --help`.
func (memberLinkCmd) Help() string {
	return `The link works once, within three days; earlier ones stop working. The first administrator's email is admin@localhost until they have
signed in. Who has lost the API key too starts the server with POSTROOM_ADMIN_KEY, which adds that one.

    postroom members link admin@localhost`
}

// Run makes the link.
func (cmd memberLinkCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	m, err := c.LinkMember(s.ctx, cmd.Member)
	if err != nil {
		return err
	}
	return s.show(m, func(p *screen) {
		p.done("Sign-in link made")
		p.fields(append([]field{{label: "Email", value: val(m.Email)}}, linkFields(p, m)...)...)
	})
}
