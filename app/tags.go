package app

import (
	"context"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// Tags are all tags that contacts have, in the order of their names.
func (a *App) Tags(ctx context.Context, who Caller) ([]postroom.Tag, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	const atOnce = 1000
	var all []postroom.Tag
	for {
		after := ""
		if len(all) > 0 {
			after = all[len(all)-1].Name
		}
		some, err := a.Store.Tags(ctx, who.Workspace, after, atOnce)
		if all = append(all, some...); err != nil || len(some) < atOnce {
			return all, err
		}
	}
}

// RenameTag gives the contacts that have a tag another one in its place, some hundred at a time, with the events that tell of it. When it is cut
// off, it can be repeated.
func (a *App) RenameTag(ctx context.Context, who Caller, tag, name string) (postroom.Tag, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Tag{}, err
	}
	name, err := contacts.Tag(name)
	if err != nil {
		return postroom.Tag{}, postroom.Invalid(postroom.CodeInvalid, "/name", "%s", err.Error())
	}
	if err := a.takeTag(ctx, who, tag, name); err != nil {
		return postroom.Tag{}, err
	}
	t, err := a.Store.Tag(ctx, who.Workspace, name)
	if postroom.CodeOf(err) == postroom.CodeNotFound { // others were quicker to take it again
		return postroom.Tag{Name: name}, nil
	}
	return t, err
}

// DeleteTag takes a tag from all contacts that have it, as RenameTag does.
func (a *App) DeleteTag(ctx context.Context, who Caller, tag string) error {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return err
	}
	return a.takeTag(ctx, who, tag, "")
}

// takeTag takes a tag from all contacts, and gives them another, unless that is empty.
func (a *App) takeTag(ctx context.Context, who Caller, tag, other string) error {
	if _, err := contacts.Tag(tag); err != nil { // nor can a database look for it
		return noTag(tag)
	}
	if _, err := a.Store.Tag(ctx, who.Workspace, tag); postroom.CodeOf(err) == postroom.CodeNotFound {
		return noTag(tag)
	} else if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	want, action := postroom.ContactChange{Untag: []string{tag}}, "tag.deleted"
	if other != "" {
		want.Tag, action = []string{other}, "tag.renamed"
	}
	if other != tag {
		if err := a.changeAll(ctx, who, postroom.ContactFilter{Tag: tag}, want); err != nil {
			return err
		}
	}
	a.audit(ctx, who, action, tag, nil)
	return nil
}

func noTag(tag string) error {
	return postroom.Errorf(postroom.CodeNotFound, "No contact of this workspace has the tag %s.", quote(tag))
}

// FieldInput is the part of a custom field that people set.
type FieldInput struct {
	Name    string             `json:"name"`
	Title   string             `json:"title"`
	Type    postroom.FieldType `json:"type"`
	Options []string           `json:"options"`
}

// Fields are the custom fields that the workspace declared, in the order of their names.
func (a *App) Fields(ctx context.Context, who Caller) ([]postroom.Field, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	return a.Store.Fields(ctx, who.Workspace)
}

// Field finds a custom field that the workspace declared.
func (a *App) Field(ctx context.Context, who Caller, name string) (postroom.Field, error) {
	all, err := a.Fields(ctx, who)
	if err != nil {
		return postroom.Field{}, err
	}
	for _, f := range all {
		if f.Name == name {
			return f, nil
		}
	}
	return postroom.Field{}, postroom.Errorf(postroom.CodeNotFound, "There is no custom field %s in this workspace.", quote(name))
}

// CreateField declares a custom field. Values that contacts have already stay as they are, also where they are not of its type.
func (a *App) CreateField(ctx context.Context, who Caller, in FieldInput) (postroom.Field, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Field{}, err
	}
	if _, err := a.Field(ctx, who, in.Name); postroom.CodeOf(err) != postroom.CodeNotFound {
		if err != nil {
			return postroom.Field{}, err
		}
		return postroom.Field{}, postroom.Invalid(postroom.CodeConflict, "/name", "the custom field %s is declared already", quote(in.Name))
	}
	now := stamp(a.Now())
	return a.putField(ctx, who, in, postroom.Field{CreatedAt: now, UpdatedAt: now}, "field.declared")
}

// UpdateField changes a custom field: edit gets its settings, and edits them; the name stays. Values that contacts have stay as they are.
func (a *App) UpdateField(ctx context.Context, who Caller, name string, edit func(*FieldInput) error) (postroom.Field, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Field{}, err
	}
	f, err := a.Field(ctx, who, name)
	if err != nil {
		return f, err
	}
	s := FieldInput{f.Name, f.Title, f.Type, slices.Clone(f.Options)}
	if err := edit(&s); err != nil {
		return f, err
	}
	if s.Name != name {
		return f, postroom.Invalid(postroom.CodeInvalid, "/name", "the name of a field cannot be changed: declare another one")
	}
	if s.Type != postroom.FieldChoice && f.Type == postroom.FieldChoice {
		s.Options = nil
	}
	f.UpdatedAt = stamp(a.Now())
	return a.putField(ctx, who, s, f, "field.changed")
}

func (a *App) putField(ctx context.Context, who Caller, s FieldInput, f postroom.Field, action string) (postroom.Field, error) {
	f.Name, f.Title, f.Type, f.Options = s.Name, s.Title, s.Type, s.Options
	if strings.TrimSpace(f.Title) == "" {
		f.Title = f.Name
	}
	if f.Type == "" {
		f.Type = postroom.FieldText
	}
	f, err := contacts.CheckField(f)
	if err != nil {
		return f, err
	}
	if err := a.Store.PutField(ctx, who.Workspace, f, a.Now()); err != nil {
		return f, unavailable(err)
	}
	a.audit(ctx, who, action, f.Name, nil)
	return f, nil
}

// DeleteField takes the declaration of a custom field back. The values of contacts stay, and are not checked any more.
func (a *App) DeleteField(ctx context.Context, who Caller, name string) error {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return err
	}
	if _, err := a.Field(ctx, who, name); err != nil {
		return err
	}
	if err := a.Store.DeleteField(ctx, who.Workspace, name); err != nil {
		return unavailable(err)
	}
	a.audit(ctx, who, "field.deleted", name, nil)
	return nil
}
