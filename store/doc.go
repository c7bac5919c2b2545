// Package store keeps everything that must survive, in embedded SQLite or in PostgreSQL, behind one Store.
//
//	Publish ─┐                       ┌─▶ one transaction, one fsync ─▶ all of them hear "stored"
//	Finish  ─┼─▶ committer (shared) ─┤
//	Claim   ─┤                       └─▶ …
//	change  ─┘
//	reads ─────▶ a pool of connections that never wait for the committer
//
// Both databases share the named SQL in sql/*.sql; a text exists twice only where it must differ. On SQLite one
// goroutine owns the only writing connection, and all that waits for it joins the next transaction. On PostgreSQL two
// committers do the same for the hot paths, in pipelined batches, and other changes have transactions of their own.
//
// The package makes no decisions: states, times and ids come in as arguments. Every query carries the workspace, but
// for the few that serve the whole process (the queue, retention, migrations), which say so where they stand.
package store
