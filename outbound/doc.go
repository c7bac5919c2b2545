// Package outbound brings events to webhooks.
//
//	Publish ─▶ match ─▶ [events + deliveries, one commit] ─▶ lane ─┐
//	                                                               ▼
//	due-loop ─▶ claim ─▶ lane ───────────────────────────────▶ deliver: build ─▶ sign ─▶ send ─▶ decide ─▶ record
//	   ▲                                                                                                     │
//	   └───────────────────── a time to try again ◀─────── [attempts + deliveries, one commit] ◀─────────────┘
//
// engine.go tells the story; each step has a file of its own name. The database is the truth: a delivery in memory is
// leased, and whoever holds the newest claim on it may say how it ended. A lane is the queue of one webhook in memory: a
// window of what waits, with a share each for first attempts, retries and replays; the rest stays in the database. Workspaces take
// turns, within each its lanes, and within each lane its shares (lanes.go, tenant.go, lane.go); claims.go fills them.
package outbound
