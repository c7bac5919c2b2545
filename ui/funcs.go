package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// templateFuncs are what templates can call.
func templateFuncs(a assets) template.FuncMap {
	drawn := icons()
	return template.FuncMap{
		"asset":  a.url,
		"icon":   func(name string) (template.HTML, error) { return icon(drawn, name) },
		"field":  newField,
		"choice": newChoice,
		"when":   when,
		"badge":  newBadge,
		"dict":   dict,
		"pager":  newPager,
		"pretty": pretty,
		"number": number,
		"plural": plural,

		"percent":    percent,
		"statusText": statusText,
		"longBody":   longBody,
	}
}

func icon(drawn map[string]string, name string) (template.HTML, error) {
	path, ok := drawn[name]
	if !ok {
		return "", fmt.Errorf("there is no icon %q", name)
	}
	return template.HTML(`<svg class="icon" viewBox="0 0 20 20" width="18" height="18" aria-hidden="true" focusable="false"><path d="` + path + `"/></svg>`), nil //nolint:gosec // of our own
}

// when writes a time: how long ago, with the time itself, which app.js turns into that of the reader's zone.
func when(t any) (template.HTML, error) {
	var at time.Time
	switch t := t.(type) {
	case time.Time:
		at = t
	case *time.Time:
		if t != nil {
			at = *t
		}
	case postroom.Timestamp:
		at = t.Time
	case *postroom.Timestamp:
		if t == nil {
			return `<span class="muted">never</span>`, nil
		}
		at = t.Time
	default:
		return "", fmt.Errorf("when: %T is no time", t)
	}
	if at.IsZero() {
		return `<span class="muted">never</span>`, nil
	}
	at = at.UTC()
	return template.HTML(`<time datetime="` + at.Format(postroom.TimestampFormat) + `" title="` + at.Format("2 January 2006, 15:04:05 UTC") + `">` + //nolint:gosec // of a time
		at.Format("2 Jan 2006, 15:04 UTC") + `</time>`), nil
}

// badge is a status, with a colour that says how good that is.
type badge struct{ Text, Kind string }

func newBadge(status any) badge {
	text := fmt.Sprint(status)
	switch text {
	case "active", "succeeded", "processed", "done", "subscribed", "verified", "ok":
		return badge{text, "ok"}
	case "pending", "running", "retry", "held", "paused", "invited", "waiting", "unverified":
		return badge{text, "wait"}
	case "failed", "disabled", "refused", "bounced", "complained", "error":
		return badge{text, "bad"}
	case "admin":
		return badge{text, "accent"}
	}
	return badge{text, "plain"}
}

// dict makes a map of pairs, for templates that take several things.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict takes pairs")
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

// pager leads to the pages beside this one.
type pager struct{ Newer, Older string }

// newPager makes a pager of the page's own URL and the cursors of a postroom.Page.
func newPager(v view, prev, next *string) pager {
	at := func(cursor *string) string {
		if cursor == nil {
			return ""
		}
		q := v.c.URL.Query()
		q.Set("cursor", *cursor)
		return (&url.URL{Path: v.c.URL.Path, RawQuery: q.Encode()}).String()
	}
	return pager{at(prev), at(next)}
}

// pageQuery is the page that a URL asks for.
func (c *call) pageQuery() postroom.PageQuery {
	return postroom.PageQuery{Cursor: c.URL.Query().Get("cursor")}
}

// pretty indents JSON, whose numbers and order of keys stay as they are; anything else stays as it is.
func pretty(body any) string {
	var text []byte
	switch b := body.(type) {
	case []byte:
		text = b
	case json.RawMessage:
		text = b
	case string:
		text = []byte(b)
	default:
		return fmt.Sprint(body)
	}
	var out bytes.Buffer
	if json.Indent(&out, text, "", "  ") != nil {
		return strings.ToValidUTF8(string(text), "\uFFFD")
	}
	return out.String()
}

// number writes a whole number with a comma at each thousand.
func number(n any) string {
	text := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// plural writes how many there are of something.
// The plural ends with an s, unless another one is given.
func plural(n any, one string, many ...string) string {
	if fmt.Sprint(n) == "1" {
		return "1 " + one
	}
	if len(many) > 0 {
		return number(n) + " " + many[0]
	}
	return number(n) + " " + one + "s"
}

// percent writes a share from 0 to 1. Only all is 100 %.
func percent(share *float64) string {
	if share == nil {
		return ""
	}
	tenths := int(*share * 1000)
	if tenths%10 == 0 {
		return fmt.Sprintf("%d %%", tenths/10)
	}
	return fmt.Sprintf("%d.%d %%", tenths/10, tenths%10)
}

// statusText writes an HTTP status with what it means.
func statusText(code int) string {
	return strings.TrimSpace(fmt.Sprint(code, " ", http.StatusText(code)))
}

const maxShown = 64 << 10 // bytes of a body that a page shows

// longBody is a body as people read it: JSON is indented, and what is too much is cut.
func longBody(body []byte) string {
	if len(body) <= maxShown {
		return pretty(body)
	}
	return strings.ToValidUTF8(string(body[:maxShown]), "") + fmt.Sprintf("\n… cut: all of it has %s bytes", number(len(body)))
}
