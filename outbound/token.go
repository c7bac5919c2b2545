package outbound

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// fetchTimeout bounds one call for a token, which may serve many attempts.
	fetchTimeout = 30 * time.Second
	// unknownLifetime is how long a token is kept whose end its giver does not tell.
	unknownLifetime = time.Hour
	// maxMargin is how long before its end a token is not used any more, so that it does not end on its way. One that is
	// short-lived has a tenth of its life.
	maxMargin = 30 * time.Second
)

// accessToken is a token that was given. It is immutable, and known by its address.
type accessToken struct {
	value  string
	header string // the value of Authorization
	until  time.Time
}

// tokens keep the access token of one webhook, in memory only. However many attempts want one, there is one fetch at a
// time, and all of them get what comes of it.
type tokens struct {
	now func() time.Time
	// fetch gets a new token. Its error is a sentence for people, without anything secret.
	fetch func(ctx context.Context) (*accessToken, error)

	mu      sync.Mutex
	kept    *accessToken // nil for none
	pending *fetching    // nil when none is under way
}

// fetching is a fetch under way.
type fetching struct {
	done     chan struct{} // closed when the rest is set
	token    *accessToken
	err      error
	panicked string
}

// get gives the token that is kept, if it is still good and not the refused one, or waits for a new one; fetched tells
// which. When ctx ends first, the error is that of ctx, and the fetch goes on for those who come later.
func (t *tokens) get(ctx context.Context, refused *accessToken) (token *accessToken, fetched bool, err error) {
	t.mu.Lock()
	if t.kept != nil && t.kept != refused && t.now().Before(t.kept.until) {
		defer t.mu.Unlock()
		return t.kept, false, nil
	}
	f := t.pending
	if f == nil {
		f = &fetching{done: make(chan struct{})}
		t.pending = f
		go t.run(context.WithoutCancel(ctx), f)
	}
	t.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, true, ctx.Err()
	}
	if f.panicked != "" {
		panic(f.panicked) // in the attempt, which ends and logs it
	}
	return f.token, true, f.err
}

func (t *tokens) run(ctx context.Context, f *fetching) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			f.panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if f.token != nil {
			t.kept = f.token
		}
		t.pending = nil
		close(f.done)
	}()
	f.token, f.err = t.fetch(ctx)
}

// keepUntil says how long a token is used that was given now and ends at expiry, which is zero if that is not known.
func keepUntil(expiry, now time.Time) time.Time {
	life := expiry.Sub(now)
	if expiry.IsZero() {
		life = unknownLifetime
	}
	return now.Add(life - min(life/10, maxMargin))
}

// tokenFailure words why there is no token, for the log of attempts.
func tokenFailure(err error, timeout time.Duration) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("There is no access token for this call. The token endpoint did not answer within the webhook's timeout of %s.", timeout)
	}
	return "There is no access token for this call. " + err.Error()
}
