package ui

import (
	"context"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// listApp is what the pages of lists, tags and custom fields need of the application.
type listApp interface {
	importApp
	Lists(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.List], error)
	List(ctx context.Context, who app.Caller, ref string) (postroom.List, error)
	CreateList(ctx context.Context, who app.Caller, in app.ListInput) (postroom.List, error)
	UpdateList(ctx context.Context, who app.Caller, ref string, edit func(*app.ListInput) error) (postroom.List, error)
	DeleteList(ctx context.Context, who app.Caller, ref string) error
	Members(ctx context.Context, who app.Caller, list string, q postroom.PageQuery) (postroom.Page[postroom.Contact], error)
	AddMembers(ctx context.Context, who app.Caller, list string, refs []string, pending bool) ([]postroom.Contact, error)
	RemoveMember(ctx context.Context, who app.Caller, list, ref string) (postroom.Contact, error)
	ConfirmMember(ctx context.Context, who app.Caller, list, ref string) (postroom.Contact, error)

	Tags(ctx context.Context, who app.Caller) ([]postroom.Tag, error)
	RenameTag(ctx context.Context, who app.Caller, tag, name string) (postroom.Tag, error)
	DeleteTag(ctx context.Context, who app.Caller, tag string) error

	Fields(ctx context.Context, who app.Caller) ([]postroom.Field, error)
	Field(ctx context.Context, who app.Caller, name string) (postroom.Field, error)
	CreateField(ctx context.Context, who app.Caller, in app.FieldInput) (postroom.Field, error)
	UpdateField(ctx context.Context, who app.Caller, name string, edit func(*app.FieldInput) error) (postroom.Field, error)
	DeleteField(ctx context.Context, who app.Caller, name string) error
}

func listRoutes() []route {
	const one = "/lists/{id}"
	return append(importRoutes(),
		get("/lists", postroom.RoleViewer, listsPage), get("/lists/new", postroom.RoleAdmin, newListPage), post("/lists/new", postroom.RoleAdmin, createList),
		get(one, postroom.RoleViewer, listPage), get(one+"/edit", postroom.RoleAdmin, editListPage), post(one+"/edit", postroom.RoleAdmin, changeList),
		post(one+"/delete", postroom.RoleAdmin, deleteList), post(one+"/add", postroom.RoleAdmin, addMembers), post(one+"/remove", postroom.RoleAdmin, removeFromList),
		post(one+"/confirm", postroom.RoleAdmin, confirmOnList),
		get("/tags", postroom.RoleViewer, tagsPage), post("/tags/rename", postroom.RoleAdmin, renameTag), post("/tags/delete", postroom.RoleAdmin, deleteTag),
		get("/fields", postroom.RoleViewer, fieldsPage), get("/fields/new", postroom.RoleAdmin, newFieldPage), post("/fields/new", postroom.RoleAdmin, createField),
		get("/fields/edit", postroom.RoleAdmin, editFieldPage), post("/fields/edit", postroom.RoleAdmin, changeField), post("/fields/delete", postroom.RoleAdmin, deleteField))
}

func listsPage(c *call) error {
	found, err := c.app.Lists(c.Context(), c.in.Caller, c.pageQuery())
	if err != nil {
		return err
	}
	return c.render(page{Name: "lists/list", Title: "Lists", Nav: "lists", Data: found})
}

func listForm(title string, f *form, crumbs ...crumb) page {
	return page{Name: "lists/form", Title: title, Nav: "lists", Crumbs: append([]crumb{{"Lists", "/lists"}}, crumbs...), Form: f}
}

func newListPage(c *call) error { return c.render(listForm("New list", newForm())) }

func listInput(f *form) app.ListInput {
	in := app.ListInput{Name: f.Get("name"), Description: f.Get("description")}
	if uid := f.Get("uid"); uid != "" {
		in.UID = &uid
	}
	return in
}

func createList(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	l, err := c.app.CreateList(c.Context(), c.in.Caller, listInput(f))
	if err != nil {
		return c.invalid(err, listForm("New list", f), "name", "description", "uid")
	}
	return c.redirect("/lists/"+l.ID.String(), "The list was made.")
}

func editListPage(c *call) error {
	l, err := c.app.List(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	f := newForm("name", l.Name, "description", l.Description)
	if l.UID != nil {
		f.values.Set("uid", *l.UID)
	}
	return c.render(listForm("Edit", f, crumb{l.Name, "/lists/" + l.ID.String()}))
}

func changeList(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	l, err := c.app.List(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	if _, err := c.app.UpdateList(c.Context(), c.in.Caller, l.ID.String(), func(in *app.ListInput) error {
		*in = listInput(f)
		return nil
	}); err != nil {
		return c.invalid(err, listForm("Edit", f, crumb{l.Name, "/lists/" + l.ID.String()}), "name", "description", "uid")
	}
	return c.redirect("/lists/"+l.ID.String(), "The list was changed.")
}

func deleteList(c *call) error {
	if err := c.app.DeleteList(c.Context(), c.in.Caller, c.PathValue("id")); err != nil {
		return err
	}
	return c.redirect("/lists", "The list was deleted.")
}

type listData struct {
	List    postroom.List
	Members postroom.Page[postroom.Contact]
}

// Pending tells whether a contact has yet to confirm that it is on the list.
func (d listData) Pending(x postroom.Contact) bool {
	for _, m := range x.Lists {
		if m.ID == d.List.ID {
			return m.Status == postroom.MemberPending
		}
	}
	return false
}

func listPage(c *call) error { return showList(c, newForm(), nil) }

func showList(c *call, f *form, wrong error) error {
	l, err := c.app.List(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	members, err := c.app.Members(c.Context(), c.in.Caller, l.ID.String(), c.pageQuery())
	if err != nil {
		return err
	}
	p := page{Name: "lists/members", Title: l.Name, Nav: "lists", Crumbs: []crumb{{"Lists", "/lists"}}, Form: f, Data: listData{l, members}}
	if wrong != nil {
		return c.invalid(wrong, p, "contacts")
	}
	return c.render(p)
}

// addMembers puts contacts on a list: by emails or ids, with white space, commas or semicolons between them.
func addMembers(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	refs := strings.FieldsFunc(f.Get("contacts"), func(r rune) bool { return strings.ContainsRune(" ,;\t\r\n", r) })
	added, err := c.app.AddMembers(c.Context(), c.in.Caller, c.PathValue("id"), refs, f.Has("pending", "on"))
	if err != nil {
		return showList(c, f, err)
	}
	return c.redirect("/lists/"+c.PathValue("id"), plural(len(added), "contact")+" put on the list.")
}

func removeFromList(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	x, err := c.app.RemoveMember(c.Context(), c.in.Caller, c.PathValue("id"), f.Get("contact"))
	if err != nil {
		return err
	}
	return c.redirect("/lists/"+c.PathValue("id"), contactName(x)+" was taken off the list.")
}

func confirmOnList(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	x, err := c.app.ConfirmMember(c.Context(), c.in.Caller, c.PathValue("id"), f.Get("contact"))
	if err != nil {
		return err
	}
	return c.redirect("/lists/"+c.PathValue("id"), contactName(x)+" is confirmed.")
}

func tagsPage(c *call) error { return showTags(c, newForm(), nil) }

func showTags(c *call, f *form, wrong error) error {
	tags, err := c.app.Tags(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	p := page{Name: "lists/tags", Title: "Tags", Nav: "tags", Form: f, Data: tags}
	if wrong != nil {
		return c.invalid(wrong, p, "tag")
	}
	return c.render(p)
}

func renameTag(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	if _, err := c.app.RenameTag(c.Context(), c.in.Caller, f.Raw("tag"), f.Get("name")); err != nil {
		return showTags(c, f, err)
	}
	return c.redirect("/tags", "The tag is called "+f.Get("name")+" now.")
}

func deleteTag(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	if err := c.app.DeleteTag(c.Context(), c.in.Caller, f.Raw("tag")); err != nil {
		return err
	}
	return c.redirect("/tags", "The tag was taken from all contacts.")
}
