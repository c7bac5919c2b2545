package postroom_test

import (
	"fmt"
	"testing"

	"github.com/postroom/postroom"
)

// find does what a database does: up to limit things beyond the cursor, in its direction.
func find(all []int, c *postroom.Cursor, limit int) (found []int) {
	if c != nil && c.Newer {
		for _, n := range all {
			if n > int(c.ID[15]) && len(found) < limit {
				found = append(found, n)
			}
		}
		return found
	}
	for i := len(all) - 1; i >= 0; i-- {
		if n := all[i]; (c == nil || n < int(c.ID[15])) && len(found) < limit {
			found = append(found, n)
		}
	}
	return found
}

// However long the list and the pages, going forth and back shows everything once, newest first.
func TestPagesCoverTheList(t *testing.T) {
	for size := range 12 {
		all := []int{}
		for n := range size {
			all = append(all, n+1)
		}
		for limit := 1; limit <= 5; limit++ {
			page := func(cursor *string) postroom.Page[int] {
				var c *postroom.Cursor
				if cursor != nil {
					parsed, err := postroom.ParseCursor(*cursor)
					if err != nil {
						t.Fatal(err)
					}
					c = &parsed
				}
				return postroom.NewPage(find(all, c, limit+1), limit, c, nil, func(n int) (id [16]byte) {
					id[15] = byte(n)
					return id
				})
			}
			var forth []string
			p := page(nil)
			if p.PrevCursor != nil {
				t.Fatalf("%d things, pages of %d: there is something before the first page", size, limit)
			}
			seen := 0
			for {
				forth = append(forth, fmt.Sprint(p.Data))
				seen += len(p.Data)
				if p.NextCursor == nil {
					break
				}
				p = page(p.NextCursor)
			}
			if seen != size {
				t.Fatalf("%d things, pages of %d: %v", size, limit, forth)
			}
			for i := len(forth) - 2; i >= 0; i-- {
				if p.PrevCursor == nil {
					t.Fatalf("%d things, pages of %d: no way back from page %d", size, limit, i+2)
				}
				if p = page(p.PrevCursor); fmt.Sprint(p.Data) != forth[i] {
					t.Fatalf("%d things, pages of %d: going back, page %d is %v, and was %s", size, limit, i+1, p.Data, forth[i])
				}
			}
		}
	}
}

func TestParseCursorRefuses(t *testing.T) {
	for _, text := range []string{"", "x", "AAAA", "!!!!", postroom.Cursor{}.String() + "A"} {
		if _, err := postroom.ParseCursor(text); postroom.CodeOf(err) != postroom.CodeInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}
