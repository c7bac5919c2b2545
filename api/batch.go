package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/payload"
)

// Bounds of a call that publishes many events.
const (
	maxEvents         = 10_000
	maxLinesBody      = 64 << 20 // of NDJSON in total; a line is bounded by Config.MaxBody
	maxKeyedLinesBody = 8 << 20  // of NDJSON with an Idempotency-Key, which is kept whole to be compared
	chunkEvents       = 500      // published at once
	chunkBytes        = 1 << 20  // of data, roughly: with more than that, fewer events are published at once
)

// array publishes the elements of a JSON array.
func (p *publication) array(w http.ResponseWriter, body []byte, parse func([]byte) (app.NewEvent, error)) (again bool) {
	// The array is looked through first: nothing of a body that is not valid is published.
	n := 0
	err := payload.Elements(body, func([]byte) error {
		n++
		return nil
	})
	if err != nil {
		p.fail(w, p.r, badJSON(err))
		return false
	}
	if n > maxEvents {
		p.fail(w, p.r, postroom.Errorf(postroom.CodeTooLarge, "The array holds %d events; at most %d are published at once.", n, maxEvents))
		return false
	}
	b := newBatch(p)
	err = payload.Elements(body, func(raw []byte) error {
		event, err := parse(raw)
		event.Data = slices.Clone(event.Data) // an event that waits must not keep all others in memory
		return b.add(event, err)
	})
	return b.answer(w, err)
}

// lines publishes the lines of NDJSON, a chunk at a time.
func (p *publication) lines(w http.ResponseWriter, body io.Reader, size int64) (again bool) {
	if size > maxLinesBody {
		p.fail(w, p.r, tooLarge(maxLinesBody))
		return false
	}
	b := newBatch(p)
	err := b.addLines(&lineReader{r: bufio.NewReaderSize(body, 64<<10), limit: p.MaxBody})
	return b.answer(w, err)
}

// addLines takes the lines of NDJSON.
func (b *batch) addLines(in *lineReader) error {
	for {
		line, err := in.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil: // what came before is published, or will be: the last result says that what follows is not
			return b.add(app.NewEvent{}, err)
		case len(line) == 0 && !in.over: // a blank line
			continue
		case b.count() == maxEvents:
			return b.add(app.NewEvent{}, postroom.Errorf(postroom.CodeTooLarge,
				"At most %d events are published at once: this line and those after it were not read.", maxEvents))
		case in.over:
			err = b.add(app.NewEvent{}, postroom.Errorf(postroom.CodeTooLarge, "The line is longer than %d bytes, the most that is read here.", in.limit))
		default:
			event, wrong := parseEvent(line)
			event.Data = slices.Clone(event.Data) // the line is overwritten by the next
			err = b.add(event, wrong)
		}
		if err != nil {
			return err
		}
	}
}

// lineReader reads lines that are not longer than limit.
type lineReader struct {
	r     *bufio.Reader
	limit int64
	long  []byte // a line that is longer than r's buffer
	over  bool   // the line was longer than limit, and is not returned
}

// next returns the next line without white space around it. It is valid until next is called again. After the last line
// it returns io.EOF.
func (l *lineReader) next() ([]byte, error) {
	l.over, l.long = false, l.long[:0]
	for read := int64(0); ; {
		part, err := l.r.ReadSlice('\n')
		read += int64(len(part))
		l.over = read > l.limit+1 // the line's end is not part of it
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if !l.over {
				l.long = append(l.long, part...)
			}
			continue
		case err != nil && (read == 0 || !errors.Is(err, io.EOF)):
			return nil, l.cause(err)
		case l.over:
			return nil, nil
		case len(l.long) > 0:
			part = append(l.long, part...)
			l.long = part
		}
		return bytes.TrimSpace(part), nil
	}
}

// cause is the error of a body that could not be read to its end.
func (l *lineReader) cause(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	return cutShort(err)
}

// batch publishes events in chunks, and gathers a result for each event or faulty line, in order.
type batch struct {
	*publication
	events  []app.NewEvent // of the present chunk
	wrong   []error        // for each line of the present chunk, why it is no event; nil for the next of events
	bytes   int            // of data in events
	first   int            // how many lines came before the present chunk
	results []byte         // JSON
	stored  bool           // events were published
	again   bool           // some events failed for a reason that may pass
}

func newBatch(p *publication) *batch {
	return &batch{publication: p, results: []byte(`{"data":[`)}
}

// count is how many lines there were.
func (b *batch) count() int { return b.first + len(b.wrong) }

// add takes an event, or why a line is none. It fails only when nothing could be published at all.
func (b *batch) add(event app.NewEvent, wrong error) error {
	b.wrong = append(b.wrong, wrong)
	if wrong == nil {
		b.events = append(b.events, event)
		b.bytes += len(event.Data)
	}
	if len(b.wrong) >= chunkEvents || b.bytes >= chunkBytes {
		return b.flush()
	}
	return nil
}

// flush publishes the present chunk. It fails only when nothing was published before.
func (b *batch) flush() error {
	var published []app.PublishResult
	if len(b.events) > 0 {
		var err error
		if published, err = b.App.Publish(b.r.Context(), b.who, b.events, b.dedupeKey()); err != nil {
			if !b.stored {
				return err
			}
			problem := b.problem(err)
			b.logCause(b.r, problem)
			problem.cause = nil // it need not be logged for every event
			published = slices.Repeat([]app.PublishResult{{Err: problem}}, len(b.events))
		}
		b.stored = true
	}
	for _, wrong := range b.wrong {
		if wrong != nil {
			b.addResult(app.PublishResult{Err: wrong})
			continue
		}
		b.addResult(published[0])
		published = published[1:]
	}
	b.first += len(b.wrong)
	b.events, b.wrong, b.bytes = nil, b.wrong[:0], 0 // App may keep events
	return nil
}

// dedupeKey is the key by which App recognises the chunk's events when the call is made again. Each chunk has one of its
// own; a key of a caller has no space.
func (b *batch) dedupeKey() string {
	if b.dedupe == "" || b.first == 0 {
		return b.dedupe
	}
	return b.dedupe + " " + strconv.Itoa(b.first)
}

func (b *batch) addResult(result app.PublishResult) {
	b.results = payload.AppendComma(b.results)
	if result.Err == nil {
		b.results = appendPublished(b.results, &result.Event)
		return
	}
	problem := b.problem(result.Err)
	b.logCause(b.r, problem)
	b.again = b.again || problem.Status >= http.StatusInternalServerError || problem.Status == http.StatusTooManyRequests
	text, err := json.Marshal(problem.Problem)
	if err != nil { // cannot be: a Problem holds strings and a number
		panic(err)
	}
	b.results = append(b.results, `{"error":`...)
	b.results = append(b.results, text...)
	b.results = append(b.results, '}')
}

// answer publishes what is left, and answers.
func (b *batch) answer(w http.ResponseWriter, err error) (again bool) {
	if err == nil {
		err = b.flush()
	}
	if err != nil {
		b.fail(w, b.r, err)
		return true
	}
	b.accept(w, append(b.results, "]}\n"...))
	return b.again
}
