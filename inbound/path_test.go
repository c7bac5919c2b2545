package inbound

import (
	"strings"
	"testing"

	"github.com/postroom/postroom/payload"
)

func TestPaths(t *testing.T) {
	const body = `{"a":{"b":[1,{"c":"x"},[{"c":2},{"c":3}]],"":0},"odd.key":{"\"q\"":true,"]":7},"0":"zero","big":123456789012345678901234567890,` +
		`"twice":1,"twice":2,"ünï":"ö","first name":"Ada","headers":{"x":1},"query":"q","null":null,"o":{"p":{"q":1.10},"r":{"q":1e400}},"empty":[]}`
	c := called("application/json", body, "X-Shop", "7", "X-Many", "a", "X-Many", "b")
	for text, want := range map[string]string{
		`.`: body, `a.b[0]`: "1", `a.b.0`: "1", `a.b[1].c`: `"x"`, `a["b"][1]["c"]`: `"x"`, `a['b'].1.c`: `"x"`,
		`a.b[*].c`: `["x"]`, `a.b[*][*].c`: `[2,3]`, `a.b[2].*.c`: `[2,3]`, `a.b[9]`: "", `a.b[0].c`: "", `a.nothing.b`: "", `a[0]`: "",
		`["odd.key"]["\"q\""]`: "true", `["odd.key"]["]"]`: "7", `['odd.key']['"q"']`: "true", `a[""]`: "0", `0`: `"zero"`, `[0]`: "",
		`big`: "123456789012345678901234567890", `twice`: "2", `ünï`: `"ö"`, `first name`: `"Ada"`,
		`["headers"].x`: "1", `headers`: `{"x":1}`, `headers.x`: "", `query`: `"q"`, `null`: "null", `null.x`: "", `empty[*].x`: "[]", `big[*]`: "",
		`o.*.q`:          "[1.10,1e400]", // numbers keep their spelling
		`headers.x-shop`: `"7"`, `headers["X-SHOP"]`: `"7"`, `headers.x-many`: `["a","b"]`, `headers.x-many[1]`: `"b"`, `headers.X-Many[*]`: `["a","b"]`, `headers.x-none`: "",
		`query.a`: `"1"`, `query.ref`: `["mail","x"]`, `query.ref[0]`: `"mail"`, `query.ref[5]`: "", `query.token`: `"***"`, `query.none`: "",
		`request.ip`: `"203.0.113.7"`, `request.time`: `"2026-03-15T10:30:00.000Z"`, `request.id`: `"req_01kkrgqb200000000000000000"`,
	} {
		p, err := parsePath(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := string(p.find(c, []byte(body))); got != want {
			t.Errorf("%s leads to %s, want %s", text, got, want)
		}
	}
}

// What is wrong with a path is told with its place, and where it can be with what was meant.
func TestPathRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "a path is missing",
		"$.a.b":                        "did you mean a.b?",
		"{{a.b}}":                      "did you mean a.b?",
		"{a}":                          "did you mean a?",
		"/a/b":                         "did you mean a.b?",
		"a..b":                         "did you mean a.b?",
		"a.b.":                         "did you mean a.b?",
		"items[].x":                    "did you mean items[*].x?",
		"a[b]":                         `character 3: in brackets stands the place of an element, from 0, a * for all of them, or a name in quotes (did you mean ["b"]?)`,
		"a[-1]":                        "character 3",
		"a[01]":                        "character 3",
		"a[":                           "character 3",
		`a["b`:                         "the quote has no end",
		`a["b"`:                        "here the bracket ends",
		`a["b"]c`:                      "after ] comes a dot",
		"a*":                           "character 1",
		"a.*b":                         "after * comes a dot",
		"ä b. c":                       `character 5: here stands a name`,
		`a"b`:                          "character 1",
		"a\nb":                         "character 1",
		"request.iq":                   "did you mean id?",
		"request.ip.x":                 "of the request there are id, ip and time",
		"headers.a.b":                  `a name with a dot is written ["a.b"]`,
		"headers[0]":                   "after headers stands a name",
		"query[*]":                     "after query stands a name",
		"headers.*":                    "after headers stands a name",
		strings.Repeat("a", 513):       "at most 512 bytes",
		strings.Repeat("a.", 32) + "a": "at most 32 steps",
	} {
		if _, err := parsePath(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, text := range []string{"a.b", "a[0]", `a["b\""].*.c`, "headers.x", "query.a[*]", "request.ip", ".", "a[*][*]", "$.a", "0.1", "['']"} {
		f.Add(text, `{"a":[{"b":1},[2,{"c":3}]],"0":[1,2]}`)
	}
	f.Fuzz(func(t *testing.T, text, body string) {
		p, err := parsePath(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		if payload.Valid([]byte(body)) != nil {
			return
		}
		got := p.find(called("", body), []byte(body))
		if got != nil && payload.Valid(got) != nil {
			t.Errorf("%q leads to %q in %q, which is not JSON", text, got, body)
		}
		if len(got) > 2*len(body)+1024 && p.root == rootBody {
			t.Errorf("%q makes %d bytes of %d", text, len(got), len(body))
		}
	})
}
