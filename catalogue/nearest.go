package catalogue

import (
	"strings"

	"github.com/postroom/postroom"
)

// Nearest suggests what the writer of an unknown name or pattern may have meant: the type's name or the "group.*" with
// the fewest misspellings, or else the group alone when only that can be told, or "" when nothing is near.
// "email.opend" gives "email.opened", "email" gives "email.*", and so does "email.read".
func (c *Catalogue) Nearest(name string) string {
	if len(name) > postroom.MaxEventType {
		return ""
	}
	name = strings.ToLower(name)
	first, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		rest = name
	}

	// What follows the group decides how much may differ: three other letters make another word of a short one, such as
	// "added" and "tagged", but not of a long one.
	limit := 2
	if len(rest) > 8 {
		limit = 3
	}
	best, bestDistance := "", limit+1
	consider := func(candidate string) {
		if d := distance(name, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	for _, t := range c.types {
		consider(t.Name)
	}
	for _, g := range c.groups {
		consider(g.Name + ".*")
	}
	if best != "" {
		return best
	}

	bestDistance = len(first)/4 + 1
	for _, g := range c.groups {
		if d := distance(first, g.Name); d < bestDistance {
			best, bestDistance = g.Name+".*", d
		}
	}
	return best
}

// NearestWord suggests which of some words the writer of an unknown one may have meant, or "" when none is near.
func NearestWord(unknown string, words []string) string {
	unknown = strings.ToLower(unknown)
	best, bestDistance := "", 3
	for _, w := range words {
		if d := distance(unknown, w); d < bestDistance && d < len(w)-1 && len(unknown) < 100 {
			best, bestDistance = w, d
		}
	}
	return best
}

// distance is how many single bytes must be added, removed, replaced or swapped with their neighbour to turn a into b
// (optimal string alignment).
func distance(a, b string) int {
	var before []int // the row before prev
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := prev[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(prev[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}
