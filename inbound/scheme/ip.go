package scheme

import (
	"fmt"
	"net/netip"
	"strings"
)

// ipScheme wants the client's address in a list.
type ipScheme struct{ allow []netip.Prefix }

func (c *compiler) ip() verifier {
	if n := len(c.Allow); n == 0 || n > maxAllow {
		c.blame("allow", "There are %d addresses; it takes 1 to %d.", n, maxAllow)
	}
	s := &ipScheme{}
	for i, text := range c.Allow {
		prefix, err := ParsePrefix(text)
		if err != nil {
			c.blame(fmt.Sprintf("allow/%d", i), "%s", err)
		}
		s.allow = append(s.allow, prefix)
	}
	return s
}

// ParsePrefix reads an address or a CIDR, v4 or v6. What is written as IPv4 in IPv6 is IPv4. The error is a sentence for people.
func ParsePrefix(text string) (netip.Prefix, error) {
	if len(text) > 64 {
		return netip.Prefix{}, fmt.Errorf("this is not an address or a range such as 203.0.113.0/24")
	}
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is not an address or a range such as 203.0.113.0/24 or 2001:db8::/32", text)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address or a range such as 203.0.113.0/24 or 2001:db8::/32", text)
	}
	if prefix.Addr().Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%q holds more than the IPv4 addresses; write them as IPv4", text)
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	if masked := prefix.Masked(); masked != prefix {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length; the range is %s", text, masked)
	}
	return prefix, nil
}

func (s *ipScheme) cost() cost   { return costCompare }
func (s *ipScheme) proves() bool { return true }

func (s *ipScheme) verify(r *Request) *Reason {
	addr := plain(r.Client)
	switch {
	case !addr.IsValid():
		return because(KindAddress, "the caller's address is not known: a trusted proxy did not say it")
	case !contains(s.allow, addr):
		return because(KindAddress, "the address %s is not in the allow-list", addr)
	}
	return nil
}

// plain is an address as prefixes hold it: IPv4 in IPv6 is IPv4, and a zone, which is this machine's own matter, is left out.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
