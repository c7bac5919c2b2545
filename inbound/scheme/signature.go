package scheme

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// maxSignatures is how many signatures one header may hold. Senders that rotate keys send two or three.
const maxSignatures = 16

// signed is what hmac, hash, ed25519 and ecdsa have in common: where the signature stands, and what is signed.
type signed struct {
	place     place
	prefix    string
	separator string
	encoding  string
	content   template
	id        place // zero for none
	stamp     *timestamp
}

// signed compiles the parameters that they share.
func (c *compiler) signed() signed {
	s := signed{prefix: c.Prefix, separator: c.Separator, encoding: c.oneOf("encoding", c.Encoding, "auto", "hex", "base64")}
	c.short("prefix", c.Prefix)
	c.short("separator", c.Separator)
	if c.Separator != "" && c.Prefix == "" {
		c.blame("prefix", "With a separator there must be a prefix, which tells signatures from other items.")
	}
	if c.Header == "" {
		c.blame("header", "The header that holds the signature is missing.")
	} else {
		s.place = c.place("header", c.Header)
	}
	text := c.Signed
	if text == "" {
		text = "{body}"
	}
	c.short("signed", text)
	content, complaint := parseTemplate(text)
	if complaint != "" {
		c.blame("signed", "%s", complaint)
		return s
	}
	s.content = content
	if !slices.ContainsFunc(content, func(s segment) bool { return s.name != "" && s.name != nameSecret }) {
		c.blame("signed", "Nothing of the call is in it, such as {body}.")
	}
	s.id, s.stamp = c.id(content), c.timestamp(content)
	return s
}

// id compiles the place of {id}. An id that is not signed would promise what it does not keep; and so would a timestamp.
func (c *compiler) id(content template) (p place) {
	switch {
	case (c.ID != "") != content.has(nameID):
		c.blame("id", "{id} must stand in what is signed, and id say where it is found; or neither.")
	case c.ID != "":
		p = c.place("id", c.ID)
	}
	return p
}

func (c *compiler) timestamp(content template) *timestamp {
	switch {
	case (c.Timestamp != "") != content.has(nameTimestamp):
		c.blame("timestamp", "{timestamp} must stand in what is signed, and timestamp say where it is found; or neither.")
	case c.Timestamp != "":
		return &timestamp{c.place("timestamp", c.Timestamp), c.oneOf("timestamp_format", c.TimestampFormat, "unix", "unix_ms", "rfc3339"), c.tolerance(defaultTolerance)}
	case c.TimestampFormat != "" || c.Tolerance != 0:
		c.blame("timestamp", "It says where the timestamp is found, to which a format or a tolerance belongs.")
	}
	return nil
}

// cost is that of reading and hashing.
func (s *signed) cost() cost { return costHash }

// verify reads the call, asks whether any of its signatures fits its text, and then whether it is fresh. In that order, since a
// timestamp says nothing if its signature does not fit.
func (s *signed) verify(r *Request, fits func(text [][]byte, signatures [][]byte) bool) *Reason {
	header, reason := s.place.get(r)
	if reason != nil {
		return reason
	}
	signatures, reason := s.signatures(header)
	if reason != nil {
		return reason
	}
	var v values
	if s.id.name != "" {
		if v.id, reason = s.lookUp(s.id, r, header); reason != nil {
			return reason
		}
	}
	var at time.Time
	if s.stamp != nil {
		if v.timestamp, reason = s.lookUp(s.stamp.place, r, header); reason != nil {
			return reason
		}
		if at, reason = s.stamp.parse(v.timestamp); reason != nil {
			return reason
		}
	}
	text, reason := s.content.fill(r, v)
	if reason != nil {
		return reason
	}
	if !fits(text, signatures) {
		return because(KindMismatch, "the signature in %s does not fit the call: the key is another one, or what was signed", s.place)
	}
	if s.stamp != nil {
		return s.stamp.fresh(at, r.At)
	}
	return nil
}

// lookUp finds a value at a place, which may be an item of the signature header.
func (s *signed) lookUp(p place, r *Request, header string) (string, *Reason) {
	if p.kind != inItem {
		return p.get(r)
	}
	found, value := 0, ""
	for item := range strings.SplitSeq(header, s.separator) {
		if rest, ok := cutPrefix(strings.TrimSpace(item), p.name); ok {
			found, value = found+1, rest
		}
	}
	switch {
	case found > 1:
		return "", because(KindAmbiguous, "%s in %s is there %d times", p, s.place, found)
	case value == "":
		return "", because(KindMissing, "%s in %s is missing", p, s.place)
	}
	return value, nil
}

// signatures are those in a header, decoded. Of several, those that cannot be read are passed over, as those of other versions are.
func (s *signed) signatures(header string) ([][]byte, *Reason) {
	if s.separator == "" {
		text, ok := cutPrefix(header, s.prefix)
		if !ok {
			return nil, because(KindMalformed, "what is in %s does not begin with %q", s.place, s.prefix)
		}
		signature, ok := decode(text, s.encoding)
		if !ok {
			return nil, because(KindMalformed, "the signature in %s is not %s", s.place, encodingName(s.encoding))
		}
		return [][]byte{signature}, nil
	}
	var all [][]byte
	found := 0
	for item := range strings.SplitSeq(header, s.separator) {
		text, ok := cutPrefix(strings.TrimSpace(item), s.prefix)
		if !ok {
			continue
		}
		if found++; found > maxSignatures {
			return nil, because(KindMalformed, "%s holds more than %d signatures", s.place, maxSignatures)
		}
		if signature, ok := decode(text, s.encoding); ok {
			all = append(all, signature)
		}
	}
	switch {
	case found == 0:
		return nil, because(KindMissing, "%s holds no signature that begins with %q", s.place, s.prefix)
	case len(all) == 0:
		return nil, because(KindMalformed, "the signature in %s is not %s", s.place, encodingName(s.encoding))
	}
	return all, nil
}

// cutPrefix cuts a prefix off, in which upper and lower case are the same.
func cutPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

func encodingName(encoding string) string {
	if encoding == "auto" {
		return "hex or base64"
	}
	return encoding
}

// decode reads hex in upper or lower case; or base64 in the standard alphabet or that for URLs, padded or not. There is one way to write
// the last bits, so that no other text stands for the same bytes but by the letters above.
func decode(text, encoding string) ([]byte, bool) {
	if text == "" {
		return nil, false
	}
	if encoding == "hex" || encoding == "auto" && isHex(text) {
		b, err := hex.DecodeString(text)
		return b, err == nil
	}
	if strings.ContainsAny(text, "\r\n") { // which the decoder would pass over
		return nil, false
	}
	bare := strings.TrimRight(text, "=")
	if padding := len(text) - len(bare); padding > 2 || padding > 0 && len(text)%4 != 0 {
		return nil, false
	}
	alphabet := base64.RawStdEncoding
	if strings.ContainsAny(bare, "-_") {
		alphabet = base64.RawURLEncoding
	}
	b, err := alphabet.Strict().DecodeString(bare)
	return b, err == nil && len(b) > 0
}

func isHex(s string) bool {
	return len(s)%2 == 0 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'f') && (r < 'A' || r > 'F')
	})
}
