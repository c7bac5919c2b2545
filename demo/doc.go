// Package demo shows Postroom at work: it is what `postroom demo` and `make demo` run.
//
//	sender ──signed, to a source──▶ Postroom (fresh SQLite database: ──signed──▶ receiver (verifies, and fails some first)
//	demo ──────publish────────────▶ contacts, tags, lists, events)                  │
//	  ▲                                                                             │
//	  └─────────────────────────── account of what arrives ◀────────────────────────┘
//
// Everything runs in this process and on loopback. The database is in a temporary folder that goes when the demo ends.
package demo
