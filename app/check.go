package app

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/outbound"
)

// Bounds of a webhook's settings.
const (
	maxPatterns    = 100
	maxHeaders     = 50
	maxHeaderValue = 4096
	maxRetries     = 30
	minRetryWait   = 100 * time.Millisecond
	maxRetryWait   = 7 * 24 * time.Hour
	minTimeout     = 100 * time.Millisecond
	maxTimeout     = time.Minute
	maxParallel    = 256
	maxRate        = 1_000_000
	minPeriod      = 100 * time.Millisecond
	maxPeriod      = 24 * time.Hour
)

var (
	webhookUID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}$`)
	tokenName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$") // RFC 9110, 5.6.2
)

// checkWebhook refuses settings that cannot work. before are those that it had, or nil for a new one.
func (a *App) checkWebhook(ctx context.Context, who Caller, s, before *postroom.WebhookSettings) error {
	var p postroom.Problems
	checkName(&p, "/name", s.Name)
	checkLongText(&p, "/description", s.Description)
	if s.UID != nil && (!webhookUID.MatchString(*s.UID) || strings.HasPrefix(*s.UID, "whk_")) {
		p.Add("/uid", "a uid is 1 to 64 letters, digits and . _ : @ -, begins with a letter or digit, and not with whk_")
	}
	if s.Customer != "" {
		checkCustomer(&p, "/customer", s.Customer)
	}
	if before == nil || before.URL != s.URL {
		a.checkURL(&p, "/url", s.URL)
	}
	d := a.checkDialect(&p, s)
	if err := a.checkPatterns(ctx, who, &p, d, s.Events); err != nil {
		return err
	}
	if err := a.Engine.CheckFilter(s.Filter); err != nil {
		p.Add("/filter", "%s", err.Error())
	}
	if !samePayload(s, before) {
		if err := a.checkPayload(ctx, who, &p, s); err != nil {
			return err
		}
	}
	checkDelivery(&p, s)
	checkHeaders(&p, "/headers", s.Headers)
	a.checkAuth(&p, s, before)
	return p.Err()
}

func (a *App) checkURL(p *postroom.Problems, pointer, raw string) {
	if raw == "" {
		p.Add(pointer, "this is required")
		return
	}
	err := a.CheckURL(raw)
	if err == nil {
		return
	}
	code := postroom.CodeURLInvalid
	var known *postroom.Error
	if errors.As(err, &known) {
		code = known.Code
	}
	p.AddCode(code, pointer, "%s", err.Error())
}

// checkPatterns checks what a webhook subscribes to. d is its dialect, nil if it has none.
func (a *App) checkPatterns(ctx context.Context, who Caller, p *postroom.Problems, d *dialect.Dialect, patterns []string) error {
	if len(patterns) == 0 || len(patterns) > maxPatterns {
		p.Add("/events", "a webhook subscribes to 1 to %d event types", maxPatterns)
	}
	for i, pattern := range patterns {
		pointer := "/events/" + strconv.Itoa(i)
		if err := checkPattern(pattern); err != nil {
			p.Add(pointer, "%s", err.Error())
			continue
		}
		if d != nil && !a.offers(d, pattern) {
			p.AddCode(postroom.CodeUnknownEventType, pointer, "%s", notSent(d, pattern))
			continue
		}
		if !strings.HasSuffix(pattern, "*") {
			err := a.checkEventType(ctx, who.Workspace, pattern, a.Now())
			if postroom.CodeOf(err) == postroom.CodeUnknownEventType {
				p.AddCode(postroom.CodeUnknownEventType, pointer, "%s", a.unknownType(pattern))
				continue
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// checkDelivery checks how calls are made and repeated.
func checkDelivery(p *postroom.Problems, s *postroom.WebhookSettings) {
	switch s.Method {
	case "POST", "PUT", "PATCH":
	default:
		p.Add("/method", "this is POST, PUT or PATCH")
	}
	if d := time.Duration(s.Timeout); d < minTimeout || d > maxTimeout {
		p.Add("/timeout", "this is %s to %s", postroom.Duration(minTimeout), postroom.Duration(maxTimeout))
	}
	if len(s.Retry.Schedule) > maxRetries {
		p.Add("/retry/schedule", "there are at most %d retries", maxRetries)
	}
	for i, d := range s.Retry.Schedule {
		if time.Duration(d) < minRetryWait || time.Duration(d) > maxRetryWait {
			p.Add("/retry/schedule/"+strconv.Itoa(i), "a wait is %s to %s", postroom.Duration(minRetryWait), postroom.Duration(maxRetryWait))
		}
	}
	if !(s.Retry.Jitter >= 0 && s.Retry.Jitter <= 1) { // not NaN either
		p.Add("/retry/jitter", "this is 0 to 1")
	}
	if s.Concurrency < 1 || s.Concurrency > maxParallel {
		p.Add("/concurrency", "this is 1 to %d", maxParallel)
	}
	if r := s.RateLimit; r != nil {
		if r.Limit < 1 || r.Limit > maxRate {
			p.Add("/rate_limit/limit", "this is 1 to %d", maxRate)
		}
		if d := time.Duration(r.Period); d < minPeriod || d > maxPeriod {
			p.Add("/rate_limit/period", "this is %s to %s", postroom.Duration(minPeriod), postroom.Duration(maxPeriod))
		}
	}
	if !slices.Contains(postroom.Orderings(), s.Ordering) {
		p.Add("/ordering", "this is none, webhook or key")
	}
	if s.Disable.Failures < 0 {
		p.Add("/disable_after/failures", "this is 0 (never) or more")
	}
	if d := time.Duration(s.Disable.For); d != 0 && d < time.Minute {
		p.Add("/disable_after/for", "this is 0s (never), or 1m or more")
	}
}

func checkHeaders(p *postroom.Problems, pointer string, headers map[string]string) {
	if len(headers) > maxHeaders {
		p.Add(pointer, "there are at most %d headers", maxHeaders)
	}
	seen := map[string]bool{}
	for name, value := range headers {
		at := pointer + "/" + escapePointer(name)
		checkHeader(p, at, name, value)
		if canonical := headerName(name); seen[canonical] {
			p.Add(at, "this header is set twice, in different spellings")
		} else {
			seen[canonical] = true
		}
	}
}

func checkHeader(p *postroom.Problems, pointer, name, value string) {
	switch {
	case !tokenName.MatchString(name):
		p.Add(pointer, "%s cannot be the name of a header", quote(name))
	case outbound.ReservedHeader(name):
		p.Add(pointer, "the header %s is reserved: Postroom or HTTP itself sets it", headerName(name))
	case len(value) > maxHeaderValue:
		p.Add(pointer, "a header's value is at most %d bytes long", maxHeaderValue)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f }):
		p.Add(pointer, "a header's value is printable ASCII, without line breaks")
	}
}

// escapePointer writes a name as a part of a JSON pointer (RFC 6901).
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
