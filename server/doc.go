// Package server puts Postroom together, starts it and stops it.
//
//	config ─▶ Run: store ─▶ engine ─▶ app ─▶ api ─▶ listen … signal ─▶ stop listening ─▶ drain ─▶ close the store
//
// It is the only package that imports all others. Doctor and Migrate are what the command line does with the same
// settings while no server runs, or beside one.
package server
