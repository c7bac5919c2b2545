package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// logged is what a test has stored, newest first.
type logged struct {
	workspace  postroom.WorkspaceID
	webhooks   []postroom.WebhookID
	events     []postroom.Event
	deliveries []postroom.Delivery
}

// publishLog stores n events with deliveries, a few at a time, as several publishers would: ids come nearly in order, some of
// them late, and some deliveries are attempted again long after.
func publishLog(f *fixture, r *rand.Rand, l *logged, n int) {
	f.t.Helper()
	var again []*postroom.Job
	for i := 0; i < n; {
		var pubs []*postroom.Publication
		for range 1 + r.IntN(5) {
			when := at(time.Duration(len(l.events)+len(pubs))*time.Second - time.Duration(r.IntN(5))*time.Second)
			if r.IntN(60) == 0 {
				when = at(time.Duration(r.IntN(len(l.events)+1)) * time.Second)
			}
			p := f.publication(l.workspace, when, postroom.StateLeased, l.webhooks[:1+r.IntN(len(l.webhooks))]...)
			e := p.Event
			e.Type = someTypes()[min(r.IntN(len(someTypes())), r.IntN(len(someTypes())))]
			e.Contact = fmt.Sprintf("reader-%d@example.com", min(r.IntN(80), r.IntN(80)))
			if r.IntN(3) > 0 {
				e.Campaign = fmt.Sprint(r.IntN(6) * i / 200)
			}
			e.Data = []byte(fmt.Sprintf(`{"n":%d}`, r.IntN(50)))
			pubs = append(pubs, p)
		}
		f.publish(pubs...)
		i += len(pubs)
		for _, p := range pubs {
			l.events = append(l.events, *p.Event)
			for _, job := range jobsOf(p) {
				l.deliveries = append(l.deliveries, postroom.Delivery{ID: job.DeliveryID, WorkspaceID: l.workspace, EventID: p.Event.ID, EventType: p.Event.Type,
					WebhookID: job.WebhookID, Status: postroom.DeliveryPending})
				again = append(again, job)
			}
		}
		for len(again) > 0 && r.IntN(4) > 0 {
			k := len(again) - 1
			if r.IntN(5) == 0 {
				k = r.IntN(len(again))
			}
			attemptLogged(f, r, l, again[k])
			again = slices.Delete(again, k, k+1)
		}
	}
	slices.SortFunc(l.events, func(a, b postroom.Event) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	slices.SortFunc(l.deliveries, func(a, b postroom.Delivery) int { return bytes.Compare(b.ID[:], a.ID[:]) })
}

func attemptLogged(f *fixture, r *rand.Rand, l *logged, job *postroom.Job) {
	f.t.Helper()
	code := []int{200, 200, 200, 204, 201, 404, 500}[r.IntN(7)]
	f.finish(job, noon(), code)
	i := slices.IndexFunc(l.deliveries, func(d postroom.Delivery) bool { return d.ID == job.DeliveryID })
	d, began := &l.deliveries[i], noon()
	d.Attempts, d.LastAt, d.LastStatusCode, d.Status = 1, &began, code, postroom.DeliverySucceeded
	if code >= 300 {
		d.Status, d.LastErrorKind = postroom.DeliveryFailed, "status"
	}
}

// check compares lists with what is known to be stored, for filters that are drawn.
func (l *logged) check(f *fixture, r *rand.Rand, lists int) {
	f.t.Helper()
	draw := func(values ...string) string { return values[r.IntN(len(values))] }
	for range lists {
		var after, before time.Time
		if r.IntN(4) == 0 {
			after = at(time.Duration(r.IntN(len(l.events))) * time.Second)
		}
		if r.IntN(4) == 0 {
			before = at(time.Duration(r.IntN(len(l.events))) * time.Second)
		}
		within := func(made time.Time) bool {
			return (after.IsZero() || !made.Before(after)) && (before.IsZero() || made.Before(before))
		}
		pattern := draw("", "*", "email.*", "email.list.*", "email.opened", "contact.updated", "unknown.type")
		e := postroom.EventFilter{Type: pattern, After: after, Before: before, Contact: draw("", fmt.Sprintf("reader-%d@example.com", r.IntN(81))),
			Campaign: draw("", fmt.Sprint(r.IntN(30))), Text: draw("", "", fmt.Sprintf(`"N":%d}`, r.IntN(50)))}
		var events []postroom.Event
		for _, v := range l.events {
			if within(v.PublishedAt()) && matches(pattern, v.Type) && (e.Contact == "" || e.Contact == v.Contact) && (e.Campaign == "" || e.Campaign == v.Campaign) &&
				strings.Contains(strings.ToUpper(string(v.Data)), strings.ToUpper(e.Text)) {
				events = append(events, v)
			}
		}
		pages(f, fmt.Sprintf("events %+v", e), events, 1+r.IntN(20), eventPlace, func(cursor *postroom.Cursor, limit int) ([]postroom.Event, *[16]byte) {
			got, rest, err := f.s.Events(f.ctx, l.workspace, e, cursor, limit)
			f.must(err)
			return got, rest
		})

		d := postroom.DeliveryFilter{Type: pattern, After: after, Before: before, StatusCode: []int{0, 0, 200, 204, 201, 404, 500, 503}[r.IntN(8)],
			Status: postroom.DeliveryStatus(draw("", "", "succeeded", "failed", "pending", "held"))}
		if r.IntN(3) == 0 {
			d.Webhook = l.webhooks[r.IntN(len(l.webhooks))]
		}
		var deliveries []postroom.Delivery
		for _, v := range l.deliveries {
			if within(v.CreatedAt()) && matches(pattern, v.EventType) && (d.StatusCode == 0 || d.StatusCode == v.LastStatusCode) &&
				(d.Status == "" || d.Status == v.Status) && (d.Webhook.IsZero() || d.Webhook == v.WebhookID) {
				deliveries = append(deliveries, v)
			}
		}
		pages(f, fmt.Sprintf("deliveries %+v", d), deliveries, 1+r.IntN(20), deliveryPlace, func(cursor *postroom.Cursor, limit int) ([]postroom.Delivery, *[16]byte) {
			got, rest, err := f.s.Deliveries(f.ctx, l.workspace, d, cursor, limit)
			f.must(err)
			for i := range got {
				got[i].NextAt = nil // leases end when the database is opened again
			}
			return got, rest
		})
	}
}

// newLog makes a workspace with webhooks, and makes windows so small that lists come to their end.
func newLog(f *fixture) *logged {
	f.s.listWindow, f.s.textWindow = 40, 20
	l := &logged{workspace: f.workspace(f.t.Name())}
	for range 3 {
		l.webhooks = append(l.webhooks, f.webhook(l.workspace))
	}
	return l
}

// small makes segments and blocks small.
func small(s *Store) *sqliteStore {
	b := s.backend.(*sqliteStore)
	if err := b.write(context.Background(), func(querier) error { // by the committer, which looks at it between its commits
		b.index.live.segmentSize = segmentSize{spans: 150, rows: 200, block: 8}
		return nil
	}); err != nil {
		panic(err)
	}
	return b
}

// TestLists draws filters and compares what both databases find, in pages that come to the end of their window.
func TestLists(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		if f.s.dialect == sqlite {
			small(f.s)
		}
		r := rand.New(rand.NewPCG(1, 2))
		l, other := newLog(f), &logged{workspace: f.workspace("other")}
		other.webhooks = []postroom.WebhookID{f.webhook(other.workspace)}
		publishLog(f, r, other, 50)
		publishLog(f, r, l, 500)
		publishLog(f, r, other, 50)
		l.check(f, r, 120)
		other.check(f, r, 20)
	})
}

// TestLogIndex looks for events and deliveries after the index was written, lost in whole or in part, and expired.
func TestLogIndex(t *testing.T) {
	db := newSQLite(t)
	f := newFixture(t, db.open())
	b := small(f.s)
	r := rand.New(rand.NewPCG(3, 4))
	l := newLog(f)
	publishLog(f, r, l, 400)
	l.check(f, r, 50)
	segments := f.number("SELECT count(*) FROM log_segments")
	if segments < 5 || len(b.index.segments) != int(segments) {
		t.Fatalf("there are %d segments, and %d in memory", segments, len(b.index.segments))
	}

	reopen := func(what string, statements ...string) {
		f.must(f.s.Close())
		conn, err := sql.Open("sqlite", strings.TrimPrefix(db.url, "sqlite:"))
		f.must(err)
		for _, statement := range statements {
			_, err := conn.ExecContext(f.ctx, statement)
			f.must(err)
		}
		f.must(conn.Close())
		f.s = db.open()
		f.s.listWindow, f.s.textWindow = 40, 20
		l.check(f, r, 10) // with or without the index
		f.s.backend.(*sqliteStore).caught.Wait()
		small(f.s)
		if f.s.index() == nil {
			t.Fatalf("%s: the index is not complete", what)
		}
		l.check(f, r, 50)
		publishLog(f, r, l, 100)
		l.check(f, r, 20)
	}
	reopen("closed in good order")
	uncovered := "UPDATE meta SET value = x'" + strings.Repeat("00", 7) + "28" + strings.Repeat("00", 16) + "' WHERE key = 'log_index'"
	reopen("what was committed last is not covered", uncovered, "DELETE FROM log_spans WHERE place >= 256 * 3", "DELETE FROM log_segments WHERE number >= 3")
	reopen("all of it is lost", "DELETE FROM meta WHERE key = 'log_index'", "DELETE FROM log_segments", "DELETE FROM log_spans")

	bound := at(time.Duration(300) * time.Second)
	f.must(f.s.Expire(f.ctx, bound, bound, nil))
	first := postroom.FirstID[postroom.DeliveryKind](bound)
	for _, table := range []string{"events", "deliveries"} { // what was late stands among younger rows, and goes when they do
		f.exec("DELETE FROM "+table+" WHERE id < $1", first)
	}
	l.events = slices.DeleteFunc(l.events, func(e postroom.Event) bool { return e.PublishedAt().Before(bound) })
	l.deliveries = slices.DeleteFunc(l.deliveries, func(d postroom.Delivery) bool { return d.CreatedAt().Before(bound) })
	before := f.number("SELECT count(*) FROM log_spans")
	l.check(f, r, 50)
	reopen("some of it has expired")
	end := at(100 * time.Hour)
	f.must(f.s.Expire(f.ctx, end, end, nil))
	f.equal("segments that are left", []int64{f.number("SELECT count(*) FROM log_segments"), f.number("SELECT count(*) FROM log_spans")}, []int64{0, 0})
	l.events, l.deliveries = nil, nil
	if before == 0 {
		t.Error("nothing was left before")
	}
	publishLog(f, r, l, 100) // in rows with the same numbers
	reopen("rows have the numbers of others")
}

func TestSpansOfBuckets(t *testing.T) {
	var one, two place
	one[0], two[15] = 7, 9
	want := []span{{3, one, one}, {1<<63 + 4, two, two}, {5, two, one}, {3, two, one}}
	var got []span
	if err := decodeSpans(encodeSpans(want), []term{3, 1<<63 + 4, 5}, func(s span) { got = append(got, s) }); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, damaged := range [][]byte{nil, {0xff}, {1}, {2, 0, 0}, append([]byte{0}, make([]byte, wideBytes-1)...)} {
		if err := decodeSpans(damaged, []term{0}, func(span) {}); err == nil {
			t.Errorf("%v is read", damaged)
		}
	}
}

// A retry of an old delivery must not stretch the span of what is new.
func TestBlockOfOldIDs(t *testing.T) {
	id := func(n byte) (p place) { p[0] = n; return p }
	b := spanBuilder{segmentSize: segmentSize{spans: 1000, rows: 1000, block: 4}}
	w := postroom.WorkspaceID{1}
	for n := range byte(40) {
		b.attempt(w, id(100+n), 200, true)
	}
	b.attempt(w, id(3), 200, true)
	for n := range byte(8) {
		b.attempt(w, id(140+n), 200, true)
	}
	widest := 0
	b.each(func(s span) { widest = max(widest, int(s.last[0])-int(s.first[0])) })
	if widest > 8 {
		t.Errorf("a span is %d ids wide", widest)
	}
}

func TestSplitAndIntersect(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	id := func(n int) (p place) { p[15] = byte(n); return p }
	draw := func() (ranges []idRange, has [256]bool) {
		for range r.IntN(8) {
			from := 1 + r.IntN(250)
			to := min(254, from+r.IntN(20))
			ranges = append(ranges, idRange{id(from), id(to)})
			for n := from; n <= to; n++ {
				has[n] = true
			}
		}
		return ranges, has
	}
	for range 3000 {
		a, inA := draw()
		b, inB := draw()
		at := r.IntN(255)
		aboveA, belowA := split(a, id(at))
		aboveB, belowB := split(b, id(at))
		belowA, _ = split(belowA, place{})
		belowB, _ = split(belowB, place{})
		var got [256]int
		for _, rs := range [][]idRange{intersect(aboveA, aboveB), intersect(belowA, belowB)} {
			last := 256
			for _, r := range rs {
				if int(r.last[15]) >= last {
					t.Fatalf("%v are not in order", rs)
				}
				last = int(r.first[15])
				for n := int(r.first[15]); n <= int(r.last[15]); n++ {
					got[n]++
				}
			}
		}
		for n := range got {
			if want := inA[n] && inB[n]; got[n] > 1 || want != (got[n] == 1) {
				t.Fatalf("%d is found %d times, and is in both: %v", n, got[n], want)
			}
		}
	}
}
