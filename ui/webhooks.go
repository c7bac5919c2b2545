package ui

import "github.com/postroom/postroom"

// webhookApp is what the pages of webhooks need of the application.
type webhookApp interface{}

func webhookRoutes() []route {
	return []route{get("/webhooks", postroom.RoleViewer, webhooksPage)}
}

func webhooksPage(c *call) error {
	return c.render(page{Name: "webhooks/list", Title: "Webhooks", Nav: "webhooks"})
}
