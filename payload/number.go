package payload

import (
	"bytes"
	"math"
	"strconv"
)

const (
	maxSafe     = 1<<53 - 1 // Number.MAX_SAFE_INTEGER: up to here every integer is a float64 of its own
	exactDigits = 15        // every decimal of so many digits is a float64 of its own, for which no shorter decimal stands
	longNumber  = 400       // bytes up to which strconv can be asked at once
)

// AppendInt appends i as JavaScript would write it after parsing it: beyond 2^53 it is rounded to the nearest float64. An
// identifier that large belongs in a string.
func AppendInt(dst []byte, i int64) []byte {
	if i < -maxSafe || i > maxSafe {
		return AppendFloat(dst, float64(i))
	}
	return strconv.AppendInt(dst, i, 10)
}

// AppendFloat appends f in the form of ECMAScript's Number::toString; negative zero as 0, NaN and the infinities as null.
func AppendFloat(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	switch {
	case f == 0:
		return append(dst, '0')
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, "null"...)
	case abs >= 1e-6 && abs < 1e21:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-2] == '0' && dst[n-3] == '-' { // strconv writes 1e-07 where ECMAScript writes 1e-7
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// appendNumber appends the JSON number text as JavaScript would write it.
func appendNumber(dst, text []byte) []byte {
	if isShortest(text) {
		return append(dst, text...)
	}
	if len(text) > longNumber {
		text = shorten(text)
	}
	// The only error is that the number is out of range, and then f is the infinity that JavaScript has too.
	f, _ := strconv.ParseFloat(string(text), 64)
	return AppendFloat(dst, f)
}

// isShortest reports that text is certainly what Number::toString would write: a decimal of few digits, without exponent
// or needless zeros.
func isShortest(text []byte) bool {
	if text[0] == '-' {
		text = text[1:]
		if text[0] == '0' && len(text) == 1 {
			return false
		}
	}
	point := digitsEnd(text, 0)
	if point == len(text) {
		return point <= exactDigits || point == exactDigits+1 && string(text) <= "9007199254740991"
	}
	end := digitsEnd(text, point+1)
	if text[point] != '.' || end != len(text) || end-1 > exactDigits || text[end-1] == '0' {
		return false
	}
	return !bytes.HasPrefix(text, []byte("0.000000")) // below 1e-6, Number::toString writes an exponent
}

// shorten writes a long number as 0.<digits>e<exponent> with no more digits than rounding depends on. strconv, for one that is
// in doubt, reads 800 digits and is wrong about where the point is if more come before it; and of an exponent it reads five
// digits, which does harm where thousands of zeros in front bring the number back into range.
func shorten(text []byte) []byte {
	const enough = 780 // digits: no midpoint between two float64 has more than 767
	short := make([]byte, 0, enough+32)
	if text[0] == '-' {
		short = append(short, '-')
		text = text[1:]
	}
	short = append(short, "0."...)
	none := len(short)
	var exponent int64
	point, more := false, false
digits:
	for i, c := range text {
		switch {
		case c == '.':
			point = true
		case c|0x20 == 'e':
			// Beyond int64 this is the largest or least one, which is what is wanted.
			e, _ := strconv.ParseInt(string(text[i+1:]), 10, 64)
			exponent += min(max(e, -1<<40), 1<<40)
			break digits
		case c == '0' && len(short) == none:
			if point {
				exponent--
			}
		default:
			if !point {
				exponent++
			}
			if len(short) < none+enough {
				short = append(short, c)
			} else {
				more = more || c != '0'
			}
		}
	}
	if more {
		short = append(short, '1') // what was left out only matters for not being zero
	}
	return strconv.AppendInt(append(short, 'e'), exponent, 10)
}
