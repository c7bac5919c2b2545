package outbound

import (
	"time"

	"github.com/postroom/postroom"
)

// pace decides how fast a lane may go: how many attempts at once, which adapts to the receiver, and how many in a span of
// time, which the webhook's rate limit bounds. All of it is arithmetic on times that are given.
type pace struct {
	most    float64 // attempts at once that the webhook allows
	now     float64 // attempts at once at present: 1 to most
	usual   time.Duration
	shrunk  time.Time // when it last became less
	limit   postroom.RateLimit
	tokens  float64
	counted time.Time // when tokens was right
}

// Bounds of what counts as slow.
const (
	slowest     = time.Second // an answer within it is never slow
	slowFactor  = 5           // slower than so many times the usual is slow
	shrinkEvery = 100 * time.Millisecond
)

// set takes over a webhook's settings.
func (p *pace) set(concurrency int, limit *postroom.RateLimit, now time.Time) {
	most := float64(max(concurrency, 1))
	if p.now == 0 || p.now >= p.most {
		p.now = most
	}
	p.most, p.now = most, min(p.now, most)
	next := postroom.RateLimit{}
	if limit != nil {
		next = *limit
	}
	if next != p.limit {
		p.limit, p.tokens, p.counted = next, float64(next.Limit), now
	}
}

// atOnce is how many attempts there may be at once.
func (p *pace) atOnce() int { return max(int(p.now), 1) }

// answered adapts to an attempt: a success lets it grow slowly, a failure halves it, and a slow answer lessens it a little.
func (p *pace) answered(ok bool, took time.Duration, now time.Time) {
	if p.now == 0 {
		return // nothing is known of the webhook yet
	}
	if !ok || took > slowest && p.usual > 0 && took > slowFactor*p.usual {
		// Attempts that were made together fail together: they count once.
		if now.Sub(p.shrunk) >= shrinkEvery {
			p.shrunk = now
			if ok {
				p.now *= 0.8
			} else {
				p.now /= 2
			}
			p.now = max(p.now, 1)
		}
	} else {
		p.now = min(p.now+1/p.now, p.most)
	}
	if ok {
		if p.usual == 0 {
			p.usual = took
		}
		p.usual += (took - p.usual) / 16
	}
}

// restart begins again with one attempt at a time, as after an outage.
func (p *pace) restart() {
	if p.now > 0 {
		p.now = 1
	}
}

// take uses a token of the rate limit; when there is none, it says when there will be one.
func (p *pace) take(now time.Time) (ok bool, at time.Time) {
	if p.limit.Limit == 0 {
		return true, now
	}
	p.refill(now)
	if p.tokens >= 1 {
		p.tokens--
		return true, now
	}
	return false, now.Add(time.Duration((1 - p.tokens) * p.perToken()))
}

// giveBack returns a token of an attempt that was not made.
func (p *pace) giveBack() {
	if p.limit.Limit > 0 {
		p.tokens = min(p.tokens+1, float64(p.limit.Limit))
	}
}

func (p *pace) perToken() float64 { return float64(p.limit.Period) / float64(p.limit.Limit) }

// refill adds the tokens that have come since it last did. The bucket holds one period's.
func (p *pace) refill(now time.Time) {
	if gone := now.Sub(p.counted); gone > 0 {
		p.tokens = min(p.tokens+float64(gone)/p.perToken(), float64(p.limit.Limit))
		p.counted = now
	}
}

// ready tells when a token will be there, without taking one.
func (p *pace) ready(now time.Time) time.Time {
	if p.limit.Limit == 0 {
		return now
	}
	p.refill(now)
	if p.tokens >= 1 {
		return now
	}
	return now.Add(time.Duration((1 - p.tokens) * p.perToken()))
}
