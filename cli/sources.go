package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type sourcesCmd struct {
	Create   sourceCreateCmd   `cmd:"" help:"Make a URL for a system to post to."`
	List     sourceListCmd     `cmd:"" help:"List sources."`
	Get      sourceGetCmd      `cmd:"" aliases:"show" help:"Show a source."`
	Update   sourceUpdateCmd   `cmd:"" help:"Change a source."`
	Token    sourceTokenCmd    `cmd:"" help:"Renew the token of a source's URL, or show it."`
	Test     sourceTestCmd     `cmd:"" help:"Show what a source makes of a call, and store nothing."`
	Requests sourceRequestsCmd `cmd:"" help:"List the calls that sources received, with what was done about each."`
	Request  sourceRequestCmd  `cmd:"" help:"Show a request whole, as it came and with its activity log."`
	Retry    sourceRetryCmd    `cmd:"" help:"Process a request again."`
	Resend   sourceResendCmd   `cmd:"" help:"Take a request in once more, as a new one."`
	Export   sourceExportCmd   `cmd:"" help:"Write requests to a file, as CSV or NDJSON."`
	Clear    sourceClearCmd    `cmd:"" help:"Delete the log of a source."`
	Stats    sourceStatsCmd    `cmd:"" help:"Show what happened to a source's requests."`
	Delete   sourceDeleteCmd   `cmd:"" help:"Delete a source with its log."`
}

// sourceArg names a source.
type sourceArg struct {
	Source string `arg:"" help:"The source's id (src_…) or its uid."`
}

type sourceCreateCmd struct {
	Name string `short:"n" required:"" placeholder:"TEXT" help:"Name, for people."`
	sourceFlags
}

// Help is shown by `postroom sources create --help`.
func (sourceCreateCmd) Help() string {
	return `The URL carries a token, and is all that a system needs to post to the source. What else proves the caller can be added.

    postroom sources create -n "Signup form" --event-type contact.created --map contact_email=email \
        --map first_name=first_name --action add_subscriber:lists=Newsletter,tags=vip
    postroom sources create -n "CloudCusp" --kind cloudcusp --signing-secret env:CLOUDCUSP_SECRET
    postroom sources create -n "Shop" --hmac-secret @secret.txt --signature-header X-Shop-Signature --ip-allow 203.0.113.0/24 \
        --rate-limit 50/1s --dedupe header:X-Request-Id --mapping @mapping.json --actions @actions.json
    postroom sources create -n "Scores" --map email=email --action 'apply_tag:tags=lead,when=body.score > 10' \
        --action call_api:url=https://crm.example.com/leads

An --action is a type and what goes with it: TYPE:NAME=VALUE,VALUE,NAME=VALUE… The types are add_subscriber, update_subscriber,
add_to_list, remove_from_list, apply_tag, remove_tag, change_status, publish_event and call_api; the names lists, tags, remove_tags, status,
event_type, double_opt_in, url, method, field.NAME, and, last since it takes all that follows, when or data.
--actions takes them as the API does.`
}

// Run creates the source.
func (cmd sourceCreateCmd) Run(s *session) error {
	patch, err := cmd.patch(s, true)
	if err != nil {
		return err
	}
	patch["name"] = cmd.Name
	for name, value := range patch {
		if value == nil { // what update sets back to its default is left out of a new one
			delete(patch, name)
		}
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	created, err := c.CreateSource(s.ctx, patch)
	if err != nil {
		return err
	}
	return s.show(created, func(p *screen) {
		p.done("Source created")
		p.fields(sourceSummary(created)...)
	})
}

// sourceSummary is the block that is shown of a source after a change.
func sourceSummary(src postroom.Source) []field {
	fields := []field{
		{label: "ID", value: val(src.ID.String())},
		{label: "Name", value: val(src.Name)},
		{label: "URL", value: val(src.URL)},
		{label: "Kind", value: val(src.Kind)},
		{label: "Event type", value: val(src.EventType)},
		{label: "Status", value: sourceStatus(src.Status)},
	}
	if k := src.APIKey; k != nil && k.Key != "" && k.Key != postroom.Redacted {
		fields = append(fields, field{"API key", val(k.Header + ": " + k.Key), "shown once"})
	}
	return fields
}

func sourceStatus(status postroom.SourceStatus) cell {
	if status == postroom.SourceActive {
		return cell{string(status), green}
	}
	return cell{string(status), yellow}
}

type sourceListCmd struct{ listFlags }

// Run lists the sources.
func (cmd sourceListCmd) Run(s *session) error {
	if err := cmd.check(); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	list, more, err := collect(s.ctx, cmd.Limit, c.SourcePage)
	if err != nil {
		return err
	}
	t := newTable("ID", "NAME", "STATUS", "KIND", "EVENT TYPE", "REQUESTS", "FAILED")
	return showList(s, list, more, "There are no sources. `postroom sources create` makes one.", t, func(_ *screen, src postroom.Source) {
		eventType := src.EventType
		if eventType == "" {
			eventType = "-"
		}
		t.row(val(src.ID.String()), val(src.Name), sourceStatus(src.Status), val(src.Kind), val(eventType), val(count(src.Requests.Total)),
			cell{count(src.Requests.Failed), ifAny(src.Requests.Failed, red)})
	})
}

type sourceGetCmd struct {
	sourceArg
	ShowToken bool `help:"Show the token in the URL; this takes an administrator's key."`
}

// Run shows a source.
func (cmd sourceGetCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	src, err := c.Source(s.ctx, cmd.Source, cmd.ShowToken)
	if err != nil {
		return err
	}
	return s.show(src, func(p *screen) { p.fields(sourceDetails(p, src)...) })
}

// sourceDetails is all of a source.
func sourceDetails(p *screen, src postroom.Source) []field {
	uid, limit := "", ""
	if src.UID != nil {
		uid = *src.UID
	}
	if src.RateLimit != nil {
		limit = fmt.Sprintf("%s in %s", plural(src.RateLimit.Limit, "call", "calls"), src.RateLimit.Period)
	}
	return append(sourceSummary(src),
		field{label: "UID", value: val(uid)},
		field{label: "Description", value: val(src.Description)},
		field{label: "Proof", value: val(strings.Join(sourceProof(src), "\n"))},
		field{label: "Senders", value: val(strings.Join(src.IPAllow, ", "))},
		field{label: "Rate limit", value: val(limit)},
		field{label: "Duplicates", value: val(dedupeText(src.Dedupe))},
		field{label: "Mapping", value: val(rowLines(src.Mapping))},
		field{label: "Actions", value: val(actionLines(src.Actions))},
		field{label: "Requests", value: val(count(src.Requests.Total)), note: count(src.Requests.Failed) + " failed"},
		field{label: "Created", value: val(p.time(src.CreatedAt.Time))},
		field{label: "Updated", value: val(p.time(src.UpdatedAt.Time))},
	)
}

// sourceProof says what callers must bring.
func sourceProof(src postroom.Source) (proof []string) {
	if src.RequireToken {
		proof = append(proof, "token in the URL")
	}
	if src.APIKey != nil {
		proof = append(proof, "API key in "+src.APIKey.Header)
	}
	if g := src.Signature; g != nil {
		text := "signature of the kind"
		if g.Scheme != "" {
			text = "signature: " + g.Scheme
		}
		if g.Header != "" {
			text += " in " + g.Header
		}
		if n := len(g.Secrets); n > 0 {
			text += fmt.Sprintf(" (%s fit)", plural(n+1, "secret", "secrets"))
		}
		proof = append(proof, text)
	}
	if src.BasicAuth != nil {
		proof = append(proof, "user "+src.BasicAuth.Username+" with a password")
	}
	return proof
}

func dedupeText(d postroom.Dedupe) string {
	switch d.By {
	case postroom.DedupeHeader:
		return "by the header " + d.Header
	case postroom.DedupeID:
		return strings.TrimSpace("by the id " + d.Path)
	case postroom.DedupeBody:
		return "by the body"
	}
	return string(d.By)
}

func rowLines(rows []postroom.MappingRow) string {
	var lines []string
	for _, row := range rows {
		line := strings.Join(row.From, " + ") + " → " + row.To
		for _, t := range row.Transform {
			line += " | " + t.Name
			if t.Arg != nil {
				line += " " + string(t.Arg)
			}
		}
		if row.When != "" {
			line += "  when " + row.When
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// actionLines are actions, each with what goes with it as JSON.
func actionLines(actions []postroom.Action) string {
	var lines []string
	for i, action := range actions {
		line := fmt.Sprintf("%d. %s", i+1, action.Type)
		when := action.When
		action.Type, action.When = "", ""
		text, err := encodeJSON(action, "")
		var members map[string]json.RawMessage
		if err == nil && json.Unmarshal(text, &members) == nil {
			delete(members, "type")
			if len(members) > 0 {
				rest, _ := encodeJSON(members, "") // cannot fail: it was JSON
				line += " " + strings.TrimSpace(string(rest))
			}
		}
		if when != "" {
			line += "  when " + when
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

type sourceUpdateCmd struct {
	sourceArg
	Name *string `short:"n" placeholder:"TEXT" help:"Name, for people."`
	sourceFlags
	KeepSecret bool `help:"With a new signing secret: the old one fits too, until the next change of it."`
}

// Help is shown by `postroom sources update --help`.
func (sourceUpdateCmd) Help() string {
	return `Only what is given is changed; a mapping and actions are replaced as a whole. An empty value takes a text away, "none" the rest.

    postroom sources update src_… --inactive
    postroom sources update signup --hmac-secret env:NEW_SECRET --keep-secret
    postroom sources update signup --mapping @mapping.json --rate-limit none`
}

// Run changes the source.
func (cmd sourceUpdateCmd) Run(s *session) error {
	patch, err := cmd.patch(s, false)
	if err != nil {
		return err
	}
	put(patch, "name", cmd.Name)
	if cmd.KeepSecret {
		signature, ok := patch["signature"].(map[string]any)
		if !ok || signature["secret"] == nil {
			return usagef("--keep-secret goes with --hmac-secret or --signing-secret, which is missing")
		}
		signature["secrets"] = []string{postroom.Redacted}
	}
	if len(patch) == 0 {
		return usagef("there is nothing to change").hint("`postroom sources update --help` lists what can be.")
	}
	return s.changeSource("Source updated", func(c *client.Client) (postroom.Source, error) { return c.UpdateSource(s.ctx, cmd.Source, 0, patch) })
}

// changeSource makes a change, and shows the source as it then is.
func (s *session) changeSource(what string, change func(*client.Client) (postroom.Source, error)) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	src, err := change(c)
	if err != nil {
		return err
	}
	return s.show(src, func(p *screen) {
		p.done("%s", what)
		p.fields(sourceSummary(src)...)
	})
}

type sourceTokenCmd struct {
	sourceArg
	Show  bool `help:"Show the URL with the present token, and change nothing."`
	Force bool `short:"f" help:"Renew without asking."`
}

// Help is shown by `postroom sources token --help`.
func (sourceTokenCmd) Help() string {
	return `The old token ends at once: whoever posts to the source needs the new URL. It asks first.

    postroom sources token signup --show
    postroom sources token signup --force`
}

// Run renews the token, or shows it.
func (cmd sourceTokenCmd) Run(s *session) error {
	if !cmd.Show {
		if err := s.askableTo(cmd.Force, "renewing a token", "renew it"); err != nil {
			return err
		}
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	src, err := c.Source(s.ctx, cmd.Source, cmd.Show)
	if err != nil {
		return err
	}
	if cmd.Show {
		return s.show(src, func(p *screen) { p.fields(sourceSummary(src)...) })
	}
	if err := s.ask(cmd.Force, "the token was not renewed", "Renew the token of source %s? The old one ends at once.", named(src.ID.String(), src.Name)); err != nil {
		return err
	}
	return s.changeSource("Token renewed", func(c *client.Client) (postroom.Source, error) { return c.RenewSourceToken(s.ctx, src.ID.String()) })
}

type sourceDeleteCmd struct {
	sourceArg
	Force bool `short:"f" help:"Delete without asking."`
}

// Run deletes the source.
func (cmd sourceDeleteCmd) Run(s *session) error {
	c, src, err := s.askedSource(cmd.Source, cmd.Force, "Delete source %s with the log of its %s? Its URL ends at once.")
	if err != nil {
		return err
	}
	if err := c.DeleteSource(s.ctx, src.ID.String()); err != nil {
		return err
	}
	return s.showDeleted("Source", src.ID.String())
}

// askedSource gives a source of which something is to be deleted, once that was agreed to. The question has its name, and how many requests it
// had.
func (s *session) askedSource(ref string, force bool, question string) (*client.Client, postroom.Source, error) {
	if err := s.askable(force); err != nil {
		return nil, postroom.Source{}, err
	}
	c, err := s.client()
	if err != nil {
		return nil, postroom.Source{}, err
	}
	src, err := c.Source(s.ctx, ref, false)
	if err != nil {
		return nil, src, err
	}
	return c, src, s.confirm(force, question, named(src.ID.String(), src.Name), plural(src.Requests.Total, "request", "requests"))
}
