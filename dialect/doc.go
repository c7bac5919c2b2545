// Package dialect compiles a vendor's way of sending webhooks from data: what it calls the event types, the bodies and headers of
// its calls, how it signs and repeats them, and what a webhook of it has unless its owner says otherwise. The package knows no vendor
// by name.
//
//	dialects/<name>/dialect.yaml ──▶ Load (checked, once; errors as file:line) ──▶ Set ──▶ Dialect
//	                                                                                       ├─ Name(event type), Types(vendor's name)
//	                                                                                       ├─ Body(event type), Headers(event type)
//	                                                                                       ├─ Signature, Defaults, Auth, Test
//	                                                                                       └─ In: how calls from the vendor are understood
//
// docs/dialects/README.md describes the format for people who write their own.
package dialect
