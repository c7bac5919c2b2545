package scheme

import (
	"log/slog"

	"github.com/postroom/postroom"
)

// Config is a scheme and its parameters, as data. Which parameters a scheme has stands at its Name; the others must be left out.
type Config struct {
	Scheme  Name     `json:"scheme"`
	Methods []string `json:"methods,omitempty"` // the scheme fails for calls with any other HTTP method; none for all

	Of []Config `json:"of,omitempty"` // all, any: the schemes to combine

	// Credential names which of a source's credentials Fill puts into Secrets, or into Allow for schemes without secrets; "" is "secret".
	Credential string `json:"credential,omitempty"`
	// Secrets are keys, tokens, "user:password" pairs, or public keys. Any one of them fits, so that they can be rotated.
	Secrets []string `json:"secrets,omitempty"`
	// SecretEncoding says what the key's bytes are: those of the text (default), or what the text is in "hex" or "base64".
	SecretEncoding string   `json:"secret_encoding,omitempty"`
	Allow          []string `json:"allow,omitempty"` // ip: addresses and CIDRs; rsa-sns: topic ARNs, or "*"

	// Header is the name of the header that holds the signature or the token, or another place: "query:name", "form:name" (a field of a
	// form body) or "json:/pointer" (a string or number in a JSON body). What stands there more than once is refused.
	Header    string `json:"header,omitempty"`
	Prefix    string `json:"prefix,omitempty"`    // what stands before the signature or the token; upper and lower case are the same
	Separator string `json:"separator,omitempty"` // between the items of a header with several; those with the prefix are signatures
	Algorithm string `json:"algorithm,omitempty"` // the hash: "sha1" (hmac only), "sha256" (default), "sha512", and for ecdsa "sha384"
	Encoding  string `json:"encoding,omitempty"`  // of the signature: "hex", "base64" (any alphabet, padded or not), "auto" (default)

	// Signed is what is signed, a template: {body} (default), {url}, {url_with_port}, {url_without_port}, {unescaped_url}, {path}, {query},
	// {method}, {timestamp}, {id}, {params} (name and value of each field of a form body, sorted), {secret} (hash only), or any place such
	// as {header:X-Request-Id}. {{ is a brace.
	Signed string `json:"signed,omitempty"`
	ID     string `json:"id,omitempty"` // the place of {id}; "item:x" is that item of the signature header which begins with x

	Timestamp       string            `json:"timestamp,omitempty"`        // the place of {timestamp}; also "item:x"
	TimestampFormat string            `json:"timestamp_format,omitempty"` // "unix" (seconds, default), "unix_ms", "rfc3339"
	Tolerance       postroom.Duration `json:"tolerance,omitempty"`        // how far the timestamp may be off, both ways; default 5m
}

// Name names a scheme.
type Name string

// The schemes, and the parameters of each. Those in brackets may be left out. A signature has these: header, [prefix], [separator],
// [encoding], [signed], [id], [timestamp], [timestamp_format], [tolerance].
const (
	SchemeToken    Name = "token"    // secrets, [header], [prefix]; by default in ?token=, as a bearer or in X-Webhook-Token
	SchemeAPIKey   Name = "api_key"  // secrets, [header] (X-API-Key), [prefix]
	SchemeBasic    Name = "basic"    // secrets, each "user:password"
	SchemeIP       Name = "ip"       // allow: where calls may come from
	SchemeHMAC     Name = "hmac"     // a signature; secrets, [secret_encoding], [algorithm]
	SchemeHash     Name = "hash"     // a signature that is a plain hash; [algorithm]; secrets, if {secret} is hashed, else only beside others in all
	SchemeEd25519  Name = "ed25519"  // a signature; secrets are public keys: base64 or hex of the key, base64 of DER, or PEM
	SchemeECDSA    Name = "ecdsa"    // a signature in ASN.1; [algorithm]; secrets are public keys: base64 of DER, or PEM
	SchemeStandard Name = "standard" // Standard Webhooks: secrets (whsec_…, whpk_…), [header] (webhook-signature), [tolerance]
	SchemeRSASNS   Name = "rsa-sns"  // Amazon SNS: allow (ARNs of topics), [tolerance], without which no age is too old
	SchemeAll      Name = "all"      // of: every one of them must verify the call
	SchemeAny      Name = "any"      // of: at least one of them must
)

// Names are all the schemes.
func Names() []Name {
	return []Name{SchemeToken, SchemeAPIKey, SchemeBasic, SchemeIP, SchemeHMAC, SchemeHash, SchemeEd25519, SchemeECDSA, SchemeStandard,
		SchemeRSASNS, SchemeAll, SchemeAny}
}

// Fill gives a copy of the configuration with a source's credentials in it, by their names, wherever none stand already.
func (c Config) Fill(credentials map[string][]string) Config {
	name := c.Credential
	if name == "" {
		name = "secret"
	}
	switch c.Scheme {
	case SchemeAll, SchemeAny:
		of := make([]Config, len(c.Of))
		for i := range c.Of {
			of[i] = c.Of[i].Fill(credentials)
		}
		c.Of = of
	case SchemeIP, SchemeRSASNS:
		if len(c.Allow) == 0 {
			c.Allow = credentials[name]
		}
	case SchemeHash:
		if len(c.Secrets) == 0 && usesSecret(c.Signed) {
			c.Secrets = credentials[name]
		}
	default:
		if len(c.Secrets) == 0 {
			c.Secrets = credentials[name]
		}
	}
	return c
}

// String hides the secrets.
func (c Config) String() string { return "scheme " + string(c.Scheme) }

// GoString is String.
func (c Config) GoString() string { return c.String() }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }
