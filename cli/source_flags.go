package cli

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// sourceFlags are a source's settings on a command line. A nil is a flag that was not given.
type sourceFlags struct {
	Description  *string  `placeholder:"TEXT" help:"Description, for people."`
	UID          *string  `name:"uid" placeholder:"ID" help:"Your own id, by which the source can be named too."`
	Kind         *string  `placeholder:"NAME" help:"Who calls: generic (the default), or a dialect with an incoming part, such as cloudcusp."`
	EventType    *string  `placeholder:"TYPE" help:"What calls tell of: an event type, or a name of the kind; by default the call says it."`
	Active       bool     `xor:"status" help:"Take calls."`
	Inactive     bool     `xor:"status" help:"Refuse calls."`
	Map          []string `sep:"none" placeholder:"FROM=TO" help:"A row of the mapping, such as contact_email=email or first+last=custom_field.name; may be repeated."`
	Mapping      *string  `placeholder:"JSON" help:"The whole mapping, with transforms and conditions: JSON, @FILE, - for stdin, or none."`
	Action       []string `sep:"none" placeholder:"TYPE:…" help:"Something that is done, such as add_subscriber:lists=Newsletter,tags=vip; may be repeated."`
	Actions      *string  `placeholder:"JSON" help:"All actions: JSON, @FILE, - for stdin, or none."`
	RequireToken *bool    `negatable:"" help:"Whether calls carry the URL's token, which is the default."`
	RateLimit    *string  `placeholder:"N/PERIOD" help:"Most calls in a period, such as 50/1s; or none."`
	IPAllow      []string `name:"ip-allow" placeholder:"CIDRS" help:"Addresses that calls may come from, such as 203.0.113.0/24; or none for all."`
	Dedupe       *string  `placeholder:"HOW" help:"How a call that arrives twice is recognised: auto, id:PATH, header:NAME, body or none."`

	HMACSecret      *string `name:"hmac-secret" xor:"secret" group:"proof" placeholder:"SECRET" help:"Calls are signed with this: HMAC-SHA256 over the body, in X-Webhook-Signature with the prefix sha256=, unless the flags below say otherwise."`
	SigningSecret   *string `xor:"secret" group:"proof" placeholder:"SECRET" help:"Calls are signed as the kind does, or as --signature-scheme says, with this secret or public key."`
	SignatureScheme *string `group:"proof" enum:"hmac,ed25519,ecdsa,standard" placeholder:"SCHEME" help:"How calls are signed: hmac, ed25519, ecdsa or standard (Standard Webhooks)."`
	SignatureHeader *string `group:"proof" placeholder:"NAME" help:"Header that carries the signature."`
	SignaturePrefix *string `group:"proof" placeholder:"TEXT" help:"What stands before it."`
	SignatureAlg    *string `name:"signature-algorithm" group:"proof" placeholder:"HASH" help:"sha1, sha256 or sha512."`
	SignatureEnc    *string `name:"signature-encoding" group:"proof" placeholder:"CODE" help:"hex or base64."`
	Signed          *string `name:"signature-over" group:"proof" placeholder:"TEMPLATE" help:"What is signed, such as {timestamp}.{body}."`
	SignatureTime   *string `name:"signature-timestamp" group:"proof" placeholder:"NAME" help:"Header that carries the timestamp."`
	Tolerance       *string `name:"signature-tolerance" group:"proof" placeholder:"DURATION" help:"How far the timestamp may be off; by default 5m."`
	NoSignature     bool    `group:"proof" xor:"secret" help:"Calls are not signed."`
	SourceKey       *string `name:"source-key" group:"proof" placeholder:"KEY" help:"Calls carry this API key, new for one that is made, or none."`
	SourceKeyHeader *string `name:"source-key-header" group:"proof" placeholder:"NAME" help:"Header for it; by default X-API-Key."`
	Basic           *string `group:"proof" placeholder:"USER:PASSWORD" help:"Calls carry this user and password; or none."`
}

// patch makes a JSON merge patch of the flags that were given. fresh says that it is for a new source.
func (f sourceFlags) patch(s *session, fresh bool) (map[string]any, error) {
	patch := map[string]any{}
	put(patch, "description", f.Description)
	put(patch, "kind", f.Kind)
	put(patch, "event_type", f.EventType)
	put(patch, "require_token", f.RequireToken)
	if f.UID != nil {
		patch["uid"] = orNull(*f.UID, "")
	}
	switch {
	case f.Active:
		patch["status"] = postroom.SourceActive
	case f.Inactive:
		patch["status"] = postroom.SourceInactive
	}
	if len(f.IPAllow) > 0 {
		patch["ip_allow"] = f.IPAllow
		if slices.Equal(f.IPAllow, []string{"none"}) {
			patch["ip_allow"] = []string{}
		}
	}
	if f.RateLimit != nil {
		limit, err := rate(*f.RateLimit)
		if err != nil {
			return nil, err
		}
		patch["rate_limit"] = limit
	}
	if f.Dedupe != nil {
		patch["dedupe"] = dedupe(*f.Dedupe)
	}
	if err := f.putProof(s, patch, fresh); err != nil {
		return nil, err
	}
	return patch, f.putMeaning(s, patch)
}

// dedupe reads "header:X-Request-Id", "id:event.id", "body" and the like.
func dedupe(given string) map[string]any {
	by, at, _ := strings.Cut(given, ":")
	d := map[string]any{"by": by, "header": nil, "path": nil}
	switch by {
	case "header":
		d["header"] = at
	case "id":
		d["path"] = at
	}
	return d
}

// putMeaning adds the mapping and the actions.
func (f sourceFlags) putMeaning(s *session, patch map[string]any) error {
	if f.Mapping != nil && len(f.Map) > 0 {
		return usagef("--mapping is the whole mapping: --map does not go with it")
	}
	if f.Actions != nil && len(f.Action) > 0 {
		return usagef("--actions are all actions: --action does not go with it")
	}
	if err := putList(s, patch, "mapping", f.Mapping); err != nil {
		return err
	}
	if err := putList(s, patch, "actions", f.Actions); err != nil {
		return err
	}
	var rows, actions []map[string]any
	for _, given := range f.Map {
		from, to, ok := strings.Cut(given, "=")
		if !ok || from == "" || to == "" {
			return usagef("--map is %q, but must be a path and a field, such as contact_email=email", given)
		}
		rows = append(rows, map[string]any{"from": strings.Split(from, "+"), "to": to})
		if paths := strings.Split(from, "+"); len(paths) > 1 {
			rows[len(rows)-1]["transform"] = []any{map[string]string{"join": " "}}
		}
	}
	for _, given := range f.Action {
		action, err := actionOf(given)
		if err != nil {
			return err
		}
		actions = append(actions, action)
	}
	if rows != nil {
		patch["mapping"] = rows
	}
	if actions != nil {
		patch["actions"] = actions
	}
	return nil
}

// putList adds a list that a flag has as JSON.
func putList(s *session, patch map[string]any, name string, given *string) error {
	if given == nil {
		return nil
	}
	if *given == "none" {
		patch[name] = []any{}
		return nil
	}
	text, err := s.jsonValue("--"+name, *given)
	if err != nil {
		return err
	}
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil {
		return usagef("--%s must be a list: […]", name)
	}
	patch[name] = list
	return nil
}

// actionOf reads an action, such as add_subscriber:lists=Newsletter,Customers,tags=vip,when=body.score > 10.
func actionOf(given string) (map[string]any, error) {
	kind, rest, _ := strings.Cut(given, ":")
	action := map[string]any{"type": kind}
	for rest != "" {
		name, value, ok := strings.Cut(rest, "=")
		if !ok {
			return nil, usagef("--action is %q, but must be a type and what goes with it, such as add_subscriber:lists=Newsletter,tags=vip", given)
		}
		rest = ""
		if name != "when" && name != "data" {
			value, rest = upToNextName(value)
		}
		if err := setAction(action, name, value); err != nil {
			return nil, err
		}
	}
	return action, nil
}

// upToNextName cuts a value where a comma is followed by another NAME=.
func upToNextName(value string) (this, rest string) {
	for i, c := range value {
		if c != ',' {
			continue
		}
		if name, _, ok := strings.Cut(value[i+1:], "="); ok && !strings.ContainsAny(name, ", ") {
			return value[:i], value[i+1:]
		}
	}
	return value, ""
}

// setAction sets what a name stands for. What there is beside these the server says.
func setAction(action map[string]any, name, value string) error {
	part := func(of string) map[string]any {
		m, ok := action[of].(map[string]any)
		if !ok {
			m = map[string]any{}
			action[of] = m
		}
		return m
	}
	switch name {
	case "lists", "tags", "remove_tags":
		action[name] = strings.Split(value, ",")
	case "double_opt_in":
		action[name] = value == "true"
	case "data":
		if !json.Valid([]byte(value)) {
			return usagef("data of an --action is JSON, and %q is not", value)
		}
		action[name] = json.RawMessage(value)
	case "url", "method":
		part("call")[name] = value
	default:
		if field, ok := strings.CutPrefix(name, "field."); ok {
			part("custom_fields")[field] = value
			return nil
		}
		action[name] = value
	}
	return nil
}

// putProof adds what proves the caller.
func (f sourceFlags) putProof(s *session, patch map[string]any, fresh bool) error {
	signature, err := f.signature(s, fresh)
	if err != nil {
		return err
	}
	switch {
	case f.NoSignature && len(signature) > 0:
		return usagef("--no-signature does not go with the flags of a signature")
	case f.NoSignature:
		patch["signature"] = nil
	case len(signature) > 0:
		patch["signature"] = signature
	}
	if f.SourceKey != nil || f.SourceKeyHeader != nil {
		if f.SourceKey != nil && *f.SourceKey == "none" {
			patch["api_key"] = nil
		} else if patch["api_key"], err = f.apiKey(s); err != nil {
			return err
		}
	}
	if f.Basic == nil {
		return nil
	}
	if *f.Basic == "none" {
		patch["basic_auth"] = nil
		return nil
	}
	both, err := s.secretValue(*f.Basic)
	if err != nil {
		return err
	}
	user, password, ok := strings.Cut(both, ":")
	if !ok {
		return usagef("--basic must be a user and a password with a colon between them")
	}
	patch["basic_auth"] = map[string]any{"username": user, "password": password}
	return nil
}

func (f sourceFlags) apiKey(s *session) (map[string]any, error) {
	key := map[string]any{}
	put(key, "header", f.SourceKeyHeader)
	if f.SourceKey == nil {
		return key, nil
	}
	if *f.SourceKey == "new" {
		key["key"] = ""
		return key, nil
	}
	value, err := s.secretValue(*f.SourceKey)
	if err == nil && value == "" {
		err = usagef("--source-key has no key in it").hint("Give new for one that is made.")
	}
	key["key"] = value
	return key, err
}

// signature is what the flags say of signatures.
func (f sourceFlags) signature(s *session, fresh bool) (map[string]any, error) {
	g := map[string]any{}
	if f.HMACSecret != nil {
		g["scheme"] = "hmac"
		if fresh {
			g["header"], g["prefix"] = "X-Webhook-Signature", "sha256="
			if f.SignatureHeader != nil { // a sender with a header of its own has a form of its own
				g["prefix"] = ""
			}
		}
	}
	put(g, "scheme", f.SignatureScheme)
	put(g, "header", f.SignatureHeader)
	put(g, "prefix", f.SignaturePrefix)
	put(g, "algorithm", f.SignatureAlg)
	put(g, "encoding", f.SignatureEnc)
	put(g, "signed", f.Signed)
	put(g, "timestamp", f.SignatureTime)
	if f.Tolerance != nil {
		d, err := duration("--signature-tolerance", *f.Tolerance)
		if err != nil {
			return nil, err
		}
		g["tolerance"] = d
	}
	for flag, given := range map[string]*string{"--hmac-secret": f.HMACSecret, "--signing-secret": f.SigningSecret} {
		if given == nil {
			continue
		}
		text, err := s.secretText(*given) // a public key has several lines
		if err != nil {
			return nil, err
		}
		if text = strings.TrimRight(text, "\r\n"); text == "" {
			return nil, usagef("%s has no secret in it", flag)
		}
		g["secret"] = text
	}
	return g, nil
}
