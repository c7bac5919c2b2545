package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/payload"
)

type sourceTestInput struct {
	Request    string                `json:"request" doc:"A stored request of the source to try; the rest of the call is then left out." example:"req_01jd3v8x2mf4k8c0q9r7t5y1za"`
	Method     string                `json:"method" doc:"The call's method; POST if left out."`
	Query      string                `json:"query" doc:"The call's query, percent-encoded." example:"utm_source=site"`
	Headers    map[string]string     `json:"headers" doc:"The call's headers. Content-Type is application/json if it is left out and the body is JSON."`
	Body       json.RawMessage       `json:"body" doc:"The call's body: a text, or any other JSON, which is then the body itself."`
	BodyBase64 string                `json:"body_base64" doc:"The call's body in base64, where it is no text."`
	Mapping    []postroom.MappingRow `json:"mapping" doc:"Tried in place of the source's own."`
	Actions    []postroom.Action     `json:"actions" doc:"Tried in place of the source's own."`
	Store      bool                  `json:"store" doc:"Do it: the call is taken in as a request that is not verified."`
}

func (a *api) routeSourceTest(rt *router) {
	register(rt, operation{
		ID: "test-source", Method: http.MethodPost, Path: "/v1/sources/{id}/test", Tag: "Sources", Role: postroom.RoleAdmin,
		Summary: "Test a source",
		Description: "Says what the source makes of a call, beside the call: the events that it is split into, and of each the fields, the contact as it would become, the actions, " +
			"the events that would be published, and errors with row, path and value. Nothing is stored. The call is made up here, or is a stored request. Another mapping and other actions can be tried. With `store` it is the real thing.",
		Body: reflect.TypeFor[sourceTestInput](), Example: `{"body":{"contact_email":"ada@example.com","first":"Ada"}}`, Answer: exampleSourceTest,
		Codes: []postroom.Code{postroom.CodeConflict, postroom.CodeURLInvalid, postroom.CodeAddressNotAllowed, postroom.CodeUnknownEventType},
	}, a.testSource)
}

func (a *api) testSource(ctx context.Context, c *call, in *SourceRef) (*answer[postroom.SourceTest], error) {
	var body sourceTestInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	test, err := body.input()
	if err != nil {
		return nil, err
	}
	r, result, err := a.App.TestSource(ctx, c.who, in.ID, test)
	if err != nil {
		return nil, err
	}
	result.Request = r.Resource(true)
	result.Items, result.Warnings = notNil(result.Items), notNil(result.Warnings)
	for i := range result.Items {
		item := &result.Items[i]
		item.Actions, item.Events, item.Warnings = notNil(item.Actions), notNil(item.Events), notNil(item.Warnings)
		if item.Fields == nil {
			item.Fields = map[string]json.RawMessage{}
		}
	}
	return &answer[postroom.SourceTest]{result}, nil
}

func (in *sourceTestInput) input() (app.SourceTestInput, error) {
	out := app.SourceTestInput{Request: in.Request, Method: in.Method, Query: in.Query, Mapping: in.Mapping, Actions: in.Actions, Store: in.Store}
	var f faults
	if in.Request != "" && (in.Method != "" || in.Query != "" || len(in.Headers) > 0 || in.Body != nil || in.BodyBase64 != "") {
		f.add("/request", "a stored request is tried as it is: leave method, query, headers and body out")
	}
	for name, value := range in.Headers {
		out.Headers = append(out.Headers, postroom.Header{Name: name, Value: value})
	}
	switch {
	case in.BodyBase64 != "" && in.Body != nil:
		f.add("/body_base64", "the call has one body: leave this or body out")
	case in.BodyBase64 != "":
		raw, err := base64.StdEncoding.DecodeString(in.BodyBase64)
		if err != nil {
			f.add("/body_base64", "is not base64")
		}
		out.Body = raw
	case payload.KindOf(in.Body) == payload.KindString:
		text, _ := payload.String(in.Body) // cannot fail: it is a valid string
		out.Body = []byte(text)
	default:
		out.Body = in.Body
	}
	return out, f.err()
}
