package ui

import (
	"net/http"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

const exportPatience = 30 * time.Second // for how long a browser may not read what it is sent

// exporting streams what each adds to the file, which is called name, in the format that the URL asks for. columns head it. When it breaks off on the way
// the connection is cut, so that a part is not taken for the whole.
func (c *call) exporting(name string, columns []string, each func(*app.Export) error) error {
	format := c.URL.Query().Get("format")
	if format != "" && format != app.FormatNDJSON && format != app.FormatCSV {
		return postroom.Invalid(postroom.CodeInvalid, "?format", "this is ndjson or csv")
	}
	out := http.NewResponseController(c.w)
	var e *app.Export
	e = app.NewExport(format, name, columns, func(piece []byte) error {
		if !e.Begun {
			c.w.Header().Set("Content-Type", e.Kind)
			c.w.Header().Set("Content-Disposition", `attachment; filename="`+e.Name+`"`)
			c.answered = true
		}
		_ = out.SetWriteDeadline(time.Now().Add(exportPatience)) // not all writers have deadlines
		if _, err := c.w.Write(piece); err != nil {
			return err
		}
		return out.Flush()
	})
	err := each(e)
	if err == nil {
		err = e.Send()
	}
	if err != nil && e.Begun {
		c.d.logCause(c.Context(), c.URL.Path, err)
		panic(http.ErrAbortHandler)
	}
	return err
}

func exportDeliveries(c *call) error {
	filter, err := deliveryFilter(c, c.filterForm())
	if err != nil {
		return err
	}
	return c.exporting("deliveries", app.DeliveryColumns(), func(e *app.Export) error {
		return c.app.EachDelivery(c.Context(), c.in.Caller, filter, func(d postroom.Delivery) error {
			r := d.Resource()
			return e.Add(r, func() []string { return app.DeliveryCells(r) })
		})
	})
}

// exportRequests streams the requests that the filters of the URL let through: as NDJSON whole ones, as CSV a line for each.
func exportRequests(c *call) error {
	f, filter := requestForm(c.URL.Query())
	if f.Wrong() {
		return postroom.Errorf(postroom.CodeInvalid, "The filters of the export are not right: go back, and look at them again.")
	}
	whole := c.URL.Query().Get("format") != app.FormatCSV
	return c.exporting("requests", app.RequestColumns(), func(e *app.Export) error {
		return c.app.EachRequest(c.Context(), c.in.Caller, filter, whole, func(r postroom.Request) error {
			shown := r.Resource(whole)
			return e.Add(shown, func() []string { return app.RequestCells(shown) })
		})
	})
}
