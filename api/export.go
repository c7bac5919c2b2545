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

func (a *api) routeExport(rt *router) {
	register(rt, operation{
		ID: "export-deliveries", Method: http.MethodGet, Path: "/v1/deliveries/export", Tag: "Deliveries", Role: postroom.RoleViewer,
		Summary: "Export deliveries",
		Description: "All deliveries that the filters let through, newest first, as a file. In CSV, a cell that a spreadsheet could take for a formula has " +
			"an apostrophe before it. If the server fails on the way, the connection is cut, so that a part is not taken for the whole.",
		Produces: []string{"application/x-ndjson", "text/csv"},
	}, a.exportDeliveries)
}

func (a *api) exportDeliveries(ctx context.Context, c *call, in *exportInput) (*stream, error) {
	f, err := a.deliveriesFilter(ctx, c, in.DeliveriesParams)
	if err != nil {
		return nil, err
	}
	return &stream{func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		e := newExport(w, in.Format.s)
		err := a.App.EachDelivery(ctx, c.who, f, e.add)
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
	}}, nil
}

// export writes deliveries as a file.
type export struct {
	out   flusher
	kind  string // the content type
	name  string // of the file
	begun bool   // a part was sent
	piece bytes.Buffer
	row   func(d postroom.DeliveryResource) error // appends one to piece
}

func newExport(w http.ResponseWriter, format string) *export {
	e := &export{out: flusher{w, http.NewResponseController(w)}}
	if format != "csv" {
		e.kind, e.name = "application/x-ndjson", "deliveries.ndjson"
		e.row = func(d postroom.DeliveryResource) error {
			line, err := marshal(d)
			e.piece.Write(append(line, '\n'))
			return err
		}
		return e
	}
	e.kind, e.name = "text/csv; charset=utf-8; header=present", "deliveries.csv"
	rows := csv.NewWriter(&e.piece)
	rows.UseCRLF = true // RFC 4180
	_ = rows.Write(csvNames())
	rows.Flush()
	e.row = func(d postroom.DeliveryResource) error {
		err := rows.Write(csvCells(d))
		rows.Flush()
		return err
	}
	return e
}

// add writes one delivery.
func (e *export) add(d postroom.Delivery) error {
	if err := e.row(showDelivery(d)); err != nil {
		return err
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
	cells := []string{d.ID.String(), d.CreatedAt.String(), string(d.Status), d.EventID, d.EventType, d.WebhookID.String(), strconv.Itoa(d.AttemptCount),
		strconv.Itoa(d.LastStatusCode), d.LastErrorKind, csvTime(d.LastAttemptAt), csvTime(d.NextAttemptAt), strconv.FormatBool(d.Test)}
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) { // a spreadsheet would run it
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
