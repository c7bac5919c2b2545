package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// screen writes text for people. What it was given goes out on flush.
type screen struct {
	to    io.Writer
	text  bytes.Buffer
	color bool
	width int // in columns; 0 when nothing has to be cut
	now   time.Time
	zone  *time.Location
}

// screen makes one that writes to w; colours are for terminals, and never where NO_COLOR is set (no-color.org).
func (s *session) screen(w io.Writer, terminal bool) *screen {
	p := &screen{to: w, now: s.Now(), zone: s.Zone}
	if terminal {
		p.color = s.env("NO_COLOR") == "" && s.env("TERM") != "dumb"
		p.width = s.Terminal.Width
	}
	return p
}

func (p *screen) printf(format string, args ...any) { fmt.Fprintf(&p.text, format, args...) }

// flush writes what was gathered. A reader that is gone, such as head, is no failure.
func (p *screen) flush() {
	_, _ = p.text.WriteTo(p.to)
}

// color is an SGR code (ECMA-48).
type color string

const (
	plain  color = ""
	dim    color = "2"
	red    color = "31"
	green  color = "32"
	yellow color = "33"
)

func (p *screen) paint(c color, text string) string {
	if !p.color || c == plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// done says that something was done.
func (p *screen) done(format string, args ...any) {
	p.printf("%s %s\n", p.paint(green, "✓"), clean(fmt.Sprintf(format, args...)))
}

// field is a line of a block: a label, a value, and what is said of the value.
type field struct {
	label string
	value cell
	note  string
}

// fields writes a block of labels and values, indented; those without a value are left out.
func (p *screen) fields(fields ...field) {
	widest := 0
	for _, f := range fields {
		if f.value.text != "" {
			widest = max(widest, utf8.RuneCountInString(f.label))
		}
	}
	for _, f := range fields {
		if f.value.text == "" {
			continue
		}
		lines := strings.Split(cleanLines(f.value.text), "\n")
		indent := strings.Repeat(" ", 2+widest+3)
		p.printf("  %-*s  %s", widest+1, f.label+":", p.paint(f.value.color, lines[0]))
		for _, line := range lines[1:] {
			p.printf("\n%s%s", indent, p.paint(f.value.color, line))
		}
		if f.note != "" {
			p.printf("   %s", p.paint(dim, "("+f.note+")"))
		}
		p.printf("\n")
	}
}

// cell is a piece of text with a colour.
type cell struct {
	text  string
	color color
}

func val(s string) cell { return cell{text: s} }

// table is rows of cells under headings.
type table struct {
	heads []string
	rows  [][]cell
	cut   bool // the last column is cut to what fits on a terminal; others never are
}

func newTable(heads ...string) *table { return &table{heads: heads} }

func (t *table) row(cells ...cell) { t.rows = append(t.rows, cells) }

const gap = 2 // columns between cells

// table writes the rows aligned.
func (p *screen) table(t *table) {
	head := make([]cell, len(t.heads))
	for i, h := range t.heads {
		head[i] = cell{h, dim}
	}
	rows := append([][]cell{head}, t.rows...)
	widths := make([]int, len(t.heads))
	for _, row := range rows {
		for i := range row {
			row[i].text = clean(row[i].text)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	last := len(t.heads) - 1
	before := 0
	for _, w := range widths[:last] {
		before += w + gap
	}
	for _, row := range rows {
		line := ""
		for i, c := range row[:last] {
			line += p.paint(c.color, c.text) + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+gap)
		}
		end := row[last]
		if t.cut && p.width > 0 {
			end.text = cut(end.text, max(p.width-before, 12))
		}
		p.printf("%s\n", strings.TrimRight(line+p.paint(end.color, end.text), " "))
	}
}

// cut shortens text to width runes.
func cut(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	return string(runes[:width-1]) + "…"
}

// time shows a moment in the local zone, with as much of the date as is needed.
func (p *screen) time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t, now := t.In(p.zone), p.now.In(p.zone)
	if t.Year() != now.Year() {
		return t.Format("2006-01-02 15:04")
	}
	return t.Format("Jan 02 15:04:05")
}

// clean makes text from elsewhere safe for a terminal: a control character could move the cursor or change what was
// written before.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return safe(r)
	}, s)
}

// cleanLines is clean, but keeps lines apart.
func cleanLines(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '\n', '\t':
			return r
		}
		return safe(r)
	}, strings.ReplaceAll(s, "\r\n", "\n"))
}

func safe(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
		return utf8.RuneError
	}
	return r
}
