package contacts

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

func TestLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLocks()
		here, there := postroom.NewID[postroom.WorkspaceKind](time.Now()), postroom.NewID[postroom.WorkspaceKind](time.Now())
		ada, grace := postroom.ContactRef{Email: "Ada@example.com "}, postroom.ContactRef{UID: "grace"}
		unlock, err := l.Lock(t.Context(), here, []postroom.ContactRef{grace, ada, ada, {}})
		if err != nil {
			t.Fatal(err)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Lock(soon, here, []postroom.ContactRef{{Email: "ada@example.com"}}); err == nil {
			t.Error("two have the same contact")
		}
		if free, err := l.Lock(t.Context(), there, []postroom.ContactRef{{UID: "somebody"}}); err != nil {
			t.Error(err)
		} else {
			free()
		}

		got := make(chan func())
		go func() {
			second, err := l.Lock(context.WithoutCancel(t.Context()), here, []postroom.ContactRef{ada, grace})
			if err != nil {
				t.Error(err)
			}
			got <- second
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("a second one has the contacts of the first")
		default:
		}
		unlock()
		(<-got)()
	})
}

func TestLocksHeldByMany(t *testing.T) {
	l := NewLocks()
	var w postroom.WorkspaceID
	counts := map[string]int{}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 500 {
				refs := []postroom.ContactRef{byEmail(fmt.Sprint("a", n%3, "@x.org")), byEmail("SHARED@x.org"), {UID: fmt.Sprint(i)}, {}}
				if i%2 == 0 {
					refs[0], refs[1] = refs[1], refs[0]
					refs[0].Email = " shared@x.org"
				}
				unlock, err := l.Lock(t.Context(), w, refs)
				if err != nil {
					t.Error(err)
					return
				}
				counts["shared"]++ // the race detector tells if two are here
				unlock()
			}
		})
	}
	group.Wait()
	if counts["shared"] != 4000 {
		t.Errorf("%v", counts)
	}
}
