package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type webhooksCmd struct {
	Create       webhookCreateCmd  `cmd:"" help:"Subscribe a URL to events."`
	List         webhookListCmd    `cmd:"" help:"List webhooks."`
	Get          webhookGetCmd     `cmd:"" help:"Show a webhook."`
	Update       webhookUpdateCmd  `cmd:"" help:"Change a webhook."`
	Test         webhookTestCmd    `cmd:"" help:"Send one event to a webhook now, and show the answer."`
	Preview      webhookPreviewCmd `cmd:"" help:"Show the call that would bring an event to a webhook."`
	Pause        webhookPauseCmd   `cmd:"" help:"Hold what a webhook would receive."`
	Resume       webhookResumeCmd  `cmd:"" help:"Make a paused or disabled webhook active again."`
	Delete       webhookDeleteCmd  `cmd:"" help:"Delete a webhook."`
	Secrets      webhookSecretsCmd `cmd:"" help:"List the signing secrets of a webhook."`
	RotateSecret webhookRotateCmd  `cmd:"" help:"Replace the signing secret of a webhook."`
	Stats        webhookStatsCmd   `cmd:"" help:"Show what happened to a webhook's deliveries."`
	Replay       webhookReplayCmd  `cmd:"" help:"Deliver again what was delivered, or was not."`
}

// webhookArg names a webhook.
type webhookArg struct {
	Webhook string `arg:"" help:"The webhook's id (whk_…) or its uid."`
}

type webhookCreateCmd struct {
	Endpoint string   `name:"endpoint" short:"u" required:"" placeholder:"URL" help:"URL that events are posted to."`
	Events   []string `short:"e" required:"" placeholder:"TYPES" help:"Event types, such as email.sent,email.opened; email.* and * stand for several."`
	Paused   bool     `help:"Hold deliveries from the start."`
	Secret   *string  `placeholder:"SECRET" help:"Signing secret that the receiver knows already, @FILE, - for stdin, or env:NAME; by default a new one is made."`
	webhookFlags
}

// Help is shown by `postroom webhooks create --help`.
func (webhookCreateCmd) Help() string {
	return `The signing secret is shown this once.

    postroom webhooks create -u https://example.com/hooks -e email.sent,email.opened -n "Production Webhook"
    postroom webhooks create -u https://example.com/hooks -e '*' --retry 5s,5m,30m --rate-limit 100/1s
    postroom webhooks create -u https://example.com/hooks -e 'email.*' --auth-bearer @token.txt
    postroom webhooks create -u https://example.com/hooks -e '*' --dialect cakemail --secret env:WEBHOOK_SECRET
    postroom webhooks create -u https://example.com/hooks -e '*' --auth-token-url https://login.example.com/token \
        --auth-client-id crm --auth-client-secret env:CRM_SECRET --tls-certificate @client.pem --tls-key @client.key
    postroom webhooks create -u https://example.com/hooks -e 'email.*' --payload '{"event":"{event_type}","to":"{subscriber_email}"}'`
}

// Run creates the webhook.
func (cmd webhookCreateCmd) Run(s *session) error {
	patch, err := cmd.patch(s)
	if err != nil {
		return err
	}
	patch["url"], patch["events"] = cmd.Endpoint, cmd.Events
	if cmd.Secret != nil {
		secret, err := s.secretValue(*cmd.Secret)
		if err != nil {
			return err
		}
		if secret == "" {
			return usagef("--secret has no secret in it")
		}
		patch["secret"] = secret
	}
	if cmd.Paused {
		patch["status"] = postroom.WebhookPaused
	}
	for name, value := range patch {
		if value == nil { // what update sets back to its default is left out of a new one
			delete(patch, name)
		}
	}
	if auth, ok := patch["auth"].(map[string]any); ok && auth["type"] == nil { // such as one with a certificate only
		auth["type"] = postroom.AuthNone
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	var in client.WebhookInput
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	created, err := c.CreateWebhook(s.ctx, in)
	if err != nil {
		return err
	}
	return s.show(created, func(p *screen) {
		p.done("Webhook created")
		p.fields(append(webhookSummary(created.Webhook), field{"Secret", val(created.Secret), "shown once"})...)
	})
}

// webhookSummary is the block that is shown of a webhook after a change.
func webhookSummary(w postroom.Webhook) []field {
	return []field{
		{label: "ID", value: val(w.ID.String())},
		{label: "URL", value: val(w.URL)},
		{label: "Events", value: val(strings.Join(w.Events, ", "))},
		{label: "Status", value: webhookStatus(w)},
	}
}

// webhookStatus is the state of a webhook, and why.
func webhookStatus(w postroom.Webhook) cell {
	colors := map[postroom.WebhookStatus]color{
		postroom.WebhookActive: green, postroom.WebhookPaused: yellow, postroom.WebhookDisabled: red,
	}
	c := cell{string(w.Status), colors[w.Status]}
	if w.StatusReason != "" {
		c.text += " (" + w.StatusReason + ")"
	}
	return c
}

// webhookHealth is how a receiver has been doing, in a word or two.
func webhookHealth(h postroom.WebhookHealth) cell {
	switch {
	case h.FailingSince == nil && h.LastAt == nil:
		return val("-")
	case h.FailingSince == nil:
		return cell{"ok", green}
	case h.OpenUntil != nil:
		return cell{plural(h.Failures, "failure", "failures") + ", waits", red}
	}
	return cell{plural(h.Failures, "failure", "failures"), yellow}
}

// healthDetails is all that is known of how a receiver has been doing.
func healthDetails(p *screen, h postroom.WebhookHealth) (fields []field) {
	health := field{label: "Health", value: webhookHealth(h)}
	if h.FailingSince != nil {
		health.note = "since " + p.time(h.FailingSince.Time)
	}
	if h.OpenUntil != nil {
		health.value.text = plural(h.Failures, "failure", "failures")
		health.note += ", next try at " + p.time(h.OpenUntil.Time)
	}
	fields = append(fields, health)
	if h.LastAt != nil {
		fields = append(fields, field{label: "Last attempt", value: val(lastAttempt(p, h.LastStatus, h.LastAt))})
	}
	return fields
}

type webhookListCmd struct{ listFlags }

// Run lists the webhooks.
func (cmd webhookListCmd) Run(s *session) error {
	if err := cmd.check(); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	list, more, err := collect(s.ctx, cmd.Limit, c.WebhookPage)
	if err != nil {
		return err
	}
	t := newTable("ID", "NAME", "STATUS", "HEALTH", "EVENTS", "URL")
	return showList(s, list, more, "There are no webhooks. `postroom webhooks create` makes one.", t, func(p *screen, w postroom.Webhook) {
		status := webhookStatus(w)
		status.text = string(w.Status)
		t.row(val(w.ID.String()), val(w.Name), status, webhookHealth(w.Health), val(strings.Join(w.Events, ",")), val(w.URL))
	})
}

type webhookGetCmd struct{ webhookArg }

// Run shows a webhook.
func (cmd webhookGetCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	w, err := c.Webhook(s.ctx, cmd.Webhook)
	if err != nil {
		return err
	}
	return s.show(w, func(p *screen) { p.fields(webhookDetails(p, w)...) })
}

// webhookDetails is all of a webhook.
func webhookDetails(p *screen, w postroom.Webhook) []field {
	var uid, retry, limit string
	if w.UID != nil {
		uid = *w.UID
	}
	for _, wait := range w.Retry.Schedule {
		retry += ", " + wait.String()
	}
	if retry = strings.TrimPrefix(retry, ", "); retry == "" {
		retry = "none"
	}
	if w.RateLimit != nil {
		limit = fmt.Sprintf("%s in %s", plural(w.RateLimit.Limit, "attempt", "attempts"), w.RateLimit.Period)
	}
	auth, certificate := authSummary(p, w.Auth)
	expect := ""
	if w.ExpectJSON {
		expect = "a 2xx answer in JSON"
	}
	var disable []string
	if w.Disable.Failures > 0 {
		disable = append(disable, plural(w.Disable.Failures, "failed delivery", "failed deliveries")+" in a row")
	}
	if w.Disable.For > 0 {
		disable = append(disable, w.Disable.For.String()+" without a success")
	}
	payload := ""
	if w.Payload != nil {
		var text strings.Builder
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if enc.Encode(w.Payload) == nil {
			payload = strings.TrimSpace(text.String())
		}
	}
	return slices.Concat(
		[]field{{label: "Name", value: val(w.Name)}, {label: "Description", value: val(w.Description)}, {label: "UID", value: val(uid)}},
		webhookSummary(w),
		healthDetails(p, w.Health),
		[]field{
			{label: "Filter", value: val(w.Filter)},
			{label: "Dialect", value: val(w.Dialect)},
			{label: "Method", value: val(w.Method)},
			{label: "Headers", value: val(headerLines(w.Headers))},
			{label: "Auth", value: val(auth)},
			{label: "Certificate", value: certificate},
			{label: "Payload", value: val(payload)},
			{label: "Timeout", value: val(w.Timeout.String())},
			{label: "Retries", value: val(retry)},
			{label: "Rate limit", value: val(limit)},
			{label: "Concurrency", value: val(fmt.Sprint(w.Concurrency))},
			{label: "Ordering", value: val(string(w.Ordering))},
			{label: "Expects", value: val(expect)},
			{label: "Disabled by", value: val(strings.Join(disable, ", or "))},
			{label: "Secrets", value: val(fmt.Sprint(w.Secrets))},
			{label: "Created", value: val(p.time(w.CreatedAt.Time))},
			{label: "Updated", value: val(p.time(w.UpdatedAt.Time))},
		})
}

func headerLines(headers map[string]string) string {
	var lines []string
	for name, value := range headers {
		lines = append(lines, name+": "+value)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

type webhookUpdateCmd struct {
	webhookArg
	Endpoint *string  `name:"endpoint" short:"u" placeholder:"URL" help:"URL that events are posted to."`
	Events   []string `short:"e" placeholder:"TYPES" help:"Event types; they replace the present ones."`
	webhookFlags
}

// Help is shown by `postroom webhooks update --help`.
func (webhookUpdateCmd) Help() string {
	return `Only what is given is changed. An empty value takes a text away, "none" a limit or a template; a header is
taken away with --header NAME=.

    postroom webhooks update whk_… -e email.sent,email.opened,email.bounced
    postroom webhooks update crm-sync --rate-limit none --description ''`
}

// Run changes the webhook.
func (cmd webhookUpdateCmd) Run(s *session) error {
	if s.global.URL != "" && cmd.Endpoint == nil {
		// A call would carry the API key to what was most likely meant to be the webhook's URL.
		return usagef("--url is Postroom's own address; the webhook's URL is -u").
			hint("To change a webhook on another server, name the server in POSTROOM_URL.")
	}
	patch, err := cmd.patch(s)
	if err != nil {
		return err
	}
	put(patch, "url", cmd.Endpoint)
	if len(cmd.Events) > 0 {
		patch["events"] = cmd.Events
	}
	if len(cmd.Header) > 0 {
		headers := map[string]any{}
		for name, value := range cmd.Header {
			headers[name] = orNull(value, "")
		}
		patch["headers"] = headers
	}
	if len(patch) == 0 {
		return usagef("there is nothing to change").hint("`postroom webhooks update --help` lists what can be.")
	}
	return s.changeWebhook("updated", func(ctx context.Context, c *client.Client) (postroom.Webhook, error) {
		return c.UpdateWebhook(ctx, cmd.Webhook, 0, patch)
	})
}

// changeWebhook makes a change, and shows the webhook as it then is.
func (s *session) changeWebhook(what string, change func(context.Context, *client.Client) (postroom.Webhook, error)) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	w, err := change(s.ctx, c)
	if err != nil {
		return err
	}
	return s.show(w, func(p *screen) {
		p.done("Webhook %s", what)
		p.fields(webhookSummary(w)...)
	})
}

type webhookDeleteCmd struct {
	webhookArg
	Force bool `short:"f" help:"Delete without asking."`
}

// Run deletes the webhook.
func (cmd webhookDeleteCmd) Run(s *session) error {
	if err := s.askable(cmd.Force); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	w, err := c.Webhook(s.ctx, cmd.Webhook)
	if err != nil {
		return err
	}
	if err := s.confirm(cmd.Force, "Delete webhook %s to %s? Deliveries that wait for it are cancelled.", named(w.ID.String(), w.Name), w.URL); err != nil {
		return err
	}
	if err := c.DeleteWebhook(s.ctx, w.ID.String()); err != nil {
		return err
	}
	return s.showDeleted("Webhook", w.ID.String())
}

// named is an id, with the name if there is one.
func named(id, name string) string {
	if name == "" {
		return id
	}
	return fmt.Sprintf("%s (%s)", id, name)
}

// showDeleted says that something is gone.
func (s *session) showDeleted(what, id string) error {
	return s.show(map[string]any{"id": id, "deleted": true}, func(p *screen) { p.done("%s %s deleted", what, id) })
}
