package cli

import (
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type webhookPreviewCmd struct {
	Webhook string   `arg:"" optional:"" help:"The webhook's id (whk_…) or its uid; without one, that of a webhook which is not made yet."`
	Events  []string `short:"e" placeholder:"TYPES" help:"Event types of a webhook that is not made yet."`
	Type    string   `placeholder:"TYPE" help:"Event type whose sample is shown; by default the first that the webhook subscribes to."`
	Event   string   `placeholder:"ID" help:"Show a past event in place of a sample."`
	payloadFlags
}

// Help is shown by `postroom webhooks preview --help`.
func (webhookPreviewCmd) Help() string {
	return `Nothing is sent. A payload that is given is tried in place of the webhook's own; what is wrong with it is said with its place.

    postroom webhooks preview whk_… --type email.opened
    postroom webhooks preview whk_… --event order-17 --payload @template.json
    postroom webhooks preview -e 'email.*' --payload '{"event":"{event_type}","to":"{subscriber_email}"}'`
}

// Run shows the call.
func (cmd webhookPreviewCmd) Run(s *session) error {
	if cmd.Webhook != "" && len(cmd.Events) > 0 {
		return usagef("-e is for a webhook that is not made yet; %s has event types of its own", cmd.Webhook)
	}
	patch := map[string]any{}
	if err := cmd.put(s, patch); err != nil {
		return err
	}
	in := client.PreviewInput{Type: cmd.Type, Event: cmd.Event}
	given, isSaid := patch["payload"]
	if p, ok := given.(postroom.Payload); ok {
		in.Payload = &p
	} else if isSaid {
		in.Payload = &postroom.Payload{} // none: the dialect's own
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	var shown client.Preview
	if cmd.Webhook != "" {
		shown, err = c.PreviewWebhook(s.ctx, cmd.Webhook, in)
	} else {
		shown, err = c.PreviewSettings(s.ctx, client.WebhookInput{Events: cmd.Events}, in)
	}
	if err != nil {
		return err
	}
	return s.show(shown, func(p *screen) {
		p.request(shown.Request)
		if len(shown.Notes) > 0 {
			p.printf("\n")
		}
		p.notes("", shown.Notes)
	})
}

// request shows a call.
func (p *screen) request(r postroom.RequestResource) {
	p.printf("%s %s\n", clean(r.Method), clean(r.URL))
	for _, h := range r.Headers {
		p.printf("%s\n", clean(h.Name+": "+h.Value))
	}
	p.printf("\n%s\n", cleanLines(bodyText(r.Body, r.BodyBase64)))
}

// notes shows where null stands for what could not be made, and what else is worth knowing.
func (p *screen) notes(indent string, notes []postroom.FieldError) {
	for _, n := range notes {
		text := "null at " + n.Pointer + ": " + n.Detail
		if !strings.HasPrefix(n.Pointer, "/payload") {
			text = n.Detail
		}
		p.printf("%s%s\n", indent, p.paint(yellow, clean(text)))
	}
}
