package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/outbound"
)

// DefaultSettings are the settings of a webhook of a dialect of which nothing else is said; of one that does not exist, those of the
// standard one.
func (a *App) DefaultSettings(name string) postroom.WebhookSettings {
	name = cmp.Or(name, dialect.Standard)
	d := a.Dialects[name]
	if d == nil {
		d = a.Dialects[dialect.Standard]
	}
	s := postroom.WebhookSettings{Dialect: name, Concurrency: 8, Ordering: postroom.OrderingNone, Auth: &postroom.Auth{Type: postroom.AuthNone},
		Headers: map[string]string{}}
	setDefaults(&s, d.Out.Defaults)
	return s
}

// setDefaults sets what dialects have defaults for.
func setDefaults(s *postroom.WebhookSettings, d dialect.Defaults) {
	s.Method, s.Timeout, s.ExpectJSON, s.Disable = d.Method, d.Timeout, d.ExpectJSON, d.DisableAfter
	s.Retry = postroom.Retry{Schedule: slices.Clone(d.Retry.Schedule), Jitter: d.Retry.Jitter}
	s.RateLimit = nil
	if d.RateLimit != nil {
		limit := *d.RateLimit
		s.RateLimit = &limit
	}
}

// fillDefaults sets what is unset and cannot be meant so.
func (a *App) fillDefaults(s *postroom.WebhookSettings) {
	d := a.DefaultSettings(s.Dialect)
	s.Dialect = d.Dialect
	s.Method = cmp.Or(s.Method, d.Method)
	if s.Retry.Schedule == nil {
		s.Retry.Schedule = d.Retry.Schedule
	}
	s.Timeout = cmp.Or(s.Timeout, d.Timeout)
	s.Concurrency = cmp.Or(s.Concurrency, d.Concurrency)
	s.Ordering = cmp.Or(s.Ordering, d.Ordering)
	if s.Auth == nil {
		s.Auth = d.Auth
	}
	if s.Headers == nil {
		s.Headers = d.Headers
	}
	s.Payload = emptyPayload(s.Payload)
}

// changeDialect gives settings that have the defaults of the old dialect those of the new one.
func (a *App) changeDialect(s, before *postroom.WebhookSettings) {
	if s.Dialect == before.Dialect {
		return
	}
	old, fresh := a.DefaultSettings(before.Dialect), a.DefaultSettings(s.Dialect)
	follow(&s.Method, old.Method, fresh.Method)
	follow(&s.Timeout, old.Timeout, fresh.Timeout)
	follow(&s.ExpectJSON, old.ExpectJSON, fresh.ExpectJSON)
	follow(&s.Disable, old.Disable, fresh.Disable)
	follow(&s.Retry, old.Retry, fresh.Retry)
	follow(&s.RateLimit, old.RateLimit, fresh.RateLimit)
}

func follow[T any](setting *T, old, fresh T) {
	if reflect.DeepEqual(*setting, old) {
		*setting = fresh
	}
}

// checkDialect refuses a dialect that does not exist, and what does not go with it. It puts the catalogue's names in place of the
// vendor's in what the webhook subscribes to.
func (a *App) checkDialect(p *postroom.Problems, s *postroom.WebhookSettings) *dialect.Dialect {
	d := a.Dialects[s.Dialect]
	if d == nil {
		names := a.Dialects.Names()
		p.Add("/dialect", "there is no dialect %s%s; there are %s", quote(s.Dialect), a.Dialects.Hint(s.Dialect), strings.Join(names, ", "))
		return nil
	}
	s.Events = catalogueNames(d, s.Events)
	reserved := func(pointer, name string) {
		if d.Out.Reserved(headerName(name)) {
			p.Add(pointer, "the header %s is reserved: the dialect %s sets it", headerName(name), d.Name)
		}
	}
	for name := range s.Headers {
		reserved("/headers/"+escapePointer(name), name)
	}
	if s.Auth != nil {
		reserved("/auth/header", s.Auth.Header)
		for name := range s.Auth.Headers {
			reserved("/auth/headers/"+escapePointer(name), name)
		}
	}
	if s.Auth != nil && s.Auth.Type != "" && slices.Contains(postroom.AuthTypes(), s.Auth.Type) && !slices.Contains(d.Out.Auth, s.Auth.Type) {
		p.Add("/auth/type", "webhooks of the dialect %s have no auth of this type; they may have %s", d.Name, joined(d.Out.Auth))
	}
	return d
}

func joined(types []postroom.AuthType) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}

// catalogueNames puts the catalogue's names in place of the vendor's; what is neither stays. A name of both is the vendor's.
func catalogueNames(d *dialect.Dialect, events []string) []string {
	var all []string
	for _, name := range events {
		types := d.Out.Types(name)
		if types == nil {
			types = []string{name}
		}
		for _, t := range types {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	return all
}

// offers tells whether the dialect sends any type that a pattern takes in.
func (a *App) offers(d *dialect.Dialect, pattern string) bool {
	if d.Out.Offers(pattern) {
		return true
	}
	named, others := d.Out.Named()
	return others || slices.ContainsFunc(named, func(t string) bool { return matchesAny([]string{pattern}, t) })
}

// notSent says that a dialect does not send what a name or a pattern stands for, and what it sends.
func notSent(d *dialect.Dialect, name string) string {
	names, hint := vendorNames(d), ""
	if near := catalogue.NearestWord(name, names); near != "" {
		hint = " (did you mean " + near + "?)"
	}
	return fmt.Sprintf("the dialect %s does not send %s%s; it sends %s", d.Name, quote(name), hint, strings.Join(names, ", "))
}

// vendorNames are what the dialect calls its event types.
func vendorNames(d *dialect.Dialect) (names []string) {
	named, _ := d.Out.Named()
	for _, t := range named {
		name, _ := d.Out.Name(t)
		names = append(names, name)
	}
	return names
}

// checkSecrets refuses a change of dialect if the webhook's secrets are none in the new one.
func (a *App) checkSecrets(ctx context.Context, who Caller, p *postroom.Problems, id postroom.WebhookID, d *dialect.Dialect) error {
	secrets, err := a.Store.Secrets(ctx, who.Workspace, id, a.Now())
	if err != nil {
		return err
	}
	for _, s := range secrets {
		plain, err := a.Sealer.Open(outbound.SecretContext(id), s.Sealed)
		if err != nil {
			return err
		}
		if _, _, err := outbound.ParseSecretFor(d.Out.Signature.Scheme, string(plain)); err != nil {
			p.Add("/dialect", "a secret of this webhook is none in the dialect %s: %s; make a new webhook, or rotate the secret with an overlap of 0s first", d.Name, err)
			return nil
		}
	}
	return nil
}

// testOf is what a test of a webhook sends: what is asked for, else what the dialect says.
func (a *App) testOf(name, eventType string, data json.RawMessage) (string, json.RawMessage, error) {
	d := a.Dialects[name]
	if d == nil {
		return "", nil, postroom.Errorf(postroom.CodeConflict, "The webhook's dialect %s is not here.", quote(name))
	}
	if eventType == "" {
		if data == nil {
			data = d.Out.Test.Data
		}
		return d.Out.Test.Type, data, nil
	}
	eventType = catalogueNames(d, []string{eventType})[0]
	if !d.Out.Offers(eventType) {
		return "", nil, postroom.Invalid(postroom.CodeUnknownEventType, "/type", "%s", notSent(d, eventType))
	}
	return eventType, data, nil
}

// ListDialects lists the dialects, the standard one first, without samples.
func (a *App) ListDialects(_ context.Context, who Caller) ([]postroom.DialectResource, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	all := []postroom.DialectResource{}
	for _, name := range a.Dialects.Names() {
		all = append(all, showDialect(a.Dialects[name]))
	}
	return all, nil
}

// sampleTime is when the events of samples happened.
var sampleTime = time.Date(2026, 3, 15, 10, 30, 0, 0, time.UTC)

// FindDialect finds a dialect, with a sample of each event that it names as it is sent; of one that names none, its test. The samples are
// signed with a secret that nobody knows.
func (a *App) FindDialect(_ context.Context, who Caller, name string) (postroom.DialectResource, error) {
	var none postroom.DialectResource
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	d := a.Dialects[name]
	if d == nil {
		return none, postroom.Errorf(postroom.CodeNotFound, "There is no dialect %s%s.", quote(name), a.Dialects.Hint(name))
	}
	found := showDialect(d)
	types, _ := d.Out.Named()
	if len(types) == 0 {
		types = []string{d.Out.Test.Type}
	}
	settings := a.DefaultSettings(name)
	settings.URL = previewURL
	for _, t := range types {
		known, ok := a.Catalogue.Lookup(t)
		if !ok {
			continue
		}
		e := &postroom.Event{ID: postroom.Next[postroom.EventKind](a.IDs, sampleTime), WorkspaceID: who.Workspace, Type: t, Time: sampleTime, Data: known.Sample}
		w := postroom.StoredWebhook{Webhook: postroom.Webhook{WorkspaceID: who.Workspace, WebhookSettings: settings}}
		request, _, err := a.Engine.Preview(w, nil, e)
		if err != nil {
			return none, err
		}
		vendor, _ := d.Out.Name(t)
		found.Samples = append(found.Samples, postroom.DialectSample{Type: t, Name: vendor,
			Request: postroom.RequestResource{Method: request.Method, URL: request.URL, Headers: request.Headers, Body: string(request.Body)}})
	}
	return found, nil
}

// showDialect is a dialect as people see it.
func showDialect(d *dialect.Dialect) postroom.DialectResource {
	o := &d.Out
	named, others := o.Named()
	r := postroom.DialectResource{Name: d.Name, Title: d.Title, Description: d.Description, ContentType: o.ContentType, Others: others, Auth: o.Auth,
		Signature: postroom.DialectSignature{Scheme: string(o.Signature.Scheme), Header: o.Signature.Header, Algorithm: o.Signature.Algorithm,
			Encoding: o.Signature.Encoding, Prefix: o.Signature.Prefix},
		Defaults: postroom.DialectDefaults{Method: o.Defaults.Method, Retry: o.Defaults.Retry, Timeout: o.Defaults.Timeout,
			ExpectJSON: o.Defaults.ExpectJSON, RateLimit: o.Defaults.RateLimit, Disable: o.Defaults.DisableAfter},
		Test: o.Test.Type, Events: []postroom.DialectEvent{}, Headers: []postroom.DialectHeader{}, Bodies: []postroom.DialectBody{}}
	for _, t := range named {
		vendor, _ := o.Name(t)
		r.Events = append(r.Events, postroom.DialectEvent{Type: t, Name: vendor})
	}
	for _, group := range o.HeaderGroups() {
		for _, h := range group.Headers {
			r.Headers = append(r.Headers, postroom.DialectHeader{Events: group.Events, Name: h.Name, Value: h.Source})
		}
	}
	for _, b := range o.Bodies() {
		r.Bodies = append(r.Bodies, postroom.DialectBody{Events: b.Events, Template: b.Source})
	}
	return r
}
