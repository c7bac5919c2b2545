// Package postgres runs private PostgreSQL servers for tests and makes empty databases on them.
//
//	findPrograms ─▶ New: initdb in a scratch directory ─▶ Start: postgres on a free loopback port ─▶ Stop | Crash ─▶ Start … ─▶ Close
//	                                                              │
//	                                              CreateDatabase ─┴▶ URL ─▶ DropDatabase
//	                                                              │
//	                                         NewStandby: pg_basebackup ─▶ Promote
//
// A server listens on 127.0.0.1 alone, asks for a random password that only its URL holds, and is adopted by a
// [scratch.Dir], so that it ends with the process that started it, however that one ends. PostgreSQL refuses to run as
// root; started by root, it runs as the system's user "postgres".
package postgres
