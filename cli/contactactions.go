package cli

import (
	"context"

	"github.com/postroom/postroom"
)

type contactTagCmd struct {
	contactArg
	Tags []string `arg:"" help:"The tags."`
}

// Run gives the tags.
func (cmd contactTagCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	set, err := c.TagContact(s.ctx, cmd.Contact, cmd.Tags, nil)
	return s.showContact(set, err, "Contact tagged")
}

type contactUntagCmd struct {
	contactArg
	Tags []string `arg:"" help:"The tags."`
}

// Run takes the tags.
func (cmd contactUntagCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	set, err := c.TagContact(s.ctx, cmd.Contact, nil, cmd.Tags)
	return s.showContact(set, err, "Contact untagged")
}

// memberArgs name a contact and a list.
type memberArgs struct {
	contactArg
	List string `arg:"" help:"The list's id (lst_…), name or uid."`
}

type contactSubscribeCmd struct {
	memberArgs
	DoubleOptIn bool `help:"The contact has yet to confirm that."`
}

// Help is shown by `postroom contacts subscribe --help`.
func (contactSubscribeCmd) Help() string {
	return `
    postroom contacts subscribe ada@example.com Newsletter --double-opt-in
    postroom contacts confirm ada@example.com Newsletter`
}

// Run puts the contact on the list.
func (cmd contactSubscribeCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	members, err := c.AddMembers(s.ctx, cmd.List, []string{cmd.Contact}, cmd.DoubleOptIn)
	if err != nil || len(members) == 0 {
		return err
	}
	return s.showContact(members[0], nil, "Contact subscribed")
}

type contactConfirmCmd struct{ memberArgs }

// Run confirms the membership.
func (cmd contactConfirmCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	set, err := c.ConfirmMember(s.ctx, cmd.List, cmd.Contact)
	return s.showContact(set, err, "Membership confirmed")
}

type contactUnsubscribeCmd struct{ memberArgs }

// Run takes the contact off the list.
func (cmd contactUnsubscribeCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	set, err := c.RemoveMember(s.ctx, cmd.List, cmd.Contact)
	return s.showContact(set, err, "Contact unsubscribed")
}

type contactHistoryCmd struct{ contactArg }

// Run shows the history.
func (cmd contactHistoryCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	list, err := c.Consents(s.ctx, cmd.Contact)
	if err != nil {
		return err
	}
	if list == nil {
		list = []postroom.Consent{}
	}
	t := newTable("AT", "OF", "FROM", "TO", "BY", "WITH")
	return showList(s, list, false, "There is no history.", t, func(p *screen, e postroom.Consent) {
		of, from, with := "the contact", e.From, e.IP
		if e.ListID != nil {
			of = e.ListID.String()
		}
		if from == "" {
			from = "-"
		}
		switch {
		case e.RequestID != nil:
			with = e.RequestID.String()
		case e.KeyID != nil:
			with = e.KeyID.String()
		}
		t.row(val(p.time(e.At.Time)), val(of), val(from), val(e.To), val(string(e.Origin)), val(with))
	})
}

type contactEventsCmd struct {
	contactArg
	listFlags
}

// Run lists the events.
func (cmd contactEventsCmd) Run(s *session) error {
	if err := cmd.check(); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	list, more, err := collect(s.ctx, cmd.Limit, func(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.EventResource], error) {
		return c.ContactEventPage(ctx, cmd.Contact, q)
	})
	if err != nil {
		return err
	}
	t := newTable("ID", "PUBLISHED", "TYPE")
	return showList(s, list, more, "There are no events.", t, func(p *screen, e postroom.EventResource) {
		t.row(val(e.ID), val(p.time(e.PublishedAt.Time)), val(e.Type))
	})
}
