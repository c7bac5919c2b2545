package ui

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

const exportPiece = 32 << 10 // bytes that are gathered before they are sent

const exportPatience = 30 * time.Second // for how long a browser may not read what it is sent

// export writes things as a file, one a line: JSON, or comma-separated values.
type export struct {
	c     *call
	kind  string // the content type
	name  string // of the file
	begun bool   // a part was sent
	piece bytes.Buffer
	rows  *csv.Writer // into piece; nil for NDJSON
}

// exporting streams what each adds to the file, which is called name. names head its columns. When it breaks off on the way the connection is
// cut, so that a part is not taken for the whole.
func (c *call) exporting(name string, names []string, each func(*export) error) error {
	e := &export{c: c, kind: "application/x-ndjson", name: name + ".ndjson"}
	switch c.URL.Query().Get("format") {
	case "", "ndjson":
	case "csv":
		e.kind, e.name = "text/csv; charset=utf-8; header=present", name+".csv"
		e.rows = csv.NewWriter(&e.piece)
		e.rows.UseCRLF = true // RFC 4180
		_ = e.rows.Write(names)
		e.rows.Flush()
	default:
		return postroom.Invalid(postroom.CodeInvalid, "?format", "this is ndjson or csv")
	}
	err := each(e)
	if err == nil {
		err = e.send()
	}
	if err != nil && e.begun {
		c.d.logCause(c.Context(), c.URL.Path, err)
		panic(http.ErrAbortHandler)
	}
	return err
}

// add writes one thing.
func (e *export) add(v any, cells func() []string) error {
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
	return e.send()
}

// send sends what was gathered.
func (e *export) send() error {
	if !e.begun {
		h := e.c.w.Header()
		h.Set("Content-Type", e.kind)
		h.Set("Content-Disposition", `attachment; filename="`+e.name+`"`)
		e.begun, e.c.answered = true, true
	}
	out := http.NewResponseController(e.c.w)
	_ = out.SetWriteDeadline(time.Now().Add(exportPatience)) // not all writers have deadlines
	if _, err := e.c.w.Write(e.piece.Bytes()); err != nil {
		return err
	}
	e.piece.Reset()
	return out.Flush()
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

func exportDeliveries(c *call) error {
	filter, err := deliveryFilter(c, c.filterForm())
	if err != nil {
		return err
	}
	names := []string{"id", "created_at", "status", "event_id", "event_type", "webhook_id", "attempt_count", "last_status_code", "last_error_kind",
		"last_attempt_at", "next_attempt_at", "test"}
	return c.exporting("deliveries", names, func(e *export) error {
		return c.app.EachDelivery(c.Context(), c.in.Caller, filter, func(d postroom.Delivery) error {
			r := exportedDelivery(d)
			return e.add(r, func() []string {
				return []string{r.ID.String(), r.CreatedAt.String(), string(r.Status), r.EventID, r.EventType, r.WebhookID.String(), strconv.Itoa(r.AttemptCount),
					strconv.Itoa(r.LastStatusCode), r.LastErrorKind, cellTime(r.LastAttemptAt), cellTime(r.NextAttemptAt), strconv.FormatBool(r.Test)}
			})
		})
	})
}

// exportedDelivery is a delivery as the API shows it.
func exportedDelivery(d postroom.Delivery) postroom.DeliveryResource {
	return postroom.DeliveryResource{ID: d.ID, EventID: nameOr(d.EventUID, d.EventID.String()), EventType: d.EventType, WebhookID: d.WebhookID, Status: d.Status,
		AttemptCount: d.Attempts, NextAttemptAt: timestampOf(d.NextAt), LastStatusCode: d.LastStatusCode, LastErrorKind: d.LastErrorKind,
		LastAttemptAt: timestampOf(d.LastAt), Test: d.Test, CreatedAt: postroom.Timestamp{Time: d.CreatedAt()}}
}

func timestampOf(t *time.Time) *postroom.Timestamp {
	if t == nil {
		return nil
	}
	return &postroom.Timestamp{Time: *t}
}

func cellTime(t *postroom.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.String()
}
