package ui

import "github.com/postroom/postroom"

// sourceApp is what the pages of sources need of the application.
type sourceApp interface{}

func sourceRoutes() []route {
	return []route{get("/sources", postroom.RoleViewer, sourcesPage)}
}

func sourcesPage(c *call) error {
	return c.render(page{Name: "sources/list", Title: "Sources", Nav: "sources"})
}
