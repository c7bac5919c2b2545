package ui

import "github.com/postroom/postroom"

// contactApp is what the pages of contacts need of the application.
type contactApp interface{}

func contactRoutes() []route {
	return []route{get("/contacts", postroom.RoleViewer, contactsPage)}
}

func contactsPage(c *call) error {
	return c.render(page{Name: "contacts/list", Title: "Contacts", Nav: "contacts"})
}
