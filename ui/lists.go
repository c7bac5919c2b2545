package ui

import "github.com/postroom/postroom"

// listApp is what the pages of lists, tags and imports need of the application.
type listApp interface{}

func listRoutes() []route {
	return []route{get("/lists", postroom.RoleViewer, listsPage), get("/tags", postroom.RoleViewer, tagsPage)}
}

func listsPage(c *call) error {
	return c.render(page{Name: "lists/list", Title: "Lists", Nav: "lists"})
}

func tagsPage(c *call) error {
	return c.render(page{Name: "lists/tags", Title: "Tags", Nav: "tags"})
}
