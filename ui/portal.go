package ui

// portalApp is what the portal for a workspace's customers needs of the application.
type portalApp interface{}

// portalRoutes are the pages that a workspace's customers see.
func portalRoutes() []route { return nil }
