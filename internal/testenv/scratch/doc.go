// Package scratch keeps what a test process makes outside itself, files and servers, from outliving it.
//
//	test process ──pipe──▶ guard (sh) ── when the pipe closes ──▶ ends the adopted processes, removes the directory
//
// The pipe closes when the process calls [Dir.Close] and also when it panics, exits without warning or is killed:
// the kernel closes it then. That is why this is a second process and not a deferred function.
package scratch
