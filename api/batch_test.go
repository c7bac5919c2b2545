package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

const ndjson = "application/x-ndjson"

// results are what became of each event, in short: its id, or the code of its error with the first pointer.
func results(t *testing.T, answer map[string]any) []string {
	t.Helper()
	var list []string
	for _, one := range answer["data"].([]any) {
		one := one.(map[string]any)
		problem, failed := one["error"].(map[string]any)
		if !failed {
			list = append(list, one["id"].(string))
			continue
		}
		s := problem["code"].(string)
		if errs, _ := problem["errors"].([]any); len(errs) > 0 {
			s += " " + errs[0].(map[string]any)["pointer"].(string)
		}
		list = append(list, s)
	}
	return list
}

func TestPublishMany(t *testing.T) {
	good := func(id string) string { return `{"type":"email.opened","id":"` + id + `","data":{"id":"` + id + `"}}` }
	lines := []string{good("a"), `{"type":"no.such","data":{}}`, good("b"), `{"data":{},"x":1}`, `[]`, good("c")}
	want := []string{"a", "unknown_event_type /type", "b", "invalid /x", "bad_json ", "c"}
	for name, c := range map[string]struct{ body, media string }{
		"array":                 {"[" + strings.Join(lines, ",\n") + "]", "application/json"},
		"lines":                 {strings.Join(lines, "\n"), ndjson},
		"lines, blanks, CRLF":   {"\r\n\r\n" + strings.Join(lines, "\r\n  \r\n") + "\r\n\r\n", ndjson},
		"lines with parameters": {strings.Join(lines, "\n") + "\n", "Application/X-NDJSON; charset=UTF-8"},
	} {
		for _, key := range []string{"", "k"} {
			s := newServer(t)
			got := results(t, s.ok(202, "POST", "/v1/events", c.body, "Content-Type", c.media, "Idempotency-Key", key))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, key %q: %s", name, key, diff)
			}
			var stored []string
			for _, e := range s.published {
				stored = append(stored, e.UID+string(e.Data))
			}
			if diff := cmp.Diff([]string{`a{"id":"a"}`, `b{"id":"b"}`, `c{"id":"c"}`}, stored); diff != "" {
				t.Errorf("%s, key %q: %s", name, key, diff)
			}
		}
	}
	s := newServer(t)
	for media, body := range map[string]string{"application/json": "[]", ndjson: "\n"} {
		if got := s.call("POST", "/v1/events", body, "Content-Type", media); got.Code != 202 || got.Body.String() != `{"data":[]}`+"\n" {
			t.Errorf("%s: status %d: %s", media, got.Code, got.Body)
		}
	}
}

// An array is looked through before anything of it is published.
func TestPublishBadArray(t *testing.T) {
	s := newServer(t)
	s.refused(postroom.CodeBadJSON, []string{"/1"}, "POST", "/v1/events", `[{"type":"email.opened","data":{}},{]`)
	s.refused(postroom.CodeTooLarge, nil, "POST", "/v1/events", "["+strings.Repeat("0,", maxEvents)+"0]")
	if len(s.published) != 0 {
		t.Errorf("published %+v", s.published)
	}
}

func TestPublishChunks(t *testing.T) {
	s := newServer(t)
	var body strings.Builder
	for i := range 1250 {
		fmt.Fprintf(&body, `{"type":"email.opened","data":{"i":%d}}`+"\n", i)
		if i%100 == 0 {
			body.WriteString("{}\n")
		}
	}
	got := results(t, s.ok(202, "POST", "/v1/events", body.String(), "Content-Type", ndjson, "Idempotency-Key", "k"))
	if len(got) != 1263 || len(s.published) != 1250 || string(s.published[1249].Data) != `{"i":1249}` {
		t.Errorf("%d results, %d events", len(got), len(s.published))
	}
	// Each chunk is recognised on its own when the call is made again; its name depends on its place alone.
	if diff := cmp.Diff([]string{"k", "k 500", "k 1000"}, s.dedupe); diff != "" {
		t.Error(diff)
	}
	again := s.call("POST", "/v1/events", body.String(), "Content-Type", ndjson, "Idempotency-Key", "k")
	if again.Header().Get("Idempotency-Replayed") != "true" || len(s.published) != 1250 {
		t.Errorf("headers %v, %d events", again.Header(), len(s.published))
	}
	// Large events come in smaller chunks.
	s = newServer(t)
	large := `{"type":"email.opened","data":{"a":"` + strings.Repeat("a", 50<<10) + `"}}` + "\n"
	s.ok(202, "POST", "/v1/events", strings.Repeat(large, 50), "Content-Type", ndjson)
	if len(s.dedupe) != 3 || len(s.published) != 50 {
		t.Errorf("%d chunks, %d events", len(s.dedupe), len(s.published))
	}
}

func TestPublishTooMany(t *testing.T) {
	s := newServer(t)
	line := `{"type":"email.opened","data":{}}` + "\n"
	got := results(t, s.ok(202, "POST", "/v1/events", strings.Repeat(line, maxEvents+5), "Content-Type", ndjson))
	if len(got) != maxEvents+1 || got[maxEvents] != "too_large" || len(s.published) != maxEvents {
		t.Errorf("%d results, the last %q, %d events", len(got), got[len(got)-1], len(s.published))
	}
	got = results(t, s.ok(202, "POST", "/v1/events", strings.Repeat(line, maxEvents), "Content-Type", ndjson))
	if len(got) != maxEvents || got[maxEvents-1] == "too_large" {
		t.Errorf("%d results, the last %q", len(got), got[len(got)-1])
	}
	// A body of more than there may be is refused whole, where its size is known.
	r := request("POST", "/v1/events", line, "Content-Type", ndjson)
	r.ContentLength = maxLinesBody + 1
	s.problemOf(s.do(r), postroom.CodeTooLarge, nil)
	r = request("POST", "/v1/events", line, "Content-Type", ndjson, "Idempotency-Key", "k")
	r.ContentLength = maxKeyedLinesBody + 1
	s.problemOf(s.do(r), postroom.CodeTooLarge, nil)
}

// A body whose size is not known is read up to the limit. Its lines are too long to be events, so that the test is quick.
func TestPublishEndlessBody(t *testing.T) {
	s := newServer(t)
	r := request("POST", "/v1/events", "x", "Content-Type", ndjson)
	endless := io.MultiReader(strings.NewReader(`{"type":"email.opened","data":{}}`+"\n"), &repeating{text: strings.Repeat("a", 1<<20) + "\n"})
	r.Body, r.ContentLength = io.NopCloser(endless), -1
	w := s.do(r)
	got := results(t, parse(t, w.Body.Bytes()))
	if w.Code != 202 || len(s.published) != 1 || len(got) != 65 || got[1] != "too_large" || got[64] != "too_large" {
		t.Errorf("status %d, %d events, results %q", w.Code, len(s.published), got)
	}
}

// repeating is a text without end.
type repeating struct {
	text string
	at   int
}

func (r *repeating) Read(b []byte) (int, error) {
	n := copy(b, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func TestPublishLongLine(t *testing.T) {
	s := newServer(t)
	line := func(id string, size int) string {
		head := `{"type":"email.opened","id":"` + id + `","data":{"a":"`
		return head + strings.Repeat("a", size-len(head)-3) + `"}}`
	}
	limit := int(s.api.MaxBody)
	body := strings.Join([]string{line("a", 100), line("b", limit+1), line("c", limit), line("d", 3*limit), line("e", 100)}, "\n")
	got := results(t, s.ok(202, "POST", "/v1/events", body, "Content-Type", ndjson))
	if diff := cmp.Diff([]string{"a", "too_large", "c", "too_large", "e"}, got); diff != "" {
		t.Error(diff)
	}
}

// A body that breaks off: what came before is published, and the last result says that it is not all.
func TestPublishLinesCutShort(t *testing.T) {
	s := newServer(t)
	r := request("POST", "/v1/events", "x", "Content-Type", ndjson)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"type":"email.opened","id":"a","data":{}}`+"\n"+`{"type":`), iotest.ErrReader(errors.New("reset"))))
	r.ContentLength = -1
	got := results(t, parse(t, s.do(r).Body.Bytes()))
	if diff := cmp.Diff([]string{"a", "bad_json"}, got); diff != "" {
		t.Error(diff)
	}
}

// When the store goes away, the call fails if nothing was stored, and else the results say which events were not.
func TestPublishStoreAway(t *testing.T) {
	s := newServer(t)
	s.failWith = &postroom.Error{Code: postroom.CodeUnavailable, Message: "Away.", Err: errors.New("disk full")}
	body := strings.Repeat(`{"type":"email.opened","data":{}}`+"\n", 600)
	s.refused(postroom.CodeUnavailable, nil, "POST", "/v1/events", body, "Content-Type", ndjson)
	s.refused(postroom.CodeUnavailable, nil, "POST", "/v1/events", `[{"type":"email.opened","data":{}}]`)
	s.failFrom = 500
	got := results(t, s.ok(202, "POST", "/v1/events", body, "Content-Type", ndjson, "Idempotency-Key", "k"))
	if len(got) != 600 || got[499] == "unavailable" || got[500] != "unavailable" || got[599] != "unavailable" {
		t.Errorf("%d results: %q", len(got), got)
	}
	if s.answers["k"] != nil {
		t.Error("the call cannot be made again with its key")
	}
	if n := strings.Count(s.log.String(), "disk full"); n != 3 {
		t.Errorf("the cause is logged %d times for three calls", n)
	}
}

func TestLineReader(t *testing.T) {
	for _, size := range []int{16, 4096} { // of the buffer: lines are longer than it, or not
		for _, c := range []struct {
			text string
			want []string
		}{
			{"", nil},
			{"a", []string{"a"}},
			{"a\n", []string{"a"}},
			{" a \r\n\nb\n\n", []string{"a", "", "b", ""}},
			{strings.Repeat("x", 100) + "\ny", []string{strings.Repeat("x", 100), "y"}},
			{strings.Repeat("x", 101) + "\ny", []string{"over", "y"}},
			{strings.Repeat("x", 1000), []string{"over"}},
		} {
			in := lineReader{r: bufio.NewReaderSize(iotest.OneByteReader(strings.NewReader(c.text)), size), limit: 100}
			var got []string
			for {
				line, err := in.next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if in.over {
					line = []byte("over")
				}
				got = append(got, string(line))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("buffer %d, %.20q: %s", size, c.text, diff)
			}
		}
	}
}

// FuzzPublish looks for bodies that make publish panic, that it does not answer as it should, or of which it stores what was
// not there.
func FuzzPublish(f *testing.F) {
	for _, body := range []string{
		examplePublish, "[" + examplePublish + "]", exampleCloudEvent, "[" + exampleCloudEvent + "]", `{"type":"a.b","data":{}}` + "\n" + `{"type":"a.b","data":{},"id":"1"}`,
		`{"type":"a.b","data":{"a":"\ud800"},"time":"2026-01-31T09:30:00Z","actor":null}`, `{"specversion":"1.0","id":"1","source":"/","type":"a.b","data_base64":"e30="}`,
		"", "{", "[", "[[]]", "null", "{}\n{}\n\n", strings.Repeat("[", 300), `{"a":1,"a":2}`, "{\"type\":\"\xff\"}",
	} {
		for i := range publishMedia() {
			f.Add([]byte(body), uint8(i), "")
		}
		f.Add([]byte(body), uint8(0), "a%20b")
	}
	s := newServer(f)
	f.Fuzz(func(t *testing.T, body []byte, media uint8, subject string) {
		s.published, s.dedupe, s.seen = nil, nil, nil
		s.log.Reset()
		r := request("POST", "/v1/events", string(body), "Content-Type", publishMedia()[int(media)%4])
		if subject != "" {
			r.Header["Ce-Specversion"], r.Header["Ce-Type"], r.Header["Ce-Id"], r.Header["Ce-Source"] = []string{"1.0"}, []string{"a.b"}, []string{"1"}, []string{"/"}
			r.Header["Ce-Subject"] = []string{subject}
		}
		w := s.do(r)
		answer := parse(t, w.Body.Bytes())
		switch {
		case w.Code == 202 && answer["data"] != nil:
			if n := len(answer["data"].([]any)); n < len(s.published) {
				t.Errorf("%d results for %d events", n, len(s.published))
			}
		case w.Code == 202:
			if len(s.published) != 1 {
				t.Errorf("%d events", len(s.published))
			}
		case w.Code < 400 || w.Code >= 500 || len(s.published) > 0:
			t.Errorf("status %d with %d events: %s", w.Code, len(s.published), w.Body)
		}
		for _, e := range s.published {
			checkPublished(t, body, e)
		}
	})
}

func checkPublished(t *testing.T, body []byte, e app.NewEvent) {
	t.Helper()
	if e.Type == "" || len(e.Data) == 0 || e.Data[0] != '{' {
		t.Errorf("published %+v", e)
	}
	if !strings.Contains(string(body), string(e.Data)) && !strings.Contains(string(body), "base64") && !strings.Contains(string(body), `\u`) {
		t.Errorf("the data %s is not in %s", strconv.Quote(string(e.Data)), strconv.Quote(string(body)))
	}
}
