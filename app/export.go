package app

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

const exportPiece = 32 << 10 // bytes that are gathered before they are sent

// Export makes a file of things, one a line: JSON, or comma-separated values. It is sent piece by piece.
type Export struct {
	Kind  string // the content type
	Name  string // of the file
	Begun bool   // a part was sent
	send  func(piece []byte) error
	piece bytes.Buffer
	rows  *csv.Writer // into piece; nil for NDJSON
}

// NewExport makes an export as FormatCSV, or else as NDJSON. Its file is called name, and columns head it; send gets the pieces.
func NewExport(format, name string, columns []string, send func(piece []byte) error) *Export {
	e := &Export{Kind: "application/x-ndjson", Name: name + ".ndjson", send: send}
	if format != FormatCSV {
		return e
	}
	e.Kind, e.Name = "text/csv; charset=utf-8; header=present", name+".csv"
	e.rows = csv.NewWriter(&e.piece)
	e.rows.UseCRLF = true // RFC 4180
	_ = e.rows.Write(columns)
	e.rows.Flush()
	return e
}

// Add writes one thing: as JSON, or as the cells of a line.
func (e *Export) Add(v any, cells func() []string) error {
	if e.rows == nil {
		enc := json.NewEncoder(&e.piece)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return err
		}
	} else {
		err := e.rows.Write(guarded(cells()))
		if e.rows.Flush(); err != nil {
			return err
		}
	}
	if e.piece.Len() < exportPiece {
		return nil
	}
	return e.Send()
}

// Send sends what was gathered; at the end, the last piece.
func (e *Export) Send() error {
	err := e.send(e.piece.Bytes())
	e.Begun = true
	e.piece.Reset()
	return err
}

// guarded puts an apostrophe before what a spreadsheet would run.
func guarded(cells []string) []string {
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
			cells[i] = "'" + cell
		}
	}
	return cells
}

// DeliveryColumns are the names of the columns of an export of deliveries as CSV.
func DeliveryColumns() []string {
	return []string{"id", "created_at", "status", "event_id", "event_type", "webhook_id", "attempt_count", "last_status_code", "last_error_kind",
		"last_attempt_at", "next_attempt_at", "test"}
}

// DeliveryCells are the cells of a delivery, as DeliveryColumns has them.
func DeliveryCells(d postroom.DeliveryResource) []string {
	return []string{d.ID.String(), d.CreatedAt.String(), string(d.Status), d.EventID, d.EventType, d.WebhookID.String(), strconv.Itoa(d.AttemptCount),
		strconv.Itoa(d.LastStatusCode), d.LastErrorKind, TimeCell(d.LastAttemptAt), TimeCell(d.NextAttemptAt), strconv.FormatBool(d.Test)}
}

// RequestColumns are the names of the columns of an export of requests as CSV.
func RequestColumns() []string {
	return []string{"id", "source_id", "received_at", "status", "event_type", "sender", "method", "path", "records", "attempts", "next_attempt_at", "duration_ms",
		"answer_status", "actions", "error_kind", "error_message", "warnings", "resent_from"}
}

// RequestCells are the cells of a request, as RequestColumns has them.
func RequestCells(r postroom.SourceRequest) []string {
	var failed postroom.RequestError
	if r.Error != nil {
		failed = *r.Error
	}
	var actions, warnings []string
	for _, action := range r.Actions {
		actions = append(actions, string(action.Type)+": "+string(action.Outcome))
	}
	for _, w := range r.Warnings {
		warnings = append(warnings, w.Message)
	}
	answer, from := "", ""
	if r.Answer != nil {
		answer = strconv.Itoa(r.Answer.StatusCode)
	}
	if r.ResentFrom != nil {
		from = r.ResentFrom.String()
	}
	return []string{r.ID.String(), r.SourceID.String(), r.ReceivedAt.String(), string(r.Status), r.EventType, r.Sender, r.Method, r.Path, strconv.Itoa(r.Records),
		strconv.Itoa(r.Attempts), TimeCell(r.NextAttemptAt), strconv.FormatFloat(r.DurationMs, 'f', -1, 64), answer, strings.Join(actions, "; "),
		failed.Kind, failed.Message, strings.Join(warnings, "; "), from}
}

// TimeCell is the cell of a time; empty for none.
func TimeCell(t *postroom.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.String()
}
