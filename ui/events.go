package ui

import "github.com/postroom/postroom"

// eventApp is what the pages of events need of the application.
type eventApp interface{}

func eventRoutes() []route {
	return []route{get("/events", postroom.RoleViewer, eventsPage)}
}

func eventsPage(c *call) error {
	return c.render(page{Name: "events/list", Title: "Events", Nav: "events"})
}
