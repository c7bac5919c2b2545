package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// intakeAnswer is what the caller of a source is answered.
type intakeAnswer struct {
	Success          bool   `json:"success" doc:"True: the call is on the disk."`
	Message          string `json:"message" doc:"What became of it, in a sentence."`
	ProcessedRecords int    `json:"processed_records" doc:"How many events of it were acted on; 0 while it is queued, or where all of them came before."`
	RequestID        string `json:"request_id" doc:"The request (req_…) in the source's log."`
}

const intakeDescription = `Where a system posts to: the ` + "`url`" + ` of a source. Who calls is proved as the source says, with the token in the query (or as a bearer, or in ` + "`X-Webhook-Token`" + `) and whatever else it asks for. The body is JSON, NDJSON, a form or multipart, as the source's kind takes it.

200 says that the call is stored and was acted on. 202 says that it is stored, and will be.

A refusal is a problem that tells no more than it must: 400 for a body that cannot be read at all, 401 for a proof that is missing or wrong, and for a source that does not exist, 403 for a caller that is not wanted, 413 for a body that is too large, 415 for one that is packed in a way that is not read, and 429 for too many calls. The source's log says more.

The same source also answers at ` + "`/wp-json/ccsp-mailer/v1/webhooks/{source_id}`" + `. Some kinds answer GET (a challenge) and OPTIONS (a browser's preflight).`

// routeIntake describes the receiving of calls in the document. Package inbound does it, past this API.
func (a *api) routeIntake(rt *router) {
	op := operation{
		ID: "receive-request", Method: http.MethodPost, Path: "/in/{source_id}", Tag: "Requests",
		Summary: "Call a source", Description: intakeDescription,
	}
	rt.add(&op)
	answer := rt.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[intakeAnswer](), true, "")
	h := rt.describe(&op)
	h.Extensions["x-intake"] = true
	h.Security = []map[string][]string{}
	text := &huma.Schema{Type: "string"}
	h.Parameters = []*huma.Param{
		{Name: "source_id", In: "path", Required: true, Description: "The source's id (src_…).", Schema: text},
		{Name: "token", In: "query", Description: "The source's token.", Schema: text},
	}
	h.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json":                  {Schema: &huma.Schema{Description: "Any JSON."}, Example: rawExample(`{"contact_email": "ada@example.com", "first": "Ada"}`)},
		"application/x-ndjson":              {Schema: &huma.Schema{Type: "string", Description: "An event on each line."}},
		"application/x-www-form-urlencoded": {Schema: &huma.Schema{Type: "object"}},
		"multipart/form-data":               {Schema: &huma.Schema{Type: "object"}},
	}}
	h.Responses["200"].Content["application/json"] = &huma.MediaType{Schema: answer, Example: rawExample(exampleIntakeAnswer)}
	h.Responses["202"] = &huma.Response{Description: "Stored, and not yet acted on.", Content: map[string]*huma.MediaType{"application/json": {Schema: answer}}}
	for _, status := range []string{"400", "401", "403", "404", "405", "413", "415", "429", "500", "503"} {
		h.Responses[status] = &huma.Response{Ref: "#/components/responses/" + status}
	}
	rt.huma.OpenAPI().AddOperation(&h)
}
