package egress

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// MaxURLLength is the longest URL, in bytes, that [Client.CheckURL] accepts. It is the limit that old browsers and many
// proxies have, so that what is longer would not reach every receiver.
const MaxURLLength = 2083

// The codes of a [URLError].
const (
	// CodeURLInvalid: not an absolute http or https URL, or one with a part that a receiver's URL must not have.
	CodeURLInvalid = "url_invalid"
	// CodeURLNotHTTPS: http, where only https is allowed.
	CodeURLNotHTTPS = "url_not_https"
	// CodeAddressNotAllowed: the host is an address, or a name of this machine, that may not be called.
	CodeAddressNotAllowed = "address_not_allowed"
)

// URLError tells why a URL is refused.
type URLError struct {
	// Code is one of the Code constants.
	Code string
	// Message is a plain sentence that tells what is wrong and what is allowed. It never holds the URL's path or query,
	// which may carry secrets.
	Message string
}

func (e *URLError) Error() string { return e.Message }

func invalid(format string, args ...any) *URLError {
	return &URLError{CodeURLInvalid, fmt.Sprintf(format, args...)}
}

func notAllowed(format string, args ...any) *URLError {
	return &URLError{CodeAddressNotAllowed, fmt.Sprintf(format, args...)}
}

// CheckURL tells whether raw may be a receiver's URL, without any network: absolute, https (http where that is allowed),
// with a host, and without user, password or fragment. A host that is an IP address is held against the same policy as a
// connection; a host that some resolvers take for an address, such as 0x7f.1, is refused whatever it stands for.
// The error is a *[URLError].
func (c *Client) CheckURL(raw string) (*url.URL, error) {
	u, err := c.policy.parseURL(raw)
	if err != nil {
		return nil, err
	}
	return u, nil
}

func (p *policy) parseURL(raw string) (*url.URL, *URLError) {
	if raw == "" {
		return nil, invalid("The URL is empty; it must be absolute, such as https://example.com/hooks.")
	}
	if len(raw) > MaxURLLength {
		return nil, invalid("The URL has %d bytes; at most %d are allowed.", len(raw), MaxURLLength)
	}
	if strings.Contains(raw, "#") {
		return nil, invalid("The URL has a fragment (#), which is never sent; leave it out.")
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's own message quotes the URL, and with it whatever secret it carries.
		return nil, invalid("The URL cannot be read; it must be absolute, such as https://example.com/hooks.")
	}
	if err := p.checkURL(u); err != nil {
		return nil, err
	}
	return u, nil
}

// checkURL holds a parsed URL against the policy. Every call runs it, so it must stay cheap.
func (p *policy) checkURL(u *url.URL) *URLError {
	if u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "" {
		return invalid("The URL must be absolute and start with https://, such as https://example.com/hooks.")
	}
	if u.User != nil {
		return invalid("The URL has a user or a password in it; put them into the authentication settings instead.")
	}
	host := u.Hostname()
	if host == "" {
		return invalid("The URL has no host.")
	}
	if err := checkPort(u); err != nil {
		return err
	}
	if err := p.checkHost(host, u.Host[0] == '['); err != nil {
		return err
	}
	if u.Scheme == "http" && !p.allowHTTP && (!p.dev || !isLoopbackHost(host)) {
		return &URLError{CodeURLNotHTTPS, "The URL starts with http://, and only https:// is allowed; an operator can allow http with --allow-http."}
	}
	return nil
}

func checkPort(u *url.URL) *URLError {
	port := u.Port()
	if port == "" {
		if u.Host[len(u.Host)-1] == ':' {
			return invalid("The URL has a colon after its host, but no port.")
		}
		return nil
	}
	n := 0
	for _, digit := range []byte(port) {
		if digit < '0' || digit > '9' || n > 65535 {
			n = -1
			break
		}
		n = n*10 + int(digit-'0')
	}
	if n < 1 || n > 65535 || port[0] == '0' {
		return invalid("The URL's port must be a number between 1 and 65535.")
	}
	return nil
}

// checkHost holds a URL's host, without its brackets and port, against the policy.
func (p *policy) checkHost(host string, bracketed bool) *URLError {
	if bracketed || strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is6() || !bracketed {
			return invalid("The URL's host is not an IPv6 address in brackets, such as [2001:4860:4860::8888].")
		}
		return p.checkLiteral(addr)
	}
	if err := checkName(host); err != nil {
		return err
	}
	if endsInNumber(host) {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return notAllowed("The URL's host %s looks like an IPv4 address in an unusual spelling; write it as four decimal numbers, such as 192.0.2.1.", host)
		}
		return p.checkLiteral(addr)
	}
	if isLocalName(host) && !p.loopback {
		return notAllowed("The URL's host %s is this machine, which may not be called; an operator can allow it with --allow-net.", host)
	}
	return nil
}

func (p *policy) checkLiteral(addr netip.Addr) *URLError {
	if err := p.checkAddr(addr); err != nil {
		return notAllowed("The URL's host %s is %s, which may not be called; an operator can allow it with --allow-net.", addr, describe(addr))
	}
	return nil
}

// checkName accepts what can be a name in DNS, in its ASCII form, without the dot at the end. Letters beyond ASCII are
// refused because resolvers fold some of them into digits and dots, and a host would mean something else than was checked.
func checkName(host string) *URLError {
	if host[len(host)-1] == '.' {
		return invalid("The URL's host ends in a dot; leave it out.")
	}
	if len(host) > 253 {
		return invalid("The URL's host has %d bytes; at most 253 are allowed.", len(host))
	}
	label := 0 // bytes in the label so far
	for i := range len(host) {
		switch b := host[i]; {
		case b == '.':
			if label == 0 {
				return invalid("The URL's host has an empty part between two dots.")
			}
			label = 0
			continue
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '_':
			label++
		case b >= 0x80:
			return invalid("The URL's host has letters beyond ASCII; write it in its xn-- form.")
		default:
			return invalid("The URL's host has a character that no host name has: %q.", b)
		}
		if label > 63 {
			return invalid("The URL's host has a part of more than 63 bytes.")
		}
	}
	return nil
}

// endsInNumber tells whether resolvers may take a host for an IPv4 address: its last part is decimal, octal or hexadecimal
// (the rule of https://url.spec.whatwg.org/#ends-in-a-number-checker). No top-level domain is a number.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if len(last) >= 2 && last[0] == '0' && (last[1] == 'x' || last[1] == 'X') {
		return strings.Trim(last[2:], "0123456789abcdefABCDEF") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// isLocalName tells whether a name is one of this machine by convention (RFC 6761, section 6.3, and usual hosts files).
func isLocalName(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.EqualFold(last, "localhost") || strings.EqualFold(host, "localhost.localdomain") ||
		strings.EqualFold(host, "ip6-localhost") || strings.EqualFold(host, "ip6-loopback")
}

func isLoopbackHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return isLocalName(host)
}
