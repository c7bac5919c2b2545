package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type contactsCmd struct {
	List        contactListCmd        `cmd:"" help:"List contacts."`
	Get         contactGetCmd         `cmd:"" aliases:"show" help:"Show a contact."`
	Set         contactSetCmd         `cmd:"" help:"Create a contact, or change one."`
	Tag         contactTagCmd         `cmd:"" help:"Give a contact tags."`
	Untag       contactUntagCmd       `cmd:"" help:"Take tags from a contact."`
	Subscribe   contactSubscribeCmd   `cmd:"" help:"Put a contact on a list."`
	Confirm     contactConfirmCmd     `cmd:"" help:"Confirm that a contact wants to be on a list."`
	Unsubscribe contactUnsubscribeCmd `cmd:"" help:"Take a contact off a list."`
	History     contactHistoryCmd     `cmd:"" help:"Show how a contact's status and memberships changed."`
	Events      contactEventsCmd      `cmd:"" help:"List the events that tell of a contact."`
	Import      contactImportCmd      `cmd:"" help:"Bring contacts in from a CSV or NDJSON file."`
	Imports     contactImportsCmd     `cmd:"" help:"List imports, and how far they are."`
	Export      contactExportCmd      `cmd:"" help:"Write contacts to a file, as CSV or NDJSON."`
	Delete      contactDeleteCmd      `cmd:"" help:"Delete a contact; what the log tells of it stays."`
	Erase       contactEraseCmd       `cmd:"" help:"Erase a person everywhere, the log included."`
}

// contactFilterFlags choose contacts.
type contactFilterFlags struct {
	Email  string `placeholder:"EMAIL" help:"Only the contact with this email address."`
	Phone  string `placeholder:"PHONE" help:"Only contacts with this phone number."`
	Status string `enum:"subscribed,unsubscribed,pending,bounced,complained," default:"" placeholder:"STATUS" help:"Only contacts with this status: subscribed, unsubscribed, pending, bounced or complained."`
	List   string `placeholder:"LIST" help:"Only contacts on this list, or who have yet to confirm that: its id or name."`
	Tag    string `placeholder:"TAG" help:"Only contacts with this tag."`
	Field  string `placeholder:"NAME=VALUE" help:"Only contacts whose custom field has this value."`
	Text   string `short:"q" name:"text" placeholder:"TEXT" help:"Only contacts whose email contains this, or whose names or phone begin with it."`
	After  string `placeholder:"TIME" help:"Only contacts made at this time or later: a time, a date, or how long ago, such as 24h."`
	Before string `placeholder:"TIME" help:"Only contacts made before this time."`
}

func (f contactFilterFlags) filter(s *session) (client.ContactFilter, error) {
	out := client.ContactFilter{ListRef: f.List, ContactFilter: postroom.ContactFilter{Email: f.Email, Phone: f.Phone, Status: postroom.ContactStatus(f.Status), Tag: f.Tag, Text: f.Text}}
	if f.Field != "" {
		name, value, ok := strings.Cut(f.Field, "=")
		if !ok || name == "" || value == "" {
			return out, usagef("--field is %q, but must be NAME=VALUE", f.Field)
		}
		out.Field, out.Value = name, value
	}
	var err error
	if out.After, err = s.moment("--after", f.After); err != nil {
		return out, err
	}
	out.Before, err = s.moment("--before", f.Before)
	return out, err
}

type contactListCmd struct {
	contactFilterFlags
	listFlags
}

// Help is shown by `postroom contacts list --help`.
func (contactListCmd) Help() string {
	return `Newest first.

    postroom contacts list --list Newsletter --status subscribed
    postroom contacts list --tag vip --field plan=pro
    postroom contacts list -q ada --limit 0 -o json | jq -r '.[].email'`
}

// Run lists contacts.
func (cmd contactListCmd) Run(s *session) error {
	if err := cmd.check(); err != nil {
		return err
	}
	f, err := cmd.filter(s)
	if err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	return s.listContacts(cmd.Limit, "There are no such contacts.", func(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.Contact], error) {
		return c.ContactPage(ctx, f, q)
	})
}

func (s *session) listContacts(limit int, none string, fetch func(context.Context, postroom.PageQuery) (postroom.Page[postroom.Contact], error)) error {
	list, more, err := collect(s.ctx, limit, fetch)
	if err != nil {
		return err
	}
	t := newTable("ID", "CREATED", "STATUS", "EMAIL", "NAME", "TAGS", "LISTS")
	t.cut = true
	return showList(s, list, more, none, t, func(p *screen, c postroom.Contact) {
		who := c.Email
		for _, other := range []string{uidOf(c), c.Phone} {
			if who == "" {
				who = other
			}
		}
		t.row(val(c.ID.String()), val(p.time(c.CreatedAt.Time)), contactStatus(c.Status), val(who), val(nameOf(c)), val(strings.Join(c.Tags, ", ")), val(listNames(c)))
	})
}

func contactStatus(status postroom.ContactStatus) cell {
	colors := map[postroom.ContactStatus]color{postroom.ContactSubscribed: green, postroom.ContactPending: yellow, postroom.ContactUnsubscribed: dim,
		postroom.ContactBounced: red, postroom.ContactComplained: red}
	return cell{string(status), colors[status]}
}

func uidOf(c postroom.Contact) string {
	if c.UID == nil {
		return ""
	}
	return *c.UID
}

func nameOf(c postroom.Contact) string { return strings.TrimSpace(c.FirstName + " " + c.LastName) }

// listNames are the lists that a contact is on, or has yet to confirm.
func listNames(c postroom.Contact) string {
	var names []string
	for _, m := range c.Lists {
		switch m.Status {
		case postroom.MemberSubscribed:
			names = append(names, m.Name)
		case postroom.MemberPending:
			names = append(names, m.Name+" (pending)")
		}
	}
	return strings.Join(names, ", ")
}

// contactArg names a contact.
type contactArg struct {
	Contact string `arg:"" help:"The contact's email, id (con_…) or uid."`
}

type contactGetCmd struct{ contactArg }

// Run shows a contact.
func (cmd contactGetCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	found, err := c.Contact(s.ctx, cmd.Contact)
	if err != nil {
		return err
	}
	return s.show(found, func(p *screen) { p.contact(found) })
}

// contact shows a contact.
func (p *screen) contact(c postroom.Contact) {
	var custom []string
	for _, name := range slices.Sorted(maps.Keys(c.CustomFields)) {
		custom = append(custom, name+" = "+string(c.CustomFields[name]))
	}
	var left []string
	for _, m := range c.Lists {
		if m.Status == postroom.MemberUnsubscribed {
			left = append(left, m.Name)
		}
	}
	p.fields(
		field{label: "ID", value: val(c.ID.String())},
		field{label: "UID", value: val(uidOf(c))},
		field{label: "Email", value: val(c.Email)},
		field{label: "Phone", value: val(c.Phone)},
		field{label: "Name", value: val(nameOf(c))},
		field{label: "Status", value: contactStatus(c.Status)},
		field{label: "Lists", value: val(listNames(c))},
		field{label: "Has left", value: val(strings.Join(left, ", "))},
		field{label: "Tags", value: val(strings.Join(c.Tags, ", "))},
		field{label: "Fields", value: val(strings.Join(custom, "\n"))},
		field{label: "Source", value: val(c.Source)},
		field{label: "Created", value: val(p.time(c.CreatedAt.Time))},
		field{label: "Changed", value: val(p.time(c.UpdatedAt.Time))},
	)
}

type contactSetCmd struct {
	contactArg
	UID         *string           `name:"uid" placeholder:"UID" help:"Your own id of the contact."`
	Email       *string           `placeholder:"EMAIL" help:"Another email address for a contact that exists."`
	Phone       *string           `placeholder:"PHONE" help:"Phone number with its country code."`
	FirstName   *string           `placeholder:"TEXT" help:"Given name."`
	LastName    *string           `placeholder:"TEXT" help:"Family name."`
	Status      string            `enum:"subscribed,unsubscribed,pending,bounced,complained," default:"" placeholder:"STATUS" help:"subscribed, unsubscribed, pending, bounced or complained."`
	Source      *string           `placeholder:"TEXT" help:"Where the contact came from."`
	Field       map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"Custom field: text or JSON; nothing takes it away. May be repeated."`
	Tag         []string          `placeholder:"TAGS" help:"Tags that the contact is given. Only with its email."`
	List        []string          `placeholder:"LISTS" help:"Lists that the contact joins; those that do not exist are made. Only with its email."`
	DoubleOptIn bool              `help:"What the contact joins is pending until it is confirmed."`
}

// Help is shown by `postroom contacts set --help`.
func (contactSetCmd) Help() string {
	return `A contact that is named by an email and does not exist is made. An empty value clears a field.

    postroom contacts set ada@example.com --first-name Ada --field company="Analytical Engines" --tag vip --list Newsletter
    postroom contacts set con_01jd3v8x2mf4k8c0q9r7t5y1za --email ada@example.org --field plan=`
}

// Run sets the contact.
func (cmd contactSetCmd) Run(s *session) error {
	in := client.ContactInput{UID: cmd.UID, Email: cmd.Email, Phone: cmd.Phone, FirstName: cmd.FirstName, LastName: cmd.LastName, Source: cmd.Source,
		Status: postroom.ContactStatus(cmd.Status), Tags: cmd.Tag, Lists: cmd.List, DoubleOptIn: cmd.DoubleOptIn}
	for name, text := range cmd.Field {
		if in.CustomFields == nil {
			in.CustomFields = map[string]any{}
		}
		in.CustomFields[name] = fieldValue(text)
	}
	isEmail := strings.Contains(cmd.Contact, "@")
	if (!isEmail || cmd.Email != nil) && len(cmd.Tag)+len(cmd.List) > 0 {
		return usagef("--tag and --list go with a contact that is named by its email, and keeps it").hint("`postroom contacts tag` and `postroom contacts subscribe` do it for others.")
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	var set postroom.Contact
	if isEmail && cmd.Email == nil {
		set, err = c.UpsertContact(s.ctx, cmd.Contact, in)
	} else {
		set, err = c.UpdateContact(s.ctx, cmd.Contact, 0, in)
	}
	return s.showContact(set, err, "Contact set")
}

// fieldValue is a flag's value as the JSON that it looks like, else as text; nil for none.
func fieldValue(text string) any {
	switch {
	case text == "":
		return nil
	case json.Valid([]byte(text)):
		return json.RawMessage(text)
	}
	return text
}

// showContact shows what has become of a contact.
func (s *session) showContact(c postroom.Contact, err error, done string) error {
	if err != nil {
		return err
	}
	return s.show(c, func(p *screen) {
		p.done("%s", done)
		p.contact(c)
	})
}

type contactDeleteCmd struct {
	contactArg
	Force bool `short:"f" help:"Delete without asking."`
}

// Run deletes the contact.
func (cmd contactDeleteCmd) Run(s *session) error {
	if err := s.askable(cmd.Force); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	found, err := c.Contact(s.ctx, cmd.Contact)
	if err != nil {
		return err
	}
	if err := s.confirm(cmd.Force, "Delete contact %s with its history?", named(found.ID.String(), found.Email)); err != nil {
		return err
	}
	if err := c.DeleteContact(s.ctx, found.ID.String()); err != nil {
		return err
	}
	return s.showDeleted("Contact", found.ID.String())
}

type contactEraseCmd struct {
	contactArg
	Force bool `short:"f" help:"Erase without asking."`
}

// Help is shown by `postroom contacts erase --help`.
func (contactEraseCmd) Help() string {
	return `The contact is removed with its history, and so are the events, deliveries, attempts and requests that tell of it; what is still to
be delivered of them is not. It cannot be undone.

    postroom contacts erase ada@example.com`
}

// Run erases the person.
func (cmd contactEraseCmd) Run(s *session) error {
	if err := s.askableTo(cmd.Force, "erasing", "erase"); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	if err := s.ask(cmd.Force, "nothing was erased", "Erase %s everywhere, with all that the log tells? It cannot be undone.", cmd.Contact); err != nil {
		return err
	}
	progress := s.progress()
	e, err := c.EraseContact(s.ctx, cmd.Contact, func(e postroom.ErasureResource) { progress.show("%s so far", erasedRows(e)) })
	progress.end()
	if err != nil {
		return err
	}
	return s.show(e, func(p *screen) { p.done("Erased: %s", erasedRows(e)) })
}

func erasedRows(e postroom.ErasureResource) string {
	return fmt.Sprintf("%s gone", plural(e.Rows, "thing is", "things are"))
}
