package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/config"
)

// errFailed ends a command with the status for failure, when what it has written says all that there is to say.
var errFailed = errors.New("failed")

// usageError says that a command was not used as it should be.
type usageError struct{ message, advice string }

func usagef(format string, args ...any) *usageError {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// hint adds what to do about it.
func (e *usageError) hint(advice string) *usageError {
	e.advice = advice
	return e
}

// Error gives the sentence.
func (e *usageError) Error() string { return e.message }

// report writes what went wrong to stderr, and gives the exit status.
func (s *session) report(err error) int {
	var usage *usageError
	var faults config.Faults
	var refused *client.Error
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.As(err, &faults):
		for _, line := range faults {
			s.complain(line, "")
		}
		return exitUsage
	case errors.As(err, &usage):
		s.complain(usage.message, usage.advice)
		return exitUsage
	case s.ctx.Err() != nil && errors.Is(err, context.Canceled):
		s.complain("interrupted", "")
	case errors.As(err, &refused):
		s.refusal(refused)
	default:
		s.complain(s.unreachable(err))
	}
	return exitFailed
}

// complain writes a sentence, and under it a hint.
func (s *session) complain(sentence, hint string) {
	p := s.screen(s.Stderr, s.Terminal.Stderr)
	p.printf("%s %s\n", p.paint(red, "postroom:"), clean(sentence))
	if hint != "" {
		p.printf("  %s\n", clean(hint))
	}
	p.flush()
}

// refusal writes what the server refused, with the fields that are to blame.
func (s *session) refusal(e *client.Error) {
	s.complain(e.Message, "")
	p := s.screen(s.Stderr, s.Terminal.Stderr)
	for _, f := range e.Fields {
		if f.Pointer == "" && strings.Contains(e.Message, f.Detail) {
			continue // the sentence says it already
		}
		p.printf("  %s: %s\n", clean(client.FieldName(f.Pointer)), clean(f.Detail))
	}
	switch e.Code {
	case postroom.CodeUnauthenticated:
		p.printf("  POSTROOM_API_KEY or --api-key gives the key.\n")
	case postroom.CodeInternal:
		if e.RequestID != "" {
			p.printf("  The server's log has the cause under request id %s.\n", clean(e.RequestID))
		}
	case "":
		p.printf("  Is Postroom at %s? POSTROOM_URL or --url names another address.\n", s.server())
	}
	p.flush()
}

// unreachable says in a sentence that a server could not be called, and what to do; any other error it gives as it is.
func (s *session) unreachable(err error) (sentence, hint string) {
	var call *url.Error
	if !errors.As(err, &call) {
		return err.Error(), ""
	}
	const elsewhere = "POSTROOM_URL or --url names another address."
	at := s.server()
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing answers at " + at, "Is `postroom serve` running there? " + elsewhere
	case errors.As(err, &dns):
		return fmt.Sprintf("there is no host %s", dns.Name), elsewhere
	case call.Timeout():
		return at + " did not answer in time", elsewhere
	}
	return fmt.Sprintf("the call to %s failed: %v", at, call.Err), elsewhere
}

// server is the address that calls go to.
func (s *session) server() string {
	for _, url := range []string{s.global.URL, s.env("POSTROOM_URL")} {
		if url != "" {
			return strings.TrimRight(url, "/")
		}
	}
	return client.DefaultURL
}

// misused reports a command line that the grammar does not have. Where a command is missing it shows which there are.
func (s *session) misused(parser *kong.Kong, wrong *kong.ParseError) int {
	node := parser.Model.Node
	if wrong.Context != nil && wrong.Context.Selected() != nil {
		node = wrong.Context.Selected()
	}
	if len(node.Children) > 0 && strings.HasPrefix(wrong.Error(), "expected ") {
		parser.Stdout = s.Stderr
		if err := wrong.Context.PrintUsage(false); err != nil {
			return s.report(err)
		}
		return exitUsage
	}
	hint := fmt.Sprintf("`%s --help` tells how it is used.", strings.TrimSpace("postroom "+node.Path()))
	if strings.Contains(wrong.Error(), "--endpoint") {
		hint = "-u is where events are posted to; --url is Postroom's own address. " + hint
	}
	s.complain(plainly(wrong.Error()), hint)
	return exitUsage
}

var (
	notOneOf = regexp.MustCompile(`^(\S+) must be one of (.*) but got (".*")$`)
	expected = regexp.MustCompile(`^expected "(.*)"$`)
)

// plainly puts kong's sentences as all others are put.
func plainly(sentence string) string {
	if m := notOneOf.FindStringSubmatch(sentence); m != nil {
		values := strings.Split(strings.ReplaceAll(strings.TrimSuffix(m[2], `,""`), `"`, ""), ",")
		last := len(values) - 1
		return fmt.Sprintf("%s is %s, but must be %s or %s", m[1], m[3], strings.Join(values[:last], ", "), values[last])
	}
	if m := expected.FindStringSubmatch(sentence); m != nil {
		return m[1] + " is missing"
	}
	return sentence
}
