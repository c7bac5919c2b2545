package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

// requestFilterFlags choose requests.
type requestFilterFlags struct {
	Status string `enum:"queued,retrying,processed,failed,duplicate,refused," default:"" placeholder:"STATUS" help:"Only requests in this state: queued, retrying, processed, failed, duplicate or refused."`
	Type   string `placeholder:"TYPE" help:"Only requests that told of this event type."`
	Sender string `placeholder:"ADDRESS" help:"Only requests from this address."`
	After  string `placeholder:"TIME" help:"Only requests that came at this time or later: a time, a date, or how long ago, such as 24h."`
	Before string `placeholder:"TIME" help:"Only requests that came before this time."`
}

func (f requestFilterFlags) filter(s *session) (client.RequestFilter, error) {
	out := client.RequestFilter{Status: postroom.RequestStatus(f.Status), EventType: f.Type, Sender: f.Sender}
	var err error
	if out.After, err = s.moment("--after", f.After); err != nil {
		return out, err
	}
	out.Before, err = s.moment("--before", f.Before)
	return out, err
}

type sourceRequestsCmd struct {
	Source string `arg:"" optional:"" help:"The source's id (src_…) or its uid; all sources if left out."`
	requestFilterFlags
	listFlags
}

// Help is shown by `postroom sources requests --help`.
func (sourceRequestsCmd) Help() string {
	return `Newest first, each with what was done about it, or why it failed or was refused.

    postroom sources requests signup --status failed --after 24h
    postroom sources requests --status refused --limit 0 -o json | jq -r '.[].sender' | sort | uniq -c`
}

// Run lists requests.
func (cmd sourceRequestsCmd) Run(s *session) error {
	if err := cmd.check(); err != nil {
		return err
	}
	f, err := cmd.filter(s)
	if err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	list, more, err := collect(s.ctx, cmd.Limit, func(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.SourceRequest], error) {
		if cmd.Source == "" {
			return c.RequestPage(ctx, f, q)
		}
		return c.SourceRequestPage(ctx, cmd.Source, f, q)
	})
	if err != nil {
		return err
	}
	t := newTable("ID", "TIME", "STATUS", "TYPE", "SENDER", "ANSWER", "WHAT WAS DONE")
	t.cut = true
	return showList(s, list, more, "There are no such requests.", t, func(p *screen, r postroom.SourceRequest) {
		answer, kind := "-", r.EventType
		if r.Answer != nil {
			answer = fmt.Sprint(r.Answer.StatusCode)
		}
		if kind == "" {
			kind = "-"
		}
		t.row(val(r.ID.String()), val(p.time(r.ReceivedAt.Time)), requestStatus(r.Status), val(kind), val(r.Sender), val(answer), val(requestDone(r)))
	})
}

func requestStatus(status postroom.RequestStatus) cell {
	colors := map[postroom.RequestStatus]color{
		postroom.StatusQueued: yellow, postroom.StatusRetrying: yellow, postroom.StatusProcessed: green, postroom.StatusFailed: red,
		postroom.StatusDuplicate: dim, postroom.StatusRefused: red,
	}
	return cell{string(status), colors[status]}
}

// requestDone is what was done about a request, or why it was not, on one line.
func requestDone(r postroom.SourceRequest) string {
	if r.Error != nil {
		return requestErrorText(*r.Error)
	}
	var done []string
	for _, a := range r.Actions {
		if a.Outcome != postroom.OutcomeSkipped {
			done = append(done, string(a.Type))
		}
	}
	for _, w := range r.Warnings {
		done = append(done, "warning: "+w.Message)
	}
	return strings.Join(done, ", ")
}

// requestErrorText is an error with its place.
func requestErrorText(e postroom.RequestError) string {
	var at []string
	if e.Event > 0 {
		at = append(at, fmt.Sprintf("event %d", e.Event))
	}
	if e.Row > 0 {
		at = append(at, fmt.Sprintf("row %d", e.Row))
	}
	if e.Action > 0 {
		at = append(at, fmt.Sprintf("action %d", e.Action))
	}
	if e.Path != "" {
		at = append(at, e.Path)
	}
	text := e.Message
	if len(at) > 0 {
		text = strings.Join(at, ", ") + ": " + text
	}
	if e.Value != "" && !strings.Contains(e.Message, e.Value) {
		text += " (" + e.Value + ")"
	}
	return text
}

// requestArg names a request.
type requestArg struct {
	Request string `arg:"" help:"The request's id (req_…)."`
}

type sourceRequestCmd struct{ requestArg }

// Run shows a request.
func (cmd sourceRequestCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	r, err := c.Request(s.ctx, cmd.Request)
	if err != nil {
		return err
	}
	return s.show(r, func(p *screen) { p.sourceRequest(r) })
}

// sourceRequest shows a request: what is known of it, its activity log, and how it came.
func (p *screen) sourceRequest(r postroom.SourceRequest) {
	next, from := "", ""
	if r.NextAttemptAt != nil {
		next = p.time(r.NextAttemptAt.Time)
		if wait := r.NextAttemptAt.Sub(p.now); wait > 0 {
			next += fmt.Sprintf(" (in %s)", roughly(wait))
		}
	}
	if r.ResentFrom != nil {
		from = r.ResentFrom.String()
	}
	p.fields(
		field{label: "Request", value: val(r.ID.String())},
		field{label: "Source", value: val(r.SourceID.String())},
		field{label: "Time", value: val(p.time(r.ReceivedAt.Time))},
		field{label: "Sender", value: val(r.Sender)},
		field{label: "Status", value: requestStatus(r.Status), note: fmt.Sprintf("%s in %s", plural(r.Attempts, "try", "tries"), milliseconds(r.DurationMs))},
		field{label: "Event type", value: val(r.EventType)},
		field{label: "Records", value: val(count(int64(r.Records)))},
		field{label: "Next try", value: val(next)},
		field{label: "Resent from", value: val(from)},
	)
	p.activity(r.Error, r.Warnings, r.Actions)
	p.idLines("Events", r.Events)
	contacts := make([]string, len(r.Contacts))
	for i, id := range r.Contacts {
		contacts[i] = id.String()
	}
	p.idLines("Contacts", contacts)
	p.printf("\n")
	body := ""
	if r.Body != nil {
		body = *r.Body
	}
	p.message("→", r.Method+" "+r.Path, r.Headers, bodyText(body, r.BodyBase64))
	if r.Answer != nil {
		p.message("←", statusText(r.Answer.StatusCode), nil, string(r.Answer.Body))
	}
}

func (p *screen) idLines(what string, ids []string) {
	if len(ids) > 0 {
		p.printf("\n%s: %s\n", what, clean(strings.Join(ids, ", ")))
	}
}

// activity shows what was done, and what went wrong.
func (p *screen) activity(failed *postroom.RequestError, warnings []postroom.RequestNote, actions []postroom.ActionResult) {
	if failed != nil {
		p.printf("\n%s %s\n", p.paint(red, "✗"), clean(requestErrorText(*failed)))
	}
	for i, w := range warnings {
		if i == 0 {
			p.printf("\n")
		}
		p.printf("%s %s\n", p.paint(yellow, "!"), clean(requestErrorText(postroom.RequestError(w))))
	}
	if len(actions) == 0 {
		return
	}
	p.printf("\n")
	t := newTable("EVENT", "ACTION", "OUTCOME", "TIME", "WHAT")
	for _, a := range actions {
		t.row(val(fmt.Sprint(a.Event)), val(fmt.Sprintf("%d. %s", a.Action, a.Type)), actionOutcome(a.Outcome), val(milliseconds(a.DurationMs)), val(actionDetail(a)))
	}
	p.table(t)
}

func actionOutcome(outcome postroom.ActionOutcome) cell {
	colors := map[postroom.ActionOutcome]color{
		postroom.OutcomeDone: green, postroom.OutcomeQueued: yellow, postroom.OutcomeFailed: red, postroom.OutcomeSkipped: dim, postroom.OutcomeNothing: dim,
	}
	return cell{string(outcome), colors[outcome]}
}

// actionDetail is what an action did it to, and what is said of it.
func actionDetail(a postroom.ActionResult) string {
	var parts []string
	if a.Detail != "" {
		parts = append(parts, a.Detail)
	}
	if a.ContactID != nil {
		parts = append(parts, a.ContactID.String())
	}
	if a.EventID != "" {
		parts = append(parts, a.EventID)
	}
	if a.DeliveryID != nil {
		parts = append(parts, a.DeliveryID.String())
	}
	return strings.Join(parts, " ")
}

type sourceRetryCmd struct{ requestArg }

// Help is shown by `postroom sources retry --help`.
func (sourceRetryCmd) Help() string {
	return `The request is processed now, as the source is now: one that failed or waits for its next try, and also one that was processed,
such as after its mapping was mended.`
}

// Run retries a request.
func (cmd sourceRetryCmd) Run(s *session) error {
	return cmd.again(s, "is to be processed again", (*client.Client).RetryRequest)
}

type sourceResendCmd struct{ requestArg }

// Help is shown by `postroom sources resend --help`.
func (sourceResendCmd) Help() string {
	return `It becomes a new request, which is not verified again. What it tells of is acted on although it came before.`
}

// Run resends a request.
func (cmd sourceResendCmd) Run(s *session) error {
	return cmd.again(s, "is taken in", (*client.Client).ResendRequest)
}

// again makes a call for a request, and shows the one that comes of it.
func (cmd requestArg) again(s *session, what string, call func(*client.Client, context.Context, string) (postroom.SourceRequest, error)) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	r, err := call(c, s.ctx, cmd.Request)
	if err != nil {
		return err
	}
	return s.show(r, func(p *screen) {
		p.done("Request %s %s", r.ID, what)
		p.fields(field{label: "Status", value: requestStatus(r.Status)}, field{label: "Event type", value: val(r.EventType)})
		if r.ResentFrom != nil { // of one that is retried, the log is still that of its last try
			p.activity(r.Error, r.Warnings, r.Actions)
		}
	})
}

type sourceExportCmd struct {
	Source string `arg:"" optional:"" help:"The source's id (src_…) or its uid; all sources if left out."`
	requestFilterFlags
	fileFlags
}

// Help is shown by `postroom sources export --help`.
func (sourceExportCmd) Help() string {
	return `All requests that the filters let through, newest first. NDJSON has the whole of each, with headers and body; CSV has a line for
each without them. A file is complete or not there: it is written under another name, and gets its own when the export has ended.

    postroom sources export signup --output requests.ndjson
    postroom sources export --format csv --status failed --after 168h`
}

// Run exports requests.
func (cmd sourceExportCmd) Run(s *session) error {
	f, err := cmd.filter(s)
	if err != nil {
		return err
	}
	f.Source = cmd.Source
	c, err := s.client()
	if err != nil {
		return err
	}
	return s.exportTo(cmd.Output, func(ctx context.Context) (io.ReadCloser, error) {
		return c.ExportRequests(ctx, f, client.ExportFormat(cmd.Format))
	})
}

type sourceClearCmd struct {
	sourceArg
	Force bool `short:"f" help:"Delete without asking."`
}

// Help is shown by `postroom sources clear --help`.
func (sourceClearCmd) Help() string {
	return `Events and contacts that came of the requests stay, and so do requests that wait to be processed.`
}

// Run clears the log.
func (cmd sourceClearCmd) Run(s *session) error {
	c, src, err := s.askedSource(cmd.Source, cmd.Force, "Delete the log of source %s, which had %s?")
	if err != nil {
		return err
	}
	n, err := c.ClearRequests(s.ctx, src.ID.String())
	if err != nil {
		return err
	}
	return s.show(map[string]any{"id": src.ID, "deleted": n}, func(p *screen) { p.done("%s deleted", plural(n, "request", "requests")) })
}

type sourceStatsCmd struct {
	sourceArg
	spanFlags
}

// Run shows the statistics of a source.
func (cmd sourceStatsCmd) Run(s *session) error {
	q, err := cmd.query(s)
	if err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	stats, err := c.SourceStats(s.ctx, cmd.Source, q)
	if err != nil {
		return err
	}
	return s.show(stats, func(p *screen) { p.sourceStats(stats, cmd.By != "") })
}

func (p *screen) sourceStats(st postroom.SourceStats, series bool) {
	last := ""
	if st.LastAt != nil {
		last = p.time(st.LastAt.Time)
	}
	latency := ""
	if d := st.DurationMs; d != (postroom.LatencyStats{}) {
		latency = fmt.Sprintf("mean %s, p50 %s, p95 %s, p99 %s", milliseconds(d.Mean), milliseconds(d.P50), milliseconds(d.P95), milliseconds(d.P99))
	}
	p.printf("%s to %s\n", p.time(st.After.Time), p.time(st.Before.Time))
	p.fields(
		field{label: "Requests", value: val(count(st.Requests))},
		field{label: "Processed", value: val(count(st.Processed)), note: count(st.Retried) + " retried"},
		field{label: "Failed", value: cell{count(st.Failed), ifAny(st.Failed, red)}},
		field{label: "Duplicates", value: val(count(st.Duplicates))},
		field{label: "Refused", value: cell{count(st.Refused), ifAny(st.Refused, red)}},
		field{label: "Processing", value: val(latency)},
		field{label: "Last request", value: val(last)},
	)
	if !series {
		return
	}
	t := newTable("TIME", "REQUESTS", "PROCESSED", "FAILED", "RETRIED", "DUPLICATES", "REFUSED")
	for _, at := range st.Series {
		t.row(val(p.time(at.At.Time)), val(count(at.Requests)), val(count(at.Processed)), cell{count(at.Failed), ifAny(at.Failed, red)}, val(count(at.Retried)),
			val(count(at.Duplicates)), cell{count(at.Refused), ifAny(at.Refused, red)})
	}
	p.printf("\n")
	p.table(t)
}
