package inbound

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/inbound/scheme"
)

// Verified is a request of which it is known that its caller may make it. Only this file makes one, and nothing else is processed.
type Verified struct {
	source  *source
	request *postroom.Request
}

// refusal is why a call is not taken. The caller is told its code and nothing of the rest.
type refusal struct {
	code   postroom.Code
	why    postroom.RequestError // for the log
	again  time.Duration         // when the caller may try again; 0 for nothing
	status int                   // of the answer
}

// verify finds out whether the caller is who may call. Whoever proves nothing hears the same, whatever is wrong, and whether there is such a
// source or not; only one who has proven who it is hears that its address is not allowed.
func (in *Intake) verify(src *source, a *Arrival) (Verified, *refusal) {
	call := &scheme.Request{Method: a.Method, URL: in.public + a.Target, Header: a.Header, Body: a.Body, Client: a.Client, At: a.At}
	if src.proof != nil {
		if err := src.proof.Verify(call); err != nil {
			return Verified{}, unproven(err)
		}
	}
	if src.allow != nil {
		if err := src.allow.Verify(call); err != nil {
			if src.proof == nil {
				return Verified{}, unproven(err)
			}
			return Verified{}, notAllowed(why(err))
		}
	}
	if src.proof == nil && src.allow == nil {
		return Verified{}, unproven(scheme.Scheme{}.Verify(call))
	}
	return Verified{src, in.newRequest(src, a)}, nil
}

// verifiedBefore is a stored request of a call that was verified when it came, or that a person wants to be taken.
func verifiedBefore(src *source, r *postroom.Request) Verified { return Verified{src, r} }

// admit refuses calls that are not wanted now, although their caller may make them.
func (in *Intake) admit(v Verified, now time.Time) *refusal {
	if v.source.Status != postroom.SourceActive {
		return notAllowed(postroom.RequestError{Kind: "inactive", Message: "The source is inactive."})
	}
	if wait := v.source.limit(now); wait > 0 {
		return &refusal{code: postroom.CodeRateLimited, status: http.StatusTooManyRequests, again: wait,
			why: postroom.RequestError{Kind: "rate_limited", Message: "More calls came than the source's rate limit allows."}}
	}
	return nil
}

func unproven(err error) *refusal {
	return &refusal{code: postroom.CodeUnauthenticated, status: http.StatusUnauthorized, why: why(err)}
}

func notAllowed(why postroom.RequestError) *refusal {
	return &refusal{code: postroom.CodeForbidden, status: http.StatusForbidden, why: why}
}

// why is what the log says of a scheme's reason.
func why(err error) postroom.RequestError {
	var reason *scheme.Reason
	if !errors.As(err, &reason) {
		return postroom.RequestError{Kind: string(scheme.KindNothing), Message: sentence(err.Error())}
	}
	message := reason.Message
	if reason.Scheme != "" {
		message += " (" + string(reason.Scheme) + ")"
	}
	return postroom.RequestError{Kind: string(reason.Kind), Message: sentence(message)}
}

// sentence makes a clause a sentence.
func sentence(clause string) string {
	if clause == "" || strings.HasSuffix(clause, ".") {
		return clause
	}
	return strings.ToUpper(clause[:1]) + clause[1:] + "."
}

// proof is one of the ways to verify a source's calls, and where it stands in the source's JSON.
type proof struct {
	config scheme.Config
	at     func(pointer string) string // the source's pointer for one of the config's
}

// proofs are the ways in which a source wants its calls to be verified, all of which must hold, but for the caller's address.
func proofs(s *postroom.SourceSettings, secrets *postroom.SourceSecrets, kind *dialect.In) (all []proof, err error) {
	if s.RequireToken {
		all = append(all, proof{scheme.Config{Scheme: scheme.SchemeToken, Secrets: []string{secrets.Token}}, always("/require_token")})
	}
	if s.APIKey != nil {
		all = append(all, proof{scheme.Config{Scheme: scheme.SchemeAPIKey, Header: s.APIKey.Header, Secrets: []string{secrets.APIKey}},
			below("/api_key", map[string]string{"/secrets": "/key"})})
	}
	if s.BasicAuth != nil {
		all = append(all, proof{scheme.Config{Scheme: scheme.SchemeBasic, Secrets: []string{s.BasicAuth.Username + ":" + secrets.Password}}, always("/basic_auth")})
	}
	signature, err := signatureProof(s.Signature, secrets, kind)
	if signature != nil {
		all = append(all, *signature)
	}
	return all, err
}

// signatureProof is the way of a source's own signature, or of its kind; nil for none.
func signatureProof(s *postroom.SourceSignature, secrets *postroom.SourceSecrets, kind *dialect.In) (*proof, error) {
	if s != nil && s.Scheme != "" {
		c := scheme.Config{Scheme: scheme.Name(s.Scheme), Header: s.Header, Prefix: s.Prefix, Separator: s.Separator, Algorithm: s.Algorithm,
			Encoding: s.Encoding, Signed: s.Signed, ID: s.ID, Timestamp: s.Timestamp, TimestampFormat: s.TimestampFormat, Tolerance: s.Tolerance,
			SecretEncoding: s.SecretEncoding, Secrets: secrets.Signature}
		return &proof{c, inSignature}, nil
	}
	if kind == nil || kind.Verify == nil {
		if s == nil {
			return nil, nil
		}
		return nil, postroom.Invalid(postroom.CodeInvalid, "/signature/scheme", "this kind of source has no signature of its own, so say which scheme it is")
	}
	if s == nil && !kind.Required {
		return nil, nil // the token proves the caller
	}
	c, _, err := VerifyConfig(kind)
	if err != nil { // the dialect was checked when it was loaded
		return nil, err
	}
	credentials := map[string][]string{"secret": secrets.Signature, "token": {secrets.Token}}
	for name, value := range secrets.Credentials {
		credentials[name] = []string{value}
	}
	return &proof{c.Fill(credentials), inSignature}, nil
}

// always blames one place, whatever is wrong.
func always(at string) func(string) string { return func(string) string { return at } }

// below blames what has the same name below a place, or another one.
func below(at string, names map[string]string) func(string) string {
	return func(pointer string) string {
		for name, ours := range names {
			if strings.HasPrefix(pointer, name) {
				return at + ours
			}
		}
		return at + pointer
	}
}

// inSignature is the place of a scheme's parameter in a source's signature. The first secret has a name of its own.
func inSignature(pointer string) string {
	rest, ok := strings.CutPrefix(pointer, "/secrets")
	switch {
	case strings.Contains(pointer, "/of/"):
		return "/signature"
	case !ok:
		return "/signature" + pointer
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(rest, "/")); err == nil && n > 0 {
		return "/signature/secrets/" + strconv.Itoa(n-1)
	}
	return "/signature/secret"
}

// compileProofs makes the ways ready. Problems blame pointers of the source's JSON.
func compileProofs(all []proof, problems *postroom.Problems) *scheme.Scheme {
	var ready []scheme.Scheme
	for _, p := range all {
		s, err := scheme.Compile(p.config)
		if err != nil {
			blame(problems, err, p.at)
			continue
		}
		ready = append(ready, s)
	}
	if len(ready) == 0 || len(ready) < len(all) {
		return nil
	}
	s := scheme.All(ready...)
	return &s
}

// compileAllowed makes the list of addresses ready; nil for an empty one.
func compileAllowed(addresses []string, problems *postroom.Problems) *scheme.Scheme {
	if len(addresses) == 0 {
		return nil
	}
	s, err := scheme.Compile(scheme.Config{Scheme: scheme.SchemeIP, Allow: addresses})
	if err != nil {
		blame(problems, err, func(pointer string) string { return strings.Replace(pointer, "/allow", "/ip_allow", 1) })
		return nil
	}
	return &s
}

// blame adds what an error blames, at other pointers.
func blame(problems *postroom.Problems, err error, at func(string) string) {
	var e *postroom.Error
	if !errors.As(err, &e) || len(e.Fields) == 0 {
		problems.Add(at(""), "%s", err)
		return
	}
	for _, f := range e.Fields {
		problems.AddCode(e.Code, at(f.Pointer), "%s", f.Detail)
	}
}

// credentialsOf are where calls of a source carry what nobody is to read in its log.
func credentialsOf(s *postroom.SourceSettings, all []proof) credentials {
	p := usualCredentials()
	if s.APIKey != nil {
		p.headers = append(p.headers, http.CanonicalHeaderKey(s.APIKey.Header))
	}
	var walk func(c *scheme.Config)
	walk = func(c *scheme.Config) {
		for i := range c.Of {
			walk(&c.Of[i])
		}
		switch c.Scheme {
		case scheme.SchemeToken, scheme.SchemeAPIKey, scheme.SchemeBasic:
		default:
			return // a signature is no secret, and helps to find out why one does not fit
		}
		kind, name, in := strings.Cut(c.Header, ":")
		switch {
		case !in && c.Header != "":
			p.headers = append(p.headers, http.CanonicalHeaderKey(c.Header))
		case kind == "header":
			p.headers = append(p.headers, http.CanonicalHeaderKey(name))
		case kind == "query":
			p.params = append(p.params, name)
		}
	}
	for i := range all {
		walk(&all[i].config)
	}
	return p
}
