// Package dialects is data: a folder for each dialect that Postroom brings, with its dialect.yaml, a README about the vendor, and
// golden fixtures in testdata. Package dialect compiles them.
package dialects

import "embed"

// Files are the folders.
//
//go:embed */dialect.yaml
var Files embed.FS
