package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
)

// The types below are the shapes of what publish reads and answers. It does so by hand; they are for the document.

type eventInput struct {
	Type        string             `json:"type" doc:"The event's type: a name in the catalogue, or one that the workspace declared." example:"email.opened"`
	Data        map[string]any     `json:"data" doc:"The event's data, an object. It is kept byte for byte."`
	ID          string             `json:"id" doc:"Your own id of the event: 1 to 128 visible ASCII characters. One that was published in the last 24 hours is not published again."`
	Time        postroom.Timestamp `json:"time" doc:"When it happened; now if left out."`
	Actor       string             `json:"actor" doc:"Who or what caused it."`
	OrderingKey string             `json:"ordering_key" doc:"What it must stay in order with; the contact if left out."`
}

type cloudEvent struct {
	SpecVersion     string             `json:"specversion" doc:"The version of the specification." enum:"1.0"`
	ID              string             `json:"id" doc:"Becomes the event's id. It must be unique in the workspace, not only for its source."`
	Source          string             `json:"source" doc:"Becomes the actor." example:"/shop/checkout"`
	Type            string             `json:"type" doc:"The event's type: a name in the catalogue, or one that the workspace declared." example:"email.opened"`
	Time            postroom.Timestamp `json:"time" doc:"When it happened; now if left out."`
	Subject         string             `json:"subject" doc:"Becomes the ordering key, unless there is a partitionkey."`
	PartitionKey    string             `json:"partitionkey" doc:"Becomes the ordering key."`
	DataContentType string             `json:"datacontenttype" doc:"application/json, which it is if left out, or another type of JSON."`
	Data            map[string]any     `json:"data" doc:"The event's data, an object. This or data_base64 is required."`
	DataBase64      string             `json:"data_base64" doc:"The event's data, an object, in base64."`
}

type publishedMany struct {
	Data []publishedOne `json:"data" doc:"What became of each event or line, in order."`
}

// publishedOne is one of two: an event that was taken, or an error.
type publishedOne struct{}

// Schema describes the two.
func (publishedOne) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		r.Schema(reflect.TypeFor[postroom.Published](), true, ""),
		r.Schema(reflect.TypeFor[refusedOne](), true, ""),
	}}
}

type refusedOne struct {
	Error postroom.Problem `json:"error" doc:"Why the event was not taken."`
}

const publishDescription = `Stores events, and their deliveries to all webhooks that match, before it answers.

An event whose ` + "`id`" + ` was published in the last 24 hours is not stored again: the answer is that of the first time, with ` + "`duplicate: true`" + `.

Many events are published as a JSON array, or as NDJSON (` + "`application/x-ndjson`" + `, one event a line, blank lines are skipped), up to 10,000 at once. The answer then has a result for each, in order, and one that is refused does not keep the others from being published. An array is bounded by the size of a body; NDJSON by that for each line and by 64 MiB in total, or 8 MiB with an Idempotency-Key. When reading stops early, the last result says so.

CloudEvents 1.0 are read in structured mode (` + "`application/cloudevents+json`" + `), in batches (` + "`application/cloudevents-batch+json`" + `) and in binary mode (the headers ` + "`ce-specversion`" + `, ` + "`ce-type`" + `, ` + "`ce-id`" + `, ` + "`ce-source`" + `, …, with the data as the body). ` + "`source`" + ` becomes the actor; ` + "`partitionkey`" + `, or else ` + "`subject`" + `, the ordering key. Other extension attributes are allowed and not kept.`

// routePublish describes publish, which is a plain handler, in the document. ServeHTTP calls it past the mux, which knows it for
// the sake of the header Allow.
func (a *api) routePublish(rt *router) {
	op := operation{
		ID: "publish-events", Method: http.MethodPost, Path: publishPath, Tag: "Events", Role: postroom.RolePublisher,
		Summary: "Publish events", Description: publishDescription, Status: http.StatusAccepted,
		Codes: []postroom.Code{postroom.CodeUnknownEventType},
	}
	rt.add(&op)
	schemas := rt.huma.OpenAPI().Components.Schemas
	of := func(t reflect.Type) *huma.Schema { return schemas.Schema(t, true, "") }
	listOf := func(t reflect.Type) *huma.Schema {
		return &huma.Schema{Type: "array", Items: of(t), MaxItems: count(maxEvents)}
	}
	event, cloud := reflect.TypeFor[eventInput](), reflect.TypeFor[cloudEvent]()
	published := reflect.TypeFor[postroom.Published]()

	h := rt.describe(&op)
	h.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		mediaJSON: {Schema: &huma.Schema{OneOf: []*huma.Schema{of(event), listOf(event)}}, Examples: map[string]*huma.Example{
			"one":     {Summary: "One event", Value: rawExample(examplePublish)},
			"several": {Summary: "Several events", Value: rawExample("[" + examplePublish + "]")},
		}},
		mediaLines:      {Schema: &huma.Schema{Type: "string", Description: "An event on each line."}},
		mediaCloudEvent: {Schema: of(cloud), Example: rawExample(exampleCloudEvent)},
		mediaCloudBatch: {Schema: listOf(cloud), Example: rawExample("[" + exampleCloudEvent + "]")},
	}}
	h.Responses["202"].Content[mediaJSON] = &huma.MediaType{
		Schema: &huma.Schema{OneOf: []*huma.Schema{of(published), of(reflect.TypeFor[publishedMany]())}},
		Examples: map[string]*huma.Example{
			"one":     {Summary: "One event", Value: rawExample(examplePublished)},
			"several": {Summary: "Several events", Value: rawExample(examplePublishedMany)},
		},
	}
	documenter{rt.huma, rt}.DocumentOperation(&h)
	a.mux.HandleFunc(op.Method+" "+op.Path, a.publish)
}
