package store

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/postroom/postroom"
)

// segment is a part of the log's index on the disk.
type segment struct {
	number      int64
	first, last place // of the ids in it
}

// rowNumbers are numbers of rows of the tables that the index covers. Rows are numbered as they are committed.
type rowNumbers struct{ events, deliveries, attempts int64 }

// spanBuckets is in how many rows of log_spans a segment's spans are, by the low bits of their terms.
const spanBuckets = 256

// writeSegment writes what was committed since the last segment. Only the committer calls it.
func (s *sqliteStore) writeSegment() error {
	x := s.index
	x.mu.Lock()
	spans, upTo, complete := x.live.take(), x.covered, x.complete
	x.live.spans = spans // still to be found until they are written
	x.mu.Unlock()
	var made segment
	o := &op{change: func(q querier) (err error) {
		if complete {
			if upTo, err = lastRows(q); err != nil {
				return err
			}
		}
		made, err = insertSegment(q, spans, upTo)
		return err
	}}
	s.writer.commit([]*op{o})
	if o.err != nil {
		return o.err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.live.spans, x.segments = nil, append(x.segments, made)
	if complete {
		x.covered = upTo
	}
	return nil
}

// lastRows are the numbers of the last rows.
func lastRows(q querier) (n rowNumbers, err error) {
	err = q.one(context.Background(), "log_last_rows", []any{&n.events, &n.deliveries, &n.attempts})
	return n, err
}

// coveredKey is where the database says which rows the segments cover.
const coveredKey = "log_index"

func (n rowNumbers) bytes() (b []byte) {
	for _, v := range []int64{n.events, n.deliveries, n.attempts} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	return b
}

func (n *rowNumbers) parse(b []byte) {
	if len(b) != 24 {
		return // none is covered
	}
	for i, v := range []*int64{&n.events, &n.deliveries, &n.attempts} {
		*v = int64(binary.BigEndian.Uint64(b[8*i:]))
	}
}

// atMost bounds each number.
func (n rowNumbers) atMost(most rowNumbers) rowNumbers {
	return rowNumbers{min(n.events, most.events), min(n.deliveries, most.deliveries), min(n.attempts, most.attempts)}
}

// insertSegment stores spans as the next segment, and that all rows up to the given ones are covered.
func insertSegment(q querier, spans []span, upTo rowNumbers) (made segment, err error) {
	ctx := context.Background()
	buckets := make([][]span, spanBuckets)
	for i, s := range spans {
		if i == 0 || less(s.first, made.first) {
			made.first = s.first
		}
		if less(made.last, s.last) {
			made.last = s.last
		}
		buckets[s.term%spanBuckets] = append(buckets[s.term%spanBuckets], s)
	}
	if err := q.one(ctx, "log_segment_insert", []any{&made.number}, made.first[:], made.last[:]); err != nil {
		return made, err
	}
	for i, bucket := range buckets {
		if len(bucket) == 0 {
			continue
		}
		if _, err := q.exec(ctx, "log_spans_insert", made.number*spanBuckets+int64(i), encodeSpans(bucket)); err != nil {
			return made, err
		}
	}
	_, err = q.exec(ctx, "meta_put", coveredKey, upTo.bytes())
	return made, err
}

// The spans of a bucket: how many have only one id, those, and then the others; each as term, first and, of the others, last.
const (
	singleBytes = 8 + 16
	wideBytes   = 8 + 16 + 16
)

func encodeSpans(spans []span) []byte {
	var singles, wide []byte
	for _, s := range spans {
		if s.first == s.last {
			singles = append(binary.BigEndian.AppendUint64(singles, uint64(s.term)), s.first[:]...)
			continue
		}
		wide = append(append(binary.BigEndian.AppendUint64(wide, uint64(s.term)), s.first[:]...), s.last[:]...)
	}
	return append(append(binary.AppendUvarint(nil, uint64(len(singles)/singleBytes)), singles...), wide...)
}

var errSpans = errors.New("the index of the log is damaged")

// decodeSpans visits the spans of a bucket.
func decodeSpans(bytes []byte, visit func(span)) error {
	n, read := binary.Uvarint(bytes)
	bytes = bytes[max(read, 0):]
	if read <= 0 || n > uint64(len(bytes)/singleBytes) || (len(bytes)-int(n)*singleBytes)%wideBytes != 0 {
		return errSpans
	}
	for range n {
		id := place(bytes[8:24])
		visit(span{term(binary.BigEndian.Uint64(bytes)), id, id})
		bytes = bytes[singleBytes:]
	}
	for len(bytes) > 0 {
		visit(span{term(binary.BigEndian.Uint64(bytes)), place(bytes[8:24]), place(bytes[24:40])})
		bytes = bytes[wideBytes:]
	}
	return nil
}

// openIndex reads which segments there are. Rows up to until that they do not cover were committed just before a crash.
func openIndex(q querier) (x *logIndex, until rowNumbers, err error) {
	ctx := context.Background()
	x = &logIndex{live: spanBuilder{segmentSize: defaultSegmentSize()}}
	if err := q.each(ctx, "log_segment_list", func(row func(...any) error) error {
		var s segment
		var first, last []byte
		if err := row(&s.number, &first, &last); err != nil {
			return err
		}
		if len(first) != len(s.first) || len(last) != len(s.last) {
			return errSpans
		}
		s.first, s.last = place(first), place(last)
		x.segments = append(x.segments, s)
		return nil
	}); err != nil {
		return nil, until, err
	}
	var covered []byte
	if err := q.one(ctx, "meta_get", []any{&covered}, coveredKey); err != nil && !errors.Is(err, errNoRow) {
		return nil, until, err
	}
	if until, err = lastRows(q); err != nil {
		return nil, until, err
	}
	x.covered.parse(covered)
	x.covered = x.covered.atMost(until)
	x.complete = x.covered == until
	return x, until, nil
}

// catchUp reads the rows up to the given ones that no segment covers, and writes segments of them. Until it ends lists do
// not use the index.
func (s *sqliteStore) catchUp(ctx context.Context, until rowNumbers) error {
	x := s.index
	done := x.covered
	b := spanBuilder{segmentSize: x.live.segmentSize}
	for done != until {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.read(ctx, func(q querier) error { return readRows(ctx, q, &b, &done, until) }); err != nil {
			return err
		}
		if done != until && !b.full() {
			continue
		}
		spans, upTo := b.take(), done
		var made segment
		if err := s.write(ctx, func(q querier) (err error) {
			made, err = insertSegment(q, spans, upTo)
			return err
		}); err != nil {
			return err
		}
		x.mu.Lock()
		x.segments, x.covered = append(x.segments, made), upTo
		x.mu.Unlock()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.complete = true
	return nil
}

// rowStep is how many rows catchUp reads at once.
const rowStep = 5000

// readRows reads the next rows of the first table that has not been read to its end.
func readRows(ctx context.Context, q querier, b *spanBuilder, done *rowNumbers, until rowNumbers) error {
	read := func(name string, at *int64, end int64, scan func(row func(...any) error) error) error {
		last := min(*at+rowStep, end)
		err := q.each(ctx, name, scan, *at, last)
		*at = last
		return err
	}
	switch {
	case done.events < until.events:
		return read("log_rows_events", &done.events, until.events, func(row func(...any) error) error {
			var id postroom.EventID
			var workspace postroom.WorkspaceID
			var eventType, contact, campaign string
			err := row(&id, &workspace, &eventType, &contact, &campaign)
			b.event(workspace, id, eventType, contact, campaign)
			return err
		})
	case done.deliveries < until.deliveries:
		return read("log_rows_deliveries", &done.deliveries, until.deliveries, func(row func(...any) error) error {
			var id postroom.DeliveryID
			var workspace postroom.WorkspaceID
			var webhook postroom.WebhookID
			var eventType string
			err := row(&id, &workspace, &eventType, &webhook)
			b.delivery(workspace, id, eventType, webhook)
			return err
		})
	default:
		return read("log_rows_attempts", &done.attempts, until.attempts, func(row func(...any) error) error {
			var id postroom.DeliveryID
			var workspace postroom.WorkspaceID
			var code int
			var succeeded bool
			err := row(&id, &workspace, &code, &succeeded)
			b.attempt(workspace, id, code, succeeded)
			return err
		})
	}
}

// uncover notes that rows were deleted: the numbers of the last ones come again.
func (s *sqliteStore) uncover(ctx context.Context) error {
	x := s.index
	return s.write(ctx, func(q querier) error {
		last, err := lastRows(q)
		if err != nil {
			return err
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		fewer := x.covered.atMost(last)
		if fewer == x.covered {
			return nil
		}
		x.covered = fewer
		_, err = q.exec(context.Background(), "meta_put", coveredKey, fewer.bytes())
		return err
	})
}

// expireIndex drops the segments in which everything is older than an id.
func (s *sqliteStore) expireIndex(ctx context.Context, first place) error {
	x := s.index
	x.mu.RLock()
	segments := x.segments
	x.mu.RUnlock()
	for _, old := range segments {
		if !less(old.last, first) {
			continue
		}
		if err := s.write(ctx, func(q querier) error {
			if _, err := q.exec(ctx, "log_spans_delete", old.number*spanBuckets, (old.number+1)*spanBuckets); err != nil {
				return err
			}
			_, err := q.exec(ctx, "log_segment_delete", old.number)
			return err
		}); err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.segments = slices.DeleteFunc(slices.Clone(x.segments), func(s segment) bool { return less(s.last, first) })
	return nil
}
