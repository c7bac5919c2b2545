package store

import (
	"strings"
	"sync"

	"github.com/postroom/postroom"
)

// logIndex finds events and deliveries by what SQLite has no index for, such as an event's contact or the status code of a
// delivery's attempts. An index of SQLite would be written with each commit, a page for almost each row; this one is
// gathered in memory as rows are committed and written now and then, a segment at a time (ADR 0014).
//
//	commit ─▶ block: where the ids of a term lie, for some hundred rows ─▶ spans ─▶ segment: log_segments, log_spans
//
// It is a hint: a term's spans hold all rows that have it, and others too. Who looks something up reads the rows in them.
type logIndex struct {
	mu       sync.RWMutex
	live     spanBuilder // what was committed since the last segment
	segments []segment   // in the order of their numbers
	covered  rowNumbers  // up to which rows segments hold all
	complete bool        // all that was there at the start is covered
}

// index is the index of the log where there is one that can be used now.
func (s *Store) index() *logIndex {
	b, ok := s.backend.(*sqliteStore)
	if !ok || b.index == nil {
		return nil
	}
	b.index.mu.RLock()
	defer b.index.mu.RUnlock()
	if !b.index.complete {
		return nil
	}
	return b.index
}

// A term is a value that rows are found by, with its field and workspace, hashed.
type term uint64

// The fields of terms.
const (
	termEventType byte = iota
	termEventGroup
	termContact
	termCampaign
	termDeliveryType
	termDeliveryGroup
	termWebhook
	termStatusCode
	termSucceeded
)

// termOf is FNV-1a, with a last mix since buckets are made of the low bits.
func termOf[V string | []byte](workspace postroom.WorkspaceID, field byte, value V) term {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for _, c := range workspace {
		h = (h ^ uint64(c)) * prime
	}
	h = (h ^ uint64(field)) * prime
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * prime
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return term(h ^ h>>32)
}

func codeTerm(workspace postroom.WorkspaceID, code int) term {
	return termOf(workspace, termStatusCode, []byte{byte(code >> 8), byte(code)})
}

// A place is an id of an event or a delivery.
type place = [16]byte

// A span says that a term's rows lie from one id to another, with others in between.
type span struct {
	term        term
	first, last place
}

// block gathers spans of some hundred rows that were committed one after the other.
type block struct {
	at    map[term]int // in spans
	spans []span
	rows  int
	// Ids come nearly in order. What is older than the block before this one, such as a delivery that is attempted again, is a
	// span of its own: else one old id would stretch a span over all that lies between.
	recent, before, high place
}

// add notes a term of a row.
func (b *block) add(t term, id place) {
	if less(id, b.recent) {
		b.spans = append(b.spans, span{t, id, id})
		return
	}
	i, ok := b.at[t]
	if !ok {
		if b.at == nil {
			b.at = map[term]int{}
		}
		b.at[t] = len(b.spans)
		b.spans = append(b.spans, span{t, id, id})
		return
	}
	if s := &b.spans[i]; less(id, s.first) {
		s.first = id
	} else if less(s.last, id) {
		s.last = id
	}
}

// row ends a row.
func (b *block) row(id place) {
	if less(b.high, id) {
		b.high = id
	}
	b.rows++
}

// take empties the block into spans.
func (b *block) take(spans []span) []span {
	spans = append(spans, b.spans...)
	clear(b.at)
	b.spans, b.rows = b.spans[:0], 0
	b.recent, b.before = b.before, b.high
	return spans
}

// spanBuilder gathers the spans of a segment.
type spanBuilder struct {
	segmentSize
	events, deliveries, attempts block
	spans                        []span // of blocks that are full
	rows                         int
}

// segmentSize is what makes a segment: so many spans, or so many rows. What is in memory is read again after a crash.
type segmentSize struct {
	spans, rows int
	block       int // rows; about as many are looked at for one that has a term twice
}

func defaultSegmentSize() segmentSize { return segmentSize{spans: 20000, rows: 40000, block: 512} }

func (b *spanBuilder) full() bool {
	return len(b.spans) >= b.segmentSize.spans || b.rows >= b.segmentSize.rows
}

func (b *spanBuilder) end(k *block, id place) {
	b.rows++
	if k.row(id); k.rows >= b.block {
		b.spans = k.take(b.spans)
	}
}

// take gives all spans, and empties the builder.
func (b *spanBuilder) take() []span {
	for _, k := range []*block{&b.events, &b.deliveries, &b.attempts} {
		b.spans = k.take(b.spans)
	}
	spans := b.spans
	b.spans, b.rows = nil, 0
	return spans
}

// each visits all spans, also those of blocks that are not full.
func (b *spanBuilder) each(visit func(span)) {
	for _, spans := range [][]span{b.spans, b.events.spans, b.deliveries.spans, b.attempts.spans} {
		for _, s := range spans {
			visit(s)
		}
	}
}

func (b *spanBuilder) event(workspace postroom.WorkspaceID, id place, eventType, contact, campaign string) {
	k := &b.events
	k.addType(workspace, id, eventType, termEventType, termEventGroup)
	if contact != "" {
		k.add(termOf(workspace, termContact, contact), id)
	}
	if campaign != "" {
		k.add(termOf(workspace, termCampaign, campaign), id)
	}
	b.end(k, id)
}

func (b *spanBuilder) delivery(workspace postroom.WorkspaceID, id place, eventType string, webhook postroom.WebhookID) {
	k := &b.deliveries
	k.addType(workspace, id, eventType, termDeliveryType, termDeliveryGroup)
	k.add(termOf(workspace, termWebhook, webhook[:]), id)
	b.end(k, id)
}

func (b *spanBuilder) attempt(workspace postroom.WorkspaceID, delivery place, statusCode int, succeeded bool) {
	k := &b.attempts
	if statusCode != 0 {
		k.add(codeTerm(workspace, statusCode), delivery)
	}
	if succeeded {
		k.add(termOf(workspace, termSucceeded, ""), delivery)
	}
	b.end(k, delivery)
}

// addType notes an event type and the groups that it is in: "a.b.c" is in a and a.b.
func (b *block) addType(workspace postroom.WorkspaceID, id place, eventType string, exact, group byte) {
	b.add(termOf(workspace, exact, eventType), id)
	for i := range len(eventType) {
		if eventType[i] == '.' {
			b.add(termOf(workspace, group, eventType[:i]), id)
		}
	}
}

// typeTerm is the term of a filter by event type; false when it lets all through.
func typeTerm(workspace postroom.WorkspaceID, pattern string, exact, group byte) (term, bool) {
	name, isGroup := strings.CutSuffix(pattern, ".*")
	switch {
	case pattern == "" || pattern == "*":
		return 0, false
	case isGroup:
		return termOf(workspace, group, name), true
	default:
		return termOf(workspace, exact, name), true
	}
}

// committed notes what an op has stored. Only the committer calls it.
func (x *logIndex) committed(o *op) {
	if o.err != nil || o.pubs == nil && o.fins == nil && o.whole == nil && o.added == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range o.pubs {
		x.published(p)
	}
	for _, f := range o.fins {
		if f.Attempt == nil || f.Lost {
			continue
		}
		x.live.attempt(f.Job.Event.WorkspaceID, f.Job.DeliveryID, f.Attempt.StatusCode, f.Outcome.State == postroom.StateSucceeded)
		for _, p := range f.Also {
			x.published(p)
		}
	}
	if o.whole != nil && o.whole.Stored() {
		for _, p := range o.whole.Publications {
			x.published(p)
		}
	}
	if a := o.added; a != nil {
		for _, d := range a.deliveries {
			x.live.delivery(a.event.WorkspaceID, d.ID, a.event.Type, d.WebhookID)
		}
	}
}

func (x *logIndex) published(p *postroom.Publication) {
	e := p.Event
	if p.Duplicate != nil {
		return
	}
	x.live.event(e.WorkspaceID, e.ID, e.Type, e.Contact, e.Campaign)
	for i := range p.Deliveries {
		x.live.delivery(e.WorkspaceID, p.Deliveries[i].ID, e.Type, p.Deliveries[i].WebhookID)
	}
}

// less orders ids.
func less(a, b place) bool { return string(a[:]) < string(b[:]) }

// up is the id after another one, and down the one before. Neither is asked for beyond the last.
func up(id place) place {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			break
		}
	}
	return id
}

func down(id place) place {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]--; id[i] != 0xff {
			break
		}
	}
	return id
}
