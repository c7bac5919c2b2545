package postroom

// Portal is how a workspace's customers see their own webhooks: pages that a signed link opens, which the operator may put in a frame.
type Portal struct {
	Name       string `json:"name"`       // the operator's, at the head of the pages
	Accent     string `json:"accent"`     // #rrggbb, of buttons and links; empty for Postroom's own
	Background string `json:"background"` // #rrggbb, of the page; empty to follow the reader's system
	// FrameOrigins are the sites that may have the pages in a frame, such as https://app.example.com.
	FrameOrigins []string `json:"frame_origins"`
	Dialect      string   `json:"dialect"` // of the webhooks that customers make
	Events       []string `json:"events"`  // patterns of the event types that customers may choose
	// Filter is the filter of the webhooks that customers make, a CEL expression in which {customer} stands for the customer's name as a
	// text. Without one there is no portal: customers would be sent each other's events.
	Filter string `json:"filter"`
	// LinksSince is when links were last ended: those that were made before open nothing.
	LinksSince *Timestamp `json:"links_since"`
}

// PortalLink opens the portal for a customer.
type PortalLink struct {
	URL       string    `json:"url"`
	ExpiresAt Timestamp `json:"expires_at"`
}
