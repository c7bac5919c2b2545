package scheme

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func prefixes(t testing.TB, texts ...string) (list []netip.Prefix) {
	t.Helper()
	for _, text := range texts {
		p, err := ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

func TestClientAddr(t *testing.T) {
	trusted := []string{"10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48", "fe80::/10"}
	for name, test := range map[string]struct {
		remote    string
		forwarded []string
		want      string // "" for the zero Addr
	}{
		"nobody between":                       {"203.0.113.7:4711", nil, "203.0.113.7"},
		"without a port":                       {"203.0.113.7", nil, "203.0.113.7"},
		"v6":                                   {"[2001:db8::1]:4711", nil, "2001:db8::1"},
		"v4 in v6":                             {"[::ffff:203.0.113.7]:4711", nil, "203.0.113.7"},
		"a zone":                               {"[fe80::1%eth0]:4711", nil, "fe80::1"},
		"not trusted, so the header is a lie":  {"203.0.113.7:1", []string{"192.0.2.1"}, "203.0.113.7"},
		"one proxy":                            {"10.0.0.1:1", []string{"203.0.113.7"}, "203.0.113.7"},
		"a proxy whose address is v4 in v6":    {"[::ffff:10.0.0.1]:1", []string{"203.0.113.7"}, "203.0.113.7"},
		"a proxy with a zone":                  {"[fe80::1%eth0]:1", []string{"203.0.113.7"}, "203.0.113.7"},
		"two proxies":                          {"10.0.0.1:1", []string{"203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		"a lie at the beginning":               {"10.0.0.1:1", []string{"127.0.0.1, 10.9.9.9, 203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		"several lines, in order":              {"10.0.0.1:1", []string{"192.0.2.1", "203.0.113.7", "10.0.0.2"}, "203.0.113.7"},
		"all trusted":                          {"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"the proxy itself":                     {"10.0.0.1:1", nil, "10.0.0.1"},
		"an empty header":                      {"10.0.0.1:1", []string{"", " , "}, "10.0.0.1"},
		"empty entries":                        {"10.0.0.1:1", []string{"203.0.113.7,, 10.0.0.2,"}, "203.0.113.7"},
		"a port in an entry":                   {"10.0.0.1:1", []string{"203.0.113.7:80"}, "203.0.113.7"},
		"v6 in an entry":                       {"10.0.0.1:1", []string{"2001:db8::1"}, "2001:db8::1"},
		"v6 in brackets":                       {"10.0.0.1:1", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"v6 with a port":                       {"10.0.0.1:1", []string{"[2001:db8::1]:80, 2001:db8:ffff::1"}, "2001:db8::1"},
		"v4 in v6 in an entry":                 {"10.0.0.1:1", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		"unknown":                              {"10.0.0.1:1", []string{"203.0.113.7, unknown"}, ""},
		"hidden, before another trusted proxy": {"10.0.0.1:1", []string{"_hidden, 10.0.0.2"}, ""},
		"garbage that does not count":          {"10.0.0.1:1", []string{"'; drop table, 203.0.113.7"}, "203.0.113.7"},
		"octal":                                {"10.0.0.1:1", []string{"0203.0.113.7"}, ""},
		"a number":                             {"10.0.0.1:1", []string{"3405803783"}, ""},
		"a range":                              {"10.0.0.1:1", []string{"10.0.0.0/8"}, ""},
		"a socket":                             {"@", []string{"203.0.113.7"}, ""},
		"nothing":                              {"", []string{"203.0.113.7"}, ""},
	} {
		header := http.Header{"X-Forwarded-For": test.forwarded, "Forwarded": {"for=192.0.2.99"}, "X-Real-Ip": {"192.0.2.98"}}
		got := ClientAddr(test.remote, header, prefixes(t, trusted...))
		if test.want == "" && got != (netip.Addr{}) || test.want != "" && got.String() != test.want {
			t.Errorf("%s: got %s, want %q", name, got, test.want)
		}
	}
}

// Whatever the caller writes in front, the answer is what the trusted proxy saw.
func TestClientAddrLies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, "lines")
		lie := rapid.String().Draw(t, "lie")
		header := http.Header{"X-Forwarded-For": append(lines, lie+", 203.0.113.7, 10.0.0.2")}
		got := ClientAddr("10.0.0.1:4711", header, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
		if got != netip.MustParseAddr("203.0.113.7") {
			t.Fatalf("%q: %s", header, got)
		}
	})
}

func TestIP(t *testing.T) {
	s := mustCompile(t, Config{Scheme: SchemeIP, Allow: []string{"203.0.113.0/24", "192.0.2.1", "2001:db8::/32", "::ffff:198.51.100.0/120"}})
	for address, allowed := range map[string]bool{
		"203.0.113.7": true, "203.0.114.7": false, "192.0.2.1": true, "192.0.2.2": false, "2001:db8::7": true, "2001:db9::7": false,
		"::ffff:203.0.113.7": true, "198.51.100.9": true, "::ffff:198.51.101.9": false, "2001:db8::7%eth0": true, "0.0.0.0": false, "::": false,
	} {
		if err := s.Verify(&Request{Client: netip.MustParseAddr(address)}); (err == nil) != allowed {
			t.Errorf("%s: %v", address, err)
		}
	}
	everybody := mustCompile(t, Config{Scheme: SchemeIP, Allow: []string{"0.0.0.0/0", "::/0"}})
	if err := everybody.Verify(&Request{}); kindOf(t, err) != KindAddress {
		t.Errorf("an unknown address is in a list: %v", err)
	}
}

func TestParsePrefix(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7": "203.0.113.7/32", "2001:db8::1": "2001:db8::1/128", "::ffff:10.0.0.0/104": "10.0.0.0/8", "::ffff:10.0.0.1": "10.0.0.1/32",
		"0.0.0.0/0": "0.0.0.0/0", "203.0.113.7/24": "the range is 203.0.113.0/24", "fe80::1%eth0": "not an address", "fe80::%eth0/10": "not an address",
		"::ffff:0.0.0.0/90": "write them as IPv4", "": "not an address", "example.com": "not an address", "10.0.0.0/33": "not an address", "10.1/16": "not an address",
		strings.Repeat("1", 65): "not an address",
	} {
		got, err := ParsePrefix(text)
		if err != nil && !strings.Contains(err.Error(), want) || err == nil && got.String() != want {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

func FuzzClientAddr(f *testing.F) {
	f.Add("10.0.0.1:1", "203.0.113.7, 10.0.0.2", "")
	f.Add("[fe80::1%eth0]:1", "[2001:db8::1]:80", "unknown")
	f.Add("[::ffff:10.0.0.1]:1", ",,,", "[[]]")
	trusted := prefixes(f, "10.0.0.0/8", "fe80::/10")
	f.Fuzz(func(t *testing.T, remote, first, second string) {
		got := ClientAddr(remote, http.Header{"X-Forwarded-For": {first, second}}, trusted)
		if got.Is4In6() || got.Zone() != "" {
			t.Errorf("%s is not as prefixes hold it", got)
		}
		if direct := ClientAddr(remote, nil, trusted); direct.IsValid() && !contains(trusted, direct) && got != direct {
			t.Errorf("the header of an untrusted caller counts: %s, not %s", got, direct)
		}
		if got.IsValid() { // it is either who calls, or stands in a header
			text := remote + " " + first + " " + second
			if again := parseHop(got.String()); again != got || text == "  " {
				t.Errorf("%s comes from nowhere", got)
			}
		}
	})
}

func FuzzParsePrefix(f *testing.F) {
	for _, text := range []string{"203.0.113.0/24", "::ffff:10.0.0.0/104", "2001:db8::/32", "10.0.0.1/8", "fe80::1%eth0/64"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePrefix(text)
		if err != nil {
			return
		}
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() || p.Addr().Zone() != "" {
			t.Errorf("%q gives %s", text, p)
		}
		if again, err := ParsePrefix(p.String()); err != nil || again != p {
			t.Errorf("%s reads as %s, %v", p, again, err)
		}
		if !contains([]netip.Prefix{p}, p.Addr()) {
			t.Errorf("%s does not hold its own address", p)
		}
	})
}
