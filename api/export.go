package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

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
	return a.exporting(ctx, in.Format.s, "deliveries", app.DeliveryColumns(), func(e *app.Export) error {
		return a.App.EachDelivery(ctx, c.who, f, func(d postroom.Delivery) error {
			r := showDelivery(d)
			return e.Add(r, func() []string { return app.DeliveryCells(r) })
		})
	}), nil
}

func (a *api) exportAttempts(ctx context.Context, c *call, in *exportInput) (*stream, error) {
	f, err := a.deliveriesFilter(ctx, c, in.DeliveriesParams)
	if err != nil {
		return nil, err
	}
	return a.exporting(ctx, in.Format.s, "attempts", csvAttemptNames(), func(e *app.Export) error {
		return a.App.EachAttempt(ctx, c.who, f, func(d postroom.Delivery, made postroom.Attempt) error {
			of := showDelivery(d)
			r := postroom.ExportedAttempt{DeliveryID: of.ID, EventID: of.EventID, EventType: of.EventType, WebhookID: of.WebhookID, AttemptResource: showAttempt(made)}
			return e.Add(r, func() []string { return csvAttemptCells(r) })
		})
	}), nil
}

// exporting streams what each adds to the file, which is called name. columns head it.
func (a *api) exporting(ctx context.Context, format, name string, columns []string, each func(*app.Export) error) *stream {
	return &stream{func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		out := flusher{w, http.NewResponseController(w)}
		var e *app.Export
		e = app.NewExport(format, name, columns, func(piece []byte) error {
			if !e.Begun {
				w.Header().Set("Content-Type", e.Kind)
				w.Header().Set("Content-Disposition", `attachment; filename="`+e.Name+`"`)
			}
			return out.write(piece)
		})
		err := each(e)
		if err == nil {
			err = e.Send()
		}
		switch {
		case err == nil:
		case !e.Begun && ctx.Err() == nil:
			a.fail(w, r, err)
		default:
			a.logCause(r, a.problem(err))
			panic(http.ErrAbortHandler)
		}
	}}
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
