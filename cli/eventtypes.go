package cli

import (
	"encoding/json"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type eventTypesCmd struct {
	List   typeListCmd   `cmd:"" help:"List event types."`
	Get    typeGetCmd    `cmd:"" help:"Show an event type with its schema and sample."`
	Create typeCreateCmd `cmd:"" help:"Declare an event type of your own."`
	Delete typeDeleteCmd `cmd:"" help:"Delete an event type of your own; its events stay."`
	Sample typeSampleCmd `cmd:"" help:"Print a whole event of a type, as it could be published."`
}

// typeArg names an event type.
type typeArg struct {
	Type string `arg:"" help:"The event type, such as email.opened."`
}

type typeListCmd struct {
	Group  string `placeholder:"GROUP" help:"Only types of this group, such as email."`
	Custom bool   `help:"Only types of your own."`
}

// Run lists the event types.
func (cmd typeListCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	types, err := c.EventTypes(s.ctx)
	if err != nil {
		return err
	}
	list := []postroom.EventType{}
	for _, t := range types {
		if (cmd.Group == "" || t.Group == cmd.Group) && (t.Custom || !cmd.Custom) {
			list = append(list, t)
		}
	}
	t := newTable("TYPE", "GROUP", "TITLE")
	return showList(s, list, false, "There are no such event types.", t, func(_ *screen, e postroom.EventType) {
		t.row(val(e.Name), val(e.Group), val(e.Title))
	})
}

type typeGetCmd struct{ typeArg }

// Run shows an event type.
func (cmd typeGetCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	t, err := c.EventType(s.ctx, cmd.Type)
	if err != nil {
		return err
	}
	return s.show(t, func(p *screen) { p.eventType(t) })
}

func (p *screen) eventType(t postroom.EventType) {
	of := "the catalogue"
	if t.Custom {
		of = "this workspace"
	}
	p.fields(
		field{label: "Type", value: val(t.Name)},
		field{label: "Group", value: val(t.Group)},
		field{label: "Title", value: val(t.Title)},
		field{label: "Description", value: val(t.Description)},
		field{label: "Declared by", value: val(of)},
		field{label: "Sample", value: val(indented(t.Sample))},
		field{label: "Schema", value: val(indented(t.Schema))},
	)
}

// indented is JSON over several lines.
func indented(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	text, err := encodeJSON(raw, "  ")
	if err != nil {
		return string(raw)
	}
	return string(text[:len(text)-1])
}

type typeCreateCmd struct {
	typeArg
	Group       string  `placeholder:"TEXT" help:"Group that it is listed under."`
	Title       string  `placeholder:"TEXT" help:"Title, for people."`
	Description string  `placeholder:"TEXT" help:"Description, for people."`
	Schema      *string `placeholder:"JSON" help:"JSON Schema of the event's data: JSON, @FILE, or - for stdin."`
	Sample      *string `placeholder:"JSON" help:"Example of the event's data: JSON, @FILE, or - for stdin."`
}

// Help is shown by `postroom event-types create --help`.
func (typeCreateCmd) Help() string {
	return `
    postroom event-types create order.paid --title "Order paid" --sample '{"order":{"id":"A-1","total":"10.00"}}'`
}

// Run declares the event type.
func (cmd typeCreateCmd) Run(s *session) error {
	in := client.EventTypeInput{Name: cmd.Type, Group: cmd.Group, Title: cmd.Title, Description: cmd.Description}
	var err error
	if cmd.Schema != nil {
		if in.Schema, err = s.jsonValue("--schema", *cmd.Schema); err != nil {
			return err
		}
	}
	if cmd.Sample != nil {
		if in.Sample, err = s.jsonValue("--sample", *cmd.Sample); err != nil {
			return err
		}
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	t, err := c.CreateEventType(s.ctx, in)
	if err != nil {
		return err
	}
	return s.show(t, func(p *screen) {
		p.done("Event type %s declared", t.Name)
	})
}

type typeDeleteCmd struct {
	typeArg
	Force bool `short:"f" help:"Delete without asking."`
}

// Run deletes the event type.
func (cmd typeDeleteCmd) Run(s *session) error {
	if err := s.askable(cmd.Force); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	if err := s.confirm(cmd.Force, "Delete event type %s? Events of it can no longer be published.", cmd.Type); err != nil {
		return err
	}
	if err := c.DeleteEventType(s.ctx, cmd.Type); err != nil {
		return err
	}
	return s.show(map[string]any{"name": cmd.Type, "deleted": true}, func(p *screen) { p.done("Event type %s deleted", cmd.Type) })
}

type typeSampleCmd struct{ typeArg }

// Help is shown by `postroom event-types sample --help`.
func (typeSampleCmd) Help() string {
	return `It is JSON also on a terminal, since that is what it is for.

    postroom event-types sample email.opened | postroom events send --ndjson -`
}

// Run prints the sample.
func (cmd typeSampleCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	sample, err := c.EventTypeSample(s.ctx, cmd.Type)
	if err != nil {
		return err
	}
	if s.format() == asYAML {
		return s.write(encodeYAML(sample))
	}
	if s.format() == asJSON && s.global.Output == nil {
		return s.write(encodeJSON(sample, "")) // a line, for what it is piped to
	}
	return s.write(encodeJSON(sample, "  "))
}
