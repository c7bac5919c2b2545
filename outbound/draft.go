package outbound

import (
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
)

// Draft is all that a call depends on.
type Draft struct {
	Webhook   *postroom.Webhook
	Auth      *postroom.Auth // with its secret values; nil for none
	Dialect   *dialect.Dialect
	Keys      []SigningKey // none to leave the call unsigned
	UserAgent string
	Job       *postroom.Job // the event, the delivery's id, and how many attempts there were before
	At        time.Time     // when the call is signed
}

// Request makes the call as the log would show it, with its body, and does not make it: nothing is sent, and the same draft gives the same
// bytes. Notes tell where null stands for what could not be made. The error says why the body cannot be made, or that it is not that of the
// dialect.
func (d Draft) Request() (postroom.SentRequest, []postroom.FieldError, error) {
	t, err := newTarget(*d.Webhook, d.Auth, d.Dialect, d.UserAgent)
	if err != nil {
		return postroom.SentRequest{}, nil, err
	}
	t.keys = d.Keys
	c, err := build(t, d.Job)
	if err != nil {
		return postroom.SentRequest{}, nil, err
	}
	sign(c, t, d.Job.Event.PublicID(), d.At)
	if d.Auth != nil && d.Auth.Type == postroom.AuthOAuth2 {
		c.header.set(headerAuthorization, "") // where the token will be; what is shown does not depend on it
	}
	request := sentRequest(t, c)
	request.Body = c.body
	return request, c.notes, nil
}

// Preview makes the call that would bring an event to a webhook as a delivery's first attempt, as the log would show it. Without secrets it
// is signed with a new one. The error says why the body cannot be made.
func (e *Engine) Preview(w postroom.StoredWebhook, secrets []postroom.StoredSecret, event *postroom.Event) (postroom.SentRequest, []postroom.FieldError, error) {
	var none postroom.SentRequest
	auth, err := OpenAuth(e.targets.opener, w)
	if err != nil {
		return none, nil, err
	}
	d, err := e.targets.dialectOf(&w.Webhook)
	if err != nil {
		return none, nil, err
	}
	keys, err := e.targets.keysOf(w.ID, d, secrets)
	if err != nil {
		return none, nil, err
	}
	if len(secrets) == 0 {
		key, _, err := ParseSecret(NewSecret(postroom.SecretHMAC))
		if err != nil {
			return none, nil, err
		}
		keys = []SigningKey{key}
	}
	now := e.now()
	job := &postroom.Job{DeliveryID: postroom.Next[postroom.DeliveryKind](e.ids, now), WebhookID: w.ID, Event: event}
	return Draft{Webhook: &w.Webhook, Auth: auth, Dialect: d, Keys: keys, UserAgent: e.targets.userAgent, Job: job, At: now}.Request()
}
