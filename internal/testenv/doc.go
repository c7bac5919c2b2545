// Package testenv gives tests the real things they run against: PostgreSQL databases, the postroom binary, ports, logs.
//
//	test ── Postgres(t) ─────▶ a new empty database ──┐ on one server for the process (or for the whole `make test`)
//	     ── PostgresServer(t) ▶ a server of its own ──┤ that the test may stop and crash
//	     ── Binary(t) ───────▶ cmd/postroom, built once for the process
//	     ── NewAuthority(t) ─▶ TLS certificates, good and bad
//	                                                  │
//	                     scratch: everything above ends and is removed with the process, even when it is killed
//
// What is missing fails the test with a sentence that says what to install. Nothing is skipped.
//
// A package whose tests use this one should have
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
// so that its process has cleaned up before it ends; without it a second process cleans up a moment later.
package testenv
