package examples

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/postroom/postroom/client"
)

// forgery is a call that was made from a real one.
type forgery struct {
	name   string
	url    string
	header http.Header
	body   string
}

// sent is a real call, as the log has it. What is secret is put back.
func (x *running) sent(id string) forgery {
	x.t.Helper()
	r := x.attempts(x.ended(1, client.DeliveryFilter{Event: id, Webhook: x.id.String()})[0])[0].Request
	f := forgery{name: "a call again", url: x.url, header: http.Header{}, body: r.Body}
	for _, h := range r.Headers {
		f.header.Set(h.Name, h.Value)
	}
	for _, name := range []string{"Content-Length", "Host"} {
		f.header.Del(name)
	}
	if f.header.Get("Authorization") != "" {
		f.header.Set("Authorization", "Bearer "+token)
	}
	return f
}

// with is the call with another name and a header that is changed; no values remove it.
func (f forgery) with(name, header string, values ...string) forgery {
	f.name, f.header = name, f.header.Clone()
	f.header.Del(header)
	for _, value := range values {
		f.header.Add(header, value)
	}
	return f
}

// expect makes the call and compares the status.
func (x *running) expect(status int, f forgery) {
	x.t.Helper()
	got, err := call(http.MethodPost, f.url, f.header, f.body)
	switch {
	case err != nil:
		x.t.Errorf("%s: %v", f.name, err)
	case status == http.StatusOK && (got < 200 || got > 299), status != http.StatusOK && got != status:
		x.t.Errorf("%s is answered %d, want %d", f.name, got, status)
	}
}

// refusesForgeries changes what proves the sender, and the body if it is signed.
func (x *running) refusesForgeries() {
	x.t.Helper()
	real := x.sent("case-2")
	if x.header == "" {
		for _, url := range []string{real.url + "0", strings.TrimSuffix(real.url, "9"), strings.Replace(real.url, "long", "Long", 1)} {
			real.name, real.url = "a call to "+url, url
			x.expect(http.StatusUnauthorized, real)
		}
		return
	}
	proof := real.header.Get(x.header)
	x.expect(http.StatusOK, real.with("a call with one more header", "X-Other", "1"))
	x.expect(http.StatusUnauthorized, real.with("a call without proof", x.header))
	for _, wrong := range []string{"x", "ÿ", proof + "0", proof[:len(proof)-1], "0" + proof, strings.ToUpper(proof), strings.Repeat("a", len(proof)), "sha256=", "v1,", "v1", ","} {
		x.expect(http.StatusUnauthorized, real.with(fmt.Sprintf("a call with the proof %q", wrong), x.header, wrong))
	}
	if !x.signed() {
		return
	}
	for name, body := range map[string]string{
		"a changed text":     strings.Replace(real.body, "case-2@", "case-3@", 1),
		"an added key":       strings.Replace(real.body, "{", `{"admin":true,`, 1),
		"an empty body":      "",
		"another event":      x.sent("case-3").body,
		"a body of no JSON":  real.body + "}",
		"a body that is cut": real.body[:len(real.body)-1],
	} {
		forged := real.with(name, "X-Other")
		forged.body = body
		if strings.HasSuffix(x.path, "/parsed") && strings.HasPrefix(name, "a body") { // it cannot be parsed, before it can be verified
			x.expect(http.StatusBadRequest, forged)
			continue
		}
		x.expect(http.StatusUnauthorized, forged)
	}
}

// standard checks what Standard Webhooks has beside the signature: the id, the time, and several signatures.
func (x *running) standard() {
	x.t.Helper()
	const id, time_, signature = "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"
	key, err := standardwebhooks.NewWebhook(standardSecret)
	if err != nil {
		x.t.Fatal(err)
	}
	real := x.sent("case-2")
	proof := real.header.Get(signature)
	at := func(name string, ago time.Duration) forgery {
		then := time.Now().Add(-ago)
		signed, err := key.Sign(real.header.Get(id), then, []byte(real.body))
		if err != nil {
			x.t.Fatal(err)
		}
		return real.with(name, time_, fmt.Sprint(then.Unix())).with(name, signature, signed)
	}
	x.expect(http.StatusOK, at("a call that was signed a minute ago", time.Minute))
	x.expect(http.StatusUnauthorized, at("a call that is six minutes old", 6*time.Minute))
	x.expect(http.StatusUnauthorized, at("a call from the future", -6*time.Minute))
	x.expect(http.StatusUnauthorized, real.with("a call of another id", id, "case-3"))
	x.expect(http.StatusUnauthorized, real.with("a call without id", id))
	for _, wrong := range []string{"", "0", "soon", real.header.Get(time_) + "0", "²", strings.Repeat("9", 30)} {
		x.expect(http.StatusUnauthorized, real.with(fmt.Sprintf("a call of the time %q", wrong), time_, wrong))
	}
	other := "v1," + strings.Repeat("A", 43) + "="
	x.expect(http.StatusOK, real.with("two signatures, of which the first is right", signature, proof+" "+other))
	x.expect(http.StatusOK, real.with("two signatures, of which the second is right", signature, other+" "+proof))
	x.expect(http.StatusOK, real.with("a signature of another version before the right one", signature, "v1a,xyz "+proof))
	x.expect(http.StatusUnauthorized, real.with("two wrong signatures", signature, other+" "+other))
	x.expect(http.StatusUnauthorized, real.with("the right signature in another version", signature, "v2"+proof[2:]))
}

// signedNow is a call of the dialect standard with some body.
func (x *running) signedNow(body string) forgery {
	x.t.Helper()
	key, err := standardwebhooks.NewWebhook(standardSecret)
	if err != nil {
		x.t.Fatal(err)
	}
	now, f := time.Now(), x.sent("case-2")
	signed, err := key.Sign("signed-now", now, []byte(body))
	if err != nil {
		x.t.Fatal(err)
	}
	f = f.with("", "Webhook-Id", "signed-now").with("", "Webhook-Timestamp", fmt.Sprint(now.Unix())).with("a call that is signed", "Webhook-Signature", signed)
	f.body = body
	return f
}
