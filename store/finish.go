package store

import (
	"database/sql/driver"
	"encoding/json"
	"math"
	"sort"
	"strings"

	"github.com/postroom/postroom"
)

// eventGone is the error kind of a delivery whose event was deleted before it could be delivered.
const eventGone = "event_gone"

// resolve gives each claimed job its event, and drops those whose event is gone after telling the database so. The jobs
// come in the order in which they were published, which no database promises of the rows that it changes.
func resolve(got []claimed, event func(claimed) (*postroom.Event, error), cancel func(claimed) error) (jobs []*postroom.Job, err error) {
	for _, j := range got {
		if j.Event, err = event(j); err != nil {
			return nil, err
		}
		if j.Event == nil {
			if err := cancel(j); err != nil {
				return nil, err
			}
			continue
		}
		jobs = append(jobs, j.Job)
	}
	sort.Slice(jobs, func(i, j int) bool { return string(jobs[i].DeliveryID[:]) < string(jobs[j].DeliveryID[:]) })
	return jobs, nil
}

// finished are the values of a Finish as the database wants them.
type finished struct {
	f          *postroom.Finish
	due        int64
	made       int64 // attempts to count: 1, or 0 when none was made
	statusCode int64
	errorKind  any
	at         any   // when the attempt began; null when none was made
	now        int64 // when it ended
}

func finishValues(f *postroom.Finish) finished {
	v := finished{f: f, due: micros(f.Outcome.NextAt)}
	if f.Outcome.NextAt.IsZero() {
		v.due = 0
	}
	if a := f.Attempt; a != nil {
		v.made, v.statusCode, v.at, v.now = 1, int64(a.StatusCode), micros(a.At), micros(a.At.Add(a.Phases.Total))
		if a.Error != nil {
			v.errorKind = a.Error.Kind
		}
	}
	return v
}

// place is the latest time at which the next of the order key is due: when this attempt ended.
func (v finished) place() int64 {
	if v.made == 0 {
		return math.MaxInt64
	}
	return v.now
}

// attempt are the values of attempt_insert.
func (v finished) attempt() []driver.Value {
	a, job := v.f.Attempt, v.f.Job
	var message, responseHeaders, responseBody any
	truncated := false
	if a.Error != nil {
		message = storable(a.Error.Message)
	}
	if r := a.Response; r != nil {
		responseHeaders, responseBody, truncated = storable(headerLines(r.Headers)), r.Body, r.Truncated
	}
	var requestBody, notes any
	if a.Request.Body != nil {
		requestBody = a.Request.Body
	}
	if len(a.Notes) > 0 {
		text, _ := json.Marshal(a.Notes) // cannot fail: they are texts
		notes = string(text)
	}
	return []driver.Value{job.DeliveryID[:], int64(job.Claim), job.Event.WorkspaceID[:], v.at, v.statusCode, v.errorKind, message,
		a.Phases.DNS.Microseconds(), a.Phases.Connect.Microseconds(), a.Phases.TLS.Microseconds(), a.Phases.FirstByte.Microseconds(),
		a.Phases.Total.Microseconds(), storable(a.Request.Method + " " + a.Request.URL), storable(headerLines(a.Request.Headers)), requestBody,
		responseHeaders, responseBody, boolInt(truncated), notes}
}

// storable replaces what a text in PostgreSQL cannot hold: a result that cannot be stored would be tried for ever.
func storable(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\ufffd"), "\ufffd")
}

// healthValues are the values of webhook_health_put.
func healthValues(f *postroom.Finish) []driver.Value {
	h := f.Health
	var openUntil any
	if h.Open() {
		openUntil = micros(h.OpenUntil)
	}
	workspace := f.Job.Event.WorkspaceID
	return []driver.Value{f.Job.WebhookID[:], workspace[:], int64(h.Failures), int64(h.FailedDeliveries), micros(h.FailingSince), int64(h.Opens), openUntil}
}

// headerLines writes headers as lines of "name: value". Neither can hold a line feed: HTTP does not let it through.
func headerLines(headers []postroom.Header) string {
	n := 0
	for _, h := range headers {
		n += len(h.Name) + len(h.Value) + 3
	}
	var b strings.Builder
	b.Grow(n)
	for _, h := range headers {
		b.WriteString(h.Name)
		b.WriteString(": ")
		b.WriteString(h.Value)
		b.WriteByte('\n')
	}
	return b.String()
}

// parseHeaderLines reads what headerLines wrote.
func parseHeaderLines(lines string) []postroom.Header {
	headers := []postroom.Header{}
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		headers = append(headers, postroom.Header{Name: name, Value: value})
	}
	return headers
}
