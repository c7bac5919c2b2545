package api

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

const (
	sendookDialect  = "sendook"
	sendookAttempts = 10 // that are shown
	sendookLooked   = 50 // newest deliveries among which they are looked for
)

// sendookWebhook is a webhook as Sendook's API shows it: as its database does, with the id of its documentation beside.
type sendookWebhook struct {
	ObjectID       string             `json:"_id"`
	ID             string             `json:"id"`
	OrganizationID string             `json:"organizationId"`
	URL            string             `json:"url"`
	Events         []string           `json:"events"`
	CreatedAt      postroom.Timestamp `json:"createdAt"`
	UpdatedAt      postroom.Timestamp `json:"updatedAt"`
	Version        int                `json:"__v"`
}

// sendookAttempt is an attempt as Sendook's API shows it.
type sendookAttempt struct {
	ObjectID       string             `json:"_id"`
	ID             string             `json:"id"`
	OrganizationID string             `json:"organizationId"`
	WebhookID      string             `json:"webhookId"`
	InboxID        json.RawMessage    `json:"inboxId,omitempty"`
	MessageID      json.RawMessage    `json:"messageId,omitempty"`
	Timestamp      postroom.Timestamp `json:"timestamp"`
	Payload        json.RawMessage    `json:"payload"`  // the body that was sent
	Status         int                `json:"status"`   // of the answer; 500 without one
	Error          *string            `json:"error"`    // null after a success
	Response       json.RawMessage    `json:"response"` // JSON as it came, else its text; null without an answer
	CreatedAt      postroom.Timestamp `json:"createdAt"`
	UpdatedAt      postroom.Timestamp `json:"updatedAt"`
	Version        int                `json:"__v"`
}

// sendookFault is a field that was refused, as Sendook's validator tells of it.
type sendookFault struct {
	Type     string `json:"type"`
	Message  string `json:"msg"`
	Path     string `json:"path"`
	Location string `json:"location"`
}

type sendookRefusal struct {
	Error  string         `json:"error"`
	Errors []sendookFault `json:"errors,omitempty"`
}

// sendook is the face for Sendook's clients.
type sendook struct{ face }

func (a *api) routeSendook() {
	const base = "/compat/sendook"
	const webhooks = base + "/v1/webhooks"
	f := sendook{face{api: a, dialect: sendookDialect, refusal: refuseSendook, id: webhookObjectID, number: numberOfObjectID}}
	f.route(http.MethodGet, webhooks, postroom.RoleViewer, http.StatusOK, f.list)
	f.route(http.MethodPost, webhooks, postroom.RoleAdmin, http.StatusOK, f.create)
	f.route(http.MethodGet, webhooks+"/{id}", postroom.RoleViewer, http.StatusOK, f.get)
	f.route(http.MethodDelete, webhooks+"/{id}", postroom.RoleAdmin, http.StatusOK, f.remove)
	f.route(http.MethodPost, webhooks+"/{id}/test", postroom.RoleAdmin, http.StatusOK, f.test)
	f.route(http.MethodGet, webhooks+"/{id}/attempts", postroom.RoleViewer, http.StatusOK, f.attempts)
	f.routeRest(base + "/")
}

// refuseSendook writes an error as Sendook does. What it refuses is a bad request.
func refuseSendook(p postroom.Problem) (int, any) {
	out := sendookRefusal{Error: p.Detail}
	for _, e := range p.Errors {
		path, _, _ := strings.Cut(strings.TrimPrefix(e.Pointer, "/"), "/")
		out.Errors = append(out.Errors, sendookFault{"field", e.Detail, path, "body"})
	}
	if len(p.Errors) > 0 {
		out.Error = out.Errors[0].Path + ": " + out.Errors[0].Message
	}
	if p.Status == http.StatusUnprocessableEntity {
		return http.StatusBadRequest, out
	}
	return p.Status, out
}

func (f sendook) list(ctx context.Context, c *faceCall) (any, error) {
	const page = 1000
	all := []sendookWebhook{}
	for {
		found, _, err := f.api.App.WebhooksOfDialect(ctx, c.who, f.dialect, true, len(all), page)
		if err != nil {
			return nil, err
		}
		for i := range found {
			all = append(all, f.show(&found[i]))
		}
		if len(found) < page {
			return all, nil
		}
	}
}

func (f sendook) create(ctx context.Context, c *faceCall) (any, error) {
	var in struct {
		URL    string          `json:"url"`
		Events json.RawMessage `json:"events"`
	}
	if err := decodeKnown(c.body, &in); err != nil {
		return nil, err
	}
	events, err := list(in.Events, "/events")
	if err != nil {
		return nil, err
	}
	w, _, err := f.api.App.CreateWebhook(ctx, c.who, f.settings("", strings.TrimSpace(in.URL), events), postroom.WebhookActive, "")
	if err != nil {
		return nil, err
	}
	return f.show(&w), nil
}

func (f sendook) get(ctx context.Context, c *faceCall) (any, error) {
	w, err := f.webhook(ctx, c)
	if err != nil {
		return nil, err
	}
	return f.show(&w), nil
}

func (f sendook) remove(ctx context.Context, c *faceCall) (any, error) {
	w, err := f.webhook(ctx, c)
	if err == nil {
		err = f.api.App.DeleteWebhook(ctx, c.who, w.ID.String(), 0)
	}
	if err != nil {
		return nil, err
	}
	return f.show(&w), nil
}

// test sends the dialect's test, and says whether the receiver took it.
func (f sendook) test(ctx context.Context, c *faceCall) (any, error) {
	w, err := f.webhook(ctx, c)
	if err != nil {
		return nil, err
	}
	_, attempt, err := f.api.App.TestWebhook(ctx, c.who, w.ID.String(), "", nil)
	if err != nil {
		return nil, err
	}
	out := struct {
		Success bool   `json:"success"`
		Error   string `json:"error,omitempty"`
	}{Success: attempt.Error == nil}
	if attempt.Error != nil {
		out.Error = attempt.Error.Message
	}
	return out, nil
}

// attempts are the newest attempts, newest first. A delivery's newest attempt is known without reading its log, so few logs are read.
func (f sendook) attempts(ctx context.Context, c *faceCall) (any, error) {
	w, err := f.webhook(ctx, c)
	if err != nil {
		return nil, err
	}
	page, err := f.api.App.Deliveries(ctx, c.who, postroom.DeliveryFilter{Webhook: w.ID}, postroom.PageQuery{Limit: sendookLooked})
	if err != nil {
		return nil, err
	}
	deliveries := slices.DeleteFunc(page.Data, func(d postroom.Delivery) bool { return d.LastAt == nil })
	slices.SortStableFunc(deliveries, func(a, b postroom.Delivery) int { return b.LastAt.Compare(*a.LastAt) })
	all := []sendookAttempt{}
	for _, d := range deliveries[:min(len(deliveries), sendookAttempts)] {
		_, made, err := f.api.App.Delivery(ctx, c.who, d.ID.String())
		if err != nil {
			return nil, err
		}
		for i := range made {
			all = append(all, showSendookAttempt(&w, &made[i]))
		}
	}
	slices.SortStableFunc(all, func(a, b sendookAttempt) int { return b.Timestamp.Compare(a.Timestamp.Time) })
	return all[:min(len(all), sendookAttempts)], nil
}

func showSendookAttempt(w *postroom.Webhook, a *postroom.Attempt) sendookAttempt {
	at := postroom.Timestamp{Time: a.At}
	out := sendookAttempt{ObjectID: attemptObjectID(a), OrganizationID: workspaceObjectID(w.WorkspaceID), WebhookID: webhookObjectID(w),
		Timestamp: at, CreatedAt: at, UpdatedAt: at, Payload: jsonOrText(a.Request.Body), Status: a.StatusCode}
	out.ID = out.ObjectID
	if payload.KindOf(out.Payload) == payload.KindObject {
		_ = payload.Members(out.Payload, func(key, value []byte) error { // cannot fail: it is a valid object
			switch string(key) {
			case "inboxId":
				out.InboxID = value
			case "messageId":
				out.MessageID = value
			}
			return nil
		})
	}
	if a.Response != nil {
		out.Response = jsonOrText(a.Response.Body)
	}
	if a.Error != nil {
		out.Error = &a.Error.Message
	}
	if out.Status == 0 {
		out.Status = http.StatusInternalServerError
	}
	return out
}

// jsonOrText is JSON as it is, and anything else as a string.
func jsonOrText(body []byte) json.RawMessage {
	if len(body) > 0 && payload.Valid(body) == nil {
		return body
	}
	text, err := json.Marshal(strings.ToValidUTF8(string(body), "\uFFFD"))
	if err != nil { // cannot be: it is a string
		panic(err)
	}
	return text
}

func (f sendook) show(w *postroom.Webhook) sendookWebhook {
	names := f.api.App.EventNames(f.dialect)
	out := sendookWebhook{ObjectID: f.id(w), ID: f.id(w), OrganizationID: workspaceObjectID(w.WorkspaceID), URL: w.URL,
		CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt}
	for _, t := range w.Events {
		if name := names[t]; name != "" {
			t = name
		}
		out.Events = append(out.Events, t)
	}
	return out
}

// Sendook's ids are those of MongoDB: 12 bytes in hexadecimal, of which the first four are the seconds at which the thing was made. The
// rest is, of a webhook, three random bytes of its id and five of its number; of others, random bytes of their ids.

func objectID(made time.Time, rest ...byte) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(made.Unix())) // until 2106, as MongoDB's
	return hex.EncodeToString(append(b, rest...))
}

func webhookObjectID(w *postroom.Webhook) string {
	number := binary.BigEndian.AppendUint64(nil, uint64(w.Number)) // positive
	return objectID(w.ID.Time(), append(w.ID[13:16:16], number[3:]...)...)
}

func numberOfObjectID(id string) (int64, bool) {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 12 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(append(make([]byte, 3), b[7:]...))), true // 40 bits
}

func workspaceObjectID(id postroom.WorkspaceID) string { return objectID(id.Time(), id[8:16]...) }

func attemptObjectID(a *postroom.Attempt) string {
	return objectID(a.At, append(a.DeliveryID[9:16:16], byte(a.Number))...) // of the attempts of a delivery, which are few
}
