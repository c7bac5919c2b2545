package scheme

import (
	"net/http"
	"net/netip"
	"strings"
)

// ClientAddr is the address of whoever made a call. remote is the connection's other end, with or without a port. If it is not a trusted
// proxy, it is the client, whatever the headers say. Else X-Forwarded-For is read from its end, where the nearest proxy wrote: the first
// address that is no trusted proxy is the client, and what stands before it may be a lie. If all are trusted, the first one is the
// client; without the header it is the proxy itself.
//
// The answer is the zero Addr where an entry that counts is not an address: nobody knows then, and no allow-list holds the zero Addr.
//
// Forwarded (RFC 7239) is not read: a proxy that writes only one of the two headers lets the caller's own version of the other one through.
func ClientAddr(remote string, header http.Header, trusted []netip.Prefix) netip.Addr {
	client := parseHop(remote)
	if !client.IsValid() || !contains(trusted, client) {
		return client
	}
	lines := header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var entry string
			comma := strings.LastIndexByte(rest, ',')
			entry, more = strings.TrimSpace(rest[comma+1:]), comma >= 0
			if more {
				rest = rest[:comma]
			}
			if entry == "" { // allowed in a list (RFC 9110, 5.6.1)
				continue
			}
			client = parseHop(entry)
			if !client.IsValid() || !contains(trusted, client) {
				return client
			}
		}
	}
	return client
}

// parseHop reads "203.0.113.7", "203.0.113.7:80", "2001:db8::1", "[2001:db8::1]" and "[2001:db8::1]:80".
func parseHop(text string) netip.Addr {
	if len(text) > 128 {
		return netip.Addr{}
	}
	if bare, ok := strings.CutPrefix(text, "["); ok {
		if bare, ok = strings.CutSuffix(bare, "]"); ok {
			text = bare
		}
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return plain(addr)
	}
	if hop, err := netip.ParseAddrPort(text); err == nil {
		return plain(hop.Addr())
	}
	return netip.Addr{}
}
