// Package api is Postroom's HTTP API: it reads requests, calls package app, and writes what came of it.
//
//	request ─► ServeHTTP ─┬─► publish ───────────────────────────────► App.Publish      the hot path, a plain handler
//	           id, log,   │
//	           recover    └─► mux ─► guard ─► huma ─► one method ────► App.…            everything else
//	                                 key, role,  parameters,
//	                                 query, body, headers
//	                                 once
//
// # Operations
//
// Every call is an [operation]: one value that names it, says which role it needs, and documents it. register hands it to
// huma, which binds parameters, writes the answer and adds the operation to the OpenAPI document; publish is documented the
// same way but is not run by huma. openapi.yaml is a golden file: TestOpenAPI says how to renew it.
//
// # Input
//
// Bodies are not read by huma. guard reads them, bounded, and decode turns them into values strictly: every fault has a JSON
// pointer, and all faults are reported at once. Changes are JSON merge patches (RFC 7396), merged into the present settings
// inside of the transaction that writes them.
//
// # Errors
//
// Whatever goes wrong is a postroom.Error with a code; the table in errors.go maps codes to HTTP statuses, and every answer
// that is not a success is a problem (RFC 9457). The cause of an internal error is logged, and never shown.
package api
