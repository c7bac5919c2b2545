package inbound

import (
	"net/http"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// What callers hear whose call is not taken.
const (
	detailUnproven  = "The call was not accepted: check the URL with its token, and the key, the password or the signature."
	detailForbidden = "The call is not accepted at present."
	detailLimited   = "Too many calls came: wait for as many seconds as Retry-After says."
	detailDown      = "The call could not be stored: try again."
)

// answer is what the caller of a call that was taken hears, or one whose call could not be stored.
func (in *Intake) answer(r *postroom.Request, err error) Answer {
	if err != nil {
		in.metrics.count(outcomeUnavailable)
		in.log.Error("a call could not be stored; its caller is told to try again", "error", err)
		a := problemOf(postroom.CodeUnavailable, detailDown)
		a.RetryAfter = time.Second
		return a
	}
	return Answer{Status: r.Status, Body: r.Answer}
}

// noSource answers a call to a source that there is not, as any other that proves nothing.
func (in *Intake) noSource(_ *Arrival, err error) Answer {
	if postroom.CodeOf(err) != postroom.CodeNotFound {
		return in.answer(nil, err)
	}
	in.metrics.count(outcomeUnknown)
	return answerTo(postroom.CodeUnauthenticated, 0)
}

// answerTo is what a caller hears whose call is refused: for each code always the same.
func answerTo(code postroom.Code, again time.Duration) Answer {
	detail := detailUnproven
	switch code {
	case postroom.CodeForbidden:
		detail = detailForbidden
	case postroom.CodeRateLimited:
		detail = detailLimited
	}
	a := problemOf(code, detail)
	a.RetryAfter = again
	return a
}

// settleAnswer puts the answer into a request that was just taken. One that is processed again had its answer long ago, and one that a
// person has sent again has nobody who hears one.
func settleAnswer(r *postroom.Request) {
	if r.Claim != 0 || r.ResentFrom != nil {
		return
	}
	status, message := http.StatusOK, "The call was processed."
	switch r.State {
	case postroom.RequestDuplicate:
		message = "The call came before, and was not processed again."
	case postroom.RequestWaiting:
		status, message = http.StatusAccepted, "The call is stored, and will be processed."
	case postroom.RequestRetry:
		status, message = http.StatusAccepted, "The call is stored. It could not be processed yet, and will be tried again."
	case postroom.RequestFailed:
		a := problemOf(postroom.CodeBadJSON, "The body cannot be read: "+strings.TrimSuffix(r.Log.Error.Message, ".")+".")
		r.Status, r.Answer = a.Status, a.Body
		return
	}
	r.Status, r.Answer = status, successBody(message, r.Records, r.ID)
}

// successBody is the answer that the seed's vendor promises, and the id of the request.
func successBody(message string, records int, id postroom.RequestID) []byte {
	dst := make([]byte, 0, 160)
	dst = append(payload.AppendKey(append(dst, '{'), "success"), "true"...)
	dst = payload.AppendString(payload.AppendKey(dst, "message"), message)
	dst = payload.AppendInt(payload.AppendKey(dst, "processed_records"), int64(records))
	return append(payload.AppendString(payload.AppendKey(dst, "request_id"), id.String()), '}')
}
