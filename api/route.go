package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// operation is one call of the API: who may make it, and what is said of it.
type operation struct {
	ID          string
	Method      string
	Path        string
	Tag         string
	Summary     string
	Description string

	Role     postroom.Role // that the caller's key needs; empty for a call without a key
	Operator bool          // the key must also be an operator's

	Status      int             // of success; 200 if zero
	Body        reflect.Type    // what decode reads the body into; nil if the body has no fields
	Need        bool            // a body is required
	Patch       bool            // the body is a JSON merge patch
	Preview     bool            // with dry_run in the body it changes nothing, answers 200, and needs no more than a viewer's key
	Conditional bool            // If-None-Match may be answered with 304
	Example     string          // of the body, JSON
	Shape       reflect.Type    // of the answer's body, where Out does not tell
	Answer      string          // an example of the answer's body, JSON
	Produces    []string        // the answer's content types, where it is not JSON
	Codes       []postroom.Code // of the errors that are this operation's own
}

// hasBody tells whether a body is read: of every POST, PUT and PATCH.
func (op *operation) hasBody() bool {
	return op.Method == http.MethodPost || op.Method == http.MethodPut || op.Method == http.MethodPatch
}

// mediaTypes are the content types that a body may have.
func (op *operation) mediaTypes() []string {
	if op.Patch {
		return []string{"application/merge-patch+json", "application/json"}
	}
	return []string{"application/json"}
}

// call is a request that guard let through.
type call struct {
	who  app.Caller
	body []byte
	url  *url.URL
}

// router hands operations to huma, and the routes that huma makes of them to the mux. It is huma's adapter.
type router struct {
	api  *api
	huma huma.API
	ops  map[string]*operation // by id
	ids  []string              // of operations, in the order in which they were added
}

func newRouter(a *api) *router {
	rt := &router{api: a, ops: map[string]*operation{}}
	rt.huma = huma.NewAPI(huma.Config{
		OpenAPI:       newDocument(),
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{a.fromHuma},
	}, rt)
	return rt
}

// register adds an operation. handle is given the caller, the parameters that huma bound to In by its tags, and returns what
// huma writes by the tags of Out.
func register[In, Out any](rt *router, op operation, handle func(ctx context.Context, c *call, in *In) (*Out, error)) {
	a := rt.api
	rt.add(&op)
	huma.Register(documenter{rt.huma, rt}, rt.describe(&op), func(ctx context.Context, in *In) (*Out, error) {
		r := requestOf(ctx)
		out, err := handle(ctx, r.call, in)
		if err != nil {
			p := a.problem(err)
			a.logCause(r.Request, p)
			return nil, p
		}
		return out, nil
	})
}

func (rt *router) add(op *operation) {
	rt.ops[op.ID] = op
	rt.ids = append(rt.ids, op.ID)
}

// Handle puts an operation's route into the mux, behind guard. huma calls it.
func (rt *router) Handle(op *huma.Operation, handler func(huma.Context)) {
	own := rt.ops[op.OperationID]
	var query []string
	for _, p := range op.Parameters {
		if p.In == "query" {
			query = append(query, p.Name)
		}
	}
	rt.api.mux.Handle(op.Method+" "+op.Path, rt.api.guard(own, query, func(w http.ResponseWriter, r *http.Request) {
		handler(humago.NewContext(op, r, w))
	}))
}

// ServeHTTP is part of huma's adapters, and not used.
func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) { rt.api.ServeHTTP(w, r) }

// requestKey is the context key of a guardedRequest. The context carries it only through huma, from guard to register, which
// hands it on as an argument.
type requestKey struct{}

type guardedRequest struct {
	*http.Request
	call *call
}

func requestOf(ctx context.Context) guardedRequest {
	r, _ := ctx.Value(requestKey{}).(guardedRequest)
	return r
}

// guard lets a request through to its operation when the key is valid and has the role, the query parameters exist, and
// the body is of a kind and size that is read. It sees to it that a call with an Idempotency-Key is made once.
func (a *api) guard(op *operation, query []string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if x, ok := w.(*exchange); ok {
			x.route = op.Path
		}
		c, key, err := a.admit(w, r, op, query)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		ctx := context.WithValue(r.Context(), requestKey{}, guardedRequest{r, c})
		r = r.WithContext(ctx)
		if key == "" {
			next(w, r)
			return
		}
		a.once(w, r, c.who, key, c.body, func(w http.ResponseWriter) bool {
			next(w, r)
			return false
		})
	}
}

// admit makes the checks of guard, and returns the request's Idempotency-Key too.
func (a *api) admit(w http.ResponseWriter, r *http.Request, op *operation, query []string) (*call, string, error) {
	c := &call{url: r.URL}
	var err error
	if op.Role != "" {
		if c.who, err = a.authenticate(r, op.least()); err != nil {
			return nil, "", err
		}
		if op.Operator && !c.who.Operator {
			return nil, "", postroom.Errorf(postroom.CodeForbidden, "Only the operator's key may do this: the first key of the installation.")
		}
	}
	if err := checkQuery(r.URL.RawQuery, query); err != nil {
		return nil, "", err
	}
	if !op.hasBody() {
		return c, "", nil
	}
	var key string
	if op.Method == http.MethodPost {
		if key, err = idempotencyKey(r.Header); err != nil {
			return nil, "", err
		}
	}
	if c.body, err = readBody(w, r, a.MaxBody); err != nil {
		return nil, "", err
	}
	if len(c.body) > 0 {
		if err := checkMedia(r.Header, op.mediaTypes()); err != nil {
			return nil, "", err
		}
	} else if op.Need {
		return nil, "", postroom.Errorf(postroom.CodeBadJSON, "The body is empty; it must be a JSON object.")
	}
	if !c.who.Role.Allows(op.Role) && !asksPreview(c.body) {
		return nil, "", forbidden(op.Role, c.who.Role)
	}
	if op.Body == nil {
		if err := decode(c.body, &struct{}{}); err != nil {
			return nil, "", err
		}
	}
	return c, key, nil
}

// least is the role that a caller needs at least: that of a viewer, if a preview changes nothing.
func (op *operation) least() postroom.Role {
	if op.Preview {
		return postroom.RoleViewer
	}
	return op.Role
}

// asksPreview tells whether a body asks for a preview. One that cannot be read does not.
func asksPreview(body []byte) bool {
	var in struct {
		DryRun bool `json:"dry_run"`
	}
	return json.Unmarshal(body, &in) == nil && in.DryRun
}

// previewNote is said of operations that have a preview.
const previewNote = "With `dry_run` nothing is changed, and the answer says what would be; a viewer's key may ask for that."

// checkQuery refuses query parameters that the operation does not have, or that come twice.
func checkQuery(raw string, known []string) error {
	if raw == "" {
		return nil
	}
	given, err := url.ParseQuery(raw)
	if err != nil {
		return postroom.Invalid(postroom.CodeInvalid, "?", "the query is not well formed: a %% is followed by two hexadecimal digits, and parameters are separated by &")
	}
	var f faults
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	slices.Sort(names) // so that the answer is the same each time
	for _, name := range names {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			f.add("?"+printable(name), "there is no such query parameter: this call has none")
		case !slices.Contains(known, name):
			f.add("?"+printable(name), "there is no such query parameter; this call has %s", strings.Join(known, ", "))
		case len(given[name]) > 1:
			f.add("?"+name, "is given %d times; it is given once at most", len(given[name]))
		}
	}
	return f.err()
}
