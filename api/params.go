package api

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// The types of parameters below read themselves from a query, each with a sentence of its own when they cannot, and tell huma
// their JSON Schema. A parameter that is not given is the zero value.

const notATime = "is a time by RFC 3339, such as 2026-01-31T09:30:00Z"

// timeParam is a moment.
type timeParam struct{ time.Time }

// UnmarshalText reads RFC 3339.
func (p *timeParam) UnmarshalText(text []byte) error {
	if err := p.Time.UnmarshalText(text); err != nil {
		return errors.New(notATime)
	}
	return nil
}

// Schema describes the parameter.
func (timeParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Format: "date-time", Examples: []any{"2026-01-31T09:30:00Z"}}
}

// limitParam is how many things a page holds.
type limitParam struct{ n int }

// UnmarshalText reads a number within the bounds of pages.
func (p *limitParam) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > postroom.MaxPageLimit {
		return fmt.Errorf("is a whole number from 1 to %d", postroom.MaxPageLimit)
	}
	p.n = n
	return nil
}

// Schema describes the parameter.
func (limitParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "integer", Minimum: bound(1), Maximum: bound(postroom.MaxPageLimit), Default: postroom.DefaultPageLimit}
}

// cursorParam is a place in a list.
type cursorParam struct{ s string }

// UnmarshalText refuses what is not a cursor.
func (p *cursorParam) UnmarshalText(text []byte) error {
	p.s = string(text)
	if _, err := postroom.ParseCursor(p.s); err != nil {
		return errors.New("is not a cursor that a list returned")
	}
	return nil
}

// Schema describes the parameter.
func (cursorParam) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: "string"} }

// statusCodeParam is an HTTP status.
type statusCodeParam struct{ n int }

// UnmarshalText reads a status.
func (p *statusCodeParam) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 100 || n > 599 {
		return errors.New("is an HTTP status from 100 to 599")
	}
	p.n = n
	return nil
}

// Schema describes the parameter.
func (statusCodeParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "integer", Minimum: bound(100), Maximum: bound(599)}
}

// statusParam is a state of deliveries.
type statusParam struct{ postroom.DeliveryStatus }

// UnmarshalText refuses what is not a state.
func (p *statusParam) UnmarshalText(text []byte) error {
	p.DeliveryStatus = postroom.DeliveryStatus(text)
	return checkDeliveryStatus(p.DeliveryStatus)
}

// Schema describes the parameter.
func (statusParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Enum: anys(postroom.DeliveryStatuses())}
}

func checkDeliveryStatus(s postroom.DeliveryStatus) error {
	if !slices.Contains(postroom.DeliveryStatuses(), s) {
		return errors.New("is one of " + join(postroom.DeliveryStatuses()))
	}
	return nil
}

// byParam is how long each step of a series of statistics is.
type byParam struct{ s string }

// UnmarshalText refuses what is not a step.
func (p *byParam) UnmarshalText(text []byte) error {
	p.s = string(text)
	if !slices.Contains(steps(), p.s) {
		return errors.New("is one of " + join(steps()))
	}
	return nil
}

// Schema describes the parameter.
func (byParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Enum: anys(steps()), Default: "hour"}
}

func steps() []string {
	var names []string
	for _, r := range app.Resolutions() {
		names = append(names, r.Name)
	}
	return names
}

// periodParam is how long a span of time is.
type periodParam struct{ d time.Duration }

// UnmarshalText reads a duration, which may also be in days.
func (p *periodParam) UnmarshalText(text []byte) error {
	var d postroom.Duration
	days, isDays := strings.CutSuffix(string(text), "d")
	if n, err := strconv.Atoi(days); isDays && err == nil && n > 0 && n <= 1000 {
		p.d = time.Duration(n) * 24 * time.Hour
		return nil
	}
	if err := d.UnmarshalText(text); err != nil || d <= 0 {
		return errors.New("is a duration such as 30m, 24h or 7d")
	}
	p.d = time.Duration(d)
	return nil
}

// Schema describes the parameter.
func (periodParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Examples: []any{"24h", "7d"}}
}

// formatParam is the form of an export.
type formatParam struct{ s string }

// UnmarshalText refuses what is not a form.
func (p *formatParam) UnmarshalText(text []byte) error {
	p.s = string(text)
	if !slices.Contains(exportFormats(), p.s) {
		return errors.New("is one of " + join(exportFormats()))
	}
	return nil
}

// Schema describes the parameter.
func (formatParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Enum: anys(exportFormats()), Default: "ndjson"}
}

func exportFormats() []string { return []string{"ndjson", "csv"} }

func bound(n float64) *float64 { return &n }

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

func join[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = string(v)
	}
	return strings.Join(words, ", ")
}
