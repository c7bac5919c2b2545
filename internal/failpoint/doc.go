// Package failpoint marks the places between two steps at which a test may kill the process. In a program that is built
// without the build tag "failpoints", which is every program but that of the crash tests, [Hit] does nothing and costs
// nothing.
//
//	begin ─▶ rows ─▶ Hit("publish.in-transaction") ─▶ COMMIT ─▶ Hit("publish.committed") ─▶ lanes ─▶ Hit(…) ─▶ 202
//
// A program with the tag reads one environment variable, NAME:N: the Nth time that it comes by the point of that name, it
// kills itself with SIGKILL.
package failpoint
