// Package payload makes the bodies that Postroom sends, and takes apart the JSON that it receives.
//
// Its ground is JSON as bytes: no tree is built, no number passes through float64 unless it is written anew, and what is
// not looked into is not copied.
//
//	received   body ──► Members, Elements ──► keys and raw values, slices of the body ──► [events]
//	                    Valid, KindOf, String
//
//	sent       event ─► AppendKey, AppendString, AppendTime, … ──┐
//	                                                              ├──► one body, signed and delivered
//	           data ──► AppendJS ─────────────────────────────────┘
//
//	template   source ─► Compile ─► Template ─► Render(event) ─► one body
//	           types ──► checked      └─ Only, Add: what to leave out of it, what to merge into it
//
// # Templates
//
// docs/payloads.md describes the language. compile.go reads the template's JSON, placeholder.go its strings, path.go and
// variables.go what is named in them, expression.go and functions.go what is calculated; schema.go knows which names there are.
// render.go writes: what the template wants of an event's data is found in one pass (collect.go) and copied from there.
//
// # Bytes
//
// A body that Postroom builds has the bytes that JavaScript would write: for every body b,
// JSON.stringify(JSON.parse(b)) is b again. Receivers check a signature over a body that they have parsed and written
// once more, and these are the bytes they get. [AppendJS] brings any JSON text into that form; the other Append functions
// write it directly. The rules are those of ECMA-262, sections 25.5 (JSON), 6.1.6.1.20 (Number::toString) and 10.1.11.1
// (the order of keys).
//
// A body that is forwarded raw does not come near this package's writers.
//
// # Limits
//
// A text that is accepted ([Valid], [Members], [Elements]) nests at most [MaxDepth] levels, and one that is built
// ([AppendJS]) at most [MaxBuiltDepth], so that what was accepted can be put into an envelope or a template of its own kind.
// All work is O(n log n) in the length of the text at worst, whatever the text, and linear for ordinary ones.
package payload
