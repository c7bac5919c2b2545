package scheme

import (
	"crypto/x509"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Request is one call to a source, as far as its verification needs it.
type Request struct {
	Method string
	// URL is the call's absolute URL as its sender was told it: the server's public URL with the path and the query just as they came.
	// It is never made of the Host header, which the caller chooses.
	URL    string
	Header http.Header // with names as net/http writes them
	Body   []byte      // as it came
	Client netip.Addr  // see ClientAddr; the zero Addr if it is not known
	At     time.Time   // when the call arrived

	// Certificates are those that were fetched for this call, by URL. A scheme that misses one says so with
	// KindNeedsCertificate, and the caller may fetch it and verify again.
	Certificates map[string]*x509.Certificate
}

// splitURL cuts an absolute URL into what is before the path, the path, and the query without its question mark.
func splitURL(raw string) (origin, path, query string) {
	raw, _, _ = strings.Cut(raw, "#")
	raw, query, _ = strings.Cut(raw, "?")
	start := 0
	if i := strings.Index(raw, "://"); i >= 0 {
		start = i + len("://")
	}
	if i := strings.IndexByte(raw[start:], '/'); i >= 0 {
		return raw[:start+i], raw[start+i:], query
	}
	return raw, "", query
}

// withPort gives an http or https URL its scheme's port, if it has none; withoutPort takes a port away. Some senders do the one or the
// other before they sign.
func withPort(raw string) string {
	origin, _, _ := splitURL(raw)
	if _, port := cutPort(origin); port {
		return raw
	}
	switch {
	case strings.HasPrefix(origin, "https://"):
		return origin + ":443" + raw[len(origin):]
	case strings.HasPrefix(origin, "http://"):
		return origin + ":80" + raw[len(origin):]
	}
	return raw
}

func withoutPort(raw string) string {
	origin, _, _ := splitURL(raw)
	bare, _ := cutPort(origin)
	return bare + raw[len(origin):]
}

// cutPort cuts the port off an origin such as https://user:password@example.com:8443.
func cutPort(origin string) (bare string, found bool) {
	colon := strings.LastIndexByte(origin, ':')
	host := max(strings.LastIndexByte(origin, '@'), strings.LastIndexByte(origin, ']'), strings.Index(origin, "://")+2)
	if colon <= host {
		return origin, false
	}
	return origin[:colon], true
}

// unescapeURL undoes those escapes that HubSpot undoes in a URL before it signs, and no others.
func unescapeURL(raw string) string {
	return strings.NewReplacer("%3A", ":", "%3a", ":", "%2F", "/", "%2f", "/", "%3F", "?", "%3f", "?", "%40", "@", "%21", "!", "%24", "$",
		"%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%2a", "*", "%2C", ",", "%2c", ",", "%3B", ";", "%3b", ";").Replace(raw)
}

// query reads the URL's parameters.
func (r *Request) query() (url.Values, bool) {
	_, _, raw := splitURL(r.URL)
	values, err := url.ParseQuery(raw)
	return values, err == nil
}
