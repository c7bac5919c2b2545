package outbound

import (
	"context"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// Postroom's own events tell of what becomes of webhooks and deliveries. They are stored in the transaction of the result
// that causes them. Deliveries of such events, and tests, cause none: a webhook that fails on them would never come to rest. Nor is a
// webhook told of itself.
const (
	ownPrefix       = "postroom."
	eventDisabled   = "postroom.webhook.disabled"
	eventRecovered  = "postroom.webhook.recovered"
	eventGivenUp    = "postroom.delivery.failed"
	maxOwnEventText = 500 // bytes of an error's sentence
)

// judge notes what a result means for the health of its webhook, and what it causes.
func (e *Engine) judge(ctx context.Context, target *Target, f *postroom.Finish) {
	a := f.Attempt
	now := a.At.Add(a.Phases.Total)
	before, after, out := e.lanes.judge(f.Job, f.Outcome, a.Phases.Total, a.At, now)
	if after == before && f.Outcome.State != postroom.StateFailed {
		return // the usual case
	}
	if after != before {
		f.Health = &after
	}
	e.release(out)
	for _, j := range out {
		e.lanes.due(j.Event.WorkspaceID, j.WebhookID, j.From, now)
	}
	if reason := disableReason(after, target.Disable, now); reason != "" && f.Outcome.Stop == "" {
		f.Outcome.Stop, f.Outcome.Reason = postroom.WebhookDisabled, reason
	}
	if f.Job.Test || strings.HasPrefix(f.Job.Event.Type, ownPrefix) {
		return
	}
	cause := func(eventType string, data []byte) {
		if p := e.own(ctx, target, eventType, append(data, '}'), now); p != nil {
			f.Also = append(f.Also, p)
		}
	}
	if f.Outcome.State == postroom.StateFailed {
		cause(eventGivenUp, givenUpData(target, f))
	}
	if f.Outcome.Stop == postroom.WebhookDisabled {
		cause(eventDisabled, e.disabledData(ctx, target, f, after))
	}
	if before.Open() && after.Healthy() {
		cause(eventRecovered, failingData(target, before))
	}
}

// own makes an event of Postroom's own, and matches it.
func (e *Engine) own(ctx context.Context, target *Target, eventType string, data []byte, now time.Time) *postroom.Publication {
	o := &postroom.Outgoing{State: postroom.StateFresh, Except: target.ID, Event: &postroom.Event{ID: postroom.Next[postroom.EventKind](e.ids, now),
		WorkspaceID: target.WorkspaceID, Type: eventType, Time: now.UTC().Truncate(time.Microsecond), Data: data}}
	index, err := e.matchers.get(ctx, target.WorkspaceID)
	if err != nil {
		e.log.Error("an event of Postroom's own could not be made", "type", eventType, "webhook", target.ID, "error", err)
		return nil
	}
	p := e.prepare(o, index)
	p.Revision = 0 // a change of subscriptions at the same time must not undo the result
	return p
}

// The data of these events, as the catalogue describes it, without the closing brace.

func appendWebhook(dst []byte, target *Target) []byte {
	dst = append(payload.AppendKey(append(dst, '{'), "webhook"), '{')
	dst = payload.AppendString(payload.AppendKey(dst, "id"), target.ID.String())
	dst = payload.AppendKey(dst, "uid")
	if target.UID == nil {
		dst = append(dst, "null"...)
	} else {
		dst = payload.AppendString(dst, *target.UID)
	}
	dst = payload.AppendString(payload.AppendKey(dst, "name"), target.Name)
	bare, _, _ := strings.Cut(target.URL, "?")
	return append(payload.AppendString(payload.AppendKey(dst, "url"), bare), '}')
}

func failingData(target *Target, h postroom.Health) []byte {
	dst := appendWebhook(nil, target)
	dst = payload.AppendInt(payload.AppendKey(dst, "failures"), int64(h.Failures))
	return payload.AppendTime(payload.AppendKey(dst, "failing_since"), h.FailingSince)
}

// disabledData counts what is held, which is left out when it cannot be counted: the webhook is disabled all the same. The delivery of the
// result is still leased; it is held too unless it was given up.
func (e *Engine) disabledData(ctx context.Context, target *Target, f *postroom.Finish, h postroom.Health) []byte {
	dst := appendError(failingData(target, h), f.Attempt.Error)
	held, err := e.store.CountQueue(ctx, target.WorkspaceID, target.ID)
	if err != nil {
		e.log.Warn("what is held for a webhook could not be counted", "webhook", target.ID, "error", err)
		return dst
	}
	if f.Outcome.State != postroom.StateRetry {
		held--
	}
	return payload.AppendInt(payload.AppendKey(dst, "held"), max(held, 0))
}

func givenUpData(target *Target, f *postroom.Finish) []byte {
	dst, e := appendWebhook(nil, target), f.Job.Event
	dst = append(payload.AppendKey(dst, "event"), '{')
	dst = payload.AppendString(payload.AppendKey(dst, "id"), e.PublicID())
	dst = payload.AppendString(payload.AppendKey(dst, "type"), e.Type)
	dst = append(payload.AppendTime(payload.AppendKey(dst, "time"), e.Time), '}')
	dst = append(payload.AppendKey(dst, "delivery"), '{')
	dst = payload.AppendString(payload.AppendKey(dst, "id"), f.Job.DeliveryID.String())
	dst = payload.AppendInt(payload.AppendKey(dst, "attempts"), int64(f.Job.Attempts+1))
	dst = payload.AppendKey(dst, "status_code")
	if f.Attempt.StatusCode == 0 {
		dst = append(dst, "null"...)
	} else {
		dst = payload.AppendInt(dst, int64(f.Attempt.StatusCode))
	}
	dst = append(payload.AppendTime(payload.AppendKey(dst, "created_at"), f.Job.DeliveryID.Time()), '}')
	return appendError(dst, f.Attempt.Error)
}

func appendError(dst []byte, failure *postroom.AttemptError) []byte {
	if failure == nil {
		return dst
	}
	dst = append(payload.AppendKey(dst, "error"), '{')
	dst = payload.AppendString(payload.AppendKey(dst, "code"), failure.Kind)
	text := failure.Message
	if len(text) > maxOwnEventText {
		text = strings.ToValidUTF8(text[:maxOwnEventText], "")
	}
	return append(payload.AppendString(payload.AppendKey(dst, "message"), text), '}')
}
