package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type deliveriesCmd struct {
	List   deliveryListCmd   `cmd:"" help:"List deliveries."`
	Show   deliveryShowCmd   `cmd:"" help:"Show a delivery with each of its attempts."`
	Retry  deliveryRetryCmd  `cmd:"" help:"Attempt a delivery again."`
	Export deliveryExportCmd `cmd:"" help:"Write deliveries to a file, as CSV or NDJSON."`
}

// deliveryFilterFlags choose deliveries.
type deliveryFilterFlags struct {
	Webhook    string `placeholder:"ID" help:"Only deliveries to this webhook: its id or uid."`
	Event      string `placeholder:"ID" help:"Only deliveries of this event."`
	Type       string `placeholder:"TYPE" help:"Only deliveries of this event type."`
	Status     string `enum:"pending,succeeded,failed,held,cancelled," default:"" placeholder:"STATUS" help:"Only deliveries in this state: pending, succeeded, failed, held or cancelled."`
	StatusCode int    `placeholder:"CODE" help:"Only deliveries that were last answered with this HTTP status."`
	After      string `placeholder:"TIME" help:"Only deliveries made at this time or later: a time, a date, or how long ago, such as 24h."`
	Before     string `placeholder:"TIME" help:"Only deliveries made before this time."`
}

func (f deliveryFilterFlags) filter(s *session) (client.DeliveryFilter, error) {
	out := client.DeliveryFilter{
		Webhook: f.Webhook, Event: f.Event, Type: f.Type, Status: postroom.DeliveryStatus(f.Status), StatusCode: f.StatusCode,
	}
	var err error
	if out.After, err = s.moment("--after", f.After); err != nil {
		return out, err
	}
	out.Before, err = s.moment("--before", f.Before)
	return out, err
}

type deliveryListCmd struct {
	deliveryFilterFlags
	listFlags
}

// Help is shown by `postroom deliveries list --help`.
func (deliveryListCmd) Help() string {
	return `Newest first.

    postroom deliveries list --status failed --after 24h
    postroom deliveries list --webhook crm-sync --limit 0 -o json | jq -r '.[].event_id'`
}

// Run lists deliveries.
func (cmd deliveryListCmd) Run(s *session) error {
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
	list, more, err := collect(s.ctx, cmd.Limit, func(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.DeliveryResource], error) {
		return c.DeliveryPage(ctx, f, q)
	})
	if err != nil {
		return err
	}
	t := newTable("ID", "CREATED", "STATUS", "TRIES", "ANSWER", "WEBHOOK", "EVENT", "TYPE")
	return showList(s, list, more, "There are no such deliveries.", t, func(p *screen, d postroom.DeliveryResource) {
		t.row(val(d.ID.String()), val(p.time(d.CreatedAt.Time)), deliveryStatus(d.Status), val(fmt.Sprint(d.AttemptCount)),
			val(lastAnswer(d)), val(d.WebhookID.String()), val(d.EventID), val(d.EventType))
	})
}

func deliveryStatus(status postroom.DeliveryStatus) cell {
	colors := map[postroom.DeliveryStatus]color{
		postroom.DeliverySucceeded: green, postroom.DeliveryFailed: red, postroom.DeliveryPending: yellow,
		postroom.DeliveryHeld: yellow, postroom.DeliveryCancelled: dim,
	}
	return cell{string(status), colors[status]}
}

// lastAnswer is what came of the newest attempt, in a word.
func lastAnswer(d postroom.DeliveryResource) string {
	switch {
	case d.LastStatusCode != 0:
		return fmt.Sprint(d.LastStatusCode)
	case d.LastErrorKind != "":
		return d.LastErrorKind
	}
	return "-"
}

type deliveryShowCmd struct {
	Delivery string `arg:"" help:"The delivery's id (dlv_…)."`
	Full     bool   `help:"Show what was sent and what came back, with headers and bodies."`
}

// Run shows a delivery.
func (cmd deliveryShowCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	d, err := c.Delivery(s.ctx, cmd.Delivery)
	if err != nil {
		return err
	}
	return s.show(d, func(p *screen) { p.delivery(d, cmd.Full) })
}

// delivery shows a delivery, and its attempts in the order in which they were made.
func (p *screen) delivery(d postroom.DeliveryResource, full bool) {
	next := ""
	if d.NextAttemptAt != nil {
		next = p.time(d.NextAttemptAt.Time)
		if wait := d.NextAttemptAt.Sub(p.now); wait > 0 {
			next += fmt.Sprintf(" (in %s)", roughly(wait))
		}
	}
	test := ""
	if d.Test {
		test = "a test of the webhook"
	}
	p.fields(
		field{label: "Delivery", value: val(d.ID.String())},
		field{label: "Status", value: deliveryStatus(d.Status), note: test},
		field{label: "Event", value: val(d.EventID), note: d.EventType},
		field{label: "Webhook", value: val(d.WebhookID.String())},
		field{label: "Created", value: val(p.time(d.CreatedAt.Time))},
		field{label: "Next attempt", value: val(next)},
	)
	if len(d.Attempts) == 0 {
		p.printf("\nNo attempt was made yet.\n")
	}
	for _, a := range d.Attempts {
		p.printf("\n")
		p.attempt(a)
		if full {
			p.exchange(a)
		}
	}
}

// roughly writes a duration in its two largest units.
func roughly(d time.Duration) string {
	switch {
	case d >= time.Hour:
		d = d.Truncate(time.Minute)
	case d >= time.Second:
		d = d.Truncate(time.Second)
	default:
		return "less than a second"
	}
	return postroom.Duration(d).String()
}

// attempt shows one attempt: when, what came back, why it failed, and where its time went.
func (p *screen) attempt(a postroom.AttemptResource) {
	answer, c, mark := "no answer", red, "✗"
	if a.StatusCode != 0 {
		answer = statusText(a.StatusCode)
	}
	if a.Error == nil {
		c, mark = green, "✓"
	}
	p.printf("%s #%d  %s  %s  %s\n", p.paint(c, mark), a.Number, p.time(a.At.Time), p.paint(c, answer), milliseconds(a.DurationMs))
	if a.Error != nil {
		p.printf("     %s\n", clean(a.Error.Message))
	}
	p.notes("     ", a.Notes)
	if phases := phasesText(a.PhasesMs); phases != "" {
		p.printf("     %s\n", p.paint(dim, phases))
	}
}

// phasesText names the phases that took time.
func phasesText(ph postroom.PhasesResource) string {
	var parts []string
	for _, phase := range []struct {
		name string
		ms   float64
	}{{"DNS", ph.DNS}, {"connect", ph.Connect}, {"TLS", ph.TLS}, {"first byte", ph.FirstByte}} {
		if phase.ms > 0 {
			parts = append(parts, phase.name+" "+milliseconds(phase.ms))
		}
	}
	return strings.Join(parts, ", ")
}

// exchange shows what was sent and what came back.
func (p *screen) exchange(a postroom.AttemptResource) {
	p.message("→", a.Request.Method+" "+a.Request.URL, a.Request.Headers, bodyText(a.Request.Body, a.Request.BodyBase64))
	if a.Response == nil {
		return
	}
	body := bodyText(a.Response.Body, a.Response.BodyBase64)
	if a.Response.Truncated {
		body += "\n(the rest is not kept)"
	}
	p.message("←", statusText(a.Response.StatusCode), a.Response.Headers, body)
}

func (p *screen) message(mark, first string, headers []postroom.Header, body string) {
	p.printf("     %s %s\n", p.paint(dim, mark), clean(first))
	for _, h := range headers {
		p.printf("       %s\n", clean(h.Name+": "+h.Value))
	}
	for _, line := range strings.Split(strings.TrimRight(cleanLines(body), "\n"), "\n") {
		p.printf("       %s\n", line)
	}
}

type deliveryRetryCmd struct {
	Delivery string `arg:"" help:"The delivery's id (dlv_…)."`
}

// Help is shown by `postroom deliveries retry --help`.
func (deliveryRetryCmd) Help() string {
	return `A pending delivery is attempted now, a failed or cancelled one begins its schedule again, and one that succeeded is
sent once more.`
}

// Run retries the delivery.
func (cmd deliveryRetryCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	d, err := c.RetryDelivery(s.ctx, cmd.Delivery)
	if err != nil {
		return err
	}
	return s.show(d, func(p *screen) {
		p.done("Delivery %s is attempted again", d.ID)
		p.fields(field{label: "Status", value: deliveryStatus(d.Status)}, field{label: "Event", value: val(d.EventID), note: d.EventType})
	})
}
