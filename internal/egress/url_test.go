package egress

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestCheckURL(t *testing.T) {
	public := Config{}
	http := Config{AllowHTTP: true}
	dev := Config{Dev: true}
	private := Config{AllowNets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	const ok = ""
	for _, tc := range []struct {
		cfg  Config
		url  string
		code string
	}{
		{public, "https://example.com/hooks", ok},
		{public, "https://example.com", ok},
		{public, "HTTPS://Example.COM:8443/a/b?c=d&e=%20", ok},
		{public, "https://my_receiver.example-1.com/", ok},
		{public, "https://receiver/", ok}, // a search domain may complete it; the address decides
		{public, "https://8.8.8.8/", ok},
		{public, "https://[2001:4860:4860::8888]:443/", ok},
		{public, "https://example.com/?q=" + strings.Repeat("a", MaxURLLength-23), ok},

		{public, "", CodeURLInvalid},
		{public, "example.com", CodeURLInvalid},
		{public, "/hooks", CodeURLInvalid},
		{public, "//example.com/hooks", CodeURLInvalid},
		{public, "https:example.com", CodeURLInvalid},
		{public, "https://", CodeURLInvalid},
		{public, "https:///hooks", CodeURLInvalid},
		{public, "https://:443/", CodeURLInvalid},
		{public, "ftp://example.com/", CodeURLInvalid},
		{public, "file:///etc/passwd", CodeURLInvalid},
		{public, "javascript:alert(1)", CodeURLInvalid},
		{public, " https://example.com/", CodeURLInvalid},
		{public, "https://example.com/\r\nHost: a", CodeURLInvalid},
		{public, "https://exa mple.com/", CodeURLInvalid},
		{public, "https://user@example.com/", CodeURLInvalid},
		{public, "https://user:secret@example.com/", CodeURLInvalid},
		{public, "https://example.com@10.0.0.1/", CodeURLInvalid},
		{public, "https://@example.com/", CodeURLInvalid},
		{public, "https://example.com/#part", CodeURLInvalid},
		{public, "https://example.com/#", CodeURLInvalid},
		{public, "https://example.com:/", CodeURLInvalid},
		{public, "https://example.com:0/", CodeURLInvalid},
		{public, "https://example.com:0443/", CodeURLInvalid},
		{public, "https://example.com:65536/", CodeURLInvalid},
		{public, "https://example.com:99999999999999999999/", CodeURLInvalid},
		{public, "https://example.com:https/", CodeURLInvalid},
		{public, "https://example.com:-1/", CodeURLInvalid},
		{public, "https://example.com./", CodeURLInvalid},
		{public, "https://example..com/", CodeURLInvalid},
		{public, "https://.example.com/", CodeURLInvalid},
		{public, "https://./", CodeURLInvalid},
		{public, "https://exam!ple.com/", CodeURLInvalid},
		{public, `https://example.com\@10.0.0.1/`, CodeURLInvalid},
		{public, "https://bücher.example/", CodeURLInvalid},
		{public, "https://" + strings.Repeat("a", 64) + ".com/", CodeURLInvalid},
		{public, "https://" + strings.Repeat("a.", 127) + "com/", CodeURLInvalid},
		{public, "https://[example.com]/", CodeURLInvalid},
		{public, "https://[8.8.8.8]/", CodeURLInvalid},
		{public, "https://[::1/", CodeURLInvalid},
		{public, "https://::1/", CodeURLInvalid},
		{public, "https://2001:4860:4860::8888/", CodeURLInvalid},
		{public, "https://example.com/?q=" + strings.Repeat("a", MaxURLLength-22), CodeURLInvalid},

		{public, "http://example.com/", CodeURLNotHTTPS},
		{dev, "http://example.com/", CodeURLNotHTTPS},
		{dev, "http://8.8.8.8/", CodeURLNotHTTPS},
		{http, "http://example.com/", ok},
		{dev, "http://localhost:3000/", ok},
		{dev, "http://127.0.0.1:3000/", ok},
		{dev, "http://[::1]:3000/", ok},
		{dev, "https://localhost/", ok},
		{dev, "https://example.com/", ok},

		{public, "https://localhost/", CodeAddressNotAllowed},
		{public, "https://LocalHost/", CodeAddressNotAllowed},
		{public, "https://app.localhost/", CodeAddressNotAllowed},
		{public, "https://localhost.localdomain/", CodeAddressNotAllowed},
		{http, "http://localhost/", CodeAddressNotAllowed},
		{private, "https://localhost/", CodeAddressNotAllowed},
		{public, "https://notlocalhost/", ok},
		{public, "https://127.0.0.1/", CodeAddressNotAllowed},
		{public, "https://10.0.0.1/", CodeAddressNotAllowed},
		{private, "https://10.0.0.1/", ok},
		{private, "https://192.168.0.1/", CodeAddressNotAllowed},
		{private, "https://[fd00::1]/", ok},
		{public, "https://169.254.169.254/latest/meta-data", CodeAddressNotAllowed},
		{public, "https://[fd00:ec2::254]/", CodeAddressNotAllowed},
		{public, "https://[::ffff:8.8.8.8]/", CodeAddressNotAllowed},
		{dev, "https://[::ffff:127.0.0.1]/", CodeAddressNotAllowed},
		{dev, "https://[::1%25lo]/", CodeAddressNotAllowed},
		{dev, "https://0.0.0.0/", CodeAddressNotAllowed},
		// Whatever these stand for, no receiver needs to be written so.
		{dev, "https://127.1/", CodeAddressNotAllowed},
		{dev, "https://2130706433/", CodeAddressNotAllowed},
		{dev, "https://0x7f.1/", CodeAddressNotAllowed},
		{dev, "https://0x7F000001/", CodeAddressNotAllowed},
		{dev, "https://0177.0.0.1/", CodeAddressNotAllowed},
		{dev, "https://127.0.0.01/", CodeAddressNotAllowed},
		{public, "https://8.8.8.8.8/", CodeAddressNotAllowed},
		{public, "https://256.1.1.1/", CodeAddressNotAllowed},
		{public, "https://8.0x/", CodeAddressNotAllowed},
		{public, "https://8.8.8.8./", CodeURLInvalid},
		{public, "https://0xg.example/", ok},
	} {
		u, err := newClient(t, tc.cfg).CheckURL(tc.url)
		var e *URLError
		switch {
		case tc.code == ok:
			if err != nil || u == nil {
				t.Errorf("%.80s: %v", tc.url, err)
			}
		case !errors.As(err, &e) || u != nil:
			t.Errorf("%.80s: got %v, want %s", tc.url, err, tc.code)
		case e.Code != tc.code:
			t.Errorf("%.80s: got %s (%s), want %s", tc.url, e.Code, e.Message, tc.code)
		case !strings.HasSuffix(e.Message, "."):
			t.Errorf("%.80s: not a sentence: %q", tc.url, e.Message)
		}
	}
}

func TestMessagesDoNotLeakTheURL(t *testing.T) {
	c := newClient(t, Config{})
	for _, url := range []string{
		"https://user:s3cret@example.com/", "https://10.0.0.1/?token=s3cret", "https://example.com:s3cret/", "http://example.com/s3cret", "https://example.com/%zz?s3cret",
	} {
		if _, err := c.CheckURL(url); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// Nothing panics, and a literal address that is accepted is one that may be connected to.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{
		"https://example.com/hooks?a=b", "http://localhost:3000", "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]:443/", "https://0x7f.1/",
		"https://2130706433", "https://127.0.0.1./", "https://10.0.0.1:8080", "https://user@host", "https://a..b", "https://:0", "https://[", "https://１.1.1.1/",
		"https://[64:ff9b::7f00:1]/", "https://0/", "https://8.8.8.8", "https://[2001:4860:4860::8888]",
	} {
		f.Add(seed)
	}
	configs := []Config{{}, {AllowHTTP: true}, {Dev: true}, {AllowNets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0")}}}
	var clients []*Client
	for _, cfg := range configs {
		clients = append(clients, newClient(f, cfg))
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for i, c := range clients {
			u, err := c.CheckURL(raw)
			if err != nil {
				var e *URLError
				if !errors.As(err, &e) || e.Code == "" || !strings.HasSuffix(e.Message, ".") {
					t.Errorf("%q: not an error for a person: %#v", raw, err)
				}
				continue
			}
			if u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(raw) > MaxURLLength {
				t.Errorf("%q is accepted", raw)
			}
			if addr, err := netip.ParseAddr(u.Hostname()); err == nil && c.policy.checkAddr(addr) != nil {
				t.Errorf("%q is accepted with config %d, although %s is refused", raw, i, addr)
			} else if err != nil && endsInNumber(u.Hostname()) {
				t.Errorf("%q is accepted, although resolvers may take its host for an address", raw)
			}
			if len(u.String()) > MaxURLLength { // escaping makes some longer
				continue
			}
			if again, err := c.CheckURL(u.String()); err != nil || again.Host != u.Host {
				t.Errorf("%q is accepted, but not as %q: %v", raw, u, err)
			}
		}
	})
}
