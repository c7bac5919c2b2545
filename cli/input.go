package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// open opens a file, or stdin for "-".
func (s *session) open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(s.Stdin), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fileError(name, err)
	}
	return f, nil
}

func fileError(name string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return usagef("%s cannot be used: %v", name, err)
}

// value gives a flag's value: what follows @ is a file to read it from, and - is stdin.
func (s *session) value(given string) ([]byte, error) {
	if given == "-" {
		return s.readAll("-")
	}
	if name, ok := strings.CutPrefix(given, "@"); ok {
		return s.readAll(name)
	}
	return []byte(given), nil
}

// secretValue gives a flag's value that is one line: the end of the line of a file is not part of it.
func (s *session) secretValue(given string) (string, error) {
	text, err := s.secretText(given)
	return strings.TrimRight(text, "\r\n"), err
}

// secretText gives a flag's value that may be secret, and may have several lines: what follows env: is the environment
// variable that has it, so that it stands neither in the shell's history nor in the list of processes.
func (s *session) secretText(given string) (string, error) {
	if name, ok := strings.CutPrefix(given, "env:"); ok {
		value := s.env(name)
		if value == "" {
			return "", usagef("the environment variable %s is not set, or is empty", name)
		}
		return value, nil
	}
	text, err := s.value(given)
	return string(text), err
}

// jsonValue gives a flag's value that is JSON.
func (s *session) jsonValue(flag, given string) (json.RawMessage, error) {
	text, err := s.value(given)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(text)
	if !json.Valid(text) {
		var v any
		return nil, usagef("%s is not JSON: %s", flag, syntaxError(text, json.Unmarshal(text, &v))).
			hint(`Give JSON such as '{"contact":{"email":"ada@example.com"}}', @FILE, or - for stdin.`)
	}
	return text, nil
}

// syntaxError says what is wrong with a JSON text, and where.
func syntaxError(text []byte, err error) string {
	var at *json.SyntaxError
	if !errors.As(err, &at) {
		return err.Error()
	}
	before := text[:min(max(int(at.Offset)-1, 0), len(text))]
	line := bytes.Count(before, []byte("\n"))
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("line %d, column %d: %v", line+1, column+1, err)
}

// moment reads a flag's value as a time: RFC 3339, a date in the local zone, or how long ago, such as 24h.
func (s *session) moment(flag, given string) (time.Time, error) {
	if given == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, given); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, given, s.Zone); err == nil {
			return t, nil
		}
	}
	if d, err := time.ParseDuration(given); err == nil && d >= 0 {
		return s.Now().Add(-d), nil
	}
	return time.Time{}, usagef("%s is %q, but must be a time such as 2026-01-31T09:30:00Z, a date such as 2026-01-31, or how long ago, such as 24h", flag, given)
}

// confirm asks before something is lost. Without a terminal there is nobody to ask, so --force is needed.
func (s *session) confirm(force bool, question string, args ...any) error {
	return s.ask(force, "nothing was deleted", question, args...)
}

// ask asks a question, and fails with refusal unless the answer is yes.
func (s *session) ask(force bool, refusal, question string, args ...any) error {
	if force {
		return nil
	}
	p := s.screen(s.Stderr, s.Terminal.Stderr)
	p.printf("%s [y/N] ", clean(fmt.Sprintf(question, args...)))
	p.flush()
	answer := make(chan string, 1)
	go func() { // the read cannot be broken off; it ends with the process
		line, _ := bufio.NewReader(s.Stdin).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return errors.New(refusal)
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// hasAsker tells whether there is somebody to ask.
func (s *session) hasAsker() bool { return s.Terminal.Stdin && s.Terminal.Stderr }

// askable refuses to go on where confirm could not ask before deleting.
func (s *session) askable(force bool) error { return s.askableTo(force, "deleting", "delete") }

// askableTo refuses to go on where ask could not ask before what doing and do name.
func (s *session) askableTo(force bool, doing, do string) error {
	if force || s.hasAsker() {
		return nil
	}
	return usagef("%s asks first, and there is no terminal to ask on", doing).hint("Give --force to " + do + " without being asked.")
}
