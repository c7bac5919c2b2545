package ui

import "github.com/postroom/postroom"

// deliveryApp is what the pages of deliveries need of the application.
type deliveryApp interface{}

func deliveryRoutes() []route {
	return []route{get("/deliveries", postroom.RoleViewer, deliveriesPage)}
}

func deliveriesPage(c *call) error {
	return c.render(page{Name: "deliveries/list", Title: "Deliveries", Nav: "deliveries"})
}
