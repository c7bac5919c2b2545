package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/postroom/postroom/client"
)

// exportFlags say what is exported, how and where to.
type exportFlags struct {
	deliveryFilterFlags
	fileFlags
}

// fileFlags say what a file looks like, and where it is.
type fileFlags struct {
	Format string `default:"ndjson" enum:"csv,ndjson" placeholder:"FORMAT" help:"csv or ndjson."`
	Output string `default:"-" placeholder:"FILE" help:"File to write; - is stdout, which is the default."`
}

type deliveryExportCmd struct{ exportFlags }

// Help is shown by `postroom deliveries export --help`.
func (deliveryExportCmd) Help() string {
	return `All deliveries that the filters let through, newest first. A file is complete or not there: it is written under another
name, and gets its own when the export has ended.

    postroom deliveries export --format csv --output failed.csv --status failed --after 2026-01-01`
}

// Run exports deliveries.
func (cmd deliveryExportCmd) Run(s *session) error {
	return s.export(cmd.exportFlags, (*client.Client).ExportDeliveries)
}

type attemptsCmd struct {
	Export attemptExportCmd `cmd:"" help:"Write attempts to a file, as CSV or NDJSON."`
}

type attemptExportCmd struct{ exportFlags }

// Help is shown by `postroom attempts export --help`.
func (attemptExportCmd) Help() string {
	return `All attempts of the deliveries that the filters let through: deliveries newest first, the attempts of each from the
first on. NDJSON has what was sent and what came back, with headers and bodies; CSV has a line for each attempt without them.
A file is complete or not there: it is written under another name, and gets its own when the export has ended.

    postroom attempts export --webhook crm-sync --after 24h --output attempts.ndjson
    postroom attempts export --format csv --status failed | head`
}

// Run exports attempts.
func (cmd attemptExportCmd) Run(s *session) error {
	return s.export(cmd.exportFlags, (*client.Client).ExportAttempts)
}

// export writes what fetch gives to where the flags say.
func (s *session) export(flags exportFlags, fetch func(*client.Client, context.Context, client.DeliveryFilter, client.ExportFormat) (io.ReadCloser, error)) error {
	f, err := flags.filter(s)
	if err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	return s.exportTo(flags.Output, func(ctx context.Context) (io.ReadCloser, error) {
		return fetch(c, ctx, f, client.ExportFormat(flags.Format))
	})
}

func exportError(err error) error {
	if err != nil {
		return fmt.Errorf("the export broke off: %w", err)
	}
	return nil
}

// saveAs writes all of from to a file that is complete when it appears under its name.
func (s *session) saveAs(name string, from io.Reader) (n int64, err error) {
	part := name + ".part"
	file, err := os.Create(part)
	if err != nil {
		return 0, fileError(part, err)
	}
	progress := s.progress()
	n, err = io.Copy(file, &counted{from, 0, func(n int64) { progress.show("%s so far", size(n)) }})
	progress.end()
	err = errors.Join(exportError(err), file.Close())
	if err == nil {
		err = os.Rename(part, name)
	}
	if err != nil {
		return n, errors.Join(err, os.Remove(part))
	}
	return n, nil
}

// counted tells how much was read.
type counted struct {
	io.Reader
	n    int64
	tell func(int64)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	c.tell(c.n)
	return n, err
}
