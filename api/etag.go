package api

import (
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// etag is the strong entity tag of a version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// tags are what If-Match or If-None-Match name (RFC 9110, 8.8.3 and 13.1).
type tags struct {
	given bool
	any   bool    // *
	list  []int64 // versions of ours; tags that are none match nothing and are left out
}

// parseTags reads If-Match, or If-None-Match if weak: then W/"7" matches as "7" does.
func parseTags(header, value string, weak bool) (tags, error) {
	t := tags{given: value != ""}
	rest := strings.TrimSpace(value)
	if rest == "*" {
		t.any = true
		return t, nil
	}
	for rest != "" {
		isWeak := strings.HasPrefix(rest, "W/")
		body, ok := strings.CutPrefix(strings.TrimPrefix(rest, "W/"), `"`)
		end := strings.IndexByte(body, '"')
		if !ok || end < 0 {
			return t, postroom.Invalid(postroom.CodeInvalid, header, `is an entity tag in double quotes, such as "7", several with commas between them, or *`)
		}
		n, _ := strconv.ParseInt(body[:end], 10, 64)
		if n > 0 && (weak || !isWeak) && etag(n) == `"`+body[:end]+`"` {
			t.list = append(t.list, n)
		}
		rest = strings.TrimLeft(body[end+1:], " \t,")
	}
	return t, nil
}

// has tells whether a version is among the tags.
func (t tags) has(version int64) bool {
	for _, n := range t.list {
		if n == version {
			return true
		}
	}
	return t.any
}

// version is what App is to be told of If-Match: 0 for no condition, else the version that must be the present one. present is
// asked only where several tags are given.
func (t tags) version(present func() (int64, error)) (int64, error) {
	switch {
	case !t.given || t.any:
		return 0, nil
	case len(t.list) == 1:
		return t.list[0], nil
	case len(t.list) > 1:
		v, err := present()
		if err != nil {
			return 0, err
		}
		if t.has(v) {
			return v, nil
		}
	}
	return 0, errChanged()
}

func errChanged() error {
	return postroom.Errorf(postroom.CodePreconditionFailed, "If-Match names another version than the present one. Read the resource again for its ETag.")
}
