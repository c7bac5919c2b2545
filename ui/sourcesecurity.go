package ui

import (
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// signatureParts are the settings of a signature by each scheme that a source may have, beside its secrets.
func signatureParts(scheme string) []string {
	signed := []string{"header", "prefix", "encoding", "signed", "id", "timestamp", "timestamp_format", "tolerance", "separator"}
	switch scheme {
	case "hmac":
		return slices.Concat(signed, []string{"algorithm", "secret_encoding"})
	case "hash", "ecdsa":
		return append(signed, "algorithm")
	case "ed25519":
		return signed
	case "standard":
		return []string{"header", "tolerance"}
	case "token", "api_key":
		return []string{"header", "prefix"}
	}
	return nil
}

// schemeOptions are the schemes to choose from.
func schemeOptions(k app.Kind) []option {
	all := []option{{"none", "No signature", ""}}
	if k.Signs {
		all = append(all, option{"kind", "As " + k.Title + " signs", "only the secret is needed"})
	}
	return append(all, []option{
		{"hmac", "HMAC", "a shared secret, such as X-Hub-Signature-256"}, {"standard", "Standard Webhooks", "whsec_… or whpk_…"},
		{"ed25519", "Ed25519", "a public key"}, {"ecdsa", "ECDSA", "a public key"}, {"hash", "Hash", "a hash of text and secret"},
		{"token", "Token", "a fixed text in a place of your own"}, {"api_key", "API key", "a second key in a header"}, {"basic", "User and password", "user:password"},
	}...)
}

// securityData is what the form of a source's security shows.
type securityData struct {
	Source      postroom.Source
	Schemes     []option
	Scheme      string
	Parts       []signaturePart
	Credentials []app.KindCredential // beside the secret
	SecretTitle string
	HasSecret   bool
	Secrets     int // further ones that are valid too
	HasKey      bool
	HasPassword bool
	Dedupes     []option
	Made        string // an API key that was just made
}

// signaturePart is a field of a signature: one with options has a list.
type signaturePart struct {
	Field   field
	Options bool
}

func securityParts(f *form, scheme string) (parts []signaturePart) {
	labels := map[string][2]string{
		"header":           {"Header", "That has the signature, such as X-Signature; or query:name, form:name, json:/pointer."},
		"prefix":           {"Prefix", "What stands before the signature, such as sha256="},
		"separator":        {"Separator", "Between the items of a header that has several, such as ,"},
		"signed":           {"What is signed", "{body} if it is left empty; also {timestamp}.{body}, {url}, {id}, {header:X-Name} and others."},
		"id":               {"Where {id} is", "A header, or item:x for an item of the signature header."},
		"timestamp":        {"Where {timestamp} is", "A header, or item:t for an item of the signature header."},
		"tolerance":        {"How old a call may be", "Such as 5m, which it is if this is left empty."},
		"algorithm":        {"Hash", ""},
		"encoding":         {"Encoding", ""},
		"timestamp_format": {"Form of the timestamp", ""},
		"secret_encoding":  {"The secret is", ""},
	}
	hashes := []option{{"", "SHA-256", ""}, {"sha512", "SHA-512", ""}}
	switch scheme {
	case "hmac":
		hashes = append(hashes, option{"sha1", "SHA-1", "old"})
	case "ecdsa":
		hashes = append(hashes, option{"sha384", "SHA-384", ""})
	}
	choices := map[string][]option{
		"algorithm":        hashes,
		"encoding":         {{"", "Hexadecimal or base64", ""}, {"hex", "Hexadecimal", ""}, {"base64", "Base64", ""}},
		"timestamp_format": {{"", "Unix seconds", ""}, {"unix_ms", "Unix milliseconds", ""}, {"rfc3339", "RFC 3339", ""}},
		"secret_encoding":  {{"", "The text itself", ""}, {"hex", "Bytes in hexadecimal", ""}, {"base64", "Bytes in base64", ""}},
	}
	for _, part := range signatureParts(scheme) {
		x := field{form: f, Name: "signature." + part, Label: labels[part][0], Hint: labels[part][1], Type: "text", Options: choices[part]}
		parts = append(parts, signaturePart{x, x.Options != nil})
	}
	return parts
}

// credentials are those of a kind beside the secret, and the token, which every source has.
func credentials(k app.Kind) (secret string, others []app.KindCredential) {
	secret = "Secret"
	for _, c := range k.Credentials {
		switch c.Name {
		case "secret":
			secret = nameOr(c.Title, secret)
		case "token":
		default:
			others = append(others, c)
		}
	}
	return secret, others
}

func securityView(c *call, d sourceData, f *form, made string) page {
	s := d.Source
	data := securityData{Source: s, Schemes: schemeOptions(d.Kind), Scheme: f.Get("signature.scheme"), HasKey: s.APIKey != nil, HasPassword: s.BasicAuth != nil, Made: made,
		Dedupes: []option{{"auto", "By itself", "the event's id, or a usual header"}, {"id", "By the event's id", "or what stands at a path"}, {"header", "By a header", ""},
			{"body", "By the body", "the same bytes"}, {"none", "Not at all", ""}}}
	data.SecretTitle = "Secret"
	switch data.Scheme {
	case "kind":
		data.SecretTitle, data.Credentials = credentials(d.Kind)
	case "ed25519", "ecdsa":
		data.SecretTitle = "Public key"
	}
	data.Parts = securityParts(f, data.Scheme)
	if s.Signature != nil {
		data.HasSecret, data.Secrets = s.Signature.Secret != "", len(s.Signature.Secrets)
	}
	p := sourceView(c, d, "security", "Security", data)
	p.Form = f
	return p
}

// securityForm has the present settings, without what is secret.
func securityForm(s *postroom.Source) *form {
	f := newForm("signature.scheme", "none", "ip_allow", strings.Join(s.IPAllow, "\n"), "dedupe.by", string(s.Dedupe.By), "dedupe.header", s.Dedupe.Header, "dedupe.path", s.Dedupe.Path)
	on := func(name string, is bool) {
		if is {
			f.values.Set(name, "on")
		}
	}
	on("require_token", s.RequireToken)
	if on("api_key.on", s.APIKey != nil); s.APIKey != nil {
		f.values.Set("api_key.header", s.APIKey.Header)
	}
	if on("basic_auth.on", s.BasicAuth != nil); s.BasicAuth != nil {
		f.values.Set("basic_auth.username", s.BasicAuth.Username)
	}
	if s.RateLimit != nil {
		f.values.Set("rate_limit.limit", strconv.Itoa(s.RateLimit.Limit))
		f.values.Set("rate_limit.period", s.RateLimit.Period.String())
	}
	if g := s.Signature; g != nil {
		f.values.Set("signature.scheme", nameOr(g.Scheme, "kind"))
		for part, value := range map[string]string{"header": g.Header, "prefix": g.Prefix, "separator": g.Separator, "algorithm": g.Algorithm, "encoding": g.Encoding, "signed": g.Signed,
			"id": g.ID, "timestamp": g.Timestamp, "timestamp_format": g.TimestampFormat, "secret_encoding": g.SecretEncoding} {
			f.values.Set("signature."+part, value)
		}
		if g.Tolerance != 0 {
			f.values.Set("signature.tolerance", g.Tolerance.String())
		}
	}
	return f
}

func securityPage(c *call) error {
	d, err := c.findSource()
	if err != nil {
		return err
	}
	return c.render(securityView(c, d, securityForm(&d.Source), ""))
}

func changeSecurity(c *call) error {
	f, d, err := c.sourceForm()
	if err != nil {
		return err
	}
	if f.Get("op") == "scheme" { // another one was chosen: its settings are shown
		return c.render(securityView(c, d, f, ""))
	}
	s, err := c.app.UpdateSource(c.Context(), c.in.Caller, d.Source.ID.String(), 0, func(s *postroom.SourceSettings) error { return f.secure(s, d.Kind) })
	if err != nil {
		_, others := credentials(d.Kind)
		names := []string{"require_token", "api_key.header", "api_key.key", "signature.scheme", "signature.secret", "basic_auth.username", "basic_auth.password", "ip_allow",
			"rate_limit.limit", "rate_limit.period", "dedupe.by", "dedupe.header", "dedupe.path"}
		for _, part := range signatureParts(f.Get("signature.scheme")) {
			names = append(names, "signature."+part)
		}
		for _, other := range others {
			names = append(names, "signature.credentials."+other.Name)
		}
		return c.invalid(err, securityView(c, d, f, ""), names...)
	}
	if s.APIKey != nil && s.APIKey.Key != postroom.Redacted {
		d.Source = s
		return c.render(securityView(c, d, securityForm(&s), s.APIKey.Key))
	}
	return c.redirect(d.Path("/security"), "The security settings were saved.")
}

// secure reads the form into settings, in which secrets are redacted. A secret that is left empty stays as it was.
func (f *form) secure(s *postroom.SourceSettings, k app.Kind) error {
	var p postroom.Problems
	s.RequireToken = f.Has("require_token", "on")
	s.IPAllow = append([]string{}, f.lines("ip_allow")...)
	f.secureKey(s)
	f.secureSignature(s, k, &p)
	s.RateLimit = nil
	if limit, period := f.Get("rate_limit.limit"), f.Get("rate_limit.period"); limit != "" || period != "" {
		n, err := strconv.Atoi(limit)
		if err != nil {
			p.Add("/rate_limit/limit", "this is a whole number of calls")
		}
		s.RateLimit = &postroom.RateLimit{Limit: n, Period: f.duration("rate_limit.period", "/rate_limit/period", &p)}
	}
	s.Dedupe = postroom.Dedupe{By: postroom.DedupeBy(f.Get("dedupe.by"))}
	switch s.Dedupe.By { // what the others do not have is not asked for
	case postroom.DedupeHeader:
		s.Dedupe.Header = f.Get("dedupe.header")
	case postroom.DedupeID:
		s.Dedupe.Path = f.Get("dedupe.path")
	}
	return p.Err()
}

func (f *form) duration(name, pointer string, p *postroom.Problems) (d postroom.Duration) {
	text := f.Get(name)
	if text == "" {
		return 0
	}
	if d.UnmarshalText([]byte(text)) != nil {
		p.Add(pointer, "this is a duration such as 5s, 30m or 2h")
	}
	return d
}

// secureKey reads the API key, and the user and password.
func (f *form) secureKey(s *postroom.SourceSettings) {
	had := s.APIKey != nil
	if s.APIKey = nil; f.Has("api_key.on", "on") {
		s.APIKey = &postroom.SourceKey{Header: f.Get("api_key.header"), Key: f.Raw("api_key.key")}
		if s.APIKey.Key == "" && had && !f.Has("api_key.new", "on") {
			s.APIKey.Key = postroom.Redacted
		}
	}
	had = s.BasicAuth != nil
	if s.BasicAuth = nil; f.Has("basic_auth.on", "on") {
		s.BasicAuth = &postroom.BasicAuth{Username: f.Get("basic_auth.username"), Password: f.Raw("basic_auth.password")}
		if s.BasicAuth.Password == "" && had {
			s.BasicAuth.Password = postroom.Redacted
		}
	}
}

// secureSignature reads the signature. Settings that the scheme does not have are left out.
func (f *form) secureSignature(s *postroom.SourceSettings, k app.Kind, p *postroom.Problems) {
	was, scheme := s.Signature, f.Get("signature.scheme")
	if scheme == "none" || scheme == "" {
		s.Signature = nil
		return
	}
	g := &postroom.SourceSignature{Scheme: scheme, Secret: f.Get("signature.secret")}
	if scheme == "kind" {
		g.Scheme = ""
		g.Credentials = f.secureCredentials(was, k)
	}
	for part, to := range map[string]*string{"header": &g.Header, "prefix": &g.Prefix, "separator": &g.Separator, "algorithm": &g.Algorithm, "encoding": &g.Encoding, "signed": &g.Signed,
		"id": &g.ID, "timestamp": &g.Timestamp, "timestamp_format": &g.TimestampFormat, "secret_encoding": &g.SecretEncoding} {
		if slices.Contains(signatureParts(scheme), part) {
			*to = f.Get("signature." + part)
		}
	}
	if slices.Contains(signatureParts(scheme), "tolerance") {
		g.Tolerance = f.duration("signature.tolerance", "/signature/tolerance", p)
	}
	if was != nil {
		keep := g.Secret != "" && was.Secret != "" && f.Has("signature.keep", "on")
		if g.Secret == "" {
			g.Secret = was.Secret
		}
		if keep || !f.Has("signature.forget", "on") {
			g.Secrets = slices.Clone(was.Secrets)
		}
		if keep { // after the others, this stands for the one that is replaced
			g.Secrets = append(g.Secrets, postroom.Redacted)
		}
	}
	s.Signature = g
}

func (f *form) secureCredentials(was *postroom.SourceSignature, k app.Kind) map[string]string {
	_, others := credentials(k)
	all := map[string]string{}
	for _, c := range others {
		value := f.Get("signature.credentials." + c.Name)
		if value == "" && was != nil && was.Credentials[c.Name] != "" {
			value = postroom.Redacted
		}
		if value != "" {
			all[c.Name] = value
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}
