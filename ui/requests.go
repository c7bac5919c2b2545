package ui

import "github.com/postroom/postroom"

// requestApp is what the pages of requests need of the application.
type requestApp interface{}

func requestRoutes() []route {
	return []route{get("/requests", postroom.RoleViewer, requestsPage)}
}

func requestsPage(c *call) error {
	return c.render(page{Name: "requests/list", Title: "Requests", Nav: "requests"})
}
