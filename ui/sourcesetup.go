package ui

import (
	"context"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// setupData is what somebody needs who connects a system to a source.
type setupData struct {
	Fresh   bool   // the source was just made
	Shown   bool   // the token is in the URL
	APIKey  string // if it was just made
	Curl    string
	Sample  string
	Where   []string // what to do in the other system
	Recent  recent
	Secrets bool // the kind has a signature whose secret is not set
}

// recent are the newest requests of a source.
type recent struct {
	Source   postroom.Source
	Requests []postroom.Request
}

const recentRequests = 5

func (c *call) recentOf(s postroom.Source) (recent, error) {
	found, err := c.app.Requests(c.Context(), c.in.Caller, postroom.RequestFilter{Source: s.ID}, postroom.PageQuery{Limit: recentRequests})
	return recent{s, found.Data}, err
}

func setupPage(c *call) error {
	s, err := c.app.Source(c.Context(), c.in.Caller, c.PathValue("id"), false)
	if err != nil {
		return err
	}
	return showSetup(c, s, false)
}

func revealToken(c *call) error {
	s, err := c.app.Source(c.Context(), c.in.Caller, c.PathValue("id"), true)
	if err != nil {
		return err
	}
	return showSetup(c, s, false)
}

func renewToken(c *call) error {
	s, err := c.app.RenewSourceToken(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	return showSetup(c, s, false)
}

// showSetup shows how to connect a system to a source, whose URL is shown as it is in s.
func showSetup(c *call, s postroom.Source, fresh bool) error {
	d := sourceData{Source: s}
	var err error
	if d.Kinds, err = c.app.SourceKinds(c.Context(), c.in.Caller); err != nil {
		return err
	}
	d.Kind = kindNamed(d.Kinds, s.Kind)
	body := setupData{Fresh: fresh, Shown: !strings.Contains(s.URL, "token=***"), Where: setupSteps(d.Kind), Sample: sampleOf(d.Kind)}
	body.Secrets = d.Kind.Signs && s.Signature == nil
	if s.APIKey != nil && s.APIKey.Key != postroom.Redacted {
		body.APIKey = s.APIKey.Key
	}
	body.Curl = curlOf(d.Kind, s, body.APIKey)
	if body.Recent, err = c.recentOf(s); err != nil {
		return err
	}
	return c.render(sourceView(c, d, "setup", "Setup", body))
}

// sampleOf is a call as the kind's senders make it.
func sampleOf(k app.Kind) string {
	if len(k.Samples) > 0 {
		return strings.TrimSpace(k.Samples[0].Body)
	}
	return `{"event": "subscriber_added", "contact_email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace", "company_name": "Analytical Engines"}`
}

// setupSteps say what to do in the other system.
func setupSteps(k app.Kind) []string {
	switch k.Name {
	case "cloudcusp":
		return []string{"In the sender, open Webhooks → Outgoing and choose Create Webhook.", "Paste the URL above as the endpoint URL, and select the events to send.",
			"If it signs its calls, put the same secret under Security → Signature here."}
	case "zapier":
		return []string{"In your Zap, add the action Webhooks by Zapier → POST.", "Paste the URL above as the URL, and choose JSON as the payload type.", "Fill in the fields, such as email, and test the step."}
	case "standard":
		return []string{"Where the sender lists its webhook endpoints, add one and paste the URL above.", "Copy the signing secret that it shows (whsec_…), and put it under Security → Signature here."}
	case "cloudevents":
		return []string{"Give the sender the URL above as its sink, over HTTP.", "Structured, batched and binary CloudEvents 1.0 are all understood."}
	}
	return []string{"Open the settings of webhooks, callbacks or notifications of the system that is to call.", "Paste the URL above, and choose POST with a body of JSON or of a form.",
		"Send a test from there: the call shows up below, and then under Mapping, where you say what its fields mean."}
}

// shellQuote makes a text one word of a shell.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// curlOf is a command that makes a call.
func curlOf(k app.Kind, s postroom.Source, key string) string {
	lines := []string{"curl " + shellQuote(s.URL), "-H 'Content-Type: application/json'"}
	if s.APIKey != nil {
		if key == "" {
			key = "YOUR-API-KEY"
		}
		lines = append(lines, "-H "+shellQuote(s.APIKey.Header+": "+key))
	}
	if s.BasicAuth != nil {
		lines = append(lines, "-u "+shellQuote(s.BasicAuth.Username+":YOUR-PASSWORD"))
	}
	return strings.Join(append(lines, "-d "+shellQuote(sampleOf(k))), " \\\n  ")
}

// liveEvery is how often a live list is sent anew at most.
const liveEvery = 300 * time.Millisecond

// sourceLive sends the newest requests of a source, now and whenever there are others.
func sourceLive(c *call) error {
	s, err := c.app.Source(c.Context(), c.in.Caller, c.PathValue("id"), false)
	if err != nil {
		return err
	}
	requests, err := c.app.WatchRequests(c.Context(), c.in.Caller, s.ID.String(), postroom.RequestID{})
	if err != nil {
		return err
	}
	return stream(c, "requests", coalesce(c.Context(), requests, liveEvery), func(struct{}) (string, error) {
		now, err := c.recentOf(s)
		if err != nil {
			return "", err
		}
		return c.text("sources/setup", "recent", now)
	})
}

// coalesce gives a sign at once, and then whenever something came, but not more often than every so long.
func coalesce[T any](ctx context.Context, from <-chan T, every time.Duration) <-chan struct{} {
	signs := make(chan struct{}, 1)
	signs <- struct{}{}
	go func() {
		defer close(signs)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		news := false
		for {
			select {
			case <-ctx.Done():
				return
			case _, more := <-from:
				if !more {
					return
				}
				news = true
			case <-ticker.C:
				if !news {
					continue
				}
				news = false
				select {
				case signs <- struct{}{}:
				default: // one is waiting
				}
			}
		}
	}()
	return signs
}
