package ui

import (
	"encoding/csv"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

// exportRequests streams the requests that the filters of the URL let through: as NDJSON whole ones, as CSV a line for each.
func exportRequests(c *call) error {
	f, filter := requestForm(c.URL.Query())
	if f.Wrong() {
		return postroom.Errorf(postroom.CodeInvalid, "The filters of the export are not right: go back, and look at them again.")
	}
	asCSV := c.URL.Query().Get("format") == "csv"
	name, kind := "requests.ndjson", "application/x-ndjson"
	if asCSV {
		name, kind = "requests.csv", "text/csv; charset=utf-8; header=present"
	}
	begin := func() {
		if c.answered {
			return
		}
		h := c.w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
		c.answered = true
	}
	out := writerFunc(func(p []byte) (int, error) {
		begin()
		return c.w.Write(p)
	})
	rows := csv.NewWriter(out)
	rows.UseCRLF = true
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	if asCSV {
		if err := rows.Write(exportNames()); err != nil {
			return err
		}
	}
	err := c.app.EachRequest(c.Context(), c.in.Caller, filter, !asCSV, func(r postroom.Request) error {
		if asCSV {
			return rows.Write(exportCells(r))
		}
		return lines.Encode(exported(r))
	})
	if err == nil {
		rows.Flush()
		err = rows.Error()
	}
	if err != nil && c.answered && c.Context().Err() == nil {
		c.d.logCause(c.Context(), c.URL.Path, err)
		panic(http.ErrAbortHandler) // a part is not to be taken for the whole
	}
	if err == nil {
		begin()
	}
	return err
}

type writerFunc func(p []byte) (int, error)

// Write writes.
func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// exported is a request as the API shows it whole.
func exported(r postroom.Request) postroom.SourceRequest {
	out := postroom.SourceRequest{ID: r.ID, SourceID: r.SourceID, ReceivedAt: postroom.Timestamp{Time: r.At}, Status: r.State.Status(), EventType: r.EventType,
		Sender: r.Sender, Method: r.Method, Path: r.Target, Records: r.Records, Attempts: r.Attempts, DurationMs: float64(r.Duration.Microseconds()) / 1000, Error: r.Log.Error,
		Warnings: r.Log.Warnings, Actions: listed(r.Log.Actions), Events: listed(r.Log.Events), Contacts: listed(r.Log.Contacts), ResentFrom: r.ResentFrom, Headers: r.Headers}
	if r.State == postroom.RequestWaiting || r.State == postroom.RequestRetry {
		out.NextAttemptAt = &postroom.Timestamp{Time: r.DueAt}
	}
	if r.Status != 0 {
		out.Answer = &postroom.SourceAnswer{StatusCode: r.Status, Body: r.Answer}
	}
	if utf8.Valid(r.Body) {
		text := string(r.Body)
		out.Body = &text
	} else {
		out.BodyBase64 = r.Body
	}
	return out
}

// listed is a list that is not nil.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func exportNames() []string {
	return []string{"id", "source_id", "received_at", "status", "event_type", "sender", "method", "path", "records", "attempts", "duration_ms", "answer_status", "actions", "error_kind",
		"error_message", "warnings", "resent_from"}
}

// exportCells are the cells of a request's line. What a spreadsheet would run has an apostrophe before it.
func exportCells(r postroom.Request) []string {
	var failed postroom.RequestError
	if r.Log.Error != nil {
		failed = *r.Log.Error
	}
	var actions, warnings []string
	for _, a := range r.Log.Actions {
		actions = append(actions, string(a.Type)+": "+string(a.Outcome))
	}
	for _, w := range r.Log.Warnings {
		warnings = append(warnings, w.Message)
	}
	answer, from := "", ""
	if r.Status != 0 {
		answer = strconv.Itoa(r.Status)
	}
	if r.ResentFrom != nil {
		from = r.ResentFrom.String()
	}
	cells := []string{r.ID.String(), r.SourceID.String(), postroom.Timestamp{Time: r.At}.String(), string(r.State.Status()), r.EventType, r.Sender, r.Method, r.Target, strconv.Itoa(r.Records),
		strconv.Itoa(r.Attempts), strconv.FormatFloat(float64(r.Duration.Microseconds())/1000, 'f', -1, 64), answer, strings.Join(actions, "; "), failed.Kind, failed.Message,
		strings.Join(warnings, "; "), from}
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
			cells[i] = "'" + cell
		}
	}
	return cells
}
