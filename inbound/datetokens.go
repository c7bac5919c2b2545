package inbound

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// token is a part of a date's format: a name such as YYYY, or a text that stands as it is.
type token struct {
	name string // empty for a text
	text string
}

// tokenNames are the tokens, the longer before those that they begin with.
var tokenNames = []string{"YYYY", "YY", "MMMM", "MMM", "MM", "M", "DD", "D", "dddd", "ddd", "HH", "H", "hh", "h", "mm", "m", "ss", "s",
	"SSSSSSSSS", "SSSSSS", "SSS", "SS", "S", "A", "a", "ZZ", "Z"}

// parseTokens reads a format. Text in square brackets, T, and all that is no letter stands for itself.
func parseTokens(format string) (tokens []token, err error) {
	if len(format) > 128 {
		return nil, errors.New("a date's format is at most 128 bytes long")
	}
	literal := func(text string) {
		if n := len(tokens); n > 0 && tokens[n-1].name == "" {
			tokens[n-1].text += text
			return
		}
		tokens = append(tokens, token{text: text})
	}
	seen := map[byte]bool{}
next:
	for rest := format; rest != ""; {
		if rest[0] == '[' {
			text, after, closed := strings.Cut(rest[1:], "]")
			if !closed {
				return nil, errors.New("in the date's format a bracket has no end")
			}
			literal(text)
			rest = after
			continue
		}
		for _, name := range tokenNames {
			if strings.HasPrefix(rest, name) {
				if part := name[0]; seen[part] && part != 'd' {
					return nil, fmt.Errorf("%s is there twice in the date's format, or beside another one for the same", name)
				}
				seen[name[0]] = true
				tokens = append(tokens, token{name: name})
				rest = rest[len(name):]
				continue next
			}
		}
		r, n := utf8.DecodeRuneInString(rest)
		if unicode.IsLetter(r) && r != 'T' {
			return nil, fmt.Errorf("%q means nothing in a date's format: it has YYYY, MM, DD, HH, mm, ss and so on, and other text in [brackets]", string(r))
		}
		literal(rest[:n])
		rest = rest[n:]
	}
	return tokens, checkTokens(seen)
}

// checkTokens refuses formats that do not say enough.
func checkTokens(seen map[byte]bool) error {
	switch {
	case !seen['Y'] || !seen['M'] || !seen['D']:
		return errors.New("a date's format has a year (YYYY), a month (MM) and a day (DD)")
	case seen['H'] && seen['h']:
		return errors.New("a date's format has hours of a day (HH) or of half a day (hh), not both")
	case seen['h'] != (seen['A'] || seen['a']):
		return errors.New("hours of half a day (hh) stand with AM or PM (A) in a date's format")
	case seen['m'] && !seen['H'] && !seen['h'] || seen['s'] && !seen['m'] || seen['S'] && !seen['s']:
		return errors.New("in a date's format, minutes stand with hours, seconds with minutes, and parts of a second with seconds")
	}
	return nil
}

// dateParts is what was read of a date so far.
type dateParts struct {
	year, month, day, hour, minute, second, nanos int
	clock, half, afternoon                        bool
	zone                                          *time.Location
}

// parseByTokens reads a date.
func parseByTokens(tokens []token, text string, zone *time.Location) (moment, error) {
	p := dateParts{zone: zone}
	rest := text
	for _, t := range tokens {
		if t.name == "" {
			after, found := cutLiteral(rest, t.text)
			if !found {
				return moment{}, fmt.Errorf("character %d: here %q is expected", place(text, rest), t.text)
			}
			rest = after
			continue
		}
		after, err := p.read(t.name, rest)
		if err != nil {
			return moment{}, fmt.Errorf("character %d: %w", place(text, rest), err)
		}
		rest = after
	}
	if rest != "" {
		return moment{}, fmt.Errorf("character %d: here the date should end", place(text, rest))
	}
	return p.moment()
}

// cutLiteral cuts a text off; any white space stands for any other.
func cutLiteral(rest, text string) (after string, found bool) {
	if trim(text) == "" && text != "" {
		after = strings.TrimLeftFunc(rest, unicode.IsSpace)
		return after, after != rest
	}
	return strings.CutPrefix(rest, text)
}

// place is where in a text its rest begins, in characters from 1.
func place(text, rest string) int {
	return utf8.RuneCountInString(text[:len(text)-len(rest)]) + 1
}

// read reads what a token stands for from the front of a text.
func (p *dateParts) read(name, text string) (rest string, err error) {
	switch name {
	case "YYYY":
		return readDigits(text, &p.year, 4, 4)
	case "YY":
		rest, err = readDigits(text, &p.year, 2, 2)
		if p.year < 70 { // as POSIX has it, roughly: 1970 to 2069
			p.year += 100
		}
		p.year += 1900
		return rest, err
	case "MMMM", "MMM":
		return p.monthName(text)
	case "MM":
		return readDigits(text, &p.month, 2, 2)
	case "M":
		return readDigits(text, &p.month, 1, 2)
	case "DD":
		return readDigits(text, &p.day, 2, 2)
	case "D":
		return readDigits(text, &p.day, 1, 2)
	case "dddd", "ddd":
		rest = strings.TrimLeftFunc(text, unicode.IsLetter)
		if rest == text {
			err = errors.New("here the name of a day is expected")
		}
		return rest, err
	case "A", "a":
		return p.halfOfDay(text)
	case "Z", "ZZ":
		return p.offset(text)
	}
	p.clock = true
	least := len(name)
	switch name[0] {
	case 'H':
		return readDigits(text, &p.hour, least, 2)
	case 'h':
		p.half = true
		return readDigits(text, &p.hour, least, 2)
	case 'm':
		return readDigits(text, &p.minute, least, 2)
	case 's':
		return readDigits(text, &p.second, least, 2)
	}
	digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	if len(digits) == 0 || len(digits) > 9 {
		return text, errors.New("here parts of a second are expected")
	}
	p.nanos, err = strconv.Atoi((digits + "00000000")[:9])
	return text[len(digits):], err
}

// readDigits reads a number of least to most digits.
func readDigits(text string, dest *int, least, most int) (rest string, err error) {
	n := 0
	for n < len(text) && n < most && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	if n < least {
		return text, fmt.Errorf("here a number of %d digits is expected", least)
	}
	*dest, err = strconv.Atoi(text[:n])
	return text[n:], err
}

func (p *dateParts) monthName(text string) (rest string, err error) {
	for m := time.January; m <= time.December; m++ {
		for _, name := range []string{m.String(), m.String()[:3]} {
			if len(text) >= len(name) && strings.EqualFold(text[:len(name)], name) {
				p.month = int(m)
				return text[len(name):], nil
			}
		}
	}
	return text, errors.New("here the English name of a month is expected")
}

func (p *dateParts) halfOfDay(text string) (rest string, err error) {
	if len(text) < 2 || !strings.EqualFold(text[:2], "am") && !strings.EqualFold(text[:2], "pm") {
		return text, errors.New("here AM or PM is expected")
	}
	p.afternoon = text[0]|0x20 == 'p'
	return text[2:], nil
}

func (p *dateParts) offset(text string) (rest string, err error) {
	for _, layout := range []string{"Z07:00", "Z0700", "Z07"} {
		n := len(layout)
		if len(text) >= 1 && text[0] == 'Z' {
			n = 1
		}
		if len(text) < n {
			continue
		}
		if t, err := time.Parse(layout, text[:n]); err == nil {
			_, seconds := t.Zone()
			p.zone = time.FixedZone("", seconds)
			return text[n:], nil
		}
	}
	return text, errors.New("here an offset such as +01:00 is expected")
}

// moment puts the parts together. Days and hours that do not exist are refused; an hour that a zone's clocks leave out is moved as
// package time does.
func (p *dateParts) moment() (moment, error) {
	if p.half {
		if p.hour < 1 || p.hour > 12 {
			return moment{}, fmt.Errorf("%d is no hour of half a day", p.hour)
		}
		p.hour %= 12
		if p.afternoon {
			p.hour += 12
		}
	}
	if p.month < 1 || p.month > 12 || p.day < 1 || p.day > daysIn(p.year, p.month) {
		return moment{}, fmt.Errorf("there is no day %04d-%02d-%02d", p.year, p.month, p.day)
	}
	if p.hour > 23 || p.minute > 59 || p.second > 59 {
		return moment{}, fmt.Errorf("there is no time %02d:%02d:%02d", p.hour, p.minute, p.second)
	}
	zone := p.zone
	if !p.clock {
		zone = time.UTC
	}
	return moment{time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second, p.nanos, zone), !p.clock}, nil
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// writeTokens writes a time.
func writeTokens(tokens []token, t time.Time) string {
	var b strings.Builder
	for _, token := range tokens {
		if token.name == "" {
			b.WriteString(token.text)
			continue
		}
		if token.name[0] == 'S' {
			b.WriteString(fmt.Sprintf("%09d", t.Nanosecond())[:len(token.name)])
			continue
		}
		b.WriteString(t.Format(layoutOf(token.name)))
	}
	return b.String()
}

// layoutOf is what package time calls a token, other than parts of a second.
func layoutOf(name string) string {
	switch name {
	case "YYYY":
		return "2006"
	case "YY":
		return "06"
	case "MMMM":
		return "January"
	case "MMM":
		return "Jan"
	case "MM":
		return "01"
	case "M":
		return "1"
	case "DD":
		return "02"
	case "D":
		return "2"
	case "dddd":
		return "Monday"
	case "ddd":
		return "Mon"
	case "HH", "H":
		return "15"
	case "hh":
		return "03"
	case "h":
		return "3"
	case "mm":
		return "04"
	case "m":
		return "4"
	case "ss":
		return "05"
	case "s":
		return "5"
	case "A":
		return "PM"
	case "a":
		return "pm"
	case "Z":
		return "Z07:00"
	case "ZZ":
		return "-0700"
	}
	return ""
}
