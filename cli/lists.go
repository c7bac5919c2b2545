package cli

import (
	"context"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type listsCmd struct {
	List    listListCmd    `cmd:"" help:"List lists."`
	Get     listGetCmd     `cmd:"" aliases:"show" help:"Show a list."`
	Create  listCreateCmd  `cmd:"" help:"Create a list."`
	Update  listUpdateCmd  `cmd:"" help:"Change a list."`
	Members listMembersCmd `cmd:"" help:"List the contacts on a list."`
	Delete  listDeleteCmd  `cmd:"" help:"Delete a list; its members leave it first."`
}

// listArg names a list.
type listArg struct {
	List string `arg:"" help:"The list's id (lst_…), name or uid."`
}

type listListCmd struct{ listFlags }

// Run lists the lists.
func (cmd listListCmd) Run(s *session) error {
	if err := cmd.check(); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	list, more, err := collect(s.ctx, cmd.Limit, c.ListPage)
	if err != nil {
		return err
	}
	t := newTable("ID", "NAME", "MEMBERS", "CREATED")
	return showList(s, list, more, "There are no lists.", t, func(p *screen, l postroom.List) {
		t.row(val(l.ID.String()), val(l.Name), val(count(l.Members)), val(p.time(l.CreatedAt.Time)))
	})
}

func (p *screen) list(l postroom.List) {
	uid := ""
	if l.UID != nil {
		uid = *l.UID
	}
	p.fields(
		field{label: "ID", value: val(l.ID.String())},
		field{label: "UID", value: val(uid)},
		field{label: "Name", value: val(l.Name)},
		field{label: "Description", value: val(l.Description)},
		field{label: "Members", value: val(count(l.Members))},
		field{label: "Created", value: val(p.time(l.CreatedAt.Time))},
	)
}

type listGetCmd struct{ listArg }

// Run shows the list.
func (cmd listGetCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	l, err := c.List(s.ctx, cmd.List)
	if err != nil {
		return err
	}
	return s.show(l, func(p *screen) { p.list(l) })
}

type listCreateCmd struct {
	Name        string `arg:"" help:"The list's name."`
	UID         string `name:"uid" placeholder:"UID" help:"Your own id of the list."`
	Description string `placeholder:"TEXT" help:"Description, for people."`
}

// Help is shown by `postroom lists create --help`.
func (listCreateCmd) Help() string {
	return `
    postroom lists create Newsletter --description "Once a month"`
}

// Run creates the list.
func (cmd listCreateCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	l, err := c.CreateList(s.ctx, client.ListInput{UID: cmd.UID, Name: cmd.Name, Description: cmd.Description})
	if err != nil {
		return err
	}
	return s.show(l, func(p *screen) {
		p.done("List created")
		p.list(l)
	})
}

type listUpdateCmd struct {
	listArg
	Name        *string `short:"n" placeholder:"TEXT" help:"Another name."`
	UID         *string `name:"uid" placeholder:"UID" help:"Your own id of the list; nothing takes it away."`
	Description *string `placeholder:"TEXT" help:"Description, for people."`
}

// Run changes the list.
func (cmd listUpdateCmd) Run(s *session) error {
	patch := map[string]any{}
	for name, value := range map[string]*string{"name": cmd.Name, "description": cmd.Description} {
		if value != nil {
			patch[name] = *value
		}
	}
	if cmd.UID != nil {
		if patch["uid"] = *cmd.UID; *cmd.UID == "" {
			patch["uid"] = nil
		}
	}
	if len(patch) == 0 {
		return usagef("nothing was given to change").hint("`postroom lists update --help` tells what can be.")
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	l, err := c.UpdateList(s.ctx, cmd.List, patch)
	if err != nil {
		return err
	}
	return s.show(l, func(p *screen) {
		p.done("List changed")
		p.list(l)
	})
}

type listMembersCmd struct {
	listArg
	listFlags
}

// Run lists the members.
func (cmd listMembersCmd) Run(s *session) error {
	if err := cmd.check(); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	return s.listContacts(cmd.Limit, "Nobody is on the list.", func(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.Contact], error) {
		return c.MemberPage(ctx, cmd.List, q)
	})
}

type listDeleteCmd struct {
	listArg
	Force bool `short:"f" help:"Delete without asking."`
}

// Run deletes the list.
func (cmd listDeleteCmd) Run(s *session) error {
	if err := s.askable(cmd.Force); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	l, err := c.List(s.ctx, cmd.List)
	if err != nil {
		return err
	}
	if err := s.confirm(cmd.Force, "Delete list %s? Its %s leave it.", named(l.ID.String(), l.Name), plural(l.Members, "member will", "members will")); err != nil {
		return err
	}
	if err := c.DeleteList(s.ctx, l.ID.String()); err != nil {
		return err
	}
	return s.showDeleted("List", l.ID.String())
}

type tagsCmd struct {
	List   tagListCmd   `cmd:"" help:"List the tags that contacts have."`
	Rename tagRenameCmd `cmd:"" help:"Give all contacts that have a tag another one in its place."`
	Delete tagDeleteCmd `cmd:"" help:"Take a tag from all contacts."`
}

type tagListCmd struct{}

// Run lists the tags.
func (tagListCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	list, err := c.Tags(s.ctx)
	if err != nil {
		return err
	}
	t := newTable("TAG", "CONTACTS")
	return showList(s, list, false, "No contact has a tag.", t, func(_ *screen, tag postroom.Tag) {
		t.row(val(tag.Name), val(count(tag.Contacts)))
	})
}

type tagRenameCmd struct {
	Tag  string `arg:"" help:"The tag."`
	Name string `arg:"" help:"What it is called from now on."`
}

// Help is shown by `postroom tags rename --help`.
func (tagRenameCmd) Help() string {
	return `Each contact loses the one tag and gets the other, with the events that tell of it.

    postroom tags rename lead prospect`
}

// Run renames the tag.
func (cmd tagRenameCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	tag, err := c.RenameTag(s.ctx, cmd.Tag, cmd.Name)
	if err != nil {
		return err
	}
	return s.show(tag, func(p *screen) {
		p.done("Tag %s is now %s; %s it", cmd.Tag, tag.Name, plural(tag.Contacts, "contact has", "contacts have"))
	})
}

type tagDeleteCmd struct {
	Tag   string `arg:"" help:"The tag."`
	Force bool   `short:"f" help:"Delete without asking."`
}

// Run deletes the tag.
func (cmd tagDeleteCmd) Run(s *session) error {
	if err := s.askable(cmd.Force); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	if err := s.confirm(cmd.Force, "Take the tag %s from all contacts?", cmd.Tag); err != nil {
		return err
	}
	if err := c.DeleteTag(s.ctx, cmd.Tag); err != nil {
		return err
	}
	return s.show(map[string]any{"name": cmd.Tag, "deleted": true}, func(p *screen) { p.done("Tag %s deleted", cmd.Tag) })
}

type fieldsCmd struct {
	List   fieldListCmd   `cmd:"" help:"List the custom fields that are declared."`
	Create fieldCreateCmd `cmd:"" help:"Declare a custom field, so that its values are checked."`
	Update fieldUpdateCmd `cmd:"" help:"Change the declaration of a custom field."`
	Delete fieldDeleteCmd `cmd:"" help:"Take the declaration of a custom field back; values stay."`
}

type fieldListCmd struct{}

// Run lists the fields.
func (fieldListCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	list, err := c.Fields(s.ctx)
	if err != nil {
		return err
	}
	t := newTable("FIELD", "TYPE", "TITLE", "OPTIONS")
	return showList(s, list, false, "No custom field is declared.", t, func(_ *screen, f postroom.Field) {
		t.row(val(f.Name), val(string(f.Type)), val(f.Title), val(strings.Join(f.Options, ", ")))
	})
}

// fieldFlags say what a custom field is.
type fieldFlags struct {
	Title   string   `placeholder:"TEXT" help:"Title, for people."`
	Type    string   `enum:"text,number,boolean,date,choice,json," default:"" placeholder:"TYPE" help:"What it holds: text, number, boolean, date, choice or json."`
	Options []string `placeholder:"WORDS" help:"What a choice is made of, with commas between."`
}

func (f fieldFlags) input(name string) client.FieldInput {
	return client.FieldInput{Name: name, Title: f.Title, Type: postroom.FieldType(f.Type), Options: f.Options}
}

type fieldCreateCmd struct {
	Field string `arg:"" help:"What the field is called among a contact's custom fields."`
	fieldFlags
}

// Help is shown by `postroom fields create --help`.
func (fieldCreateCmd) Help() string {
	return `Values that contacts have already stay as they are.

    postroom fields create birthday --type date
    postroom fields create plan --type choice --options free,pro`
}

// Run declares the field.
func (cmd fieldCreateCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	f, err := c.CreateField(s.ctx, cmd.input(cmd.Field))
	if err != nil {
		return err
	}
	return s.show(f, func(p *screen) { p.done("Field %s declared: %s", f.Name, f.Type) })
}

type fieldUpdateCmd struct {
	Field string `arg:"" help:"The field's name."`
	fieldFlags
}

// Run changes the field.
func (cmd fieldUpdateCmd) Run(s *session) error {
	if cmd.Title == "" && cmd.Type == "" && len(cmd.Options) == 0 {
		return usagef("nothing was given to change").hint("`postroom fields update --help` tells what can be.")
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	f, err := c.UpdateField(s.ctx, cmd.Field, cmd.input(""))
	if err != nil {
		return err
	}
	return s.show(f, func(p *screen) { p.done("Field %s changed: %s", f.Name, f.Type) })
}

type fieldDeleteCmd struct {
	Field string `arg:"" help:"The field's name."`
	Force bool   `short:"f" help:"Delete without asking."`
}

// Run deletes the field.
func (cmd fieldDeleteCmd) Run(s *session) error {
	if err := s.askable(cmd.Force); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	if err := s.confirm(cmd.Force, "Take the declaration of the field %s back? The values that contacts have stay, and are not checked any more.", cmd.Field); err != nil {
		return err
	}
	if err := c.DeleteField(s.ctx, cmd.Field); err != nil {
		return err
	}
	return s.show(map[string]any{"name": cmd.Field, "deleted": true}, func(p *screen) { p.done("Field %s deleted", cmd.Field) })
}
