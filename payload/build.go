package payload

import "time"

// AppendComma appends a comma unless dst is empty or ends with the bracket that opens an object or array. It goes before each
// element of an array.
func AppendComma(dst []byte) []byte {
	if len(dst) == 0 {
		return dst
	}
	if last := dst[len(dst)-1]; last == '{' || last == '[' {
		return dst
	}
	return append(dst, ',')
}

// AppendKey appends a member's key and its colon, and before them a comma if it is not the first member. The value must follow.
//
// The caller sees to it that no key comes twice, and that keys which are array indexes come first and ascending, as it does
// when it writes names of its own choice. Members with the keys of others go through [AppendJS].
func AppendKey(dst []byte, key string) []byte {
	return append(AppendString(AppendComma(dst), key), ':')
}

// AppendTime appends t as a JSON string by RFC 3339, in UTC, with milliseconds (what is below them is cut off), as
// Date.prototype.toISOString does. The year must be one from 0 to 9999.
func AppendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`)
}
