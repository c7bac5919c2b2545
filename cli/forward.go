package cli

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// masked stands in a request for a credential that was not kept.
const masked = "***"

// ofRequest is a source's request as the local server gets it: as it came, without what concerns the connection alone and without
// credentials, which are not known.
func (f *forwarder) ofRequest(r postroom.SourceRequest) (*http.Request, forwarded, error) {
	to := *f.to
	path, query, _ := strings.Cut(r.Path, "?")
	if strings.Trim(to.Path, "/") == "" {
		to.Path, to.RawPath = path, ""
	}
	parts := slices.DeleteFunc(append(strings.Split(to.RawQuery, "&"), strings.Split(query, "&")...), func(part string) bool {
		_, value, _ := strings.Cut(part, "=")
		return part == "" || value == masked || strings.EqualFold(value, "%2A%2A%2A")
	})
	to.RawQuery = strings.Join(parts, "&")
	body := r.BodyBase64
	if r.Body != nil {
		body = []byte(*r.Body)
	}
	made := forwarded{ID: r.ID.String(), Time: r.ReceivedAt, Method: r.Method, URL: to.String()}
	req, err := http.NewRequestWithContext(f.ctx, r.Method, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, made, err
	}
	for _, h := range r.Headers {
		if h.Value != masked && !ofConnection(h.Name) {
			req.Header.Add(h.Name, h.Value)
		}
	}
	return req, made, nil
}

// ofConnection tells whether a header concerns the connection that a call came over (RFC 9110, 7.6.1), or is set by whoever makes it.
func ofConnection(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Host", "Content-Length", "Expect":
		return true
	}
	return false
}

// ofEvent is an event as a webhook of the standard dialect brings it.
func (f *forwarder) ofEvent(e postroom.EventResource) (*http.Request, forwarded, error) {
	made := forwarded{ID: e.ID, Time: e.Time, Type: e.Type, Method: http.MethodPost, URL: f.to.String()}
	body, err := encodeJSON(struct {
		Type      string             `json:"type"`
		Timestamp postroom.Timestamp `json:"timestamp"`
		Data      json.RawMessage    `json:"data"`
	}{e.Type, e.Time, e.Data}, "")
	if err != nil {
		return nil, made, err
	}
	body = bytes.TrimSuffix(body, []byte("\n"))
	req, err := http.NewRequestWithContext(f.ctx, http.MethodPost, f.to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, made, err
	}
	at := strconv.FormatInt(f.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "postroom-listen/"+f.Version)
	req.Header.Set("Webhook-Id", e.ID)
	req.Header.Set("Webhook-Timestamp", at)
	req.Header.Set("Webhook-Signature", f.sign(e.ID, at, body))
	return req, made, nil
}

// sign is the signature of Standard Webhooks.
func (f *forwarder) sign(id, at string, body []byte) string {
	h := hmac.New(sha256.New, f.key)
	h.Write([]byte(id + "." + at + "."))
	h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// setSecret takes the secret that is given, or makes one.
func (f *forwarder) setSecret(given *string) error {
	const prefix = "whsec_"
	if given == nil {
		f.key = make([]byte, 32)
		_, _ = rand.Read(f.key) // never fails: crypto/rand ends the process instead
		f.secret = prefix + base64.StdEncoding.EncodeToString(f.key)
		return nil
	}
	secret, err := f.secretValue(*given)
	if err != nil {
		return err
	}
	encoded, ok := strings.CutPrefix(secret, prefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) == 0 {
		return usagef("--secret must be %s and base64, as webhooks' secrets are", prefix)
	}
	f.secret, f.key = "the secret that was given", key
	return nil
}
