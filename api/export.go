package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
)

const exportPiece = 32 << 10 // bytes that are gathered before they are sent

type exportInput struct {
	Format formatParam `query:"format" doc:"One JSON object a line, or comma-separated values with a line of names first."`
	DeliveriesParams
}

const exportPromise = "In CSV, a cell that a spreadsheet could take for a formula has an apostrophe before it. If the server fails on the way, the connection " +
	"is cut, so that a part is not taken for the whole."

func (a *api) routeExport(rt *router) {
	produces := []string{"application/x-ndjson", "text/csv"}
	register(rt, operation{
		ID: "export-deliveries", Method: http.MethodGet, Path: "/v1/deliveries/export", Tag: "Deliveries", Role: postroom.RoleViewer,
		Summary:     "Export deliveries",
		Description: "All deliveries that the filters let through, newest first, as a file. " + exportPromise,
		Produces:    produces,
	}, a.exportDeliveries)
	register(rt, operation{
		ID: "export-attempts", Method: http.MethodGet, Path: "/v1/attempts/export", Tag: "Deliveries", Role: postroom.RoleViewer,
		Summary: "Export attempts",
		Description: "All attempts of the deliveries that the filters let through, as a file: deliveries newest first, the attempts of each from the first on. " +
			"NDJSON has the whole of each attempt, with headers and bodies, in `body` where they are UTF-8 and else in `body_base64`; CSV has a line for each " +
			"without headers and bodies. " + exportPromise,
		Produces: produces,
	}, a.exportAttempts)
}

func (a *api) exportDeliveries(ctx context.Context, c *call, in *exportInput) (*stream, error) {
	f, err := a.deliveriesFilter(ctx, c, in.DeliveriesParams)
	if err != nil {
		return nil, err
	}
	return a.exporting(ctx, in.Format.s, "deliveries", csvNames(), func(e *export) error {
		return a.App.EachDelivery(ctx, c.who, f, func(d postroom.Delivery) error {
			r := showDelivery(d)
			return e.add(r, func() []string { return csvCells(r) })
		})
	}), nil
}

func (a *api) exportAttempts(ctx context.Context, c *call, in *exportInput) (*stream, error) {
	f, err := a.deliveriesFilter(ctx, c, in.DeliveriesParams)
	if err != nil {
		return nil, err
	}
	return a.exporting(ctx, in.Format.s, "attempts", csvAttemptNames(), func(e *export) error {
		return a.App.EachAttempt(ctx, c.who, f, func(d postroom.Delivery, made postroom.Attempt) error {
			of := showDelivery(d)
			r := postroom.ExportedAttempt{DeliveryID: of.ID, EventID: of.EventID, EventType: of.EventType, WebhookID: of.WebhookID, AttemptResource: showAttempt(made)}
			return e.add(r, func() []string { return csvAttemptCells(r) })
		})
	}), nil
}

// exporting streams what each adds to the file, which is called name. names head its columns.
func (a *api) exporting(ctx context.Context, format, name string, names []string, each func(*export) error) *stream {
	return &stream{func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		e := newExport(w, format, name, names)
		err := each(e)
		if err == nil {
			err = e.send()
		}
		switch {
		case err == nil:
		case !e.begun && ctx.Err() == nil:
			a.fail(w, r, err)
		default:
			a.logCause(r, a.problem(err))
			panic(http.ErrAbortHandler)
		}
	}}
}

// export writes things as a file, one a line.
type export struct {
	out   flusher
	kind  string // the content type
	name  string // of the file
	begun bool   // a part was sent
	piece bytes.Buffer
	rows  *csv.Writer // into piece; nil for NDJSON
}

func newExport(w http.ResponseWriter, format, name string, names []string) *export {
	e := &export{out: flusher{w, http.NewResponseController(w)}}
	if format != "csv" {
		e.kind, e.name = "application/x-ndjson", name+".ndjson"
		return e
	}
	e.kind, e.name = "text/csv; charset=utf-8; header=present", name+".csv"
	e.rows = csv.NewWriter(&e.piece)
	e.rows.UseCRLF = true // RFC 4180
	_ = e.rows.Write(names)
	e.rows.Flush()
	return e
}

// add writes one thing: as JSON, or as the cells of a line.
func (e *export) add(v any, cells func() []string) error {
	if e.rows == nil {
		line, err := marshal(v)
		if err != nil {
			return err
		}
		e.piece.Write(append(line, '\n'))
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
		h := e.out.w.Header()
		h.Set("Content-Type", e.kind)
		h.Set("Content-Disposition", `attachment; filename="`+e.name+`"`)
		e.begun = true
	}
	err := e.out.write(e.piece.Bytes())
	e.piece.Reset()
	return err
}

func csvNames() []string {
	return []string{"id", "created_at", "status", "event_id", "event_type", "webhook_id", "attempt_count", "last_status_code", "last_error_kind",
		"last_attempt_at", "next_attempt_at", "test"}
}

func csvCells(d postroom.DeliveryResource) []string {
	return []string{d.ID.String(), d.CreatedAt.String(), string(d.Status), d.EventID, d.EventType, d.WebhookID.String(), strconv.Itoa(d.AttemptCount),
		strconv.Itoa(d.LastStatusCode), d.LastErrorKind, csvTime(d.LastAttemptAt), csvTime(d.NextAttemptAt), strconv.FormatBool(d.Test)}
}

func csvAttemptNames() []string {
	return []string{"delivery_id", "event_id", "event_type", "webhook_id", "number", "at", "status_code", "error_kind", "error_message", "duration_ms",
		"dns_ms", "connect_ms", "tls_ms", "first_byte_ms", "method", "url"}
}

func csvAttemptCells(a postroom.ExportedAttempt) []string {
	var failed postroom.AttemptError
	if a.Error != nil {
		failed = *a.Error
	}
	ms := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	return []string{a.DeliveryID.String(), a.EventID, a.EventType, a.WebhookID.String(), strconv.Itoa(a.Number), a.At.String(), strconv.Itoa(a.StatusCode),
		failed.Kind, failed.Message, ms(a.DurationMs), ms(a.PhasesMs.DNS), ms(a.PhasesMs.Connect), ms(a.PhasesMs.TLS), ms(a.PhasesMs.FirstByte),
		a.Request.Method, a.Request.URL}
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

func csvTime(t *postroom.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.String()
}
