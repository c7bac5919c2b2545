// Package app is what a person, or a program of theirs, can do with Postroom: one method for each thing.
//
//	api, ui ──▶ App: authorise ▶ validate ▶ one transaction ──▶ store
//	                                          └─ tell ─────────▶ outbound engine
//
// Each method takes the Caller, whose workspace and role it checks itself: the faces in front of it may forget to.
package app
