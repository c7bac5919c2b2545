package cli

import (
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type eventSendCmd struct {
	Type        string  `placeholder:"TYPE" xor:"what" required:"" help:"Event type, such as email.opened."`
	Data        *string `placeholder:"JSON" help:"The event's data: JSON, @FILE, or - for stdin; by default {}."`
	ID          string  `name:"id" placeholder:"ID" help:"Your own id; an id that was published in the last 24 hours is not published again."`
	Time        string  `placeholder:"TIME" help:"When it happened: a time, or how long ago, such as 5m; by default now."`
	Actor       string  `placeholder:"TEXT" help:"Who or what caused it."`
	OrderingKey string  `placeholder:"KEY" help:"What must stay in order with it; by default the contact."`
	NDJSON      string  `name:"ndjson" placeholder:"FILE" xor:"what" required:"" help:"Publish each line of this file, or of stdin for -, as an event: {\"type\",\"data\",\"id\"?,\"time\"?,…}."`
}

// Help is shown by `postroom events send --help`.
func (eventSendCmd) Help() string {
	return `An event that was published is stored, and is delivered to each webhook that subscribes to its type. With --ndjson
each line stands for itself: one that is refused does not keep the others back, and the exit status is 1.

    postroom events send --type email.opened --data '{"contact":{"email":"ada@example.com"}}'
    postroom events send --type order.paid --id order-17 --data @order.json
    postroom events send --ndjson events.ndjson`
}

// Run publishes.
func (cmd eventSendCmd) Run(s *session) error {
	if cmd.NDJSON != "" {
		return cmd.sendLines(s)
	}
	e := client.NewEvent{Type: cmd.Type, ID: cmd.ID, Actor: cmd.Actor, OrderingKey: cmd.OrderingKey}
	var err error
	if e.Time, err = s.moment("--time", cmd.Time); err != nil {
		return err
	}
	if cmd.Data != nil {
		if e.Data, err = s.jsonValue("--data", *cmd.Data); err != nil {
			return err
		}
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	published, err := c.Publish(s.ctx, e)
	if err != nil {
		return err
	}
	return s.show(published, func(p *screen) {
		if published.Duplicate {
			p.done("Event was published before; nothing is sent again")
		} else {
			p.done("Event published")
		}
		p.fields(
			field{label: "ID", value: val(published.ID)},
			field{label: "Type", value: val(published.Type)},
			field{label: "Time", value: val(p.time(published.Time.Time))},
			field{label: "Webhooks", value: val(webhookList(published.Webhooks))},
		)
	})
}

func webhookList(ids []postroom.WebhookID) string {
	if len(ids) == 0 {
		return "none subscribes to it"
	}
	var lines []string
	for _, id := range ids {
		lines = append(lines, id.String())
	}
	return strings.Join(lines, "\n")
}

// sent is what became of many events.
type sent struct {
	Published  int64          `json:"published"`  // stored now
	Duplicates int64          `json:"duplicates"` // published before
	Refused    []refusedEvent `json:"refused"`
}

// refusedEvent is a line that was refused, and why.
type refusedEvent struct {
	Line   int                   `json:"line"`
	Code   postroom.Code         `json:"code"`
	Detail string                `json:"detail"`
	Errors []postroom.FieldError `json:"errors,omitempty"`
}

// maxRefused is how many refused lines are listed; all are counted.
const maxRefused = 1000

// sendLines publishes the lines of a file.
func (cmd eventSendCmd) sendLines(s *session) error {
	if cmd.Data != nil || cmd.ID != "" || cmd.Time != "" || cmd.Actor != "" || cmd.OrderingKey != "" {
		return usagef("--ndjson goes alone: each of its lines has the event's fields")
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	file, err := s.open(cmd.NDJSON)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()

	done := sent{Refused: []refusedEvent{}}
	refused, began, progress := int64(0), s.Now(), s.progress()
	for r, wrong := range c.PublishNDJSON(s.ctx, file) {
		switch {
		case wrong != nil:
			err = wrong
		case r.Err != nil:
			if refused++; refused <= maxRefused {
				done.Refused = append(done.Refused, refusedEvent{r.Line, r.Err.Code, r.Err.Message, r.Err.Fields})
			}
		case r.Event.Duplicate:
			done.Duplicates++
		default:
			done.Published++
		}
		total := done.Published + done.Duplicates + refused
		progress.show("%s published, %s", plural(total-refused, "event", "events"), perSecond(total, s.Now().Sub(began)))
	}
	progress.end()
	if err != nil && done.Published+done.Duplicates+refused == 0 {
		return err
	}
	if shown := s.show(done, func(p *screen) { p.sent(done, refused) }); shown != nil {
		return shown
	}
	if err == nil && refused > 0 {
		return errFailed
	}
	return err
}

func perSecond(n int64, took time.Duration) string {
	if took <= 0 {
		return "…"
	}
	return count(int64(float64(n)/took.Seconds())) + " a second"
}

func (p *screen) sent(done sent, refused int64) {
	if done.Published+done.Duplicates > 0 || refused == 0 {
		note := ""
		if done.Duplicates > 0 {
			note = ", " + count(done.Duplicates) + " of them before"
		}
		p.done("%s published%s", plural(done.Published+done.Duplicates, "event", "events"), note)
	}
	if refused == 0 {
		return
	}
	p.printf("%s %s refused\n", p.paint(red, "✗"), plural(refused, "event", "events"))
	for _, r := range done.Refused {
		e := client.Error{Message: r.Detail, Fields: r.Errors}
		p.printf("  line %d: %s\n", r.Line, clean(e.Error()))
	}
	if more := refused - int64(len(done.Refused)); more > 0 {
		p.printf("  and %s\n", plural(more, "other line", "other lines"))
	}
}
