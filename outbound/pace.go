package outbound

import (
	"time"

	"github.com/postroom/postroom"
)

// pace decides how fast a lane may go: how many attempts at once, which adapts to the receiver, and how many in a span of
// time, which the webhook's rate limit bounds. All of it is arithmetic on times that are given.
type pace struct {
	most    float64       // attempts at once that the webhook allows
	now     float64       // attempts at once at present: 1 to most; 0 until the webhook is known
	usual   time.Duration // of an answer, a moving mean
	shrunk  time.Time     // when now last became less
	limit   postroom.RateLimit
	tokens  float64   // attempts that may be made now
	counted time.Time // when tokens was right
}

// Bounds of what counts as slow.
const (
	slowest     = time.Second // an answer within it is never slow
	slowFactor  = 5           // slower than so many times the usual is slow
	shrinkEvery = 100 * time.Millisecond
)

// set takes over a webhook's settings; under are attempts that were begun before they were known.
func (p *pace) set(concurrency int, limit *postroom.RateLimit, under int, now time.Time) {
	most := float64(concurrency)
	if p.now == 0 || p.now >= p.most {
		p.now = most
	}
	p.most, p.now = most, min(p.now, most)
	next := postroom.RateLimit{}
	if limit != nil {
		next = *limit
	}
	if next != p.limit {
		p.limit, p.counted = next, now
		p.tokens = p.burst() - float64(under)
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

// take uses a token of the rate limit, which ready has said is there.
func (p *pace) take() {
	if p.limit.Limit > 0 {
		p.tokens--
	}
}

// ready tells from when on an attempt may be made.
func (p *pace) ready(now time.Time) time.Time { return p.holds(1, now) }

// full tells when the bucket will be full, so that nothing is lost by forgetting it.
func (p *pace) full(now time.Time) time.Time { return p.holds(p.burst(), now) }

func (p *pace) holds(tokens float64, now time.Time) time.Time {
	if p.limit.Limit == 0 {
		return now
	}
	if gone := now.Sub(p.counted); gone > 0 {
		p.tokens = min(p.tokens+float64(gone)/p.perToken(), p.burst())
		p.counted = now
	}
	if p.tokens >= tokens {
		return now
	}
	return now.Add(max(time.Duration((tokens-p.tokens)*p.perToken()), time.Microsecond))
}

func (p *pace) perToken() float64 { return float64(p.limit.Period) / float64(p.limit.Limit) }

// burst is how many attempts may be made at once after a rest: what the limit allows in a tenth of a second, so that no span
// of time sees much more than its share.
func (p *pace) burst() float64 {
	if p.limit.Limit == 0 {
		return 0
	}
	return max(1, float64(p.limit.Limit)*min(1, float64(100*time.Millisecond)/float64(p.limit.Period)))
}

// soon is how many attempts the rate limit lets through in the next few seconds, which is all that is worth holding.
func (p *pace) soon() int {
	if p.limit.Limit == 0 {
		return laneWindow
	}
	return 1 + int(10*float64(time.Second)/p.perToken())
}
