package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type eventsCmd struct {
	Send   eventSendCmd   `cmd:"" help:"Publish an event, or many."`
	List   eventListCmd   `cmd:"" help:"List events."`
	Get    eventGetCmd    `cmd:"" help:"Show an event with its deliveries."`
	Tail   eventTailCmd   `cmd:"" help:"Follow events as they are published."`
	Replay eventReplayCmd `cmd:"" help:"Deliver an event again."`
}

// eventArg names an event.
type eventArg struct {
	Event string `arg:"" help:"The event's id: the publisher's own, or evt_…."`
}

type eventListCmd struct {
	Type     string `placeholder:"TYPE" help:"Only events of this type: a name, or a group such as email.*."`
	After    string `placeholder:"TIME" help:"Only events published at this time or later: a time, a date, or how long ago, such as 24h."`
	Before   string `placeholder:"TIME" help:"Only events published before this time."`
	Contact  string `placeholder:"WHO" help:"Only events of this contact: an email address, or the id, uid or phone of a contact without one."`
	Campaign string `placeholder:"ID" help:"Only events of this campaign."`
	Query    string `name:"query" short:"q" placeholder:"TEXT" help:"Only events whose data contains this text."`
	listFlags
}

// Help is shown by `postroom events list --help`.
func (eventListCmd) Help() string {
	return `Newest first.

    postroom events list --type 'email.*' --after 2h
    postroom events list --contact ada@example.com`
}

// Run lists events.
func (cmd eventListCmd) Run(s *session) error {
	if err := cmd.check(); err != nil {
		return err
	}
	f := postroom.EventFilter{Type: cmd.Type, Contact: cmd.Contact, Campaign: cmd.Campaign, Text: cmd.Query}
	var err error
	if f.After, err = s.moment("--after", cmd.After); err != nil {
		return err
	}
	if f.Before, err = s.moment("--before", cmd.Before); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	list, more, err := collect(s.ctx, cmd.Limit, func(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.EventResource], error) {
		return c.EventPage(ctx, f, q)
	})
	if err != nil {
		return err
	}
	t := newTable("ID", "TIME", "TYPE", "DATA")
	t.cut = true
	return showList(s, list, more, "There are no such events.", t, func(p *screen, e postroom.EventResource) {
		t.row(val(e.ID), val(p.time(e.Time.Time)), val(e.Type), val(oneLine(e.Data)))
	})
}

// oneLine is JSON on one line.
func oneLine(raw json.RawMessage) string {
	text, err := encodeJSON(raw, "")
	if err != nil {
		return string(raw)
	}
	return strings.TrimSuffix(string(text), "\n")
}

type eventGetCmd struct{ eventArg }

// Run shows an event.
func (cmd eventGetCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	e, err := c.Event(s.ctx, cmd.Event)
	if err != nil {
		return err
	}
	return s.show(e, func(p *screen) { p.event(e) })
}

func (p *screen) event(e postroom.EventResource) {
	p.fields(
		field{label: "ID", value: val(e.ID)},
		field{label: "Type", value: val(e.Type)},
		field{label: "Time", value: val(p.time(e.Time.Time))},
		field{label: "Published", value: val(p.time(e.PublishedAt.Time))},
		field{label: "Actor", value: val(e.Actor)},
		field{label: "Ordering key", value: val(e.OrderingKey)},
		field{label: "Data", value: val(indented(e.Data))},
	)
	p.printf("\n")
	if len(e.Deliveries) == 0 {
		p.printf("No webhook subscribed to it.\n")
		return
	}
	p.deliveries(e.Deliveries)
}

// deliveries is a table of deliveries of one event.
func (p *screen) deliveries(list []postroom.DeliveryResource) {
	t := newTable("DELIVERY", "WEBHOOK", "STATUS", "TRIES", "ANSWER")
	for _, d := range list {
		t.row(val(d.ID.String()), val(d.WebhookID.String()), deliveryStatus(d.Status), val(fmt.Sprint(d.AttemptCount)), val(lastAnswer(d)))
	}
	p.table(t)
}

type eventReplayCmd struct {
	eventArg
	Webhook []string `placeholder:"ID" help:"Webhooks that get the event again, by id or uid; by default all that match it now."`
	Preview bool     `help:"Only say which webhooks would get it."`
}

// Help is shown by "postroom events replay --help".
func (eventReplayCmd) Help() string {
	return `The event keeps its id, so that receivers can tell it from a new one.

    postroom events replay order-17 --webhook crm-sync`
}

// Run replays the event.
func (cmd eventReplayCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	if cmd.Preview {
		webhooks, err := c.PreviewEventReplay(s.ctx, cmd.Event, cmd.Webhook...)
		if err != nil {
			return err
		}
		return s.show(map[string]any{"webhooks": webhooks}, func(p *screen) {
			p.printf("Event %s would be delivered to %s.\n", cmd.Event, plural(len(webhooks), "webhook", "webhooks"))
			for _, w := range webhooks {
				p.printf("  %s\n", w)
			}
		})
	}
	made, err := c.ReplayEvent(s.ctx, cmd.Event, cmd.Webhook...)
	if err != nil {
		return err
	}
	if made == nil {
		made = []postroom.DeliveryResource{}
	}
	return s.show(made, func(p *screen) {
		p.done("Event %s is delivered again: %s", cmd.Event, plural(len(made), "delivery", "deliveries"))
		if len(made) > 0 {
			p.deliveries(made)
		}
	})
}

type eventTailCmd struct {
	Type []string `placeholder:"TYPES" help:"Only these types, such as email.*,order.paid."`
}

// Help is shown by "postroom events tail --help".
func (eventTailCmd) Help() string {
	return `It ends with Ctrl-C. Piped, each event is a line of JSON.

    postroom events tail --type 'email.*'
    postroom events tail | jq -r .data.contact.email`
}

// Run follows events until it is interrupted.
func (cmd eventTailCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	in := client.TailInput{Types: cmd.Type, Lost: s.lost}
	for e, err := range c.Tail(s.ctx, in) {
		if s.ctx.Err() != nil {
			return nil // interrupted, which is how it ends
		}
		if err != nil {
			return err
		}
		err := s.line(e, func(p *screen) {
			line := fmt.Sprintf("%s  %s  %s  ", p.time(e.Time.Time), e.Type, e.ID)
			data := oneLine(e.Data)
			if p.width > 0 {
				data = cut(data, max(p.width-len([]rune(line)), 12))
			}
			p.printf("%s%s\n", clean(line), p.paint(dim, clean(data)))
		})
		if err != nil {
			return err
		}
	}
	return nil
}
