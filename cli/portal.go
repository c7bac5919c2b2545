package cli

import (
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type portalCmd struct {
	Link     portalLinkCmd     `cmd:"" help:"Make a link with which a customer manages their webhooks."`
	EndLinks portalEndLinksCmd `cmd:"" help:"End all links that were made until now."`
}

type portalLinkCmd struct {
	Customer  string        `required:"" placeholder:"NAME" help:"Your short name of the customer: the customer of webhooks."`
	ExpiresIn time.Duration `default:"1h" placeholder:"DURATION" help:"How long the link works, 1m to 24h."`
}

// Help is shown by `postroom portal link --help`.
func (portalLinkCmd) Help() string {
	return `Whoever has the link manages the webhooks of that customer, and nothing else, until it ends.

    postroom portal link --customer acme --expires-in 8h`
}

// Run makes the link.
func (cmd portalLinkCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	link, err := c.CreatePortalLink(s.ctx, client.PortalLinkInput{Customer: cmd.Customer, ExpiresIn: postroom.Duration(cmd.ExpiresIn)})
	if err != nil {
		return err
	}
	return s.show(link, func(p *screen) {
		p.done("Link made")
		p.fields(field{label: "Customer", value: val(cmd.Customer)}, field{label: "Expires", value: val(p.time(link.ExpiresAt.Time))}, field{label: "Link", value: val(link.URL)})
	})
}

type portalEndLinksCmd struct {
	Force bool `short:"f" help:"End them without asking."`
}

// Run ends the links.
func (cmd portalEndLinksCmd) Run(s *session) error {
	if err := s.askable(cmd.Force); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	if err := s.confirm(cmd.Force, "End all links to the portal? Whoever uses one now is shut out at once."); err != nil {
		return err
	}
	if err := c.EndPortalLinks(s.ctx); err != nil {
		return err
	}
	return s.show(struct {
		Ended bool `json:"ended"`
	}{true}, func(p *screen) { p.done("Links ended") })
}
