// Package bench measures Postroom on this machine, beside a bare forwarder that does the least that could be called the
// same work: answer 202, keep nothing, post each body once from 64 workers. What is compared runs in turn within one run
// of the benchmark, with the same publisher and the same receiver, so that a slow or noisy machine cancels out.
//
//	                     this process                          child processes
//	Run ─▶ scenario ─▶ session.measure ─▶ publisher ──HTTP──▶ forwarder | postroom serve ──HTTP──▶ receiver
//	          │              │                                        (its database)                  │
//	          │              └─ /proc: CPU, memory of each ◀── when each event arrived ◀── /stats ────┘
//	          ▼
//	     Comparison: pairs of Measurements ─▶ Report ─▶ table | JSON | Markdown
//
// The child processes are the same executable, started again: `postroom serve`, and `postroom bench-role NAME …`, which
// calls [Role]. An event carries its number and the time at which it was sent, both of which the receiver finds again in
// what it gets without parsing it. All processes read the same clock.
//
// To add a scenario, write a function that returns its comparisons, and name it in a line of scenarios.go.
package bench
