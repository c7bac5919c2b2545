package watch

import (
	"context"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestFollowers(t *testing.T) {
	mine, other := postroom.NewID[postroom.WorkspaceKind](time.Now()), postroom.NewID[postroom.WorkspaceKind](time.Now())
	var f Followers[int]
	tell := func(workspace postroom.WorkspaceID, n int) { f.Tell(workspace, &n) }
	tell(mine, 0) // nobody follows
	ctx, cancel := context.WithCancel(t.Context())
	all := f.Follow(ctx, mine, 2, nil)
	even := f.Follow(t.Context(), mine, 8, func(n *int) bool { return *n%2 == 0 })
	tell(other, 2)
	for n := 1; n <= 4; n++ {
		tell(mine, n)
	}
	for _, want := range []int{1, 2} { // 3 and 4 were too many
		if got := <-all; got != want {
			t.Errorf("who follows all is given %d, want %d", got, want)
		}
	}
	for _, want := range []int{2, 4} {
		if got := <-even; got != want {
			t.Errorf("who follows even numbers is given %d, want %d", got, want)
		}
	}
	cancel()
	if n, open := <-all; open {
		t.Errorf("who does not follow any more is given %d", n)
	}
	f.Stop()
	if n, open := <-even; open {
		t.Errorf("after the end, %d", n)
	}
	f.Stop()
	tell(mine, 6)
	if n := f.n.Load(); n != 0 {
		t.Errorf("%d followers are left", n)
	}
}
