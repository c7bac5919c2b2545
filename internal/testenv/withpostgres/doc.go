// Command withpostgres runs a command with a private PostgreSQL server, and stops the server when the command ends.
//
//	withpostgres go test ./...
//	   │  start a server ─▶ POSTROOM_TEST_POSTGRES=postgres://… go test ./... ─▶ stop the server ─▶ exit as the command did
//	   └─ POSTROOM_TEST_POSTGRES is set already: run the command with it, start nothing
//
// The packages of a test run share the server, so that each of them need not start one.
package main
