package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

const (
	cakemailDialect = "cakemail"
	cakemailPage    = 50
	cakemailMaxPage = 1000
	cakemailToken   = 3600 // seconds for which clients keep a token
)

// cakemailWebhook is a webhook as Cakemail's API shows it. The last four are what older clients look for.
type cakemailWebhook struct {
	ID              string             `json:"id"`
	Status          string             `json:"status"` // active or archived
	Event           string             `json:"event"`
	URL             string             `json:"url"`
	ArchivedAt      *int64             `json:"archived_at"`          // seconds since 1970
	RateLimit       int                `json:"rate_limit,omitempty"` // in a period
	RateLimitPeriod string             `json:"rate_limit_period,omitempty"`
	Events          []string           `json:"events"`
	Name            string             `json:"name"`
	CreatedAt       postroom.Timestamp `json:"created_at"`
	UpdatedAt       postroom.Timestamp `json:"updated_at"`
}

// cakemailInput is the body of a call that makes a webhook or changes one: newer clients send event, older ones events, name and secret.
type cakemailInput struct {
	Event           json.RawMessage `json:"event"`
	Events          json.RawMessage `json:"events"`
	URL             string          `json:"url"`
	RateLimit       *int            `json:"rate_limit"`
	RateLimitPeriod string          `json:"rate_limit_period"`
	Name            string          `json:"name"`
	Secret          string          `json:"secret"`
}

type cakemailSignature struct {
	Key          string `json:"key,omitempty"`
	HashFunction string `json:"hash_function"`
}

// cakemailAnswer is every answer that is about one webhook.
type cakemailAnswer struct {
	ID        string             `json:"id"`
	Signature *cakemailSignature `json:"signature,omitempty"`
	Data      cakemailWebhook    `json:"data"`
	Object    string             `json:"object,omitempty"`
	Patched   bool               `json:"patched,omitempty"`
	Archived  *bool              `json:"archived,omitempty"`
}

type cakemailPagination struct {
	Page    int    `json:"page"`
	PerPage int    `json:"per_page"`
	Count   *int64 `json:"count"` // null unless asked for
}

type cakemailList struct {
	Pagination cakemailPagination `json:"pagination"`
	Data       []cakemailWebhook  `json:"data"`
}

// cakemailFault is one thing that is wrong with a call.
type cakemailFault struct {
	Loc     []string `json:"loc,omitempty"`
	Message string   `json:"msg"`
	Type    string   `json:"type"`
}

// cakemailRefusal is an error. Cakemail's own client shows its users the message, which Cakemail does not send.
type cakemailRefusal struct {
	Detail  []cakemailFault `json:"detail"`
	Message string          `json:"message"`
}

// cakemail is the face for Cakemail's clients.
type cakemail struct{ face }

func (a *api) routeCakemail() {
	const base = "/compat/cakemail"
	f := cakemail{face{
		api: a, dialect: cakemailDialect, refusal: refuseCakemail,
		id: func(w *postroom.Webhook) string { return strconv.FormatInt(w.Number, 10) },
		number: func(id string) (int64, bool) {
			n, err := strconv.ParseInt(id, 10, 64)
			return n, err == nil
		},
	}}
	f.route(http.MethodPost, base+"/token", "", http.StatusOK, f.token)
	f.route(http.MethodPut, base+"/token", "", http.StatusOK, f.token)
	f.route(http.MethodGet, base+"/webhooks", postroom.RoleViewer, http.StatusOK, f.list)
	f.route(http.MethodPost, base+"/webhooks", postroom.RoleAdmin, http.StatusCreated, f.create)
	f.route(http.MethodGet, base+"/webhooks/{id}", postroom.RoleViewer, http.StatusOK, f.get)
	f.route(http.MethodPatch, base+"/webhooks/{id}", postroom.RoleAdmin, http.StatusOK, f.patch)
	f.route(http.MethodPost, base+"/webhooks/{id}/archive", postroom.RoleAdmin, http.StatusOK, f.archive)
	f.route(http.MethodPost, base+"/webhooks/{id}/unarchive", postroom.RoleAdmin, http.StatusOK, f.unarchive)
	f.routeRest(base + "/")
}

// refuseCakemail writes an error as Cakemail does: each fault with its place.
func refuseCakemail(p postroom.Problem) (int, any) {
	out := cakemailRefusal{Message: p.Detail}
	kind := map[int]string{400: "bad_request", 401: "unauthorized", 403: "forbidden"}[p.Status]
	for _, e := range p.Errors {
		out.Detail = append(out.Detail, cakemailFault{cakemailPlace(e.Pointer), e.Detail, cmp.Or(kind, "value_error")})
	}
	if len(out.Detail) == 0 {
		out.Detail = []cakemailFault{{nil, p.Detail, cmp.Or(kind, string(p.Code))}}
	} else {
		out.Message = out.Detail[0].Message
		if len(out.Detail[0].Loc) > 1 {
			out.Message = out.Detail[0].Loc[1] + ": " + out.Message
		}
	}
	return p.Status, out
}

// cakemailPlace is a pointer of Postroom's in Cakemail's words.
func cakemailPlace(pointer string) []string {
	if name, ok := strings.CutPrefix(pointer, "?"); ok {
		return []string{"query", name}
	}
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	switch {
	case pointer == "/rate_limit/limit":
		parts = []string{"rate_limit"}
	case pointer == "/rate_limit/period":
		parts = []string{"rate_limit_period"}
	case parts[0] == "events":
		parts = []string{"event"}
	}
	return append([]string{"body"}, parts...)
}

// token answers a client that signs in: an API key is the password, the token, and what renews it.
func (f cakemail) token(ctx context.Context, c *faceCall) (any, error) {
	form, err := formOf(c.Header, c.body)
	if err != nil {
		return nil, postroom.Errorf(postroom.CodeBadJSON, "The body is not a form: %s.", err)
	}
	key := form.Get("password")
	if form.Get("grant_type") == "refresh_token" {
		key = form.Get("refresh_token")
	}
	if _, err := f.api.App.Authenticate(ctx, key); err != nil {
		if postroom.CodeOf(err) == postroom.CodeUnauthenticated {
			err = postroom.Errorf(postroom.CodeUnauthenticated, "The password is an API key of Postroom (prk_…), and this is none that is valid.")
		}
		return nil, err
	}
	return struct {
		AccessToken  string  `json:"access_token"`
		TokenType    string  `json:"token_type"`
		ExpiresIn    int     `json:"expires_in"`
		RefreshToken string  `json:"refresh_token"`
		Accounts     []int64 `json:"accounts"`
		Scope        string  `json:"scope"`
	}{key, "bearer", cakemailToken, key, []int64{}, "user"}, nil
}

// formOf reads a form of either kind.
func formOf(h http.Header, body []byte) (url.Values, error) {
	media, params, err := mime.ParseMediaType(cmp.Or(h.Get("Content-Type"), "application/x-www-form-urlencoded"))
	if err != nil {
		return nil, err
	}
	if media != "multipart/form-data" {
		return url.ParseQuery(string(body))
	}
	form := url.Values{}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, err
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		form.Add(part.FormName(), string(value))
	}
}

func (f cakemail) list(ctx context.Context, c *faceCall) (any, error) {
	q := c.URL.Query()
	var faults faults
	page := wholeNumber(&faults, q, "page", 1, 1<<31)
	perPage := wholeNumber(&faults, q, "per_page", cakemailPage, cakemailMaxPage)
	archived, count := truth(&faults, q, "with_archived"), truth(&faults, q, "with_count")
	if err := faults.err(); err != nil {
		return nil, err
	}
	found, total, err := f.api.App.WebhooksOfDialect(ctx, c.who, f.dialect, archived, (page-1)*perPage, perPage)
	if err != nil {
		return nil, err
	}
	out := cakemailList{Pagination: cakemailPagination{Page: page, PerPage: perPage}, Data: []cakemailWebhook{}}
	if count {
		out.Pagination.Count = &total
	}
	for i := range found {
		out.Data = append(out.Data, f.show(&found[i]))
	}
	return out, nil
}

// wholeNumber reads a parameter from 1 to the most; otherwise is what it is when it is not given.
func wholeNumber(faults *faults, q url.Values, name string, otherwise, most int) int {
	given := q.Get(name)
	if given == "" {
		return otherwise
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 1 || n > most {
		faults.add("?"+name, "this is a whole number from 1 to %d", most)
	}
	return n
}

// truth reads a parameter that is true or false, and false when it is not given.
func truth(faults *faults, q url.Values, name string) bool {
	switch strings.ToLower(q.Get(name)) {
	case "", "false", "0", "no", "off":
		return false
	case "true", "1", "yes", "on":
		return true
	}
	faults.add("?"+name, "this is true or false")
	return false
}

func (f cakemail) create(ctx context.Context, c *faceCall) (any, error) {
	var in cakemailInput
	if err := decodeKnown(c.body, &in); err != nil {
		return nil, err
	}
	events, err := f.events(&in)
	if err != nil {
		return nil, err
	}
	var faults faults
	if len(events) == 0 {
		faults.add("/events", "field required")
	}
	if in.URL == "" {
		faults.add("/url", "field required")
	}
	if err := faults.err(); err != nil {
		return nil, err
	}
	s := f.settings(in.Name, in.URL, events)
	if err := in.limit(&s); err != nil {
		return nil, err
	}
	w, err := f.api.App.CreateWebhookWithKey(ctx, c.who, s, in.Secret)
	if err != nil {
		return nil, err
	}
	return f.answer(&w), nil
}

func (f cakemail) get(ctx context.Context, c *faceCall) (any, error) {
	w, err := f.webhook(ctx, c)
	if err != nil {
		return nil, err
	}
	out := f.answer(&w)
	out.Signature = &cakemailSignature{HashFunction: "sha256"}
	if c.who.Role.Allows(postroom.RoleAdmin) {
		if out.Signature.Key, err = f.api.App.SigningKey(ctx, c.who, f.dialect, w.ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f cakemail) patch(ctx context.Context, c *faceCall) (any, error) {
	var in cakemailInput
	if err := decodeKnown(c.body, &in); err != nil {
		return nil, err
	}
	w, err := f.webhook(ctx, c)
	if err != nil {
		return nil, err
	}
	events, err := f.events(&in)
	if err != nil {
		return nil, err
	}
	if in.Secret != "" { // so that nothing is changed when one of the two is refused
		if err := f.api.App.CheckSecret(f.dialect, in.Secret); err != nil {
			return nil, err
		}
	}
	w, err = f.api.App.UpdateWebhook(ctx, c.who, w.ID.String(), 0, func(s *postroom.WebhookSettings) error {
		s.Name, s.URL = cmp.Or(in.Name, s.Name), cmp.Or(in.URL, s.URL)
		if len(events) > 0 {
			s.Events = events
		}
		return in.limit(s)
	})
	if err != nil {
		return nil, err
	}
	if in.Secret != "" {
		if _, _, err := f.api.App.RotateSecret(ctx, c.who, w.ID.String(), postroom.SecretHMAC, in.Secret, 0); err != nil {
			return nil, err
		}
	}
	out := f.answer(&w)
	out.Object, out.Patched = "Webhook", true
	return out, nil
}

// archive pauses: what the webhook would have received is held.
func (f cakemail) archive(ctx context.Context, c *faceCall) (any, error) {
	w, err := f.webhook(ctx, c)
	if err == nil && w.Status != postroom.WebhookPaused {
		w, err = f.api.App.PauseWebhook(ctx, c.who, w.ID.String(), "Archived by a client of Cakemail's API.")
	}
	return f.moved(&w, true, err)
}

func (f cakemail) unarchive(ctx context.Context, c *faceCall) (any, error) {
	w, err := f.webhook(ctx, c)
	if err == nil && w.Status != postroom.WebhookActive {
		w, _, err = f.api.App.ResumeWebhook(ctx, c.who, w.ID.String(), c.URL.Query().Get("held"))
	}
	return f.moved(&w, false, err)
}

func (f cakemail) moved(w *postroom.Webhook, archived bool, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	out := f.answer(w)
	out.Object, out.Archived = "Webhook", &archived
	return out, nil
}

func (f cakemail) answer(w *postroom.Webhook) cakemailAnswer {
	return cakemailAnswer{ID: f.id(w), Data: f.show(w)}
}

func (f cakemail) show(w *postroom.Webhook) cakemailWebhook {
	out := cakemailWebhook{ID: f.id(w), Status: "active", URL: w.URL, Name: w.Name, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt}
	if w.Status == postroom.WebhookPaused {
		at := w.StatusAt.Unix()
		out.Status, out.ArchivedAt = "archived", &at
	}
	names := f.api.App.EventNames(f.dialect)
	for _, t := range w.Events {
		out.Events = append(out.Events, cmp.Or(names[t], t))
	}
	out.Event = cakemailEvent(out.Events[0])
	if w.RateLimit != nil {
		out.RateLimit, out.RateLimitPeriod = cakemailLimit(*w.RateLimit)
	}
	return out
}

// cakemailPeriods are the periods of rate limits: those of Cakemail's API, and the two that its client knows too.
var cakemailPeriods = []struct {
	name   string
	length time.Duration
}{{"second", time.Second}, {"minute", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour}}

// cakemailLimit is a limit in Cakemail's periods: in another, it is what that comes to in a minute.
func cakemailLimit(r postroom.RateLimit) (int, string) {
	for _, p := range cakemailPeriods {
		if time.Duration(r.Period) == p.length {
			return r.Limit, p.name
		}
	}
	return max(1, int(int64(r.Limit)*int64(time.Minute)/int64(r.Period))), "minute"
}

// limit sets the rate limit. What is left out of the two stays as it is.
func (in *cakemailInput) limit(s *postroom.WebhookSettings) error {
	if in.RateLimit == nil && in.RateLimitPeriod == "" {
		return nil
	}
	r := postroom.RateLimit{Limit: 50, Period: postroom.Duration(time.Second)}
	if s.RateLimit != nil {
		r = *s.RateLimit
	}
	if in.RateLimit != nil {
		r.Limit = *in.RateLimit
	}
	if in.RateLimitPeriod != "" {
		r.Period = 0
		for _, p := range cakemailPeriods {
			if strings.EqualFold(p.name, in.RateLimitPeriod) {
				r.Period = postroom.Duration(p.length)
			}
		}
		if r.Period == 0 {
			return postroom.Invalid(postroom.CodeInvalid, "/rate_limit_period", "this is second or minute")
		}
	}
	s.RateLimit = &r
	return nil
}

// cakemailOthers are names of events in Cakemail's API and its documentation that are not the dialect's but for upper and lower case.
var cakemailOthers = map[string]string{
	"email.reportedasspam":     "email.complained",
	"email.spamreport":         "email.complained",
	"email.globalunsubscribed": "email.unsubscribed",
	"contact.unsubscribed":     "email.unsubscribed",
	"campaign.canceled":        "campaign.cancelled",
}

// cakemailEvent is the name in the enumeration of Cakemail's API for one of the dialect's names.
func cakemailEvent(name string) string {
	switch name {
	case "email.spam_complaint":
		return "Email.ReportedAsSpam"
	case "campaign.cancelled":
		return "Campaign.Canceled"
	}
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, ".")
}

// events are what a body subscribes to.
func (f cakemail) events(in *cakemailInput) (events []string, err error) {
	one, err := list(in.Event, "/event")
	if err != nil {
		return nil, err
	}
	several, err := list(in.Events, "/events")
	for _, name := range append(one, several...) {
		name = strings.ToLower(name)
		events = append(events, cmp.Or(cakemailOthers[name], name))
	}
	return events, err
}
