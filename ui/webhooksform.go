package ui

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// formReader reads settings out of a form, and gathers what cannot be read.
type formReader struct {
	*form
	problems postroom.Problems
}

// number reads a whole number; otherwise if the field is empty.
func (r *formReader) number(name string, otherwise int) int {
	text := r.Get(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		r.problems.Add(pointerOf(name), "%q is not a whole number", text)
	}
	return n
}

// duration reads a duration such as 30m; otherwise if the field is empty.
func (r *formReader) duration(name string, otherwise postroom.Duration) postroom.Duration {
	text := r.Get(name)
	if text == "" {
		return otherwise
	}
	var d postroom.Duration
	if err := d.UnmarshalText([]byte(text)); err != nil {
		r.problems.Add(pointerOf(name), "%s", err.Error())
	}
	return d
}

// durations reads durations with commas or spaces between them; "none" is none of them.
func (r *formReader) durations(name string, otherwise []postroom.Duration) []postroom.Duration {
	words := strings.FieldsFunc(r.Get(name), func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t' })
	if len(words) == 0 {
		return otherwise
	}
	all := []postroom.Duration{}
	if len(words) == 1 && words[0] == "none" {
		return all
	}
	for _, word := range words {
		var d postroom.Duration
		if err := d.UnmarshalText([]byte(word)); err != nil {
			r.problems.Add(pointerOf(name), "%s", err.Error())
		}
		all = append(all, d)
	}
	return all
}

// pairs reads lines of "name: value" or, with another separator, of "name=value".
func (r *formReader) pairs(name, separator string) map[string]string {
	m := map[string]string{}
	for i, line := range linesOf(r.Raw(name)) {
		key, value, found := strings.Cut(line, separator)
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !found || key == "":
			r.problems.Add(pointerOf(name), "line %d is not a name, %q and a value", i+1, separator)
		case m[key] != "":
			r.problems.Add(pointerOf(name), "line %d sets %s again", i+1, key)
		}
		m[key] = value
	}
	return m
}

// template reads JSON, whose bytes stay as they are.
func (r *formReader) template(name string) json.RawMessage {
	text := strings.ReplaceAll(r.Raw(name), "\r\n", "\n")
	if strings.TrimSpace(text) == "" {
		r.problems.Add(pointerOf(name), "this is required")
		return nil
	}
	var any json.RawMessage
	if err := json.Unmarshal([]byte(text), &any); err != nil {
		r.problems.Add(pointerOf(name), "this is not JSON: %s", jsonFault(text, err))
	}
	return json.RawMessage(strings.TrimSpace(text))
}

// lines are the lines of a text that are not empty.
func linesOf(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

func pointerOf(name string) string { return "/" + strings.ReplaceAll(name, ".", "/") }

// webhookFields are the fields that can be wrong.
func webhookFields() []string {
	return []string{"name", "description", "url", "uid", "events", "dialect", "method", "headers", "filter", "timeout", "concurrency", "ordering", "expect_json",
		"secret", "status", "retry.schedule", "retry.jitter", "rate_limit.limit", "rate_limit.period", "disable_after.failures", "disable_after.for",
		"payload.template", "payload.fields", "payload.add",
		"auth.type", "auth.header", "auth.key", "auth.token", "auth.username", "auth.password", "auth.headers", "auth.query", "auth.grant", "auth.token_url",
		"auth.scopes", "auth.audience", "auth.params", "auth.client_id", "auth.client_secret", "auth.client_auth", "auth.issuer", "auth.subject",
		"auth.private_key", "auth.key_id", "auth.claims", "auth.lifetime", "auth.tls.certificate", "auth.tls.key", "auth.tls.ca"}
}

// settings reads a webhook's settings. Fields that are empty have the dialect's defaults; old is what the webhook has now, or nil.
func (r *formReader) settings(defaults postroom.WebhookSettings, old *postroom.WebhookSettings) postroom.WebhookSettings {
	s := defaults
	if uid := r.Get("uid"); uid != "" {
		s.UID = &uid
	}
	s.Name, s.Description, s.URL = r.Get("name"), strings.ReplaceAll(r.Get("description"), "\r\n", "\n"), r.Get("url")
	s.Events, s.Filter = r.patterns(), r.Get("filter")
	s.Headers = r.pairs("headers", ":")
	s.Auth = r.auth(old)
	s.Payload = r.payload()
	r.delivery(&s)
	return s
}

// patterns are what is chosen of the events, and what is written by hand.
func (r *formReader) patterns() []string {
	all := []string{}
	for _, e := range slices.Concat(r.All("events"), strings.Fields(strings.ReplaceAll(r.Raw("events_more"), ",", " "))) {
		if e != "" && !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}

// delivery reads how calls are made and repeated.
func (r *formReader) delivery(s *postroom.WebhookSettings) {
	if m := r.Get("method"); m != "" {
		s.Method = m
	}
	s.Retry.Schedule = r.durations("retry.schedule", s.Retry.Schedule)
	if text := r.Get("retry.jitter"); text != "" {
		jitter, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(jitter) {
			r.problems.Add("/retry/jitter", "this is 0 to 1")
		}
		s.Retry.Jitter = jitter
	}
	s.Timeout = r.duration("timeout", s.Timeout)
	s.Concurrency = r.number("concurrency", s.Concurrency)
	if o := r.Get("ordering"); o != "" {
		s.Ordering = postroom.Ordering(o)
	}
	switch limit := r.Get("rate_limit.limit"); limit {
	case "":
	case "none":
		s.RateLimit = nil
	default:
		period := postroom.Duration(1e9)
		s.RateLimit = &postroom.RateLimit{Limit: r.number("rate_limit.limit", 0), Period: r.duration("rate_limit.period", period)}
	}
	switch r.Get("expect_json") {
	case "yes":
		s.ExpectJSON = true
	case "no":
		s.ExpectJSON = false
	}
	s.Disable.Failures = r.number("disable_after.failures", s.Disable.Failures)
	s.Disable.For = r.duration("disable_after.for", s.Disable.For)
}

// The ways to build a payload.
const (
	payloadOwn      = "own"
	payloadFields   = "fields"
	payloadAdd      = "add"
	payloadBoth     = "both"
	payloadTemplate = "template"
)

// payload reads what is sent in place of the dialect's own payload. What belongs to a way that is not chosen is left out.
func (r *formReader) payload() *postroom.Payload {
	p := &postroom.Payload{}
	mode := r.Get("payload.mode")
	switch mode {
	case payloadTemplate:
		p.Template = r.template("payload.template")
	case payloadFields, payloadBoth:
		if p.Fields = linesOf(r.Raw("payload.fields")); len(p.Fields) == 0 {
			r.problems.Add("/payload/fields", "this is required")
		}
	}
	switch mode {
	case payloadAdd, payloadBoth:
		p.Add = r.template("payload.add")
	case payloadTemplate, payloadFields:
	default:
		return nil
	}
	return p
}

// webhookValues is the form of a webhook: what has the default of its dialect is empty.
func webhookValues(s *postroom.WebhookSettings, defaults *postroom.WebhookSettings, known map[string]bool) *form {
	f := newForm("name", s.Name, "description", s.Description, "url", s.URL, "filter", s.Filter, "dialect", s.Dialect,
		"ordering", string(s.Ordering), "headers", linesOfPairs(s.Headers, ": "))
	set := func(name, value, standard string) {
		if value != standard {
			f.values.Set(name, value)
		}
	}
	if s.UID != nil {
		f.values.Set("uid", *s.UID)
	}
	var more []string
	for _, e := range s.Events {
		if known[e] {
			f.values.Add("events", e)
		} else {
			more = append(more, e)
		}
	}
	f.values.Set("events_more", strings.Join(more, "\n"))
	set("method", s.Method, defaults.Method)
	set("retry.schedule", schedule(s.Retry.Schedule), schedule(defaults.Retry.Schedule))
	set("retry.jitter", jitter(s.Retry.Jitter), jitter(defaults.Retry.Jitter))
	set("timeout", s.Timeout.String(), defaults.Timeout.String())
	set("concurrency", strconv.Itoa(s.Concurrency), strconv.Itoa(defaults.Concurrency))
	set("rate_limit.limit", rateLimit(s.RateLimit), rateLimit(defaults.RateLimit))
	if s.RateLimit != nil && f.Get("rate_limit.limit") != "" {
		f.values.Set("rate_limit.period", s.RateLimit.Period.String())
	} else if s.RateLimit != nil && *s.RateLimit != *defaults.RateLimit { // of another period
		f.values.Set("rate_limit.limit", rateLimit(s.RateLimit))
		f.values.Set("rate_limit.period", s.RateLimit.Period.String())
	}
	set("expect_json", yesNo(s.ExpectJSON), yesNo(defaults.ExpectJSON))
	set("disable_after.failures", strconv.Itoa(s.Disable.Failures), strconv.Itoa(defaults.Disable.Failures))
	set("disable_after.for", s.Disable.For.String(), defaults.Disable.For.String())
	payloadValues(f, s.Payload)
	authValues(f, s.Auth)
	return f
}

func payloadValues(f *form, p *postroom.Payload) {
	mode := payloadOwn
	if p != nil {
		f.values.Set("payload.template", pretty(p.Template))
		f.values.Set("payload.fields", strings.Join(p.Fields, "\n"))
		f.values.Set("payload.add", pretty(p.Add))
		switch {
		case p.Template != nil:
			mode = payloadTemplate
		case p.Fields != nil && p.Add != nil:
			mode = payloadBoth
		case p.Fields != nil:
			mode = payloadFields
		default:
			mode = payloadAdd
		}
	}
	f.values.Set("payload.mode", mode)
}

func schedule(waits []postroom.Duration) string {
	if len(waits) == 0 {
		return "none"
	}
	words := make([]string, len(waits))
	for i, d := range waits {
		words[i] = d.String()
	}
	return strings.Join(words, ", ")
}

func jitter(share float64) string { return strconv.FormatFloat(share, 'f', -1, 64) }

func rateLimit(r *postroom.RateLimit) string {
	if r == nil {
		return "none"
	}
	return strconv.Itoa(r.Limit)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// linesOfPairs writes a map as lines, in the order of their names.
func linesOfPairs(m map[string]string, separator string) string {
	var b strings.Builder
	for _, name := range sortedKeys(m) {
		b.WriteString(name + separator + m[name] + "\n")
	}
	return b.String()
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
