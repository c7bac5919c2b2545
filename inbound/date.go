package inbound

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the zones, on machines that have none

	"github.com/postroom/postroom/internal/nearest"
)

// namedFormats are the formats that are no tokens.
var namedFormats = []string{"auto", "unix", "unix_ms", "rfc3339", "rfc2822"}

// Between these, times are believed: an event's time is too.
var (
	firstTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// moment is a point in time, or a day where the text says no more.
type moment struct {
	time.Time
	day bool
}

// timeFormat reads and writes times.
type timeFormat struct {
	name   string
	tokens []token // of formats without a name
	zone   *time.Location
}

// newDate makes the transform that reads a time or a day, and gives it as RFC 3339 writes it, times in UTC; or in another format.
func newDate(arg json.RawMessage) (func([]byte) ([]byte, error), error) {
	const form = `"date", {"date": "DD.MM.YYYY HH:mm"} or {"date": {"format": "DD.MM.YYYY HH:mm", "zone": "Europe/Berlin"}}`
	o := struct{ Format, Zone, To string }{}
	if arg != nil && json.Unmarshal(arg, &o.Format) != nil {
		if err := decodeArg(arg, &o, form); err != nil {
			return nil, err
		}
	}
	zone, err := loadZone(o.Zone)
	if err != nil {
		return nil, err
	}
	from, err := newTimeFormat(o.Format, zone)
	if err != nil {
		return nil, err
	}
	var to *timeFormat
	if o.To != "" {
		if to, err = newTimeFormat(o.To, zone); err != nil {
			return nil, err
		}
		if to.name == "auto" {
			return nil, errors.New("auto reads dates; to write them, a format is needed")
		}
	}
	return func(raw []byte) ([]byte, error) {
		if isMissing(raw) {
			return raw, nil
		}
		text, err := textOf(raw)
		if err != nil {
			return nil, err
		}
		if text = trim(text); text == "" {
			return nil, nil
		}
		m, err := from.parse(text)
		if err != nil {
			return nil, err
		}
		return m.format(to), nil
	}, nil
}

// loadZone finds a zone by its IANA name, or by an offset such as +02:00. Empty is UTC.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" || name == "Z" {
		return time.UTC, nil
	}
	if t, err := time.Parse("Z07:00", name); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(name, offset), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("there is no time zone %q: it is a name such as Europe/Berlin, or an offset such as +02:00", name)
	}
	return zone, nil
}

func newTimeFormat(text string, zone *time.Location) (*timeFormat, error) {
	if text == "" {
		text = "auto"
	}
	f := &timeFormat{name: text, zone: zone}
	for _, name := range namedFormats {
		if text == name {
			return f, nil
		}
	}
	var err error
	if f.tokens, err = parseTokens(text); err != nil {
		if near := nearest.Name(text, namedFormats); near != "" {
			return nil, fmt.Errorf("%w (did you mean %s?)", err, near)
		}
		return nil, err
	}
	f.name = ""
	return f, nil
}

// parse reads a time.
func (f *timeFormat) parse(text string) (moment, error) {
	if len(text) > 128 {
		return moment{}, errors.New("this is too long for a date")
	}
	var m moment
	var err error
	switch f.name {
	case "":
		m, err = parseByTokens(f.tokens, text, f.zone)
	case "auto":
		m, err = recogniseTime(text, f.zone)
	case "unix":
		m.Time, err = parseUnix(text, 1)
	case "unix_ms":
		m.Time, err = parseUnix(text, 1000)
	case "rfc3339":
		if m.Time, err = time.Parse(time.RFC3339Nano, text); err != nil {
			err = errors.New("this is not a time as RFC 3339 writes it, such as 2026-03-15T10:30:00Z")
		}
	case "rfc2822":
		if m.Time, err = mail.ParseDate(text); err != nil {
			err = errors.New("this is not a time as RFC 2822 writes it, such as Sun, 15 Mar 2026 10:30:00 +0100")
		}
	}
	if err == nil && (m.Before(firstTime) || !m.UTC().Before(lastTime)) {
		err = errors.New("this is not in the years from 1 to 9999")
	}
	return m, err
}

// format gives the time as a JSON value in a format, nil for RFC 3339.
func (m moment) format(to *timeFormat) []byte {
	switch {
	case to == nil && m.day:
		return jsonText(m.Format(time.DateOnly))
	case to == nil || to.name == "rfc3339":
		return timeText(m.Time)
	case to.name == "unix":
		return strconv.AppendInt(nil, m.Unix(), 10)
	case to.name == "unix_ms":
		return strconv.AppendInt(nil, m.UnixMilli(), 10)
	case to.name == "rfc2822":
		return jsonText(m.In(to.zone).Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	case m.day:
		return jsonText(writeTokens(to.tokens, m.Time))
	}
	return jsonText(writeTokens(to.tokens, m.In(to.zone)))
}

var unixText = regexp.MustCompile(`^(-?)([0-9]{1,18})(?:\.([0-9]{1,30}))?$`)

// parseUnix reads a number of seconds since 1970, or of parts of a second. Decimals are read too, as text: no digit is lost in a float.
func parseUnix(text string, parts int64) (time.Time, error) {
	m := unixText.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}, errors.New("this is not a number of seconds or milliseconds since 1970")
	}
	n, _ := strconv.ParseInt(m[2], 10, 64) // 18 digits
	seconds, rest := n/parts, n%parts
	scale := int64(time.Second) / parts
	decimals := (m[3] + "000000000")[:9]
	below, _ := strconv.ParseInt(decimals, 10, 64) // nine digits
	nanos := rest*scale + below/parts
	if m[1] == "-" {
		seconds, nanos = -seconds, -nanos
	}
	const far = 1 << 40 // beyond all years that are believed, and within what time.Unix can do
	if seconds > far || seconds < -far {
		return time.Time{}, errors.New("this is not in the years from 1 to 9999")
	}
	return time.Unix(seconds, nanos).UTC(), nil
}

// recognised are the forms that are known without a format. All begin with the year, so that none can be mistaken for another.
var recognised = sync.OnceValues(func() (forms [][]token, err error) {
	for _, form := range []string{"YYYY-MM-DD", "YYYY/MM/DD", "YYYYMMDD"} {
		for _, clock := range []string{"", " HH:mm", "THH:mm", " HH:mm:ss", "THH:mm:ss", " HH:mm:ss.S", "THH:mm:ss.S"} {
			for _, zone := range []string{"", "Z", " Z"} {
				if clock == "" && zone != "" {
					continue
				}
				tokens, err := parseTokens(form + clock + zone)
				if err != nil {
					return nil, err
				}
				forms = append(forms, tokens)
			}
		}
	}
	return forms, nil
})

// recogniseTime reads a time in one of the usual forms.
func recogniseTime(text string, zone *time.Location) (moment, error) {
	if unixText.MatchString(text) {
		digits, _, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
		switch n := len(digits); {
		case n == 8: // rather 20260315 than a day in 1970
		case n <= 11:
			t, err := parseUnix(text, 1)
			return moment{Time: t}, err
		case n <= 14:
			t, err := parseUnix(text, 1000)
			return moment{Time: t}, err
		case n <= 17:
			t, err := parseUnix(text, 1_000_000)
			return moment{Time: t}, err
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return moment{Time: t}, nil
	}
	forms, err := recognised()
	if err != nil {
		return moment{}, err
	}
	for _, tokens := range forms {
		if m, err := parseByTokens(tokens, text, zone); err == nil {
			return m, nil
		}
	}
	if t, err := mail.ParseDate(text); err == nil {
		return moment{Time: t}, nil
	}
	return moment{}, errors.New(`this is no date that is recognised: say how it is written, as in {"date": "DD.MM.YYYY"}`)
}

// timeOf is an event's time as a call says it: RFC 3339, a day in UTC, or seconds or milliseconds since 1970.
func timeOf(raw []byte) (time.Time, error) {
	text, err := textOf(raw)
	if err != nil {
		return time.Time{}, err
	}
	m, err := (&timeFormat{name: "auto", zone: time.UTC}).parse(trim(text))
	if err == nil && (m.Year() < 1970 || m.UTC().Year() >= 2200) {
		return time.Time{}, errors.New("an event happens between 1970 and 2200")
	}
	return m.UTC(), err
}
