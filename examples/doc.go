// Package examples holds receivers to copy, in several languages, and the tests that run each of them against the real program:
//
//	test ──▶ postroom serve ──▶ receiver (node, python3, php, go), which verifies and stores ──▶ its work, once for each event
//	  └────── forged, changed, old and repeated calls ──────▲
//
// README.md lists the receivers, and docs/verifying.md explains what they check.
package examples
