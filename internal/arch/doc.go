// Package arch has no code, only tests of the rules that the whole repository keeps:
//
//	table_test.go     the import table: who may import whom            (data)
//	imports_test.go   every import of every package against the table
//	depguard_test.go  the same table, as .golangci.yml has it for editors
//	source_test.go    what a file may not contain: sleeping and skipped tests, init functions, package-level HTTP
//
// To add a top-level package, or to let one import another, change the table, run the tests, and copy the depguard
// rule that they print.
package arch
