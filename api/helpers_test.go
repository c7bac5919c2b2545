package api

import "io"

// readAll reads to the end, and returns how much there was.
func readAll(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }
