package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type webhookTestCmd struct {
	webhookArg
	Type string  `placeholder:"TYPE" help:"Event type to try; by default postroom.test."`
	Data *string `placeholder:"JSON" help:"The event's data: JSON, @FILE, or - for stdin; by default the type's sample."`
}

// Help is shown by `postroom webhooks test --help`.
func (webhookTestCmd) Help() string {
	return `The event is sent once, also to a paused webhook. The exit status is 1 when the receiver did not take it.

    postroom webhooks test whk_…
    postroom webhooks test whk_… --type email.opened --data @event.json`
}

// Run tests the webhook.
func (cmd webhookTestCmd) Run(s *session) error {
	in := client.TestInput{Type: cmd.Type}
	if cmd.Data != nil {
		data, err := s.jsonValue("--data", *cmd.Data)
		if err != nil {
			return err
		}
		in.Data = data
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	result, err := c.TestWebhook(s.ctx, cmd.Webhook, in)
	if err != nil {
		return err
	}
	if err := s.show(result, func(p *screen) { p.testResult(result.AttemptResource) }); err != nil {
		return err
	}
	if result.Error != nil {
		return errFailed
	}
	return nil
}

// testResult shows the answer to a test.
func (p *screen) testResult(a postroom.AttemptResource) {
	status, c := "none", red
	if a.StatusCode != 0 {
		status = statusText(a.StatusCode)
	}
	if a.Error == nil {
		c = green
	}
	p.printf("Status: %s\n", p.paint(c, status))
	p.printf("Time: %s\n", milliseconds(a.DurationMs))
	if a.Error != nil {
		p.printf("Error: %s\n", clean(a.Error.Message))
	}
	if a.Response != nil {
		p.printf("Response: %s\n", cleanLines(strings.TrimRight(bodyText(a.Response.Body, a.Response.BodyBase64), "\n")))
	}
}

// statusText is an HTTP status with its name.
func statusText(code int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
}

// milliseconds writes a duration as people compare them.
func milliseconds(ms float64) string {
	switch {
	case ms >= 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 10:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", ms), ".0") + " ms"
}

// bodyText is a body as text; of one that is not text it tells the size.
func bodyText(body string, raw []byte) string {
	switch {
	case len(raw) > 0:
		return fmt.Sprintf("(%s that are not text)", size(int64(len(raw))))
	case body == "":
		return "(empty)"
	case !utf8.ValidString(body):
		return strings.ToValidUTF8(body, "\uFFFD")
	}
	return body
}

type webhookPauseCmd struct {
	webhookArg
	Reason string `placeholder:"TEXT" help:"Why, for people."`
}

// Run pauses the webhook.
func (cmd webhookPauseCmd) Run(s *session) error {
	return s.changeWebhook("paused: what it would receive is held", func(ctx context.Context, c *client.Client) (postroom.Webhook, error) {
		return c.PauseWebhook(ctx, cmd.Webhook, cmd.Reason)
	})
}

type webhookResumeCmd struct {
	webhookArg
	Held  string `default:"release" enum:"release,discard" placeholder:"WHAT" help:"What becomes of held deliveries: release (they are sent) or discard."`
	Force bool   `short:"f" help:"Go ahead without asking."`
}

// Help is shown by `postroom webhooks resume --help`.
func (webhookResumeCmd) Help() string {
	return `It says how many deliveries are held, and asks what is meant. Without a terminal to ask on, held deliveries are
released, but discarded only with --force.

    postroom webhooks resume crm-sync
    postroom webhooks resume crm-sync --held discard --force`
}

// Run resumes the webhook.
func (cmd webhookResumeCmd) Run(s *session) error {
	held := client.Held(cmd.Held)
	if held == client.Discard {
		if err := s.askableTo(cmd.Force, "discarding", "discard"); err != nil {
			return err
		}
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	if !cmd.Force && s.hasAsker() {
		if err := s.askToResume(c, cmd.Webhook, held); err != nil {
			return err
		}
	}
	w, err := c.ResumeWebhook(s.ctx, cmd.Webhook, held)
	if err != nil {
		return err
	}
	return s.show(w, func(p *screen) {
		fate := "sent now"
		if held == client.Discard {
			fate = "discarded"
		}
		p.done("Webhook resumed")
		fields := webhookSummary(w.Webhook)
		if w.Held > 0 {
			fields = append(fields, field{"Held", val(plural(w.Held, "delivery", "deliveries")), fate})
		}
		p.fields(fields...)
	})
}

// askToResume says how much is held, if anything is, and asks whether it is to be sent or discarded.
func (s *session) askToResume(c *client.Client, ref string, held client.Held) error {
	h, err := c.HeldDeliveries(s.ctx, ref)
	if err != nil || h.Held == 0 {
		return err
	}
	since, fate := "", "send"
	if h.Since != nil {
		since = " since " + s.screen(s.Stderr, false).time(h.Since.Time)
	}
	if held == client.Discard {
		fate = "discard"
	}
	return s.ask(false, "the webhook was not resumed", "%s held%s. Resume webhook %s and %s them?", plural(h.Held, "delivery is", "deliveries are"), since,
		named(h.ID.String(), h.Name), fate)
}

type webhookSecretsCmd struct{ webhookArg }

// Run lists the secrets.
func (cmd webhookSecretsCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	list, err := c.WebhookSecrets(s.ctx, cmd.Webhook)
	if err != nil {
		return err
	}
	t := newTable("ID", "KIND", "CREATED", "SIGNS UNTIL", "PUBLIC KEY")
	return showList(s, list, false, "There are no secrets.", t, func(p *screen, secret postroom.Secret) {
		until := "replaced"
		if secret.ExpiresAt != nil {
			until = p.time(secret.ExpiresAt.Time)
		}
		t.row(val(secret.ID.String()), val(string(secret.Kind)), val(p.time(secret.CreatedAt.Time)), val(until), val(secret.PublicKey))
	})
}

type webhookRotateCmd struct {
	webhookArg
	Kind    string  `enum:"hmac,ed25519," default:"" placeholder:"KIND" help:"Algorithm: hmac or ed25519; by default that of the present secret."`
	Secret  *string `placeholder:"SECRET" help:"Your own secret (whsec_… or whsk_…), @FILE, or - for stdin; by default a new one is made."`
	Overlap *string `placeholder:"DURATION" help:"How long the old secret goes on signing too; by default 24h."`
}

// Help is shown by `postroom webhooks rotate-secret --help`.
func (webhookRotateCmd) Help() string {
	return `While the secrets overlap, every call is signed with each, so that the receiver can change over without
missing any. The new secret is shown this once.

    postroom webhooks rotate-secret whk_… --overlap 48h`
}

// Run rotates the secret.
func (cmd webhookRotateCmd) Run(s *session) error {
	in := client.RotateInput{Kind: postroom.SecretKind(cmd.Kind)}
	if cmd.Secret != nil {
		secret, err := s.secretValue(*cmd.Secret)
		if err != nil {
			return err
		}
		in.Secret = secret
	}
	if cmd.Overlap != nil {
		overlap, err := duration("--overlap", *cmd.Overlap)
		if err != nil {
			return err
		}
		in.Overlap = &overlap
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	secret, err := c.RotateSecret(s.ctx, cmd.Webhook, in)
	if err != nil {
		return err
	}
	return s.show(secret, func(p *screen) {
		p.done("Secret rotated")
		p.fields(
			field{label: "ID", value: val(secret.ID.String())},
			field{label: "Kind", value: val(string(secret.Kind))},
			field{label: "Public key", value: val(secret.PublicKey)},
			field{"Secret", val(secret.Value), "shown once"},
		)
	})
}
