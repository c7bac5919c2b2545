package outbound

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// shortestConcealed is the length from which on a credential is looked for in what comes back: shorter ones stand in many
// texts by chance.
const shortestConcealed = 6

// concealer are credentials in the forms in which a receiver may send them back: it may show what it was called with, or
// redirect to the URL with the same query. People who may read the log must not learn them.
type concealer []string

// concealAuth is for what a webhook's auth puts into calls; auth is open.
func concealAuth(auth *postroom.Auth) concealer {
	if auth == nil {
		return nil
	}
	var c concealer
	values, maps := auth.Secrets()
	for _, v := range values {
		c = c.and(*v)
	}
	switch auth.Type {
	case postroom.AuthBasic:
		c = c.and(basic(auth.Username, auth.Password))
	case postroom.AuthOAuth2:
		c = c.and(basic(url.QueryEscape(auth.ClientID), url.QueryEscape(auth.ClientSecret))) // RFC 6749, 2.3.1
	}
	for _, m := range maps {
		for _, v := range m {
			c = c.and(v)
			c = c.and(v[strings.LastIndexByte(v, ' ')+1:]) // of "Bearer …"
		}
	}
	return c
}

// basic is what follows the word Basic in a header.
func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// and adds a credential. The receiver of c is not changed.
func (c concealer) and(credential string) concealer {
	more := c[:len(c):len(c)]
	quoted, _ := json.Marshal(credential) // cannot fail: it is a string
	for _, form := range []string{credential, url.QueryEscape(credential), url.PathEscape(credential), string(quoted[1 : len(quoted)-1])} {
		if len(form) >= shortestConcealed && !slices.Contains(more, form) {
			more = append(more, form)
		}
	}
	return more
}

// text gives s without the credentials.
func (c concealer) text(s string) string {
	type span struct{ from, to int }
	var found []span
	for _, form := range c {
		for at := 0; ; {
			i := strings.Index(s[at:], form)
			if i < 0 {
				break
			}
			found = append(found, span{at + i, at + i + len(form)})
			at += i + 1
		}
	}
	if found == nil {
		return s
	}
	slices.SortFunc(found, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	done := 0 // of s; what overlaps, such as one credential that is a part of another, is concealed as one
	for _, f := range found {
		if f.from >= done {
			b.WriteString(s[done:f.from] + hidden)
		}
		done = max(done, f.to)
	}
	return b.String() + s[done:]
}

// bytes gives b without the credentials; b itself when it has none.
func (c concealer) bytes(b []byte) []byte {
	for _, form := range c {
		if bytes.Contains(b, []byte(form)) {
			return []byte(c.text(string(b)))
		}
	}
	return b
}
