// Package cli is the command line: `postroom serve` and its like run the server, everything else calls a server's HTTP
// API through package client.
//
//	args ──▶ grammar (kong) ──▶ command.Run(session) ──┬─▶ config ──▶ Serve, Migrate, Doctor
//	                                 │                 └─▶ client ──▶ HTTP API
//	                                 ▼
//	                          show: a table for people, or JSON, or YAML ──▶ stdout
//	                          report: what went wrong, and a hint ─────────▶ stderr, exit status
//
// To add a command, write a struct with flags and a method Run(*session) error, and name it in a line of grammar.go; help
// and completion follow from that.
//
// The exit status is 0, or 1 when something was refused or failed, or 2 when the command was not used as it should be.
package cli
