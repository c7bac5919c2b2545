// Package tracing tells OpenTelemetry what became of events, for those who ask for it with --otlp-endpoint.
//
//	caller's span ─▶ publish ─▶ commit
//	                    └─▶ attempt, attempt, …   to each webhook, retries too
//
// A nil *Tracer does nothing and costs nothing: no method of it allocates.
//
// An attempt belongs to the trace of the call that published its event. Which that was is known in memory only, of the newest events:
// nothing of it is stored, since a trace is a look at what happens and not a record of it, and a column on every event would cost those
// who do not trace. So the attempts of an event that was published before a restart, by another node, or long ago begin traces of
// their own; all of them carry the ids of the event, the delivery and the webhook.
//
// Spans go to the collector with a client of the exporter's own, and not through egress: the operator names the collector, which is
// usually on loopback or in a private network, where egress must not let tenants go, and nothing that a tenant writes becomes part of its
// address. Proxies that the environment names are ignored here as there.
package tracing
