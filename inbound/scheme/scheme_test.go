package scheme

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// post is a call with a body and headers, given as "Name: value".
func post(body string, headers ...string) *Request {
	r := &Request{Method: "POST", URL: publicURL, Header: http.Header{}, Body: []byte(body), At: at, Client: netip.MustParseAddr("203.0.113.7")}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func macOf(secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func hexMAC(secret, text string) string { return hex.EncodeToString(macOf(secret, text)) }

var (
	hubConfig    = Config{Scheme: SchemeHMAC, Header: "X-Hub-Signature-256", Prefix: "sha256=", Secrets: []string{"key"}}
	stripeConfig = Config{Scheme: SchemeHMAC, Header: "Stripe-Signature", Separator: ",", Prefix: "v1=", Signed: "{timestamp}.{body}", Timestamp: "item:t=", Secrets: []string{"key"}}
	slackConfig  = Config{Scheme: SchemeHMAC, Header: "X-Slack-Signature", Prefix: "v0=", Signed: "v0:{timestamp}:{body}", Timestamp: "X-Slack-Request-Timestamp", Secrets: []string{"key"}}
	queryToken   = Config{Scheme: SchemeToken, Secrets: []string{"abc"}}
)

// Every kind of refusal, with the sentence that the log gets.
func TestReasons(t *testing.T) {
	good := "X-Hub-Signature-256: sha256=" + hexMAC("key", "{}")
	standard := Config{Scheme: SchemeStandard, Secrets: []string{"whsec_a2V5"}}
	now := fmt.Sprint(at.Unix())
	signed := base64.StdEncoding.EncodeToString(macOf("key", "m1."+now+".{}"))
	for name, test := range map[string]struct {
		config  Config
		request *Request
		want    string // "kind: sentence"
	}{
		"fits":                       {hubConfig, post("{}", good), ""},
		"upper case":                 {hubConfig, post("{}", "x-hub-signature-256: SHA256="+strings.ToUpper(hexMAC("key", "{}"))), ""},
		"base64":                     {hubConfig, post("{}", "X-Hub-Signature-256: sha256="+base64.RawURLEncoding.EncodeToString(macOf("key", "{}"))), ""},
		"no header":                  {hubConfig, post("{}"), "missing: the header X-Hub-Signature-256 is missing"},
		"empty header":               {hubConfig, post("{}", "X-Hub-Signature-256: "), "missing: the header X-Hub-Signature-256 is empty"},
		"the right header twice":     {hubConfig, post("{}", good, good), "ambiguous: the header X-Hub-Signature-256 is there 2 times"},
		"no prefix":                  {hubConfig, post("{}", "X-Hub-Signature-256: "+hexMAC("key", "{}")), `malformed: what is in the header X-Hub-Signature-256 does not begin with "sha256="`},
		"not hex":                    {hubConfig, post("{}", "X-Hub-Signature-256: sha256=#"), "malformed: the signature in the header X-Hub-Signature-256 is not hex or base64"},
		"another body":               {hubConfig, post("{} ", good), "mismatch: the signature in the header X-Hub-Signature-256 does not fit the call: the key is another one, or what was signed"},
		"a short signature":          {hubConfig, post("{}", good[:len(good)-2]), "mismatch: "},
		"base64 with a line break":   {hubConfig, post("{}", "X-Hub-Signature-256: sha256="+base64.StdEncoding.EncodeToString(macOf("key", "{}"))+"\n"), "malformed: "},
		"stripe, the second fits":    {stripeConfig, post("{}", "Stripe-Signature: t="+now+", v1=00,v1="+hexMAC("key", now+".{}")+",v0=00"), ""},
		"stripe, one cannot be read": {stripeConfig, post("{}", "Stripe-Signature: t="+now+",v1=#,v1="+hexMAC("key", now+".{}")), ""},
		"stripe, no v1":              {stripeConfig, post("{}", "Stripe-Signature: t="+now+",v0="+hexMAC("key", now+".{}")), `missing: the header Stripe-Signature holds no signature that begins with "v1="`},
		"stripe, no time":            {stripeConfig, post("{}", "Stripe-Signature: v1=00"), "missing: the item t= of the signature in the header Stripe-Signature is missing"},
		"stripe, two times":          {stripeConfig, post("{}", "Stripe-Signature: t=1,t=2,v1=00"), "ambiguous: the item t= of the signature in the header Stripe-Signature is there 2 times"},
		"stripe, too many":           {stripeConfig, post("{}", "Stripe-Signature: t=1"+strings.Repeat(",v1=00", 17)), "malformed: the header Stripe-Signature holds more than 16 signatures"},
		"slack, no time":             {slackConfig, post("{}", "X-Slack-Signature: v0=00"), "missing: the header X-Slack-Request-Timestamp is missing"},
		"slack, a bad time":          {slackConfig, post("{}", "X-Slack-Signature: v0=00", "X-Slack-Request-Timestamp: -1"), "malformed: the timestamp in the header X-Slack-Request-Timestamp is not in the format unix"},
		"slack, a huge time":         {slackConfig, post("{}", "X-Slack-Signature: v0=00", "X-Slack-Request-Timestamp: 999999999999"), "malformed: "},
		"slack, late":                {slackConfig, slackAt(-421), "too_old: the timestamp in the header X-Slack-Request-Timestamp is 7m1s old; 5m is allowed"},
		"slack, early":               {slackConfig, slackAt(301), "too_new: the timestamp in the header X-Slack-Request-Timestamp is 5m1s in the future; 5m is allowed"},
		"standard":                   {standard, post("{}", "webhook-id: m1", "webhook-timestamp: "+now, "webhook-signature: v2,xx v1,AAAA v1,"+signed), ""},
		"standard, another version":  {standard, post("{}", "webhook-id: m1", "webhook-timestamp: "+now, "webhook-signature: v2,"+signed), "missing: the header Webhook-Signature holds no signature of the version v1 or v1a"},
		"standard, asymmetric only":  {standard, post("{}", "webhook-id: m1", "webhook-timestamp: "+now, "webhook-signature: v1a,"+signed), "mismatch: "},
		"standard, another id":       {standard, post("{}", "webhook-id: m2", "webhook-timestamp: "+now, "webhook-signature: v1,"+signed), "mismatch: no signature in the header Webhook-Signature fits the id, the timestamp and the body"},
		"standard, no id":            {standard, post("{}", "webhook-timestamp: "+now, "webhook-signature: v1,"+signed), "missing: the header Webhook-Id is missing"},
		"token in the URL":           {queryToken, post(""), ""},
		"token as a bearer":          {queryToken, withURL("https://hooks.example.com/", "authorization: bearer abc"), ""},
		"token in a header":          {queryToken, withURL("https://hooks.example.com/", "X-Webhook-Token: abc", "Authorization: Basic eDp5"), ""},
		"no token":                   {queryToken, withURL("https://hooks.example.com/"), "missing: there is no token, neither in the URL nor in a header"},
		"wrong token in the URL":     {queryToken, withURL("https://hooks.example.com/?token=abd"), "mismatch: the token in the parameter token of the URL is wrong"},
		"two tokens in the URL":      {queryToken, withURL("https://hooks.example.com/?token=abc&token=abc"), "ambiguous: the parameter token of the URL is there 2 times"},
		"a bad query":                {queryToken, withURL("https://hooks.example.com/?token=%zz"), "malformed: the query of the URL cannot be read"},
		"no key":                     {Config{Scheme: SchemeAPIKey, Secrets: []string{"k"}}, post(""), "missing: the header X-Api-Key is missing"},
		"wrong key":                  {Config{Scheme: SchemeAPIKey, Secrets: []string{"k"}}, post("", "x-api-key: l"), "mismatch: the API key in the header X-Api-Key is wrong"},
		"basic, another kind":        {Config{Scheme: SchemeBasic, Secrets: []string{"u:p"}}, post("", "Authorization: Bearer x"), "malformed: the header Authorization is not of the kind Basic"},
		"basic, garbage":             {Config{Scheme: SchemeBasic, Secrets: []string{"u:p"}}, post("", "Authorization: Basic #"), "malformed: the header Authorization is not base64"},
		"basic, wrong":               {Config{Scheme: SchemeBasic, Secrets: []string{"u:p"}}, post("", "Authorization: Basic dTpx"), "mismatch: the user or the password in the header Authorization is wrong"},
		"address":                    {Config{Scheme: SchemeIP, Allow: []string{"192.0.2.0/24"}}, post(""), "address: the address 203.0.113.7 is not in the allow-list"},
		"method":                     {Config{Scheme: SchemeToken, Secrets: []string{"abc"}, Methods: []string{"GET", "HEAD"}}, post(""), "method: only GET or HEAD calls are verified this way"},
		"the zero Scheme":            {Config{}, post(""), "nothing: nothing is there to verify the call with"},
	} {
		var s Scheme
		if test.config.Scheme != "" {
			s = mustCompile(t, test.config)
		}
		got := ""
		if err := s.Verify(test.request); err != nil {
			got = string(kindOf(t, err)) + ": " + err.Error()
			if reason := err.(*Reason); reason.Scheme != test.config.Scheme { //nolint:errorlint // what Verify promises
				t.Errorf("%s: of the scheme %q", name, reason.Scheme)
			}
		}
		if got != test.want && (test.want == "" || !strings.HasPrefix(got, test.want)) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, test.want)
		}
	}
}

// slackAt is a call that was signed so many seconds after it arrives.
func slackAt(seconds int64) *Request {
	stamp := fmt.Sprint(at.Unix() + seconds)
	return post("{}", "X-Slack-Request-Timestamp: "+stamp, "X-Slack-Signature: v0="+hexMAC("key", "v0:"+stamp+":{}"))
}

func withURL(url string, headers ...string) *Request {
	r := post("", headers...)
	r.URL = url
	return r
}

// Of all, every one counts; what costs little goes first, and of that the most specific reason is told.
func TestAll(t *testing.T) {
	ip := Config{Scheme: SchemeIP, Allow: []string{"203.0.113.0/24"}}
	key := Config{Scheme: SchemeAPIKey, Secrets: []string{"k"}}
	all := []Config{hubConfig, ip, queryToken, key}
	var compiled []Scheme
	for _, c := range all {
		compiled = append(compiled, mustCompile(t, c))
	}
	good := "X-Hub-Signature-256: sha256=" + hexMAC("key", "{}")
	for name, test := range map[string]struct {
		request *Request
		want    string
	}{
		"all is well":                  {post("{}", good, "X-API-Key: k"), ""},
		"signature":                    {post("{}", "X-Hub-Signature-256: sha256=00", "X-API-Key: k"), "hmac mismatch"},
		"key, before the signature":    {post("{}", "X-Hub-Signature-256: sha256=00", "X-API-Key: l"), "api_key mismatch"},
		"no key, before the signature": {post("{}", "X-Hub-Signature-256: sha256=00"), "api_key missing"},
		"key is missing, token wrong":  {withURL("https://hooks.example.com/?token=x", good), "token mismatch"},
		"token is missing, address no": {func() *Request { r := withURL("/", good); r.Client = netip.Addr{}; return r }(), "ip address"},
	} {
		for _, s := range []Scheme{mustCompile(t, Config{Scheme: SchemeAll, Of: all}), All(compiled...)} {
			got := ""
			if err := s.Verify(test.request); err != nil {
				reason := err.(*Reason) //nolint:errorlint // what Verify promises
				got = string(reason.Scheme) + " " + string(reason.Kind)
			}
			if got != test.want {
				t.Errorf("%s: got %q, want %q", name, got, test.want)
			}
		}
	}
	for name, s := range map[string]Scheme{"of nothing": All(), "with the zero Scheme": All(compiled[2], Scheme{})} {
		if kind := kindOf(t, s.Verify(post(""))); kind != KindNothing {
			t.Errorf("all %s: %q", name, kind)
		}
	}
}

// A token for a challenge by GET does not open the way for a POST.
func TestChallenge(t *testing.T) {
	s := mustCompile(t, readProviders(t)["whatsapp"].Fill(map[string][]string{"secret": {"app"}, "verify_token": {"vt"}}))
	r := withURL("https://hooks.example.com/in/src_1?hub.mode=subscribe&hub.challenge=1&hub.verify_token=vt")
	r.Method = "GET"
	if err := s.Verify(r); err != nil {
		t.Error(err)
	}
	r.Method = "POST"
	if kind := kindOf(t, s.Verify(r)); kind != KindMissing {
		t.Errorf("a POST with the token: %q", kind)
	}
	r.Method, r.URL = "GET", strings.Replace(r.URL, "=vt", "=app", 1)
	if kind := kindOf(t, s.Verify(r)); kind != KindMismatch {
		t.Errorf("the app's secret as a token: %q", kind)
	}
}

// A signature over the URL alone, which Twilio makes for JSON, is not taken for one over a form.
func TestTwilioBodies(t *testing.T) {
	vectors := map[string]vector{}
	for _, v := range readVectors(t) {
		vectors[v.ID] = v
	}
	s := mustCompile(t, readProviders(t)["twilio"].Fill(map[string][]string{"secret": {"12345"}}))
	json, form := vectors["twilio/json-bodySHA256"], vectors["twilio/form-https"]

	r := json.request(t)
	r.Body = []byte(`{"property": "another"}`)
	if kind := kindOf(t, s.Verify(r)); kind != KindMismatch {
		t.Errorf("another JSON: %q", kind)
	}
	r = form.request(t)
	r.URL = "https://mycompany.com:443/myapp.php?foo=1&bar=2"
	if s.Verify(r) == nil {
		t.Error("a signature without the port fits a URL that is known with another one")
	}
	r = form.request(t)
	r.Header["Content-Type"] = append(r.Header["Content-Type"], "application/json")
	if s.Verify(r) == nil {
		t.Error("a form that is also JSON was verified")
	}
	r = form.request(t)
	r.Body = append(r.Body, "&Digits=1234"...) // as Twilio's own libraries do, what is there twice counts once
	if err := s.Verify(r); err != nil {
		t.Error(err)
	}
	r.Body = append(r.Body, "&Digits=999"...)
	if s.Verify(r) == nil {
		t.Error("a second value was added")
	}
}

// Mailgun's fields stand in multipart forms too; and never twice.
func TestMailgunForms(t *testing.T) {
	s := mustCompile(t, readProviders(t)["mailgun"].Fill(map[string][]string{"secret": {"key"}}))
	stamp := fmt.Sprint(at.Unix())
	fields := url.Values{"timestamp": {stamp}, "token": {"t1"}, "signature": {hexMAC("key", stamp+"t1")}, "subject": {"Hello"}}
	multi := func(fields url.Values) *Request {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for name, values := range fields {
			for _, v := range values {
				_ = w.WriteField(name, v)
			}
		}
		file, _ := w.CreateFormFile("token", "a.txt")
		_, _ = file.Write([]byte("a file of the same name"))
		_ = w.Close()
		return post(body.String(), "Content-Type: "+w.FormDataContentType())
	}
	plain := func(fields url.Values) *Request {
		return post(fields.Encode(), "Content-Type: application/x-www-form-urlencoded; charset=utf-8")
	}
	for name, make := range map[string]func(url.Values) *Request{"multipart": multi, "urlencoded": plain} {
		if err := s.Verify(make(fields)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		twice := url.Values{"timestamp": fields["timestamp"], "signature": fields["signature"], "token": {"t1", "t2"}}
		if kind := kindOf(t, s.Verify(make(twice))); kind != KindAmbiguous {
			t.Errorf("%s, a token twice: %q", name, kind)
		}
	}
	long := url.Values{"timestamp": fields["timestamp"], "signature": fields["signature"], "token": {strings.Repeat("t", maxFormValue+1)}}
	if kind := kindOf(t, s.Verify(multi(long))); kind != KindMalformed {
		t.Errorf("a field that is too long: %q", kind)
	}
	body := `{"signature":{"timestamp":"` + stamp + `","token":"t1","signature":"` + hexMAC("key", stamp+"t1") + `"}}`
	for name, test := range map[string]struct {
		body string
		want Kind
	}{
		"fits":             {body, ""},
		"numbers":          {strings.Replace(body, `"`+stamp+`"`, stamp, 1), ""},
		"object twice":     {`{"signature":{"token":"x"},` + body[1:], KindAmbiguous},
		"field twice":      {strings.Replace(body, `"token"`, `"token":"x","token"`, 1), KindAmbiguous},
		"another case":     {strings.ReplaceAll(body, `"token"`, `"Token"`), KindMissing},
		"not JSON":         {body[1:], KindBody},
		"neither":          {strings.Replace(body, `"t1"`, `["t1"]`, 1), KindMalformed},
		"not even objects": {`{"signature":[1]}`, KindMissing},
	} {
		if kind := kindOf(t, s.Verify(post(test.body))); kind != test.want {
			t.Errorf("%s: %q, want %q", name, kind, test.want)
		}
	}
}

// Keys do not show up, however a scheme is printed.
func TestRedaction(t *testing.T) {
	c := Config{Scheme: SchemeAll, Of: []Config{{Scheme: SchemeHMAC, Header: "X-S", Secrets: []string{"canary"}}, {Scheme: SchemeToken, Secrets: []string{"canary"}}}}
	s := mustCompile(t, c)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", c, "scheme", s, "of", c.Of[0], "in", map[string]any{"c": c})
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", c, "scheme", s)
	text := log.String() + fmt.Sprintf("%v %+v %#v %s %v %+v %#v %s", c, c, c, c, s, s, s, s)
	for _, hidden := range []string{"canary", "99 97 110 97 114 121", hex.EncodeToString([]byte("canary"))} {
		if strings.Contains(text, hidden) {
			t.Errorf("%q shows in %s", hidden, text)
		}
	}
	err := s.Verify(post("secret body", "X-S: caller's text", "X-Webhook-Token: another text"))
	if err == nil || strings.Contains(err.Error(), "text") || strings.Contains(err.Error(), "canary") {
		t.Errorf("the reason says too much: %v", err)
	}
}

func TestParams(t *testing.T) {
	for body, want := range map[string]string{
		"": "", "b=2&a=1": "a1b2", "a=2&a=1&a=2": "a1a2", "B=1&a=2&A=3": "A3B1a2", "a=%2B+x&%C3%A9=": "a+ xé", "a": "a", "&&": "",
	} {
		got, reason := formParams(post(body, "Content-Type: application/x-www-form-urlencoded"))
		if reason != nil || string(got) != want {
			t.Errorf("%q: %q, %v", body, got, reason)
		}
	}
	for body, want := range map[string]Kind{"a=%zz": KindMalformed, "a=1;b=2": KindMalformed} {
		if _, reason := formParams(post(body, "Content-Type: application/x-www-form-urlencoded")); reason == nil || reason.Kind != want {
			t.Errorf("%q: %v", body, reason)
		}
	}
	if _, reason := formParams(post("a=1")); reason == nil || reason.Kind != KindBody {
		t.Errorf("without a type: %v", reason)
	}
}

func TestURLs(t *testing.T) {
	for _, test := range []struct{ url, with, without, path, query string }{
		{"https://a.example/p?q=1", "https://a.example:443/p?q=1", "https://a.example/p?q=1", "/p", "q=1"},
		{"http://a.example", "http://a.example:80", "http://a.example", "", ""},
		{"https://a.example:8443/p", "https://a.example:8443/p", "https://a.example/p", "/p", ""},
		{"https://u:p@a.example/p:1?x=:2", "https://u:p@a.example:443/p:1?x=:2", "https://u:p@a.example/p:1?x=:2", "/p:1", "x=:2"},
		{"https://u:p@a.example:1/", "https://u:p@a.example:1/", "https://u:p@a.example/", "/", ""},
		{"https://[2001:db8::1]/p", "https://[2001:db8::1]:443/p", "https://[2001:db8::1]/p", "/p", ""},
		{"https://[2001:db8::1]:1/p", "https://[2001:db8::1]:1/p", "https://[2001:db8::1]/p", "/p", ""},
		{"https://a.example?q=/x", "https://a.example:443?q=/x", "https://a.example?q=/x", "", "q=/x"},
		{"", "", "", "", ""},
		{"/p?q", "/p?q", "/p?q", "/p", "q"},
	} {
		_, path, query := splitURL(test.url)
		if with, without := withPort(test.url), withoutPort(test.url); with != test.with || without != test.without || path != test.path || query != test.query {
			t.Errorf("%s: %s, %s, %s, %s", test.url, with, without, path, query)
		}
	}
	if got := unescapeURL("https://a.example/p%3a%2F?q=%40%20%26"); got != "https://a.example/p:/?q=@%20%26" {
		t.Error(got)
	}
}
