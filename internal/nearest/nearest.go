// Package nearest suggests what the writer of an unknown name may have meant.
package nearest

import "strings"

// maxLength bounds the names that suggestions are looked for, in bytes.
const maxLength = 128

// Name is the name that an unknown one was probably meant to be, or "": the one with the fewest misspellings, if they are few.
// Upper and lower case are the same.
func Name(unknown string, names []string) string {
	if len(unknown) > maxLength {
		return ""
	}
	unknown = strings.ToLower(unknown)
	best, bestDistance := "", min(1+len(unknown)/4, 4)
	for _, name := range names {
		if d := Distance(unknown, strings.ToLower(name)); d < bestDistance || d == bestDistance && best == "" {
			best, bestDistance = name, d
		}
	}
	return best
}

// Hint is what to append to a message about an unknown name: " (did you mean x?)", or "".
func Hint(unknown string, names []string) string {
	if near := Name(unknown, names); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}

// Distance is how many single characters must be added, removed, replaced or swapped with their neighbour to turn a into b
// (optimal string alignment).
func Distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int // the row before prev
	prev := make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row := make([]int, len(y)+1)
		row[0] = i
		for j := 1; j <= len(y); j++ {
			replace := prev[j-1]
			if x[i-1] != y[j-1] {
				replace++
			}
			row[j] = min(prev[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(y)]
}
