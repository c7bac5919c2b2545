package api

import (
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

// showEvent is an event as the API shows it.
func showEvent(e postroom.Event) postroom.EventResource {
	return postroom.EventResource{
		ID:          e.PublicID(),
		Type:        e.Type,
		Time:        postroom.Timestamp{Time: e.Time},
		PublishedAt: postroom.Timestamp{Time: e.PublishedAt()},
		Actor:       e.Actor,
		OrderingKey: e.OrderingKey,
		Data:        e.Data,
	}
}

// showDelivery is a delivery as the API shows it, without its attempts.
func showDelivery(d postroom.Delivery) postroom.DeliveryResource { return d.Resource() }

// showAttempt is an attempt as the API shows it.
func showAttempt(a postroom.Attempt) postroom.AttemptResource {
	r := postroom.AttemptResource{
		Number:     a.Number,
		At:         postroom.Timestamp{Time: a.At},
		StatusCode: a.StatusCode,
		DurationMs: milliseconds(a.Duration),
		PhasesMs: postroom.PhasesResource{
			DNS: milliseconds(a.Phases.DNS), Connect: milliseconds(a.Phases.Connect), TLS: milliseconds(a.Phases.TLS),
			FirstByte: milliseconds(a.Phases.FirstByte), Total: milliseconds(a.Phases.Total),
		},
		Request: postroom.RequestResource{Method: a.Request.Method, URL: a.Request.URL, Headers: notNil(a.Request.Headers)},
		Error:   a.Error,
		Notes:   a.Notes,
	}
	r.Request.Body, r.Request.BodyBase64 = showBody(a.Request.Body)
	if a.Response != nil {
		r.Response = &postroom.ResponseResource{
			StatusCode: a.Response.StatusCode, Headers: notNil(a.Response.Headers), Truncated: a.Response.Truncated,
		}
		r.Response.Body, r.Response.BodyBase64 = showBody(a.Response.Body)
	}
	return r
}

// showBody is a body as text if it is UTF-8, else as bytes.
func showBody(body []byte) (text string, base64 []byte) {
	if utf8.Valid(body) {
		return string(body), nil
	}
	return "", body
}

// showWebhook fills in the empty lists and maps, so that no webhook has null for them.
func showWebhook(w postroom.Webhook) postroom.Webhook {
	w.Events = notNil(w.Events)
	w.Retry.Schedule = notNil(w.Retry.Schedule)
	if w.Headers == nil {
		w.Headers = map[string]string{}
	}
	return w
}

func showStats(s postroom.Stats) postroom.Stats {
	s.Series = notNil(s.Series)
	return s
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func timestamp(t *time.Time) *postroom.Timestamp {
	if t == nil {
		return nil
	}
	return &postroom.Timestamp{Time: *t}
}

// milliseconds is a duration in milliseconds, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
