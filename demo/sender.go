package demo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

// What the source of the demo does with whoever signs up.
const (
	signupTag  = "signed-up"
	signupList = "Newsletter"
)

// sender is an email platform that posts its events to a source: it signs each call as CloudCusp Mailer does.
type sender struct {
	api      *client.Client
	account  *account
	receiver *receiver
	source   postroom.Source
	secret   string
	http     *http.Client
	count    struct{ taken, refused int }
}

// startSender makes the source: a call that brings a new subscriber makes a contact, with a tag and a place on a list.
func startSender(ctx context.Context, api *client.Client, a *account, r *receiver) (*sender, error) {
	s := &sender{api: api, account: a, receiver: r, secret: "the demo's shared secret", http: &http.Client{Timeout: patience}}
	var err error
	s.source, err = api.CreateSource(ctx, map[string]any{
		"name": "Sign-ups", "kind": "cloudcusp", "signature": map[string]any{"secret": s.secret},
		"actions": []postroom.Action{{Type: postroom.ActionAddSubscriber, When: `event.type == "contact.created"`, Tags: []string{signupTag}, Lists: []string{signupList}}},
	})
	return s, err
}

// work posts a few calls: people sign up, and open a mail. Then one comes twice, and one is forged.
func (s *sender) work(ctx context.Context, people int) error {
	s.account.say("In: CloudCusp Mailer posts to the source's URL; each call is verified, stored and acted on before it is answered\n")
	began := time.Now().UTC().Truncate(time.Second)
	var last []byte
	for i := range people {
		body := signup(began, i)
		if err := s.post(ctx, "subscriber_added", person(i), body, s.sign(body)); err != nil {
			return err
		}
		if i%2 == 0 {
			body := opening(began, i)
			if err := s.post(ctx, "email_opened", person(i), body, s.sign(body)); err != nil {
				return err
			}
		}
		last = body
	}
	if err := s.post(ctx, "subscriber_added", person(people-1), last, s.sign(last)); err != nil {
		return err
	}
	forged := signup(began, people)
	if err := s.post(ctx, "subscriber_added", person(people), forged, s.sign(last)); err != nil {
		return err
	}
	if s.count.refused != 1 {
		return fmt.Errorf("%d calls were refused, and one was forged", s.count.refused)
	}
	return s.check(ctx, people)
}

// check asks what is there of the people: each must be on the list, once.
func (s *sender) check(ctx context.Context, people int) error {
	source, err := s.api.Source(ctx, s.source.ID.String(), false)
	if err != nil {
		return err
	}
	if int(source.Requests.Total) < s.count.taken {
		return fmt.Errorf("%d calls were answered, and %d are in the log", s.count.taken, source.Requests.Total)
	}
	page, err := s.api.ListPage(ctx, postroom.PageQuery{})
	if err != nil {
		return err
	}
	if len(page.Data) != 1 || page.Data[0].Members != int64(people) {
		return fmt.Errorf("%d people signed up, and the lists are %+v", people, page.Data)
	}
	s.account.say("\n%d calls were taken, each stored before it was answered; %d people are on the list %s, each of them once", s.count.taken, page.Data[0].Members, page.Data[0].Name)
	return nil
}

func signup(at time.Time, i int) []byte {
	return fmt.Appendf(nil, `{"event":"subscriber_added","timestamp":%q,"data":{"subscriber_id":%d,"email":%q,"first_name":%q,"list_id":1,"status":"subscribed","source":"form_submission"}}`,
		at.Format(time.RFC3339), 900+i, person(i), firstName(i))
}

func opening(at time.Time, i int) []byte {
	return fmt.Appendf(nil, `{"event":"email_opened","timestamp":%q,"data":{"subscriber_id":%d,"subscriber_email":%q,"campaign_id":456,"campaign_name":"Welcome","device_type":"desktop","open_count":1}}`,
		at.Format(time.RFC3339), 900+i, person(i))
}

func person(i int) string { return fmt.Sprintf("signup%02d@example.com", i) }

func (s *sender) sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(s.secret))
	_, _ = mac.Write(body) // never fails
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// post makes a call, tells how it was answered, and has the receiver expect what follows from it.
func (s *sender) post(ctx context.Context, event, who string, body []byte, signature string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.source.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Webhook-Signature", signature)
	s.account.line("→", true, "CloudCusp", event, who, "comes in")
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	var answer struct {
		RequestID string `json:"request_id"`
	}
	switch err := json.Unmarshal(text, &answer); {
	case err != nil:
		return fmt.Errorf("the answer %s to a call to the source: %w", text, err)
	case resp.StatusCode == http.StatusUnauthorized:
		s.count.refused++
		s.account.line("←", false, "CloudCusp", event, who, "401: the signature does not verify; it was forged for the demo")
		return nil
	case answer.RequestID == "":
		return fmt.Errorf("a call to the source was answered with %s: %s", resp.Status, text)
	}
	s.count.taken++
	return s.tell(ctx, resp.StatusCode, event, who, answer.RequestID)
}

// tell says what was done about a request.
func (s *sender) tell(ctx context.Context, status int, event, who, id string) error {
	request, err := s.api.Request(ctx, id)
	if err != nil {
		return err
	}
	for _, published := range request.Events {
		p := postroom.Published{ID: published}
		for d, err := range s.api.Deliveries(ctx, client.DeliveryFilter{Event: published}) {
			if err != nil {
				return err
			}
			p.Webhooks = append(p.Webhooks, d.WebhookID)
		}
		s.receiver.expect(p)
	}
	note := fmt.Sprintf("%d: signature verified, %s published", status, count(len(request.Events), "event"))
	switch {
	case request.Status == postroom.StatusDuplicate:
		note = fmt.Sprintf("%d: it came before, nothing is done twice", status)
	case request.Status != postroom.StatusProcessed:
		return fmt.Errorf("the request %s is %s", id, request.Status)
	case len(request.Actions) > 0 && request.Actions[0].Outcome == postroom.OutcomeDone:
		note = fmt.Sprintf("%d: signature verified, contact made, tagged %s, put on %s", status, signupTag, signupList)
	}
	s.account.line("←", true, "CloudCusp", event, who, note)
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
