package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// A fault is a way in which a receiver misbehaves, and what the log then says of the attempt.
type fault struct {
	url    func(t *testing.T) string // makes the receiver
	in     client.WebhookInput       // events and retries are set by run
	data   string                    // of the event; {} if empty
	status int                       // of the answer; 0 without one
	kind   string                    // of the failure; empty if the delivery succeeds
	says   []string                  // parts of the sentence
	check  func(t *testing.T, a postroom.AttemptResource)
	both   bool // on PostgreSQL, too, as the database has a part in it
}

// TestFaults has receivers that misbehave, each beside one that is well and gets everything meanwhile.
func TestFaults(t *testing.T) {
	trusted := testenv.NewAuthority(t)
	onBoth(t, func(t *testing.T, set settings) {
		set.flags = append(set.flags, "--max-body", "16MiB")
		set.env = append(set.env, "SSL_CERT_FILE="+trusted.File(t))
		s := startServer(t, set)
		t.Run("receivers", func(t *testing.T) {
			for name, f := range faults(t, trusted) {
				if set.database != "" && !f.both {
					continue
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					f.run(newTenant(t, s))
				})
			}
		})
		if err := s.ready(); err != nil {
			t.Errorf("after all that: %v", err)
		}
		metrics := string(s.do(t, call{method: http.MethodGet, path: "/metrics"}).is(t, http.StatusOK).body)
		for _, zero := range []string{"postroom_attempt_panics_total 0\n", "postroom_http_panics_total 0\n", "postroom_attempts_in_flight 0\n"} {
			if !strings.Contains(metrics, zero) {
				t.Errorf("the metrics should say %q", zero)
			}
		}
	})
}

func (f fault) run(x *tenant) {
	f.in.URL, f.in.Events, f.in.Retry = f.url(x.t), []string{"email.opened"}, quick(0)
	bad := x.webhook("/bad", f.in)
	x.webhook("/well", client.WebhookInput{Events: []string{"email.*"}})
	data := f.data
	if data == "" {
		data = `{}`
	}
	x.publish("e", "email.opened", data)
	x.r.wait(x.t, "/well", 1)
	want := postroom.DeliverySucceeded
	if f.kind != "" {
		want = postroom.DeliveryFailed
	}
	d := x.settled(bad.ID, want)[0]
	x.publish("after", "email.clicked", `{}`)
	x.r.wait(x.t, "/well", 2)

	if len(d.Attempts) != 1 || d.LastErrorKind != f.kind || d.LastStatusCode != f.status {
		x.t.Fatalf("the delivery is %+v, want one attempt with %d %q", d, f.status, f.kind)
	}
	a := d.Attempts[0]
	if a.StatusCode != f.status || (a.Response != nil) != (f.status != 0) {
		x.t.Errorf("the attempt has the status %d and the answer %+v, want %d", a.StatusCode, a.Response, f.status)
	}
	if f.kind == "" {
		if a.Error != nil {
			x.t.Errorf("the attempt failed: %+v", a.Error)
		}
	} else {
		checkSentence(x.t, a.Error, f.kind, f.says)
	}
	if f.check != nil {
		f.check(x.t, a)
	}
	// The attempt can be found by what it is, in the list as in the export.
	if f.kind != "" && !strings.Contains(string(x.do(http.MethodGet, "/v1/deliveries/export?format=ndjson&status=failed", "").is(x.t, http.StatusOK).body), f.kind) {
		x.t.Error("the export does not have the failure")
	}
}

// checkSentence checks that a failure is of a kind, and that what it says is one sentence or two for a person.
func checkSentence(t *testing.T, failure *postroom.AttemptError, kind string, says []string) {
	t.Helper()
	if failure == nil {
		t.Fatalf("the attempt did not fail, want %s", kind)
	}
	m := failure.Message
	if failure.Kind != kind || !strings.HasSuffix(m, ".") || m[:1] != strings.ToUpper(m[:1]) || len(m) > 400 || strings.ContainsAny(m, "\r\n\x00") {
		t.Errorf("the failure is %s: %q, want %s and a sentence", failure.Kind, m, kind)
	}
	for _, part := range says {
		if !strings.Contains(m, part) {
			t.Errorf("it says %q, and should say %q", m, part)
		}
	}
	for _, jargon := range []string{"read tcp", "write tcp", "net/http", "EOF", "context", "127.0.0.1:", "goroutine"} {
		if strings.Contains(m, jargon) {
			t.Errorf("a person does not understand %q in %q", jargon, m)
		}
	}
	t.Logf("%s: %s", failure.Kind, m)
}

func faults(t *testing.T, trusted *testenv.Authority) map[string]fault {
	all := map[string]fault{}
	for _, some := range []map[string]fault{slowFaults(), lossFaults(), floodFaults(), answerFaults(), textFaults(), tlsFaults(t, trusted)} {
		maps.Copy(all, some)
	}
	return all
}

// within is a webhook with a short timeout.
func within(d time.Duration) client.WebhookInput {
	return client.WebhookInput{Timeout: postroom.Duration(d)}
}

func slowFaults() map[string]fault {
	const timeout, twoBytes = 300 * time.Millisecond, 1500 * time.Millisecond
	const waiting, header, body = "waiting for the answer", "reading the answer's header", "reading the answer's body"
	return map[string]fault{
		"hangs before its header": {url: answering("", untilClosed), in: within(timeout), kind: "timeout", says: []string{"no complete answer within 300ms;", waiting}, both: true},
		"hangs amid its header":   {url: answering("HTTP/1.1 200 OK\r\nA:", untilClosed), in: within(timeout), kind: "timeout", says: []string{header}},
		"hangs before its body": {url: answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", untilClosed), in: within(timeout), status: 200, kind: "timeout",
			says: []string{body}},
		"hangs amid its body": {url: answering("HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nhalf", untilClosed), in: within(timeout), status: 500, kind: "timeout",
			says: []string{body}, both: true, check: bodyIs("half", false)},
		"drips its header": {url: answering("HTTP/1.1 200 OK\r\nA: ", drip), in: within(twoBytes), kind: "timeout", says: []string{header}},
		"drips its body": {url: answering("HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", drip), in: within(twoBytes), status: 200, kind: "timeout",
			says: []string{body}, check: bodyIs("x", false)},
		"hangs after a 102": {url: answering("HTTP/1.1 102 Processing\r\n\r\n", untilClosed), in: within(timeout), kind: "timeout", says: []string{header}},
		"never reads": {url: func(t *testing.T) string {
			return "http://" + raw(t, func(_ int, conn *net.TCPConn) { <-t.Context().Done() })
		}, in: within(timeout), data: large(), kind: "timeout", says: []string{"sending the request"}},
		"never greets TLS": {url: func(t *testing.T) string {
			return "https://" + raw(t, func(_ int, conn *net.TCPConn) { untilClosed(conn) })
		}, in: within(timeout), kind: "timeout", says: []string{"TLS handshake"}},
	}
}

// large is data that does not fit into the buffers of a connection.
func large() string { return `{"text":"` + strings.Repeat("x", 12<<20) + `"}` }

func bodyIs(text string, truncated bool) func(*testing.T, postroom.AttemptResource) {
	return func(t *testing.T, a postroom.AttemptResource) {
		if a.Response == nil || a.Response.Body != text || a.Response.Truncated != truncated {
			t.Errorf("the answer is logged as %+v, want %q, truncated %v", a.Response, text, truncated)
		}
	}
}

func lossFaults() map[string]fault {
	return map[string]fault{
		"refuses connections": {url: nowhere, kind: "connect", says: []string{"refused the connection", "nothing may be listening"}, both: true},
		"has no name":         {url: func(*testing.T) string { return "https://no-such-receiver.example/" }, kind: "dns", says: []string{"The name no-such-receiver.example "}},
		"resets at connect": {url: func(t *testing.T) string {
			return "http://" + raw(t, func(_ int, conn *net.TCPConn) { reset(conn) })
		}, kind: "reset", says: []string{"The receiver closed the connection"}},
		"resets while the body is sent": {url: func(t *testing.T) string {
			return "http://" + raw(t, func(_ int, conn *net.TCPConn) {
				_, _ = bufio.NewReader(conn).Peek(1)
				reset(conn)
			})
		}, data: large(), kind: "reset", says: []string{"while the request was sent"}},
		"resets before it answers":    {url: answering("", reset), kind: "reset", says: []string{"before it answered"}},
		"closes before it answers":    {url: answering("", nil), kind: "reset", says: []string{"before it answered"}, both: true},
		"closes amid its header":      {url: answering("HTTP/1.1 200 OK\r\nA: b", nil), kind: "reset", says: []string{"in the middle of its answer's header"}},
		"resets amid its body":        {url: answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", reset), status: 200, kind: "body", says: []string{"in the middle of its answer's body"}},
		"closes amid its body":        {url: answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", nil), status: 200, kind: "body", says: []string{"in the middle of its answer's body"}, both: true, check: bodyIs("ab", false)},
		"closes amid a chunk":         {url: answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab", nil), status: 200, kind: "body", says: []string{"in the middle of its answer's body"}},
		"sends a chunk that is wrong": {url: answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", untilClosed), status: 200, kind: "body", says: []string{"could not be read to its end"}},
	}
}

func floodFaults() map[string]fault {
	const much = 1 << 30
	line := strings.Repeat("x", 32<<10)
	early := strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 500)
	return map[string]fault{
		"sends 1xx without end":  {url: answering("", flood(early, much, nil)), kind: "protocol", says: []string{"larger than 64 KiB", "1xx"}, both: true},
		"sends 100 without end":  {url: answering("", flood(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 500), much, nil)), kind: "protocol", says: []string{"larger than 64 KiB"}},
		"sends a header flood":   {url: answering("HTTP/1.1 200 OK\r\n", flood(strings.Repeat("A: b\r\n", 1000), much, nil)), kind: "protocol", says: []string{"larger than 64 KiB"}},
		"sends an endless line":  {url: answering("HTTP/1.1 200 OK\r\nA: ", flood(line, much, nil)), kind: "protocol", says: []string{"larger than 64 KiB"}},
		"sends an endless body":  {url: answering("HTTP/1.1 200 OK\r\n\r\n", flood(line, much, nil)), status: 200, check: bodyIs(line[:16<<10], true), both: true},
		"sends an endless error": {url: answering("HTTP/1.1 500 Oops\r\n\r\n", flood(line, much, nil)), status: 500, kind: "status", says: []string{"500"}, check: bodyIs(line[:16<<10], true)},
		"sends a gzip bomb":      {url: serving(gzipBomb()), status: 200, check: isStillPacked},
	}
}

// gzipBomb answers with some 100 KiB that unpack to two hundred times as much, whatever the caller accepts.
func gzipBomb() http.HandlerFunc {
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed) // fails for other levels only
	_, _ = z.Write(make([]byte, 20<<20))                 // to memory
	_ = z.Close()
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes()) // the caller may have enough
	}
}

func isStillPacked(t *testing.T, a postroom.AttemptResource) {
	r := a.Response
	if r == nil || len(r.BodyBase64) != 16<<10 || !bytes.HasPrefix(r.BodyBase64, []byte{0x1f, 0x8b}) || !r.Truncated || !hasHeader(r.Headers, "Content-Encoding", "gzip") {
		t.Errorf("the answer is logged as %+v", r)
	}
}

func answerFaults() map[string]fault {
	redirect := func(status int, location string) fault {
		return fault{url: saying(fmt.Sprint(status, " Elsewhere"), "", "Location: "+location), status: status, kind: "redirect", both: status == 302,
			says: []string{fmt.Sprint(status), "Redirects are not followed"}}
	}
	return map[string]fault{
		"is gone":                        {url: saying("410 Gone", ""), status: 410, kind: "gone", says: []string{"410 Gone", "wants no more"}, both: true},
		"is not found":                   {url: saying("404 Not Found", "no"), status: 404, kind: "status", says: []string{"404 Not Found", "does not accept this call"}},
		"has a status of its own":        {url: saying("599 Whatever", ""), status: 599, kind: "status", says: []string{"599"}},
		"answers 204":                    {url: answering("HTTP/1.1 204 No Content\r\n\r\n", nil), status: 204},
		"answers 201":                    {url: saying("201 Created", `{"id":1}`), status: 201, check: bodyIs(`{"id":1}`, false), both: true},
		"answers 200 without JSON":       {url: saying("200 OK", "<p>ok</p>", "Content-Type: text/html"), in: client.WebhookInput{ExpectJSON: true}, status: 200, kind: "not_json", says: []string{"JSON"}, both: true},
		"answers 204 where JSON is due":  {url: answering("HTTP/1.1 204 No Content\r\n\r\n", nil), in: client.WebhookInput{ExpectJSON: true}, status: 204, kind: "not_json", says: []string{"JSON"}},
		"redirects to the metadata":      redirect(302, "http://169.254.169.254/latest/meta-data/"),
		"redirects to loopback":          redirect(307, "http://127.0.0.1:1/"),
		"redirects to another scheme":    redirect(308, "file:///etc/passwd"),
		"redirects to nowhere":           redirect(301, "::"),
		"speaks another protocol":        {url: answering("220 mail.example.com ESMTP\r\n", untilClosed), kind: "protocol", says: []string{"not valid HTTP", "mail.example.com"}},
		"sends a wrong status":           {url: answering("HTTP/1.1 abc OK\r\n\r\n", untilClosed), kind: "protocol", says: []string{"not valid HTTP"}},
		"sends a header without a colon": {url: answering("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", untilClosed), kind: "protocol", says: []string{"not valid HTTP"}, both: true},
		"sends a wrong length":           {url: answering("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", untilClosed), kind: "protocol", says: []string{"not valid HTTP"}},
		"switches protocols":             {url: answering("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", untilClosed), status: 101, kind: "protocol", says: []string{"101"}},
	}
}

// textFaults answer with what is no text, which PostgreSQL would not store as such.
func textFaults() map[string]fault {
	const bad = "caf\xe9 \x00 \xff\xfe"
	return map[string]fault{
		"answers with bytes that are no text": {url: saying("200 OK", bad, "X-Note: caf\xe9 \xff"), status: 200, both: true,
			check: func(t *testing.T, a postroom.AttemptResource) {
				if r := a.Response; string(r.BodyBase64) != bad || !hasHeader(r.Headers, "X-Note", "caf\ufffd \ufffd") {
					t.Errorf("the answer is logged as %+v", r)
				}
			}},
		"answers with zeros":             {url: saying("500 Oops", "a\x00b"), status: 500, kind: "status", says: []string{"500"}, both: true, check: bodyIs("a\x00b", false)},
		"has zeros in a header":          {url: saying("200 OK", "", "X-Zero: a\x00b"), kind: "protocol", says: []string{"not valid HTTP"}, both: true},
		"has a control code in a header": {url: saying("200 OK", "", "X-Bell: a\ab"), kind: "protocol", says: []string{"not valid HTTP"}},
		"has zeros in a header's name":   {url: saying("200 OK", "", "X-\x00Zero: a"), kind: "protocol", says: []string{"not valid HTTP"}, both: true},
		"answers with zeros and no HTTP": {url: answering("\x00\xff\x00\xff no HTTP\r\n\r\n", untilClosed), kind: "protocol", says: []string{"not valid HTTP"}, both: true},
		"has zeros in its status line":   {url: saying("200 O\x00K\xff", "ok"), status: 200, both: true, check: bodyIs("ok", false)},
	}
}

func tlsFaults(t *testing.T, trusted *testenv.Authority) map[string]fault {
	day, now := 24*time.Hour, time.Now()
	using := func(a *testenv.Authority, host string, from, to time.Time) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{a.Issue(t, host, from, to)}}
	}
	good := using(trusted, "127.0.0.1", now.Add(-day), now.Add(day))
	old := good.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	failing := func(url func(*testing.T) string, says ...string) fault {
		return fault{url: url, kind: "tls", says: says}
	}
	return map[string]fault{
		"has a good certificate":          {url: servingTLS(good), status: 204},
		"has a certificate that expired":  failing(servingTLS(using(trusted, "127.0.0.1", now.Add(-2*day), now.Add(-day))), "expired at "+now.Add(-day).UTC().Format("2006-01-02")),
		"has a certificate for tomorrow":  failing(servingTLS(using(trusted, "127.0.0.1", now.Add(day), now.Add(2*day))), "not valid before"),
		"has another host's certificate":  failing(servingTLS(using(trusted, "other.example", now.Add(-day), now.Add(day))), "is not for 127.0.0.1, but for other.example"),
		"has a certificate nobody trusts": failing(servingTLS(using(testenv.NewAuthority(t), "127.0.0.1", now.Add(-day), now.Add(day))), "not from an authority that is trusted"),
		"has a self-signed certificate":   failing(servingTLS(nil), "self-signed"),
		"speaks an old version of TLS":    failing(servingTLS(old), "older than TLS 1.2"),
		"speaks plain HTTP on the port":   failing(overTLS(serving(func(http.ResponseWriter, *http.Request) {})), "answered in plain HTTP"),
		"speaks something else":           failing(greeting("SSH-2.0-server\r\n"), "does not speak TLS"),
		"resets amid the handshake":       failing(greeting(""), "closed the connection during the TLS handshake"),
		"refuses the handshake":           failing(greeting("\x15\x03\x03\x00\x02\x02\x28"), "handshake"),
	}
}
