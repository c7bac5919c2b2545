package outbound

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// tokenMint is a token endpoint that gives "1", "2", and so on.
type tokenMint struct {
	fetches atomic.Int64
	takes   time.Duration
	life    time.Duration
	fail    atomic.Bool
}

func (m *tokenMint) fetch(ctx context.Context) (*accessToken, error) {
	n := m.fetches.Add(1)
	timer := time.NewTimer(m.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, errors.New("the endpoint did not answer")
	}
	if m.fail.Load() {
		return nil, errors.New("the endpoint is down")
	}
	now := time.Now()
	return &accessToken{value: fmt.Sprint(n), until: keepUntil(now.Add(m.life), now)}, nil
}

func newMint(takes, life time.Duration) (*tokenMint, *tokens) {
	m := &tokenMint{takes: takes, life: life}
	return m, &tokens{now: time.Now, fetch: m.fetch}
}

func TestTokensAreFetchedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, tokens := newMint(time.Second, time.Hour)
		all := func(refused *accessToken, want string) (got *accessToken) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			for range 50 {
				wg.Go(func() {
					token, _, err := tokens.get(t.Context(), refused)
					mu.Lock()
					defer mu.Unlock()
					if got = token; err != nil || token.value != want {
						t.Errorf("got %+v, %v, want %s", token, err, want)
					}
				})
			}
			wg.Wait()
			return got
		}
		first := all(nil, "1")
		all(nil, "1")
		all(first, "2") // refused: all that had it wait for one new one
		all(first, "2") // and who comes late with the old one has it already
		if n := m.fetches.Load(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

func TestTokensEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, tokens := newMint(0, 10*time.Minute)
		for _, step := range []struct {
			wait    time.Duration
			want    string
			fetched bool
		}{{0, "1", true}, {9*time.Minute + 29*time.Second, "1", false}, {time.Second, "2", true}, {time.Minute, "2", false}, {time.Hour, "3", true}} {
			time.Sleep(step.wait)
			if token, fetched, err := tokens.get(t.Context(), nil); err != nil || token.value != step.want || fetched != step.fetched {
				t.Errorf("after %v more: %+v, %v, %v, want %s, %v", step.wait, token, fetched, err, step.want, step.fetched)
			}
		}
		m.fail.Store(true)
		time.Sleep(time.Hour)
		if token, _, err := tokens.get(t.Context(), nil); err == nil || token != nil {
			t.Errorf("a fetch that fails gives %+v, %v", token, err)
		}
		m.fail.Store(false)
		if token, _, err := tokens.get(t.Context(), nil); err != nil || token.value != "5" {
			t.Errorf("after a failure: %+v, %v", token, err)
		}
	})
}

// Who waits gives up at its own time; the fetch goes on, within a bound, and serves the next.
func TestTokensOutliveWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, tokens := newMint(3*time.Second, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, _, err := tokens.get(ctx, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		if token, _, err := tokens.get(t.Context(), nil); err != nil || token.value != "1" || time.Since(began) != 3*time.Second {
			t.Errorf("got %+v, %v after %v", token, err, time.Since(began))
		}
		m.takes = time.Hour
		began = time.Now()
		if _, _, err := tokens.get(t.Context(), tokens.kept); err == nil || time.Since(began) != fetchTimeout {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestTokensPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := &tokens{now: time.Now, fetch: func(context.Context) (*accessToken, error) { panic("a defect") }}
		for range 2 {
			func() {
				defer func() {
					if p := fmt.Sprint(recover()); !strings.Contains(p, "a defect") || !strings.Contains(p, "token_test.go") {
						t.Errorf("the attempt is told %s", p)
					}
				}()
				_, _, _ = tokens.get(t.Context(), nil)
			}()
		}
	})
}

func TestKeepUntil(t *testing.T) {
	now := time.Now()
	for life, want := range map[time.Duration]time.Duration{time.Hour: time.Hour - 30*time.Second, time.Minute: 54 * time.Second, 10 * time.Second: 9 * time.Second} {
		if got := keepUntil(now.Add(life), now).Sub(now); got != want {
			t.Errorf("a token of %v is kept for %v, want %v", life, got, want)
		}
	}
	if got := keepUntil(time.Time{}, now).Sub(now); got != time.Hour-30*time.Second {
		t.Errorf("a token without an end is kept for %v", got)
	}
}
