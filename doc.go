// Package postroom holds the nouns of Postroom and the rules that need no input or output: what an event, a webhook, a
// delivery and an attempt are, how their ids look, and which errors people meet.
//
//	workspace ─┬─ key
//	           ├─ event type
//	           ├─ webhook ──────────┐
//	           └─ event ─── delivery ─── attempt
//
// A delivery is one event on its way to one webhook; an attempt is one HTTP call made for it. Everything but the
// workspace itself belongs to exactly one workspace. The package imports the standard library only, and every other
// package may import it.
package postroom
