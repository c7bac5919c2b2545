package app

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

// holdStore notes until when a key is held. Its first hold fails.
type holdStore struct {
	Store
	mu    sync.Mutex
	until []time.Time
	tries int
}

func (s *holdStore) HoldIdempotent(_ context.Context, _ postroom.WorkspaceID, _ string, _ []byte, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tries++; s.tries == 1 {
		return errors.New("no connection")
	}
	s.until = append(s.until, until)
	return nil
}

// A key is held for as long as its call runs, also after its caller went away, and not longer. One failure does not let it go.
func TestHoldIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &holdStore{}
		a := New(Config{Store: s})
		ctx, cancel := context.WithCancel(t.Context())
		stop := a.HoldIdempotent(ctx, Caller{}, "k", [32]byte{})
		cancel()
		began, held := time.Now(), time.Now().Add(idempotentRun)
		for time.Since(began) < 3*idempotentRun {
			time.Sleep(time.Second)
			synctest.Wait()
			s.mu.Lock()
			if n := len(s.until); n > 0 {
				held = s.until[n-1]
			}
			s.mu.Unlock()
			if !time.Now().Before(held) {
				t.Fatalf("after %v it was held until %v ago", time.Since(began), time.Since(held))
			}
		}
		stop()
		synctest.Wait()
		n := s.tries
		time.Sleep(idempotentRun)
		if s.tries != n {
			t.Error("it is held after the end of its call")
		}
	})
}
