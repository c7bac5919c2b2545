package inbound

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/inbound/scheme"
)

// Arrival is a call as it came.
type Arrival struct {
	Source postroom.SourceID
	Method string
	Target string // path and query, as they came
	Header http.Header
	Body   []byte     // unpacked, where it came packed
	Client netip.Addr // see scheme.ClientAddr
	At     time.Time
}

// bodyTime is how long a caller may take to send a body.
const bodyTime = 30 * time.Second

// receive reads a call.
func (in *Intake) receive(w http.ResponseWriter, r *http.Request, source postroom.SourceID) (*Arrival, error) {
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyTime)) // what has no deadlines, as in tests with a recorder, needs none
	body, err := readBody(w, r, in.maxBody)
	_ = connection.SetReadDeadline(time.Time{})
	if err != nil {
		return nil, err
	}
	return &Arrival{Source: source, Method: r.Method, Target: targetOf(r), Header: r.Header, Body: body,
		Client: scheme.ClientAddr(r.RemoteAddr, r.Header, in.trusted), At: in.now()}, nil
}

// targetOf is path and query byte for byte, since some senders sign them. A caller may send the whole URL in their place, as to a proxy.
func targetOf(r *http.Request) string {
	target := r.RequestURI
	if strings.HasPrefix(target, "/") {
		return target
	}
	return r.URL.RequestURI()
}

// readBody reads a body of up to limit bytes, before and after it is unpacked. Senders that pack a body sign what is in it.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	packed := false
	switch coding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header["Content-Encoding"], ","))); coding {
	case "", "identity":
	case "gzip", "x-gzip":
		packed = true
	default:
		return nil, postroom.Errorf(postroom.CodeUnsupportedMedia, "This Content-Encoding is not read here; send the body as it is, or with gzip.")
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	raw := io.Reader(http.MaxBytesReader(w, r.Body, limit))
	if packed {
		unpacker, err := gzip.NewReader(raw)
		if err != nil {
			return nil, cutShort(err)
		}
		raw = unpacker
	}
	body, err := readAll(io.LimitReader(raw, limit+1), r.ContentLength)
	switch {
	case err != nil:
		return nil, cutShort(err)
	case int64(len(body)) > limit:
		return nil, tooLarge(limit)
	}
	if packed {
		r.Header.Del("Content-Encoding") // it is what the body was, and what is kept is read again
	}
	return body, nil
}

// readAll is io.ReadAll with room for what is announced.
func readAll(r io.Reader, announced int64) ([]byte, error) {
	var b bytes.Buffer
	if announced > 0 {
		b.Grow(int(announced) + bytes.MinRead) // it is within the limit
	}
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

func tooLarge(limit int64) error {
	return postroom.Errorf(postroom.CodeTooLarge, "The body is larger than %d bytes, the most that is read here.", limit)
}

// cutShort is the error for a body that could not be read to its end.
func cutShort(err error) error {
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return tooLarge(over.Limit)
	}
	return &postroom.Error{Code: postroom.CodeBadJSON, Message: "The body ended before it was whole, or is not packed as its Content-Encoding says.", Err: err}
}

// hidden stands where a credential was.
const hidden = "***"

// credentials are where the calls of a source carry credentials.
type credentials struct {
	headers []string // canonical names
	params  []string // of the query
}

// usualCredentials are those of all sources, whether they look there or not: what is wrong there may be right elsewhere.
func usualCredentials() credentials {
	return credentials{headers: []string{"Authorization", "Proxy-Authorization", "Cookie", "X-Webhook-Token", "X-Api-Key"}, params: []string{"token"}}
}

// newRequest is a call as it is kept: as it came, but for credentials.
func (in *Intake) newRequest(src *source, a *Arrival) *postroom.Request {
	r := &postroom.Request{ID: postroom.Next[postroom.RequestKind](in.ids, a.At), WorkspaceID: src.WorkspaceID, SourceID: src.ID, At: a.At,
		Method: a.Method, Target: valid(hideParams(a.Target, src.hidden.params)), Headers: keptHeaders(a.Header, src.hidden.headers), Body: a.Body}
	if a.Client.IsValid() {
		r.Sender = a.Client.String()
	}
	return r
}

// keptHeaders are a call's headers, sorted by name, without credentials.
func keptHeaders(h http.Header, hide []string) []postroom.Header {
	kept := make([]postroom.Header, 0, len(h))
	for name, values := range h {
		for _, value := range values {
			if slices.Contains(hide, name) {
				value = hidden
			}
			kept = append(kept, postroom.Header{Name: name, Value: valid(value)})
		}
	}
	slices.SortStableFunc(kept, func(a, b postroom.Header) int { return strings.Compare(a.Name, b.Name) })
	return kept
}

// valid makes a text one that a database can hold.
func valid(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// hideParams replaces the values of parameters of a query, and leaves all else as it is written.
func hideParams(target string, names []string) string {
	path, query, has := strings.Cut(target, "?")
	if !has {
		return target
	}
	var b strings.Builder
	b.WriteString(path + "?")
	for start, i := 0, 0; i <= len(query); i++ {
		if i < len(query) && query[i] != '&' && query[i] != ';' { // nobody reads what stands behind a semicolon, but it may be a token
			continue
		}
		b.WriteString(hideParam(query[start:i], names))
		if i < len(query) {
			b.WriteByte(query[i])
		}
		start = i + 1
	}
	return b.String()
}

func hideParam(pair string, names []string) string {
	name, _, _ := strings.Cut(pair, "=")
	if plain, err := url.QueryUnescape(name); err == nil && slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, plain) }) {
		return name + "=" + hidden
	}
	return pair
}
