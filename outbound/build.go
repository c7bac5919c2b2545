package outbound

import (
	"net/http"
	"net/textproto"
	"sort"
	"strconv"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// The headers of a call that are Postroom's own: the first three are those of Standard Webhooks, in the form in which
// they go over the wire.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
	headerDelivery  = "Postroom-Delivery"
	headerAttempt   = "Postroom-Attempt"
)

// headerAuthorization carries access tokens.
const headerAuthorization = "Authorization"

// call is an HTTP call that is being made ready.
type call struct {
	method string
	url    string
	header header
	body   []byte
	// shown is the URL for the log, where credentials in the query are left out.
	shown string
	// standard tells that the body is StandardBody of the event, which the log need not keep twice.
	standard bool
	// notes tell where null stands in the body for what could not be made.
	notes []postroom.FieldError
}

// header are header lines in the order in which they were set. Names are canonical; none stands twice.
type header []postroom.Header

func (h *header) set(name, value string) {
	for i := range *h {
		if (*h)[i].Name == name {
			(*h)[i].Value = value
			return
		}
	}
	*h = append(*h, postroom.Header{Name: name, Value: value})
}

// http gives the lines as net/http wants them, with one array for all values.
func (h header) http() http.Header {
	values := make([]string, len(h))
	out := make(http.Header, len(h)+2)
	for i, line := range h {
		values[i] = line.Value
		out[line.Name] = values[i : i+1 : i+1]
	}
	return out
}

// build makes the call that brings an event to a webhook, without its signature.
func build(t *Target, job *postroom.Job) (*call, error) {
	body, notes, standard, err := renderBody(t, job.Event)
	if err != nil {
		return nil, err
	}
	c := &call{method: t.Method, url: t.url, shown: t.shownURL, body: body, standard: standard, notes: notes}
	c.header = make(header, len(t.header), len(t.header)+6)
	copy(c.header, t.header)
	if err := dialectHeaders(c, t, job.Event); err != nil {
		return nil, err
	}
	c.header = append(c.header, postroom.Header{Name: headerDelivery, Value: job.DeliveryID.String()},
		postroom.Header{Name: headerAttempt, Value: strconv.Itoa(job.Attempts + 1)})
	return c, nil
}

// StandardBody is what the standard dialect sends for an event: {"type","timestamp","data"}, as Standard Webhooks
// recommends, in the bytes that JavaScript would write. It depends on the event alone and must never change for a
// stored one: the log of attempts relies on it.
func StandardBody(e *postroom.Event) ([]byte, error) {
	body := make([]byte, 0, len(e.Data)+len(e.Type)+64)
	body = append(body, '{')
	body = payload.AppendString(payload.AppendKey(body, "type"), e.Type)
	body = payload.AppendTime(payload.AppendKey(body, "timestamp"), e.Time)
	body, err := payload.AppendJS(payload.AppendKey(body, "data"), e.Data)
	if err != nil {
		return nil, err
	}
	return append(body, '}'), nil
}

// fixedHeader are the lines that all calls of a webhook have: the content type, Postroom's name, the auth, and the user's
// own.
func fixedHeader(w *postroom.Webhook, auth *postroom.Auth, contentType, userAgent string) header {
	h := header{{Name: "Content-Type", Value: contentType}, {Name: "User-Agent", Value: userAgent}}
	add := func(lines map[string]string) {
		names := make([]string, 0, len(lines))
		for name := range lines {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			h.set(textproto.CanonicalMIMEHeaderKey(name), lines[name])
		}
	}
	add(w.Headers)
	add(authHeaders(auth))
	return h
}
