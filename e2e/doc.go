// Package e2e holds the end-to-end tests: they run the real program, call it over HTTP, and receive what it sends.
//
//	test ──▶ client, raw HTTP ──▶ postroom serve (a process of its own) ──▶ receiver, which checks every signature
//	  │                              │        ▲
//	  └── signals: SIGTERM, SIGKILL ─┘        └── SQLite in a folder of the test, or a PostgreSQL database
//
// server_test.go starts and ends servers, receiver_test.go is what their webhooks call, call_test.go makes HTTP calls as
// they are written down, tenant_test.go gives each test a workspace of its own, and load_test.go publishes without pause
// over crashes and keeps account of what was acknowledged. The command line is tested by the scripts in testdata/script.
package e2e
