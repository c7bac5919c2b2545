package cli

import (
	"context"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/postroom/postroom/client"
)

// session is one run of the command line: what a command has to work with.
type session struct {
	Config
	ctx    context.Context
	global globals
	kong   *kong.Context
}

// env gives an environment variable; empty when it is not set.
func (s *session) env(name string) string {
	value := ""
	for _, pair := range s.Environ {
		if n, v, ok := strings.Cut(pair, "="); ok && n == name {
			value = v // as in a shell, the last one counts
		}
	}
	return value
}

// client is a client of the server that the flags or the environment name. It makes no call.
func (s *session) client() (*client.Client, error) {
	url, key := s.global.URL, s.global.APIKey
	if url == "" {
		url = s.env("POSTROOM_URL")
	}
	if key == "" {
		key = s.env("POSTROOM_API_KEY")
	}
	if key == "" {
		return nil, usagef("an API key is needed").
			hint("Set POSTROOM_API_KEY, or give --api-key. The first start of `postroom serve` prints a key; `postroom keys create` makes more.")
	}
	c, err := client.New(client.Config{URL: url, Key: key, UserAgent: "postroom-cli/" + s.Version, Retries: 2})
	if err != nil {
		return nil, usagef("%v", err).hint("POSTROOM_URL and --url say where Postroom is, POSTROOM_API_KEY and --api-key who asks.")
	}
	return c, nil
}
