package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
)

const schemaRef = "#/components/schemas/"

// introduction is what the document says of the API as a whole. It is CommonMark, of which package api's own page knows
// paragraphs, lists and code.
const introduction = `Postroom takes events in and delivers them to webhooks: signed, retried, logged and replayable.

**Keys.** Every call under ` + "`/v1`" + ` carries an API key as ` + "`Authorization: Bearer prk_…`" + `. A key belongs to one workspace and has a role: ` + "`viewer`" + ` reads, ` + "`publisher`" + ` also publishes events, ` + "`admin`" + ` does everything.

**Values.** Bodies are JSON in UTF-8. Times are RFC 3339, and are answered in UTC with milliseconds. Durations are written as ` + "`5s`" + `, ` + "`30m`" + ` or ` + "`2h`" + `. Ids have a prefix that tells what they name, and sort by the time at which they were made.

**Lists.** Lists take ` + "`limit`" + ` and ` + "`cursor`" + `, and answer ` + "`data`" + `, ` + "`next_cursor`" + ` and ` + "`prev_cursor`" + `, with the same links in the header ` + "`Link`" + `. A search looks at a bounded number of things: a page may be short or empty and yet have a ` + "`next_cursor`" + `, with which it goes on; the last page is the one without.

**Errors.** Whatever goes wrong is answered as a problem (RFC 9457, ` + "`application/problem+json`" + `) with a ` + "`code`" + ` that never changes its meaning, and with ` + "`errors`" + ` that point at what is wrong: a JSON pointer into the body, ` + "`?name`" + ` for a query parameter, or the name of a header. Fields and query parameters that do not exist are refused. Every answer has an ` + "`X-Request-Id`" + `, which is also in the server's log; it is the caller's own if it sent one.

**Once.** Every POST takes an ` + "`Idempotency-Key`" + `: the answer to the first call with a key is given again for 24 hours, with ` + "`Idempotency-Replayed: true`" + `. While the first call runs, others with its key get 409; a key that was used with another request gets 422. Answers with a status of 500 or more, or 429, are not kept, so that the call can be made again.

**Versions.** Webhooks, sources and contacts have an ` + "`ETag`" + `; ` + "`If-Match`" + ` makes a change depend on it.`

// newDocument makes an OpenAPI document without operations.
func newDocument() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Postroom", Version: "1.0.0", Description: introduction,
			License: &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"},
		},
		Servers: []*huma.Server{{URL: "/", Description: "This server."}},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry(schemaRef, schemaName),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"key": {Type: "http", Scheme: "bearer", BearerFormat: "prk_…", Description: "An API key."},
			},
		},
		Tags: []*huma.Tag{
			{Name: "Events", Description: "What happened. Events are published, listed, followed and replayed."},
			{Name: "Event types", Description: "The catalogue of what can happen, and the types that the workspace adds to it."},
			{Name: "Dialects", Description: "Vendors' ways of naming, enveloping, signing and retrying webhooks."},
			{Name: "Webhooks", Description: "Outgoing subscriptions: which events go where, in which form, how signed and how often tried."},
			{Name: "Sources", Description: "Incoming webhooks: URLs to post to, how callers are verified, what calls mean, and what is done about them."},
			{Name: "Requests", Description: "The calls that sources received, raw, with what was done about each."},
			{Name: "Deliveries", Description: "Events on their way to webhooks, with every attempt."},
			{Name: "Replays", Description: "Delivering again what was delivered, or was not. Large ones are followed, and can be cancelled."},
			{Name: "Statistics", Description: "How deliveries fare."},
			{Name: "Contacts", Description: "The people of the audience. Each change of one is an event, too. They come and go as files."},
			{Name: "Lists", Description: "Named parts of the audience, and who is on them."},
			{Name: "Tags and fields", Description: "The tags that contacts have, and the types of their custom fields."},
			{Name: "Audit", Description: "Who did what."},
			{Name: "Portal", Description: "Where your own customers manage their own webhooks, in your name."},
			{Name: "Members", Description: "The people of a workspace, who sign in to the dashboard."},
			{Name: "Keys", Description: "API keys."},
			{Name: "Workspaces", Description: "Tenants. Everything else belongs to one."},
			{Name: "System", Description: "For whoever runs the server."},
		},
	}
}

// schemaName names a type's schema: as huma does, but without the Resource that tells our shapes from our nouns.
func schemaName(t reflect.Type, hint string) string {
	return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "Resource")
}

// describe turns an operation into huma's form. What huma must not act on, because guard and decode do, is added by documenter.
func (rt *router) describe(op *operation) huma.Operation {
	h := huma.Operation{
		OperationID: op.ID, Method: op.Method, Path: op.Path, Tags: []string{op.Tag},
		Summary: op.Summary, Description: op.Description,
		DefaultStatus:      op.Status,
		SkipValidateParams: true, // the types of parameters do it, with sentences of their own
		Responses:          map[string]*huma.Response{},
		Extensions:         map[string]any{},
	}
	status := strconv.Itoa(max(op.Status, http.StatusOK))
	media := map[string]*huma.MediaType{}
	if op.Shape != nil {
		media["application/json"] = &huma.MediaType{Schema: rt.huma.OpenAPI().Components.Schemas.Schema(op.Shape, true, op.ID)}
	}
	for _, name := range op.Produces {
		media[name] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
	}
	h.Responses[status] = &huma.Response{Description: http.StatusText(max(op.Status, http.StatusOK)), Content: media}
	return h
}

// documenter adds to the document what huma does not know of an operation. huma calls it in the place of its own documentation.
type documenter struct {
	huma.API
	rt *router
}

// DocumentOperation completes an operation and adds it to the document.
func (d documenter) DocumentOperation(h *huma.Operation) {
	op := d.rt.ops[h.OperationID]
	if op.Role == "" {
		h.Security = []map[string][]string{}
	} else {
		h.Security = []map[string][]string{{"key": {}}}
		h.Extensions["x-role"] = op.Role
		if op.Operator {
			h.Extensions["x-operator"] = true
		}
	}
	for _, p := range h.Parameters {
		p.Schema.Description = "" // it is the parameter's
	}
	d.documentBody(h, op)
	d.documentAnswers(h, op)
	d.OpenAPI().AddOperation(h)
}

// documentBody adds the request's body and the headers that belong to it.
func (d documenter) documentBody(h *huma.Operation, op *operation) {
	if op.Method == http.MethodPost && op.Role != "" {
		h.Parameters = append(h.Parameters, &huma.Param{
			Name: idempotencyHeader, In: "header", Description: "Makes sure that the call is made once, however often it is sent: 1 to 255 visible ASCII characters.",
			Schema: &huma.Schema{Type: "string", MinLength: count(1), MaxLength: count(maxIdempotencyKey), Pattern: `^[!-~]+$`},
		})
	}
	if op.Body == nil || h.RequestBody != nil {
		return
	}
	schema := d.OpenAPI().Components.Schemas.Schema(op.Body, true, op.ID)
	if op.Patch {
		schema = &huma.Schema{Ref: patchName(schema.Ref)} // refineSchemas makes it
	}
	h.RequestBody = &huma.RequestBody{Required: op.Need, Content: map[string]*huma.MediaType{}}
	for _, name := range op.mediaTypes() {
		h.RequestBody.Content[name] = &huma.MediaType{Schema: schema}
	}
	h.RequestBody.Content[op.mediaTypes()[0]].Example = rawExample(op.Example)
}

// documentAnswers adds the example of the answer, and the errors.
func (d documenter) documentAnswers(h *huma.Operation, op *operation) {
	success := h.Responses[strconv.Itoa(max(op.Status, http.StatusOK))]
	if media := success.Content["application/json"]; media != nil && op.Answer != "" {
		media.Example = rawExample(op.Answer)
	}
	for _, header := range success.Headers {
		header.Description, header.Schema.Description = header.Schema.Description, ""
	}
	if op.Preview && op.Status != 0 {
		preview := *success
		preview.Description = "Of a preview."
		h.Responses["200"] = &preview
	}
	if op.Conditional {
		h.Responses["304"] = &huma.Response{Description: http.StatusText(http.StatusNotModified)}
	}
	delete(h.Responses, "default") // huma's own
	codes := op.errorCodes(len(h.Parameters) > 0)
	for _, code := range codes {
		status := strconv.Itoa(d.rt.api.kinds[code].status)
		h.Responses[status] = &huma.Response{Ref: "#/components/responses/" + status}
	}
	h.Extensions["x-error-codes"] = codes
}

// errorCodes are all codes that an operation can answer with, in the order of the table.
func (op *operation) errorCodes(hasParams bool) []postroom.Code {
	can := map[postroom.Code]bool{postroom.CodeInternal: true, postroom.CodeUnavailable: true}
	if op.Role != "" {
		can[postroom.CodeUnauthenticated] = true
		can[postroom.CodeInvalid] = true // at least for query parameters that do not exist
		can[postroom.CodeForbidden] = op.Role != postroom.RoleViewer
		can[postroom.CodeRateLimited] = true
	}
	can[postroom.CodeNotFound] = strings.Contains(op.Path, "{")
	if op.hasBody() {
		for _, code := range []postroom.Code{postroom.CodeBadJSON, postroom.CodeUnknownField, postroom.CodeTooLarge, postroom.CodeUnsupportedMedia} {
			can[code] = true
		}
	}
	if op.Method == http.MethodPost {
		can[postroom.CodeInFlight], can[postroom.CodeIdempotencyReuse] = true, true
	}
	can[postroom.CodeInvalid] = can[postroom.CodeInvalid] || hasParams
	for _, code := range op.Codes {
		can[code] = true
	}
	var codes []postroom.Code
	for _, kind := range problemKinds() {
		if can[kind.code] {
			codes = append(codes, kind.code)
		}
	}
	return codes
}

// document completes the OpenAPI document once all operations are registered.
func (rt *router) document() *huma.OpenAPI {
	doc := rt.huma.OpenAPI()
	schemas := doc.Components.Schemas
	problem := schemas.Schema(reflect.TypeFor[postroom.Problem](), true, "Problem")
	for _, name := range []string{"ErrorModel", "ErrorDetail"} { // huma's own errors, which are never written
		delete(schemas.Map(), name)
	}
	refineSchemas(schemas)

	doc.Components.Responses = map[string]*huma.Response{}
	for _, kind := range problemKinds() {
		status := strconv.Itoa(kind.status)
		r := doc.Components.Responses[status]
		if r == nil {
			r = &huma.Response{
				Description: http.StatusText(kind.status) + ".",
				Content:     map[string]*huma.MediaType{problemType: {Schema: problem}},
			}
			doc.Components.Responses[status] = r
		}
		r.Description += " " + "`" + string(kind.code) + "`: " + kind.help
		switch kind.code {
		case postroom.CodeUnauthenticated:
			r.Headers = textHeader("WWW-Authenticate", "Says that a bearer key is wanted.")
		case postroom.CodeMethodNotAllowed:
			r.Headers = textHeader("Allow", "The methods that the path has.")
		case postroom.CodeRateLimited, postroom.CodeUnavailable:
			r.Headers = textHeader("Retry-After", "How many seconds to wait.")
		}
	}
	return doc
}

func textHeader(name, description string) map[string]*huma.Header {
	return map[string]*huma.Header{name: {Description: description, Schema: &huma.Schema{Type: "string"}}}
}

// rawExample is an example for the document, which keeps the order of its fields; nil if there is none.
func rawExample(text string) any {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

func count(n int) *int { return &n }

// operationsOf lists the operations of a document by path and method.
func operationsOf(doc *huma.OpenAPI) []*huma.Operation {
	var ops []*huma.Operation
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		item := doc.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				ops = append(ops, op)
			}
		}
	}
	return ops
}
