// Package inbound understands the calls that come to sources.
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
