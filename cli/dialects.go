package cli

import (
	"errors"
	"os"
	"strings"

	"github.com/postroom/postroom"
)

type dialectCmd struct {
	List dialectListCmd `cmd:"" help:"List the dialects of a server."`
	Show dialectShowCmd `cmd:"" help:"Show a dialect, with a call that it makes."`
	Test dialectTestCmd `cmd:"" help:"Test dialects of your own; needs no server."`
}

type dialectListCmd struct{}

// Run lists the dialects.
func (dialectListCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	list, err := c.Dialects(s.ctx)
	if err != nil {
		return err
	}
	t := newTable("DIALECT", "TITLE", "EVENTS", "SIGNATURE")
	return showList(s, list, false, "There are no dialects.", t, func(_ *screen, d postroom.DialectResource) {
		t.row(val(d.Name), val(d.Title), val(eventsOf(d)), val(signatureOf(d)))
	})
}

func eventsOf(d postroom.DialectResource) string {
	names := make([]string, 0, len(d.Events))
	for _, e := range d.Events {
		names = append(names, e.Name)
	}
	if d.Others {
		return "all"
	}
	if len(names) > 3 {
		names = append(names[:3], "…")
	}
	return strings.Join(names, ", ")
}

func signatureOf(d postroom.DialectResource) string {
	if d.Signature.Header != "" {
		return d.Signature.Header
	}
	return d.Signature.Scheme
}

type dialectShowCmd struct {
	Dialect string `arg:"" help:"Its name, such as cakemail."`
	Type    string `placeholder:"TYPE" help:"Event type, or the vendor's name for it, whose call is shown; by default that of a test."`
}

// Run shows a dialect.
func (cmd dialectShowCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	d, err := c.Dialect(s.ctx, cmd.Dialect)
	if err != nil {
		return err
	}
	wanted := cmd.Type
	if wanted == "" {
		wanted = d.Test
	}
	var shown *postroom.DialectSample
	for i, sample := range d.Samples {
		if sample.Type == wanted || sample.Name == wanted {
			shown = &d.Samples[i]
		}
	}
	if cmd.Type != "" && shown == nil {
		return usagef("the dialect %s has no sample of %s", d.Name, cmd.Type)
	}
	return s.show(d, func(p *screen) { p.dialect(d, shown) })
}

func (p *screen) dialect(d postroom.DialectResource, shown *postroom.DialectSample) {
	events := ""
	for _, e := range d.Events {
		events += e.Type
		if e.Name != e.Type {
			events += " → " + e.Name
		}
		events += "\n"
	}
	if d.Others {
		events += "all others"
	}
	auth := make([]string, len(d.Auth))
	for i, t := range d.Auth {
		auth[i] = string(t)
	}
	retries := make([]string, len(d.Defaults.Retry.Schedule))
	for i, wait := range d.Defaults.Retry.Schedule {
		retries[i] = wait.String()
	}
	p.fields(
		field{label: "Dialect", value: val(d.Name)},
		field{label: "Title", value: val(d.Title)},
		field{label: "Description", value: val(d.Description)},
		field{label: "Events", value: val(strings.TrimSpace(events))},
		field{label: "Signature", value: val(signatureOf(d))},
		field{label: "Auth", value: val(strings.Join(auth, ", "))},
		field{label: "Retries", value: val(strings.Join(retries, ", "))},
		field{label: "Timeout", value: val(d.Defaults.Timeout.String())},
		field{label: "Test", value: val(d.Test)},
	)
	if shown == nil {
		return
	}
	p.printf("\n")
	p.request(shown.Request)
}

type dialectTestCmd struct {
	Dir    string `arg:"" help:"Folder of a dialect, or one with such folders."`
	Update bool   `help:"Write the fixtures that differ or are missing."`
}

// Help is shown by `postroom dialect test --help`.
func (dialectTestCmd) Help() string {
	return `Each dialect.yaml is compiled, and each testdata/*.txtar is an event and the call that brings it, which is made
as the server makes it. What is wrong is told as file:line. A dialect has a fixture for each event type that it names.

    postroom dialect test ./dialects/acme --update
    git diff
    postroom dialect test ./dialects`
}

// Run tests the dialects.
func (cmd dialectTestCmd) Run(s *session) error {
	if info, err := os.Stat(cmd.Dir); err != nil || !info.IsDir() {
		return usagef("%s is not a folder", cmd.Dir)
	}
	if s.TestDialects == nil {
		return errors.New("this build has no server")
	}
	return s.TestDialects(cmd.Dir, cmd.Update, s.Stdout)
}
