package egress

import (
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// policy decides which addresses and which URLs may be called. It is immutable and safe for concurrent use.
type policy struct {
	guard     *ssrf.Guardian
	allowHTTP bool
	dev       bool
	// loopback tells that some loopback address is allowed, so that names such as localhost make sense.
	loopback bool
}

// newPolicy builds the policy that cfg describes, or tells which of its prefixes is wrong.
func newPolicy(cfg Config) (*policy, error) {
	var v4, v6 []netip.Prefix
	for _, p := range cfg.AllowNets {
		switch {
		case !p.IsValid():
			return nil, fmt.Errorf("egress: an allowed network is not a valid CIDR prefix")
		case p.Addr().Is4In6():
			return nil, fmt.Errorf("egress: the allowed network %s is IPv4 written as IPv6; write it as IPv4, such as 10.0.0.0/8", p)
		case p.Addr().Is4():
			v4 = append(v4, p)
		default:
			v6 = append(v6, p)
		}
	}
	if cfg.Dev {
		v4 = append(v4, netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8))
		v6 = append(v6, netip.PrefixFrom(netip.IPv6Loopback(), 128))
	}
	p := &policy{
		guard: ssrf.New(
			ssrf.WithAnyPort(),
			ssrf.WithAllowedV4Prefixes(v4...),
			ssrf.WithAllowedV6Prefixes(v6...),
			// A public address that every Azure machine reaches, and that hands out its configuration:
			// https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
			ssrf.WithDeniedV4Prefixes(azureMetadata()),
		),
		allowHTTP: cfg.AllowHTTP,
		dev:       cfg.Dev,
	}
	p.loopback = p.checkAddr(netip.AddrFrom4([4]byte{127, 0, 0, 1})) == nil || p.checkAddr(netip.IPv6Loopback()) == nil
	return p, nil
}

func azureMetadata() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{168, 63, 129, 16}), 32)
}

// checkAddr tells whether a may be connected to; the error is an *addressError.
//
// An address that carries an IPv4 address needs both allowed: allowing 64:ff9b::/96, which a network without IPv4 has to,
// must not open 64:ff9b::a9fe:a9fe, which a careless gateway turns into 169.254.169.254.
func (p *policy) checkAddr(a netip.Addr) error {
	if p.guard.SafeAddr(a) != nil {
		return &addressError{a}
	}
	if v4, ok := carriedIPv4(a); ok && p.guard.SafeAddr(v4) != nil {
		return &addressError{a}
	}
	return nil
}

// control has the signature of net.Dialer.Control: it runs once for every socket, after the name was resolved and before
// the socket connects.
func (p *policy) control(network, address string, c syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return &addressError{}
	}
	if p.guard.Safe(network, address, c) != nil { // this looks at the network, too: TCP only
		return &addressError{to.Addr()}
	}
	return p.checkAddr(to.Addr())
}

// carriedIPv4 returns the IPv4 address inside an IPv4-mapped (::ffff:0:0/96) or NAT64 (64:ff9b::/96, RFC 6052) one.
func carriedIPv4(a netip.Addr) (netip.Addr, bool) {
	if a.Is4In6() {
		return a.Unmap(), true
	}
	if ssrf.IPv6NAT64Prefix.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:])), true
	}
	return netip.Addr{}, false
}

// addressError tells that a connection to an address was refused by the policy. The zero address stands for one that could
// not even be read.
type addressError struct{ addr netip.Addr }

func (e *addressError) Error() string {
	return "egress: " + e.addr.String() + " is " + describe(e.addr)
}

// describe names the class of an address, for a person.
func describe(a netip.Addr) string {
	_, carries := carriedIPv4(a)
	switch {
	case a.Zone() != "":
		return "an address with a zone"
	case carries:
		return "an IPv4 address inside an IPv6 one"
	case a.IsUnspecified():
		return "the unspecified address"
	case a.IsLoopback():
		return "a loopback address"
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	case a.IsMulticast():
		return "a multicast address"
	case a.IsPrivate():
		return "a private address"
	default:
		return "a reserved address"
	}
}
