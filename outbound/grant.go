package outbound

import (
	"context"
	"crypto"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

const (
	// maxTokenAnswer bounds what is read of a token endpoint's answer, in bytes.
	maxTokenAnswer = 64 << 10
	// maxToken bounds an access token, in bytes. It has to fit into a header.
	maxToken = 16 << 10
	// maxReason bounds what is shown of a token endpoint's own words, in bytes.
	maxReason = 200
)

// jwtBearer is the grant_type of RFC 7523.
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// grant asks a token endpoint for tokens, as one webhook's auth says.
type grant struct {
	auth      *postroom.Auth
	host      string // of the token endpoint
	http      *http.Client
	now       func() time.Time
	conceal   concealer
	key       crypto.Signer // jwt_bearer
	algorithm string        // jwt_bearer
}

func newGrant(auth *postroom.Auth, sender Sender, now func() time.Time) (*grant, error) {
	u, err := url.Parse(auth.TokenURL)
	if err != nil {
		return nil, errors.New("the token URL cannot be read")
	}
	g := &grant{auth: auth, host: u.Hostname(), now: now, conceal: concealAuth(auth),
		http: egress.HTTPClient(sender, 0, egress.Limits{MaxBody: maxTokenAnswer, MaxDrain: -1})}
	if auth.Grant == postroom.GrantJWTBearer {
		g.key, g.algorithm, err = ParseAssertionKey(auth.PrivateKey)
	}
	return g, err
}

// errUnsigned is a sentence for people, as all errors of fetch are.
var errUnsigned = errors.New("The assertion could not be signed with the private key.") //nolint:staticcheck // a sentence

// fetch gets a token; its error is a sentence for people.
func (g *grant) fetch(ctx context.Context) (*accessToken, error) {
	request, err := g.request()
	if err != nil {
		return nil, err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, g.http)
	given, err := request.Token(ctx)
	if err != nil {
		return nil, errors.New(g.explain(err, g.conceal.and(request.EndpointParams.Get("assertion"))))
	}
	header := given.Type() + " " + given.AccessToken
	if len(header) > maxToken || strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, errors.New(g.endpoint() + " gave a token that cannot be sent in a header.")
	}
	return &accessToken{value: given.AccessToken, header: header, until: keepUntil(given.Expiry, g.now())}, nil
}

// request is the call for a token. The library knows only the one grant, and lets its name be replaced.
func (g *grant) request() (*clientcredentials.Config, error) {
	a := g.auth
	c := &clientcredentials.Config{ClientID: a.ClientID, ClientSecret: a.ClientSecret, TokenURL: a.TokenURL, Scopes: a.Scopes,
		AuthStyle: oauth2.AuthStyleInHeader, EndpointParams: url.Values{}}
	if a.ClientAuth == postroom.ClientAuthBody || a.ClientSecret == "" { // without a secret, the certificate tells who it is (RFC 8705)
		c.AuthStyle = oauth2.AuthStyleInParams
	}
	for name, value := range a.Params {
		c.EndpointParams.Set(name, value)
	}
	switch {
	case a.Grant == postroom.GrantJWTBearer:
		assertion, err := g.assertion()
		if err != nil {
			return nil, errUnsigned
		}
		c.EndpointParams.Set("grant_type", jwtBearer)
		c.EndpointParams.Set("assertion", assertion)
	case a.Audience != "":
		c.EndpointParams.Set("audience", a.Audience)
	}
	return c, nil
}

// endpoint names the token endpoint at the beginning of a sentence. The rest of its URL may hold a secret.
func (g *grant) endpoint() string { return "The token endpoint " + g.host }

// explain words why no token was given. What the endpoint says is shown without what it was sent.
func (g *grant) explain(err error, conceal concealer) string {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		code := refused.Response.StatusCode
		s := g.endpoint() + " answered " + strings.TrimSpace(strconv.Itoa(code)+" "+http.StatusText(code))
		for i, said := range []string{refused.ErrorCode, refused.ErrorDescription} {
			if said = quote(said, conceal); said != "" {
				s += []string{": ", ", "}[i] + said
			}
		}
		if code >= 300 && code < 400 {
			s += "; redirects are not followed"
		}
		return s + "."
	}
	var failed *url.Error // the call's; what else goes wrong is the answer's
	if !errors.As(err, &failed) {
		return g.endpoint() + " answered, but not with an access token."
	}
	_, sentence := egress.Classify(err)
	return conceal.text(strings.Map(legible, strings.NewReplacer("The receiver", "The token endpoint", "the receiver", "the token endpoint").Replace(sentence)))
}

// quote makes a text of the other side fit for a sentence.
func quote(said string, conceal concealer) string {
	said = conceal.text(strings.Join(strings.Fields(strings.Map(legible, said)), " "))
	if len(said) > maxReason {
		said = strings.ToValidUTF8(said[:maxReason], "") + "…"
	}
	return strings.TrimRight(said, ".")
}
