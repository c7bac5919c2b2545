// Package client is a Go client of Postroom's HTTP API. The command line and the end-to-end tests use it too.
//
//	c, err := client.New(client.Config{URL: "http://127.0.0.1:8080", Key: "prk_…"})
//	published, err := c.Publish(ctx, client.NewEvent{Type: "email.opened", Data: data})
//	for webhook, err := range c.Webhooks(ctx) { … }
//
// The way of a call:
//
//	method ──▶ request ──▶ send ──▶ 2xx: decoded ──▶ result
//	                        ▲  └──▶ problem ───────▶ *Error
//	                        └── again: no connection, 429, 502, 503, 504; with the same Idempotency-Key
//
// Every call may be repeated: a POST carries an Idempotency-Key of its own, so it takes effect once. Lists are iterators
// that fetch page after page; a loop over one ends after the first error. Shapes are those of package postroom.
// A Client is safe for concurrent use.
package client
