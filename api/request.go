package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// authenticate finds who calls, and refuses a key without the role.
func (a *api) authenticate(r *http.Request, need postroom.Role) (app.Caller, error) {
	key, err := bearer(r.Header)
	if err != nil {
		return app.Caller{}, err
	}
	who, err := a.App.Authenticate(r.Context(), key)
	if err != nil {
		return app.Caller{}, err
	}
	if !who.Role.Allows(need) {
		return app.Caller{}, forbidden(need, who.Role)
	}
	return who, nil
}

func forbidden(need, has postroom.Role) error {
	return postroom.Errorf(postroom.CodeForbidden, "This needs a key with the role %s; the role of this key is %s.", need, has)
}

// bearer takes the API key from the header Authorization.
func bearer(h http.Header) (string, error) {
	const scheme = "Bearer "
	given := h["Authorization"]
	if len(given) == 0 {
		return "", postroom.Errorf(postroom.CodeUnauthenticated, "The header Authorization is missing. It carries an API key: Bearer prk_….")
	}
	value := given[0]
	if len(given) > 1 || len(value) <= len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		return "", postroom.Errorf(postroom.CodeUnauthenticated, "The header Authorization is not one API key in the form Bearer prk_….")
	}
	return strings.TrimSpace(value[len(scheme):]), nil
}

// readBody reads a body of up to limit bytes. The result is the caller's own.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, postroom.Errorf(postroom.CodeUnsupportedMedia, "The Content-Encoding %q is not read here; send the body as it is.", printable(coding))
	}
	switch n := r.ContentLength; {
	case n == 0:
		return nil, nil
	case n > limit:
		return nil, tooLarge(limit)
	case n > 0:
		body := make([]byte, n)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return nil, cutShort(err)
		}
		return body, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, cutShort(err)
	}
	return body, nil
}

func tooLarge(limit int64) error {
	return postroom.Errorf(postroom.CodeTooLarge, "The body is larger than %d bytes, the most that is read here.", limit)
}

// cutShort is the error for a body that could not be read to its end.
func cutShort(err error) error {
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return tooLarge(over.Limit)
	}
	return &postroom.Error{Code: postroom.CodeBadJSON, Message: "The body ended before it was whole.", Err: err}
}

// mediaType is the content type without its parameters, in lower case; empty when there is none. A body is UTF-8, whatever
// its charset says, and one that says otherwise is refused.
func mediaType(h http.Header) (string, error) {
	given := h["Content-Type"]
	if len(given) == 0 {
		return "", nil
	}
	switch given[0] { // nearly always; the parser below allocates
	case "application/json", "application/x-ndjson":
		return given[0], nil
	}
	media, params, err := mime.ParseMediaType(given[0])
	if err != nil {
		return "", postroom.Errorf(postroom.CodeUnsupportedMedia, "The Content-Type %q is not well formed.", printable(given[0]))
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", postroom.Errorf(postroom.CodeUnsupportedMedia, "The charset %q is not read here; JSON is UTF-8.", printable(charset))
	}
	return media, nil
}

// checkMedia refuses a content type that is not among those allowed. A body without one is taken for the first.
func checkMedia(h http.Header, allowed []string) error {
	media, err := mediaType(h)
	if err != nil {
		return err
	}
	if media == "" || slices.Contains(allowed, media) {
		return nil
	}
	return unsupported(media, allowed)
}

func unsupported(media string, allowed []string) error {
	return postroom.Errorf(postroom.CodeUnsupportedMedia, "The Content-Type %s is not read here; send %s.", printable(media), strings.Join(allowed, " or "))
}
