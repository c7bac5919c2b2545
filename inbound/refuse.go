package inbound

import (
	"context"
	"fmt"

	"github.com/postroom/postroom"
)

// maxRefusedBody is how much of the body of a refused call is kept.
const maxRefusedBody = 64 << 10

// refuse answers a call that is not taken. It is in the log of its source, within a bound: whoever may not call must not be able to fill
// the disk. The answer does not wait for that, so that the time it takes tells nothing either.
func (in *Intake) refuse(src *source, a *Arrival, why *refusal) Answer {
	in.metrics.count(outcomeRefused)
	answer := answerTo(why.code, why.again)
	missed, ok := src.mayLog(a.At)
	if !ok {
		in.metrics.unlogged.Add(1)
		return answer
	}
	r := in.newRequest(src, a)
	r.State, r.Status, r.Answer, r.Duration = postroom.RequestRefused, answer.Status, answer.Body, in.now().Sub(a.At)
	r.Log.Error = &why.why
	if len(r.Body) > maxRefusedBody {
		r.Log.Warnings = append(r.Log.Warnings, postroom.RequestNote{Kind: "body", Message: fmt.Sprintf("Of the body, which had %d bytes, the first %d are kept.", len(r.Body), maxRefusedBody)})
		r.Body = append([]byte(nil), r.Body[:maxRefusedBody]...)
	}
	if missed > 0 {
		r.Log.Warnings = append(r.Log.Warnings, postroom.RequestNote{Kind: "refused", Message: fmt.Sprintf("%d more calls were refused before this one, and are not in the log: of one minute, it has %d.", missed, maxLogged)})
	}
	select {
	case in.refused <- r:
	default:
		in.metrics.unlogged.Add(1)
	}
	return answer
}

// recordRefused stores refused calls until ctx ends, and then those that are left.
func (in *Intake) recordRefused(ctx context.Context) {
	for {
		select {
		case r := <-in.refused:
			in.storeRefused(r)
			continue
		default:
		}
		select {
		case r := <-in.refused:
			in.storeRefused(r)
		case <-ctx.Done():
			if len(in.refused) == 0 {
				return
			}
		}
	}
}

func (in *Intake) storeRefused(r *postroom.Request) {
	if err := in.store.Commit(context.Background(), &postroom.Commit{Request: r}); err != nil {
		in.metrics.unlogged.Add(1)
		in.log.Warn("a refused call could not be stored", "source", r.SourceID, "error", err)
		return
	}
	in.watchers.Tell(r.WorkspaceID, r)
}
