// Package config holds every setting of the server in one struct: where settings come from, what is allowed, and how
// they are documented.
//
//	flag ──┐
//	env  ──┤ the first that is given     check      Config
//	YAML ──┼──────────────────────────▶ (or Faults) ──────▶ server
//	default┘                               ▲
//	                                       │
//	                    Settings(), one table: it also makes the flags, the help and docs/configuration.md
//
// To add a setting, add a field to Config and a row to the table in settings.go.
package config
