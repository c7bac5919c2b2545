package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type sourceTestCmd struct {
	sourceArg
	Data    *string           `placeholder:"TEXT" xor:"call" help:"The call's body: a text, @FILE, or - for stdin."`
	Request string            `placeholder:"ID" xor:"call" help:"Try a stored request in place of a body."`
	Header  map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"Header of the call; may be repeated. Content-Type is JSON if the body is."`
	Query   string            `placeholder:"QUERY" help:"The call's query, such as utm_source=site."`
	Method  string            `placeholder:"METHOD" help:"The call's method; by default POST."`
	Mapping *string           `placeholder:"JSON" help:"Try this mapping in place of the source's own: JSON, @FILE or -."`
	Actions *string           `placeholder:"JSON" help:"Try these actions in place of the source's own: JSON, @FILE or -."`
	Store   bool              `help:"Do it: the call is taken in, though not verified."`
}

// Help is shown by `postroom sources test --help`.
func (sourceTestCmd) Help() string {
	return `It shows the events that a call is split into, and of each the fields, the contact as it would become, the actions and the events
that would be published, and errors with row, path and value. The exit status is 1 when something is wrong.

    postroom sources test signup --data '{"contact_email":"ada@example.com"}'
    postroom sources test signup --data @call.txt --header Content-Type=application/x-www-form-urlencoded
    postroom sources test signup --request req_… --mapping @new.json`
}

// Run tests the source.
func (cmd sourceTestCmd) Run(s *session) error {
	in := client.SourceTestInput{Request: cmd.Request, Headers: cmd.Header, Query: cmd.Query, Method: cmd.Method, Store: cmd.Store}
	var err error
	if cmd.Data != nil {
		if in.Body, err = s.value(*cmd.Data); err != nil {
			return err
		}
	}
	if cmd.Mapping != nil {
		if in.Mapping, err = s.jsonValue("--mapping", *cmd.Mapping); err != nil {
			return err
		}
	}
	if cmd.Actions != nil {
		if in.Actions, err = s.jsonValue("--actions", *cmd.Actions); err != nil {
			return err
		}
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	test, err := c.TestSource(s.ctx, cmd.Source, in)
	if err != nil {
		return err
	}
	if err := s.show(test, func(p *screen) { p.sourceTest(test) }); err != nil {
		return err
	}
	if test.Error != nil || slices.ContainsFunc(test.Items, func(item postroom.SourceTestItem) bool { return item.Error != nil }) {
		return errFailed
	}
	return nil
}

// sourceTest shows what a source makes of a call, beside the call.
func (p *screen) sourceTest(test postroom.SourceTest) {
	if test.Stored {
		p.done("The call is request %s", test.Request.ID)
		p.fields(field{label: "Status", value: requestStatus(test.Request.Status)}, field{label: "Event type", value: val(test.Request.EventType)})
		p.activity(test.Request.Error, test.Request.Warnings, test.Request.Actions)
		return
	}
	p.activity(test.Error, test.Warnings, nil)
	if len(test.Items) == 0 && test.Error == nil {
		p.printf("There is no event in it.\n")
	}
	for i, item := range test.Items {
		if i > 0 {
			p.printf("\n")
		}
		p.sourceTestItem(item)
	}
}

func (p *screen) sourceTestItem(item postroom.SourceTestItem) {
	kind := item.Type
	if kind == "" {
		kind = "of no known type"
	}
	if item.Name != "" && item.Name != item.Type {
		kind += " (" + item.Name + ")"
	}
	p.printf("Event %d: %s\n", item.Number, clean(kind))
	var fields, publishes []string
	for _, name := range slices.Sorted(maps.Keys(item.Fields)) {
		fields = append(fields, name+": "+plainJSON(item.Fields[name]))
	}
	for _, e := range item.Events {
		publishes = append(publishes, e.Type+" "+oneLine(e.Data))
	}
	when, contact, known := "", "", ""
	if item.Time != nil {
		when = p.time(item.Time.Time)
	}
	if c := item.Contact; c != nil {
		contact = contactText(*c)
	}
	if item.Duplicate {
		known = "it came before: nothing would be done"
	}
	p.fields(
		field{label: "Input", value: val(oneLine(item.Input))},
		field{label: "ID", value: val(item.ID)},
		field{label: "Time", value: val(when)},
		field{label: "Duplicate", value: cell{known, yellow}},
		field{label: "Fields", value: val(strings.Join(fields, "\n"))},
		field{label: "Contact", value: val(contact)},
		field{label: "Publishes", value: val(strings.Join(publishes, "\n"))},
	)
	p.activity(item.Error, item.Warnings, item.Actions)
}

// plainJSON is a text without its quotes, and other JSON as it is.
func plainJSON(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// contactText is a contact in a line or two.
func contactText(c postroom.Contact) string {
	who := c.Email
	for _, other := range []string{c.Phone, c.ID.String()} {
		if who == "" {
			who = other
		}
	}
	if name := strings.TrimSpace(c.FirstName + " " + c.LastName); name != "" {
		who += fmt.Sprintf(" (%s)", name)
	}
	who += ", " + string(c.Status)
	var lists []string
	for _, m := range c.Lists {
		lists = append(lists, m.Name)
	}
	if len(lists) > 0 {
		who += "\nlists: " + strings.Join(lists, ", ")
	}
	if len(c.Tags) > 0 {
		who += "\ntags: " + strings.Join(c.Tags, ", ")
	}
	for _, name := range slices.Sorted(maps.Keys(c.CustomFields)) {
		who += "\n" + name + ": " + plainJSON(c.CustomFields[name])
	}
	return who
}
