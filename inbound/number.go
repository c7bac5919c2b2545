package inbound

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

	"github.com/postroom/postroom/payload"
)

// maxNumber is how long the text of a number may be, in bytes.
const maxNumber = 400

// spelling is how numbers are written somewhere. Spaces and apostrophes stand between groups everywhere.
type spelling struct {
	decimal rune
	group   rune // 0 for spaces and apostrophes alone
}

// newNumber makes the transform that reads a number as people write it. Its digits are kept: nothing is rounded.
func newNumber(arg json.RawMessage) (func([]byte) ([]byte, error), error) {
	s := spelling{decimal: '.'}
	if arg != nil {
		const form = `"number", {"number": "de"} with a language, or {"number": ","} with what stands before decimals`
		var locale string
		if err := decodeArg(arg, &locale, form); err != nil {
			return nil, err
		}
		switch locale {
		case ",":
			s = spelling{',', '.'}
		case ".":
			s = spelling{'.', ','}
		default:
			tag, err := language.Parse(locale)
			if err != nil {
				return nil, fmt.Errorf("%q is no language, such as en, de or fr-CH; it is written %s", locale, form)
			}
			s = spellingOf(tag)
		}
	}
	return func(raw []byte) ([]byte, error) {
		switch kind := payload.KindOf(raw); kind {
		case payload.KindNumber, payload.KindNull, payload.KindNone:
			return raw, nil
		case payload.KindString:
		default:
			return nil, fmt.Errorf("%s is not a number", kind)
		}
		text, err := payload.String(raw)
		if err != nil {
			return nil, err
		}
		if text = trim(text); text == "" {
			return nil, nil
		}
		out, err := s.parse(text)
		return []byte(out), err
	}, nil
}

// spellingOf asks the library's tables (CLDR) by writing a number that has everything.
func spellingOf(tag language.Tag) spelling {
	var s spelling
	for _, r := range message.NewPrinter(tag).Sprint(number.Decimal(1234567.5)) {
		if unicode.IsDigit(r) {
			continue
		}
		if s.group == 0 {
			s.group = r
		}
		s.decimal = r // the last one
	}
	if s.group == s.decimal {
		s.group = 0
	}
	return s
}

// parse gives the number as JSON writes it.
func (s *spelling) parse(text string) (string, error) {
	if len(text) > maxNumber {
		return "", fmt.Errorf("a number is at most %d characters long", maxNumber)
	}
	sign, rest := "", text
	for _, minus := range []string{"-", "−"} {
		if after, ok := strings.CutPrefix(rest, minus); ok {
			sign, rest = "-", after
			break
		}
	}
	if sign == "" {
		rest = strings.TrimPrefix(rest, "+")
	}
	var whole, decimals []byte
	var groups []int // how many digits of whole stand before each separator
	point, exponent := false, ""
	for at, r := range rest {
		d, isDigit := digit(r)
		switch {
		case isDigit && point:
			decimals = append(decimals, d)
		case isDigit:
			whole = append(whole, d)
		case r == s.decimal && !point:
			point = true
		case s.separates(r) && !point && len(whole) > 0:
			groups = append(groups, len(whole))
		case (r == 'e' || r == 'E') && len(whole)+len(decimals) > 0:
			exponent = rest[at:]
		default:
			return "", s.complain(r)
		}
		if exponent != "" {
			break
		}
	}
	if len(whole)+len(decimals) == 0 {
		return "", errors.New("this is no number")
	}
	if !grouped(groups, len(whole)) {
		return "", errors.New("the digits of this number are not in groups of three, so it may be meant otherwise")
	}
	out := strings.TrimLeft(string(whole), "0")
	if out == "" {
		out = "0"
	}
	if len(decimals) > 0 {
		out += "." + string(decimals)
	}
	if strings.Trim(out, "0.") == "" {
		sign = ""
	}
	out = sign + out + exponent
	if payload.Valid([]byte(out)) != nil {
		return "", errors.New("this is no number")
	}
	return out, nil
}

func (s *spelling) complain(r rune) error {
	if s.group == 0 && s.decimal == '.' && r == ',' {
		return errors.New(`a comma can stand before decimals or between thousands: say which by a language, as in {"number": "de"} or {"number": "en"}`)
	}
	return errors.New("this is no number")
}

// separates tells whether a character may stand between groups of digits.
func (s *spelling) separates(r rune) bool {
	return r == s.group || r == '\'' || r == '’' || unicode.Is(unicode.Zs, r)
}

// grouped tells whether separators stand where they may: before the last three digits, and before that every two or three.
func grouped(groups []int, digits int) bool {
	for i, at := range groups {
		next, size := digits, 3
		if i+1 < len(groups) {
			next, size = groups[i+1], 2
		}
		if i == 0 && at > 3 || next-at != 3 && next-at != size {
			return false
		}
	}
	return true
}

// digit is the ASCII digit of a decimal digit of the scripts that forms are filled in with.
func digit(r rune) (byte, bool) {
	for _, zero := range []rune{'0', '٠', '۰', '०', '０'} {
		if r >= zero && r <= zero+9 {
			return '0' + byte(r-zero), true
		}
	}
	return 0, false
}
