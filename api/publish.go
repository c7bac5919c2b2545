package api

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/payload"
)

// The content types that publish reads.
const (
	mediaJSON       = "application/json"
	mediaLines      = "application/x-ndjson"
	mediaCloudEvent = "application/cloudevents+json"
	mediaCloudBatch = "application/cloudevents-batch+json"
)

func publishMedia() []string {
	return []string{mediaJSON, mediaLines, mediaCloudEvent, mediaCloudBatch}
}

// publication is one call of publish.
type publication struct {
	*api
	r      *http.Request
	who    app.Caller
	media  string // one of publishMedia
	binary bool   // a CloudEvent in binary mode
	dedupe string // the Idempotency-Key; empty if there is none
}

// publish answers POST /v1/events. It is the hot path: no reflection, and one allocation for the body of an event, of which the
// event's data stays a part.
func (a *api) publish(w http.ResponseWriter, r *http.Request) {
	p, err := a.newPublication(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if p.media == mediaLines && p.dedupe == "" {
		p.lines(w, http.MaxBytesReader(w, r.Body, maxLinesBody), r.ContentLength)
		return
	}
	limit := a.MaxBody
	if p.media == mediaLines {
		limit = max(limit, maxKeyedLinesBody)
	}
	body, err := readBody(w, r, limit)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if p.dedupe == "" {
		p.publish(w, body)
		return
	}
	a.once(w, r, p.who, p.dedupe, body, func(w http.ResponseWriter) bool { return p.publish(w, body) })
}

// newPublication checks everything but the body.
func (a *api) newPublication(r *http.Request) (*publication, error) {
	p := &publication{api: a, r: r}
	var err error
	if p.who, err = a.authenticate(r, postroom.RolePublisher); err != nil {
		return nil, err
	}
	if err = checkQuery(r.URL.RawQuery, nil); err != nil {
		return nil, err
	}
	if p.dedupe, err = idempotencyKey(r.Header); err != nil {
		return nil, err
	}
	if p.media, err = mediaType(r.Header); err != nil {
		return nil, err
	}
	switch p.media {
	case "":
		p.media = mediaJSON
	case mediaJSON, mediaLines, mediaCloudEvent, mediaCloudBatch:
	default:
		if !isBinaryCloudEvent(r.Header) || !isJSON(p.media) {
			return nil, unsupported(p.media, publishMedia())
		}
	}
	if isBinaryCloudEvent(r.Header) && p.media != mediaCloudEvent && p.media != mediaCloudBatch {
		p.binary = true
		if p.media == mediaLines {
			return nil, unsupported(p.media, []string{mediaJSON})
		}
	}
	return p, nil
}

// publish publishes what a whole body holds, and answers. It returns true if the call may be made again with the same key.
func (p *publication) publish(w http.ResponseWriter, body []byte) (again bool) {
	var event app.NewEvent
	var err error
	switch {
	case p.binary:
		event, err = parseBinaryCloudEvent(p.r.Header, body)
	case p.media == mediaCloudEvent:
		event, err = parseCloudEvent(body)
	case p.media == mediaCloudBatch:
		return p.array(w, body, parseCloudEvent)
	case p.media == mediaLines:
		return p.lines(w, bytes.NewReader(body), int64(len(body)))
	case payload.KindOf(body) == payload.KindArray:
		return p.array(w, body, parseEvent)
	default:
		event, err = parseEvent(body)
	}
	if err != nil {
		p.fail(w, p.r, err)
		return false
	}
	p.one(w, event)
	return false
}

// one publishes an event, and answers with what became of it.
func (p *publication) one(w http.ResponseWriter, event app.NewEvent) {
	results, err := p.App.Publish(p.r.Context(), p.who, []app.NewEvent{event}, p.dedupe)
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		p.fail(w, p.r, p.locate(err))
		return
	}
	out := appendPublished(make([]byte, 0, 256), &results[0].Event)
	p.accept(w, append(out, '\n'))
}

// accept answers 202.
func (p *publication) accept(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h["Content-Type"] = p.headers.json
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write(body) // the caller may be gone
}

// locate turns the pointers of what App found wrong with an event into places of this request.
func (p *publication) locate(err error) error {
	var e *postroom.Error
	if !p.binary || !errors.As(err, &e) {
		return err
	}
	moved := *e
	moved.Fields = nil
	for _, f := range e.Fields {
		moved.Fields = append(moved.Fields, postroom.FieldError{Pointer: headerPointer(f.Pointer), Detail: f.Detail})
	}
	return &moved
}

// appendPublished appends the answer to a published event as JSON.
func appendPublished(dst []byte, e *postroom.Published) []byte {
	dst = append(dst, `{"id":`...)
	dst = payload.AppendString(dst, e.ID)
	dst = append(dst, `,"type":`...)
	dst = payload.AppendString(dst, e.Type)
	dst = append(dst, `,"time":`...)
	dst = payload.AppendTime(dst, e.Time.Time)
	dst = append(dst, `,"duplicate":`...)
	dst = strconv.AppendBool(dst, e.Duplicate)
	dst = append(dst, `,"webhooks":[`...)
	for i, id := range e.Webhooks {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = append(id.Append(dst), '"')
	}
	return append(dst, "]}"...)
}
