package ui

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// tried is what a source makes of a call, for the pages that try one.
type tried struct {
	Input  string // the body of the call, pretty
	Cut    bool
	Result *postroom.SourceTest
	Paths  []string // into the first event, to choose from
	Wrong  []string // what keeps it from being tried
	Live   []liveError
	Own    bool // it is not asked for, as there is nothing to try yet
	Done   string
}

// liveError is what is wrong with a field of an editor while one types. Empty for nothing.
type liveError struct{ ID, Text string }

// input is the call that a form says to try: a stored one, or the body that was pasted.
func (f *form) input() app.SourceTestInput {
	if request := f.Get("request"); request != "" {
		return app.SourceTestInput{Request: request}
	}
	in := app.SourceTestInput{Body: []byte(f.Raw("body"))}
	for line := range strings.Lines(f.Raw("headers")) {
		if name, value, is := strings.Cut(strings.TrimSpace(line), ":"); is {
			in.Headers = append(in.Headers, postroom.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
		}
	}
	return in
}

// inputBody is how much of a body pages show.
const inputBody = 64 << 10

// tryIt says what comes of a call. What is wrong with what was typed is a part of the answer.
func (c *call) tryIt(id string, in app.SourceTestInput, place func(pointer string) string) (t tried, err error) {
	r, result, err := c.app.TestSource(c.Context(), c.in.Caller, id, in)
	if err != nil {
		known, is := asRefusal(err)
		if !is {
			return t, err
		}
		for _, e := range known.Fields {
			t.Wrong = append(t.Wrong, place(e.Pointer)+": "+e.Detail)
			t.Live = append(t.Live, liveError{liveID(e.Pointer), e.Detail})
		}
		if len(known.Fields) == 0 {
			t.Wrong = append(t.Wrong, known.Message)
		}
	} else {
		t.Result = &result
	}
	body := r.Body
	if body == nil {
		body = in.Body
	}
	t.Input, t.Cut = bodyText(body)
	if len(result.Items) > 0 {
		t.Paths = pathsOf(result.Items[0].Input)
	} else {
		t.Paths = pathsOf(body)
	}
	return t, nil
}

// liveID is the id of the place for what is wrong with a field, by its pointer: the row's or the action's.
func liveID(pointer string) string {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	if len(parts) > 3 && parts[2] == "mapping" {
		return "live-" + strings.Join(parts[:4], "-")
	}
	return "live-" + strings.Join(parts[:min(2, len(parts))], "-")
}

// bodyText is a body for people: pretty if it is JSON, and cut if it is large.
func bodyText(body []byte) (text string, cut bool) {
	if len(body) > inputBody {
		return strings.ToValidUTF8(string(body[:inputBody]), "\uFFFD"), true
	}
	return pretty(body), false
}

const (
	maxPaths     = 150
	maxPathDepth = 6
)

// pathsOf are paths into a body, as rows write them.
func pathsOf(body json.RawMessage) (paths []string) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value any
	if len(body) > inputBody || d.Decode(&value) != nil {
		return nil
	}
	var walk func(prefix string, value any, depth int)
	walk = func(prefix string, value any, depth int) {
		if len(paths) >= maxPaths || depth > maxPathDepth {
			return
		}
		if prefix != "" {
			paths = append(paths, prefix)
		}
		switch v := value.(type) {
		case map[string]any:
			var names []string
			for name := range v {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range names {
				walk(memberPath(prefix, name), v[name], depth+1)
			}
		case []any:
			if len(v) == 0 {
				return
			}
			if _, object := v[0].(map[string]any); object {
				walk(prefix+"[*]", v[0], depth+1)
				return
			}
			walk(prefix+"[0]", v[0], depth+1)
		}
	}
	walk("", value, 0)
	return paths
}

// memberPath is the path of a member. A name that is no plain one is quoted.
func memberPath(prefix, name string) string {
	plain := name != "" && strings.IndexFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
	if !plain || prefix == "" && slices.Contains([]string{"headers", "query", "request"}, name) || name[0] >= '0' && name[0] <= '9' {
		quoted, err := json.Marshal(name)
		if err != nil {
			return prefix
		}
		return prefix + "[" + string(quoted) + "]"
	}
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// samples are the calls to choose from: the newest that the source has had.
func (c *call) samples(s postroom.Source) ([]option, error) {
	found, err := c.app.Requests(c.Context(), c.in.Caller, postroom.RequestFilter{Source: s.ID}, postroom.PageQuery{Limit: 20})
	options := []option{{"", "The body below", ""}}
	for _, r := range found.Data {
		options = append(options, option{r.ID.String(), r.At.UTC().Format("2 Jan 15:04:05 UTC"), strings.Join(slices.DeleteFunc([]string{r.EventType, string(r.State.Status())},
			func(s string) bool { return s == "" }), ", ")})
	}
	return options, err
}

// startSample sets the call that an editor begins with: the one that the URL names, else the newest, else what senders of the kind send.
func (f *form) startSample(c *call, d sourceData, samples []option) {
	f.values.Set("body", pretty(sampleOf(d.Kind)))
	if wanted := c.URL.Query().Get("request"); wanted != "" {
		f.values.Set("request", wanted)
	} else if len(samples) > 1 {
		f.values.Set("request", samples[1].Value)
	}
}

// withSample adds a request to the choice that is not among the newest.
func withSample(samples []option, request string) []option {
	if request == "" || slices.ContainsFunc(samples, func(o option) bool { return o.Value == request }) {
		return samples
	}
	return append(samples, option{request, request, ""})
}

// tryData is the page on which a source is tried as it is.
type tryData struct {
	Samples []option
	Tried   tried
}

func tryView(c *call, d sourceData, f *form, t tried) (page, error) {
	samples, err := c.samples(d.Source)
	p := sourceView(c, d, "test", "Test", tryData{withSample(samples, f.Get("request")), t})
	p.Form = f
	return p, err
}

func trySourcePage(c *call) error {
	d, err := c.findSource()
	if err != nil {
		return err
	}
	samples, err := c.samples(d.Source)
	if err != nil {
		return err
	}
	f := newForm()
	f.startSample(c, d, samples)
	p, err := tryView(c, d, f, tried{Own: true})
	if err != nil {
		return err
	}
	return c.render(p)
}

func trySource(c *call) error {
	f, d, err := c.sourceForm()
	if err != nil {
		return err
	}
	in := f.input()
	in.Store = f.Get("op") == "store"
	if in.Store {
		r, _, err := c.app.TestSource(c.Context(), c.in.Caller, d.Source.ID.String(), in)
		if err == nil {
			return c.redirect("/requests/"+r.ID.String(), "The call was taken in, as if it had come from outside.")
		}
		p, failed := tryView(c, d, f, tried{Own: true})
		if failed != nil {
			return failed
		}
		return c.invalid(err, p, "body", "headers", "request")
	}
	t, err := c.tryIt(d.Source.ID.String(), in, plainPlace)
	if err != nil {
		return err
	}
	p, err := tryView(c, d, f, t)
	if err != nil {
		return err
	}
	return c.render(p)
}

// plainPlace is a pointer for people.
func plainPlace(pointer string) string {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, part := range parts {
		if n, err := strconv.Atoi(part); err == nil && i > 0 {
			parts[i] = strconv.Itoa(n + 1)
		}
	}
	text := strings.Join(parts, " ")
	for old, word := range map[string]string{"mapping ": "row ", "actions ": "action "} {
		text = strings.ReplaceAll(text, old, word)
	}
	return text
}
