package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// jsonFault says where a text is no JSON.
func jsonFault(text string, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err.Error()
	}
	line, column := placeOf(text, int(syntax.Offset)-1)
	return fmt.Sprintf("line %d, character %d: %s", line, column, syntax)
}

// placeOf is the line and the character in it, from 1, of a place in a text.
func placeOf(text string, offset int) (line, column int) {
	before := text[:max(0, min(offset, len(text)))]
	last := strings.LastIndexByte(before, '\n')
	return strings.Count(before, "\n") + 1, len([]rune(before[last+1:])) + 1
}

// lineOf is the line of what a JSON pointer leads to; 0 if there is nothing.
func lineOf(text, pointer string) int {
	steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	if pointer == "" {
		steps = nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	at, err := seek(d, steps)
	if err != nil {
		return 0
	}
	for at < len(text) && strings.IndexByte(" \t\r\n,:", text[at]) >= 0 {
		at++
	}
	line, _ := placeOf(text, at)
	return line
}

// seek reads up to the value that the steps lead to, and gives the place where it is about to begin.
func seek(d *json.Decoder, steps []string) (int, error) {
	if len(steps) == 0 {
		return int(d.InputOffset()), nil
	}
	open, err := d.Token()
	if err != nil {
		return 0, err
	}
	name := strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[0])
	for i := 0; d.More(); i++ {
		here := strconv.Itoa(i)
		if open == json.Delim('{') {
			key, err := d.Token()
			if err != nil {
				return 0, err
			}
			here, _ = key.(string) // which keys are
		}
		if here == name {
			return seek(d, steps[1:])
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("nothing is there")
}

// atPlaces says more of where the faults of a webhook's settings are: in which line of a template, or of which header.
func atPlaces(err error, f *form, s *postroom.WebhookSettings) error {
	var known *postroom.Error
	if !errors.As(err, &known) {
		return err
	}
	better := *known
	better.Fields = nil
	for _, e := range known.Fields {
		better.Fields = append(better.Fields, postroom.FieldError{Pointer: e.Pointer, Detail: whereIn(e, f, s) + e.Detail})
	}
	return &better
}

// whereIn is the place within a field, if there is more to say of it than which field that is.
func whereIn(e postroom.FieldError, f *form, s *postroom.WebhookSettings) string {
	for _, name := range []string{"payload.template", "payload.add"} {
		rest, inside := strings.CutPrefix(e.Pointer, pointerOf(name)+"/")
		if !inside {
			continue
		}
		if line := lineOf(f.Raw(name), "/"+rest); line > 0 {
			return fmt.Sprintf("line %d, at /%s: ", line, rest)
		}
		return "at /" + rest + ": "
	}
	for pointer, list := range map[string][]string{"/events/": s.Events, "/payload/fields/": fieldsOf(s.Payload)} {
		if rest, inside := strings.CutPrefix(e.Pointer, pointer); inside {
			if i, err := strconv.Atoi(rest); err == nil && i < len(list) && !strings.Contains(e.Detail, list[i]) {
				return list[i] + ": "
			}
			return ""
		}
	}
	for _, pointer := range []string{"/headers/", "/auth/headers/", "/auth/query/", "/auth/params/", "/auth/claims/"} {
		if rest, inside := strings.CutPrefix(e.Pointer, pointer); inside && !strings.Contains(e.Detail, rest) {
			return rest + ": "
		}
	}
	return ""
}

func fieldsOf(p *postroom.Payload) []string {
	if p == nil {
		return nil
	}
	return p.Fields
}
