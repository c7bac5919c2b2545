package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/postroom/postroom"
)

// NewEvent is an event to publish.
type NewEvent struct {
	Type        string    `json:"type"`
	ID          string    `json:"id,omitempty"`    // your own; an id that was published in the last 24 hours is not published again
	Time        time.Time `json:"time,omitzero"`   // when it happened; zero for now
	Actor       string    `json:"actor,omitempty"` // who or what caused it
	OrderingKey string    `json:"ordering_key,omitempty"`
	Data        any       `json:"data"` // what becomes a JSON object, such as a struct, a map or a json.RawMessage; nil for {}
}

func (e NewEvent) encode() ([]byte, error) {
	if e.Data == nil {
		e.Data = struct{}{}
	}
	return encode(e)
}

// Publish publishes an event. When it returns, the event is stored, and will be delivered.
func (c *Client) Publish(ctx context.Context, e NewEvent) (postroom.Published, error) {
	var out postroom.Published
	body, err := e.encode()
	if err != nil {
		return out, err
	}
	_, err = c.decode(ctx, request{method: http.MethodPost, path: "/v1/events", body: body, kind: "application/json"}, &out)
	return out, err
}

// PublishResult is what became of one of many events.
type PublishResult struct {
	Line  int                // from 1: the event's place, or its line in NDJSON, where blank lines count too
	Event postroom.Published // zero when Err is not nil
	Err   *Error             // why the event was refused; nil when it is stored
}

// PublishMany publishes events in calls of many each. It yields a result for each event, in order; an event that is
// refused does not sink the others. An error ends the loop: what became of the events after the last result is not
// known.
func (c *Client) PublishMany(ctx context.Context, events iter.Seq[NewEvent]) iter.Seq2[PublishResult, error] {
	return c.publishLines(ctx, func(yield func(line, error) bool) {
		n := 0
		for e := range events {
			n++
			text, err := e.encode()
			if err != nil {
				err = fmt.Errorf("event %d: %w", n, err)
			}
			if !yield(line{n, text}, err) {
				return
			}
		}
	})
}

// PublishNDJSON publishes the events that lines of JSON are, as PublishMany does. A line has the fields of NewEvent,
// and is sent as it stands.
func (c *Client) PublishNDJSON(ctx context.Context, r io.Reader) iter.Seq2[PublishResult, error] {
	return c.publishLines(ctx, func(yield func(line, error) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; n++ {
			text, err := in.ReadBytes('\n')
			end := errors.Is(err, io.EOF)
			if end {
				err = nil
			}
			text = bytes.TrimSpace(text)
			if (err != nil || len(text) > 0) && !yield(line{n, text}, err) || end || err != nil {
				return
			}
		}
	})
}

// Bounds of one call. They leave room for what a proxy on the way takes by default.
const (
	batchLines = 1000
	batchBytes = 512 << 10
)

type line struct {
	number int
	text   []byte
}

// publishLines gathers lines into calls, and yields what became of each.
func (c *Client) publishLines(ctx context.Context, lines iter.Seq2[line, error]) iter.Seq2[PublishResult, error] {
	return func(yield func(PublishResult, error) bool) {
		var batch []line
		size := 0
		flush := func() (more bool) {
			more = len(batch) == 0 || c.publishBatch(ctx, batch, yield)
			batch, size = batch[:0], 0
			return more
		}
		for l, err := range lines {
			if err != nil {
				if flush() {
					yield(PublishResult{}, err)
				}
				return
			}
			if len(batch) >= batchLines || size+len(l.text) > batchBytes {
				if !flush() {
					return
				}
			}
			batch = append(batch, l)
			size += len(l.text) + 1
		}
		flush()
	}
}

// publishBatch publishes lines in one call, or in two where one is too large. It tells whether to go on.
func (c *Client) publishBatch(ctx context.Context, batch []line, yield func(PublishResult, error) bool) bool {
	results, err := c.publishOnce(ctx, batch)
	var refused *Error
	if errors.As(err, &refused) && refused.Status == http.StatusRequestEntityTooLarge && len(batch) > 1 {
		half := len(batch) / 2
		return c.publishBatch(ctx, batch[:half], yield) && c.publishBatch(ctx, batch[half:], yield)
	}
	if err != nil {
		yield(PublishResult{}, err)
		return false
	}
	for _, r := range results {
		if !yield(r, nil) {
			return false
		}
	}
	return true
}

// publishOnce makes one call. Where the server could not store some events for the moment it makes the call again: with
// the same key, by which the server knows those that it has.
func (c *Client) publishOnce(ctx context.Context, batch []line) ([]PublishResult, error) {
	var body bytes.Buffer
	for _, l := range batch {
		body.Write(l.text)
		body.WriteByte('\n')
	}
	r := request{method: http.MethodPost, path: "/v1/events", body: body.Bytes(), kind: "application/x-ndjson"}
	r.header = http.Header{"Idempotency-Key": {newIdempotencyKey()}}
	results := make([]PublishResult, len(batch))
	for i, l := range batch {
		results[i] = PublishResult{Line: l.number, Err: &Error{}} // nothing is stored yet
	}
	for try := 1; ; try++ {
		var answer struct {
			Data []published `json:"data"`
		}
		if _, err := c.decode(ctx, r, &answer); err != nil {
			return nil, err
		}
		if len(answer.Data) != len(batch) {
			return nil, fmt.Errorf("the server answered %d events with %d results", len(batch), len(answer.Data))
		}
		passing := false
		wait := time.Duration(0)
		for i, a := range answer.Data {
			if results[i].Err == nil {
				continue // stored at an earlier try: now it would be a duplicate
			}
			a.into(&results[i])
			if results[i].Err != nil {
				if w, again := c.again(results[i].Err, try); again {
					passing, wait = true, max(wait, w)
				}
			}
		}
		if !passing {
			return results, nil
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// published is one result of an answer: a published event, or why it is none.
type published struct {
	postroom.Published
	Error *postroom.Problem `json:"error"`
}

func (p published) into(r *PublishResult) {
	if p.Error == nil {
		r.Event, r.Err = p.Published, nil
		return
	}
	r.Err = &Error{Status: p.Error.Status}
	r.Err.fill(*p.Error)
}
