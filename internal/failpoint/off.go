//go:build !failpoints

package failpoint

// Hit does nothing.
func Hit(Name) {}

// HitIf does nothing.
func HitIf(bool, Name) {}
