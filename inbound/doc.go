// Package inbound takes webhooks in: any system posts to a source's URL, and what it says is verified, kept, understood and acted on.
//
//	POST /in/{source}
//	   │ receive ─▶ verify ─▶ admit ─┬─▶ read ─▶ act ─▶ [request + keys + contacts + events + deliveries, one commit] ─▶ 200
//	   │               │             │                                                        │
//	   │ 401, 403, 429 ▼             │ after 2 s: [request, alone] ─▶ 202                     │ it failed: [request, with the reason] ─▶ 202
//	   │          [refused]          │               │                                        │
//	   │                             └────── claim ◀─┴── 5 min, 30 min, 2 h ◀─────────────────┘
//
// accept.go tells the story; each step has a file of its own name. act.go (with people.go and publish.go) computes what follows from a call
// without doing it, commit.go
// stores all of it or nothing, and process.go is the loop for what is queued or to be tried again.
//
// How a call is read:
//
//	source's settings, kind (dialect.In) ──▶ Compile (checked, once) ──▶ Program
//	                                                                        │
//	request ──▶ Call ──▶ decode ──▶ split ──▶ one item an event ──▶ kind ──▶ recognise ──▶ rows ──▶ Item
//	           (JSON, NDJSON, form, multipart)                     type, id, time,        the owner's   type, id, time, data,
//	                                                               data, contact          mapping       contact, key, warnings
//
// Reading is a pure function of the call and the program: no clock, no network, no store, and bounded work. read.go and form.go read bodies;
// path.go, transform.go, condition.go and row.go are the parts of a mapping, map.go what rows set, kind.go what a dialect says, detect.go
// what is found without being told, and key.go how a call that comes twice is recognised. docs/mapping.md describes all of it to people.
//
// JSON is handled as bytes: big integers and the spelling of numbers survive, and what nobody looks into is not copied.
package inbound
