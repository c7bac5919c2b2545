package cli

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// webhookFlags are a webhook's settings on a command line. A nil is a flag that was not given.
type webhookFlags struct {
	Name         *string           `short:"n" placeholder:"TEXT" help:"Name, for people."`
	Description  *string           `placeholder:"TEXT" help:"Description, for people."`
	UID          *string           `name:"uid" placeholder:"ID" help:"Your own id, by which the webhook can be named too."`
	Customer     *string           `placeholder:"NAME" help:"Whom the webhook belongs to, who manages it in the portal; empty for none."`
	Filter       *string           `placeholder:"EXPR" help:"CEL expression over event; only what it holds for is delivered."`
	Dialect      *string           `placeholder:"NAME" help:"How calls are enveloped, signed and retried: standard, cloudevents, …"`
	Method       *string           `placeholder:"METHOD" help:"HTTP method."`
	Header       map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"Header of every call; may be repeated."`
	Payload      payloadFlags      `embed:""`
	Timeout      *string           `placeholder:"DURATION" help:"Time for the whole call, such as 15s."`
	Retry        *string           `placeholder:"WAITS" help:"Waits before further attempts, such as 5s,5m,30m; none for a single attempt."`
	RetryJitter  *float64          `placeholder:"SHARE" help:"How far waits are spread, from 0 to 1."`
	RateLimit    *string           `placeholder:"N/PERIOD" help:"Most attempts in a period, such as 100/1s; or none."`
	Concurrency  *int              `placeholder:"N" help:"Most attempts at the same time."`
	Ordering     *string           `enum:"none,webhook,key" placeholder:"ORDER" help:"What must not be overtaken: none, webhook (one after the other) or key (one after the other for each ordering key, by default the contact)."`
	ExpectJSON   *bool             `name:"expect-json" negatable:"" help:"Count an answer that is not JSON as a failure."`
	DisableFails *int              `name:"disable-after-failures" placeholder:"N" help:"Disable after N failed deliveries in a row; 0 for never."`
	DisableAfter *string           `placeholder:"DURATION" help:"Disable when nothing succeeded for so long, such as 120h; 0s for never."`
	Auth         authFlags         `embed:"" group:"auth"`
}

// patch makes a JSON merge patch of the flags that were given.
func (f webhookFlags) patch(s *session) (map[string]any, error) {
	patch := map[string]any{}
	put(patch, "name", f.Name)
	put(patch, "description", f.Description)
	put(patch, "customer", f.Customer)
	put(patch, "filter", f.Filter)
	put(patch, "dialect", f.Dialect)
	put(patch, "method", f.Method)
	put(patch, "concurrency", f.Concurrency)
	put(patch, "ordering", f.Ordering)
	put(patch, "expect_json", f.ExpectJSON)
	if f.UID != nil {
		patch["uid"] = orNull(*f.UID, "")
	}
	if len(f.Header) > 0 {
		patch["headers"] = f.Header
	}
	auth, err := f.Auth.patch(s)
	if err != nil {
		return nil, err
	}
	if auth != nil {
		patch["auth"] = auth
	}
	if err := f.Payload.put(s, patch); err != nil {
		return nil, err
	}
	return patch, f.putPolicy(patch)
}

// payloadFlags say what is sent.
type payloadFlags struct {
	Payload *string  `placeholder:"JSON" help:"Payload template: JSON, @FILE, - for stdin, or none for the dialect's own."`
	Fields  []string `name:"payload-fields" placeholder:"PATHS" help:"Send only these of the dialect's own payload, such as type,data.contact.email."`
	Add     *string  `name:"payload-add" placeholder:"JSON" help:"Add to the dialect's own payload: a template that is an object, as JSON, @FILE or -."`
}

// put adds the payload to a patch, if it is said.
func (f payloadFlags) put(s *session, patch map[string]any) error {
	if f.Payload != nil && (f.Fields != nil || f.Add != nil) {
		return usagef("--payload makes all of the payload: --payload-fields and --payload-add do not go with it")
	}
	var p postroom.Payload
	var err error
	if f.Payload != nil && *f.Payload == "none" {
		patch["payload"] = nil
		return nil
	}
	if f.Payload != nil {
		p.Template, err = s.jsonValue("--payload", *f.Payload)
	}
	if f.Add != nil && err == nil {
		p.Add, err = s.jsonValue("--payload-add", *f.Add)
	}
	p.Fields = f.Fields
	if p.Template != nil || p.Fields != nil || p.Add != nil {
		patch["payload"] = p
	}
	return err
}

// putPolicy adds what says how often and how long is tried.
func (f webhookFlags) putPolicy(patch map[string]any) error {
	if f.Timeout != nil {
		d, err := duration("--timeout", *f.Timeout)
		if err != nil {
			return err
		}
		patch["timeout"] = d
	}
	retry := map[string]any{}
	if f.Retry != nil {
		schedule, err := waits(*f.Retry)
		if err != nil {
			return err
		}
		retry["schedule"] = schedule
	}
	put(retry, "jitter", f.RetryJitter)
	if len(retry) > 0 {
		patch["retry"] = retry
	}
	if f.RateLimit != nil {
		limit, err := rate(*f.RateLimit)
		if err != nil {
			return err
		}
		patch["rate_limit"] = limit
	}
	disable := map[string]any{}
	put(disable, "failures", f.DisableFails)
	if f.DisableAfter != nil {
		d, err := duration("--disable-after", *f.DisableAfter)
		if err != nil {
			return err
		}
		disable["for"] = d
	}
	if len(disable) > 0 {
		patch["disable_after"] = disable
	}
	return nil
}

// put sets a key when the value was given.
func put[T any](m map[string]any, key string, value *T) {
	if value != nil {
		m[key] = *value
	}
}

// orNull is the text, or null when it is the word for none.
func orNull(text, none string) any {
	if text == none {
		return nil
	}
	return text
}

func duration(flag, given string) (postroom.Duration, error) {
	d, err := time.ParseDuration(given)
	if err != nil || d < 0 {
		return 0, usagef("%s is %q, but must be a duration such as 5s, 30m or 2h", flag, given)
	}
	return postroom.Duration(d), nil
}

func waits(given string) ([]postroom.Duration, error) {
	schedule := []postroom.Duration{}
	if given == "none" || given == "" {
		return schedule, nil
	}
	for _, part := range strings.Split(given, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(part))
		if err != nil || d < 0 {
			return nil, usagef("--retry is %q, but must be waits such as 5s,5m,30m, or none", given)
		}
		schedule = append(schedule, postroom.Duration(d))
	}
	return schedule, nil
}

var rateLimit = regexp.MustCompile(`^([1-9][0-9]{0,8})/([0-9].*|[smh])$`)

// rate reads "100/1s" or "100/s"; null stands for no limit.
func rate(given string) (any, error) {
	if given == "none" {
		return nil, nil
	}
	wrong := usagef("--rate-limit is %q, but must be a number of calls and a period, such as 100/1s, or none", given)
	parts := rateLimit.FindStringSubmatch(given)
	if parts == nil {
		return nil, wrong
	}
	period := parts[2]
	if len(period) == 1 {
		period = "1" + period
	}
	d, err := time.ParseDuration(period)
	if err != nil || d <= 0 {
		return nil, wrong
	}
	return map[string]any{"limit": json.Number(parts[1]), "period": postroom.Duration(d)}, nil
}
