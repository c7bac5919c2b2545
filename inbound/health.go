package inbound

import (
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

const (
	eventFailing = "postroom.source.failing"
	// failingAfter is how many requests in a row have to fail until the workspace is told.
	failingAfter = 5
	// maxFailingText is how much of a reason the event has, in bytes.
	maxFailingText = 500
)

// verdict is what a request means for the health of its source.
type verdict struct {
	postroom.SourceHealth
	told *postroom.Outgoing // nil, or the event that tells of it
}

// judge finds out whether a request changes the health of its source; nil if not. A request that fails several times counts once, when it does
// so first. done must be called when the verdict has been stored, or has not.
func (in *Intake) judge(w *work, r *postroom.Request) (v *verdict, done func(stored bool)) {
	src := w.source
	failed := r.State == postroom.RequestRetry || r.State == postroom.RequestFailed
	switch {
	case failed && w.request.Attempts == 0:
	case r.State == postroom.RequestProcessed && src.getHealth() != (postroom.SourceHealth{}):
	default:
		return nil, func(bool) {}
	}
	src.healing.Lock() // until it is stored, so that of two requests the second knows of the first
	h := src.getHealth()
	v = &verdict{}
	if failed {
		if v.SourceHealth = h; h.Failures == 0 {
			v.FailingSince = stamp(w.request.At)
		}
		v.Failures++
		if v.Failures >= failingAfter && !h.Told {
			v.Told, v.told = true, in.failing(src, &v.SourceHealth, r.Log.Error, in.now())
		}
	}
	return v, func(stored bool) {
		if stored {
			src.setHealth(v.SourceHealth)
		}
		src.healing.Unlock()
	}
}

// failing is the event that tells of a source whose requests keep failing.
func (in *Intake) failing(src *source, h *postroom.SourceHealth, why *postroom.RequestError, now time.Time) *postroom.Outgoing {
	dst := appendSource([]byte{'{'}, src)
	dst = payload.AppendInt(payload.AppendKey(dst, "failures"), int64(h.Failures))
	dst = payload.AppendTime(payload.AppendKey(dst, "failing_since"), h.FailingSince.Time)
	if why != nil {
		dst = append(payload.AppendKey(dst, "error"), '{')
		dst = payload.AppendString(payload.AppendKey(dst, "code"), why.Kind)
		text := why.Message
		if len(text) > maxFailingText {
			text = strings.ToValidUTF8(text[:maxFailingText], "")
		}
		dst = append(payload.AppendString(payload.AppendKey(dst, "message"), text), '}')
	}
	return &postroom.Outgoing{State: postroom.StateFresh, Event: &postroom.Event{ID: postroom.Next[postroom.EventKind](in.ids, now),
		WorkspaceID: src.WorkspaceID, Type: eventFailing, Time: now.UTC().Truncate(time.Microsecond), Data: append(dst, '}')}}
}
