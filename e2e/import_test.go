package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func TestImports(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		s := startServer(t, set)
		for name, test := range map[string]func(*tenant){
			"a large file, broken off and sent again": importBroken,
			"what is exported is imported":            exportImported,
			"what an import may be asked for":         importOptions,
			"hostile files":                           importHostile,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(newTenant(t, s))
			})
		}
	})
}

// importRows are the rows of a file of many batches: every hundredth is bad, and every tenth names the contact of the row before it.
const importRows = 3_000

func largeFile() string {
	var file strings.Builder
	file.WriteString("email,first_name,tags\n")
	for i := range importRows {
		switch {
		case i%100 == 99:
			fmt.Fprintf(&file, "bad-%d,X,\n", i)
		case i%10 == 1:
			fmt.Fprintf(&file, "p%d@example.com,Second %d,twice\n", i-1, i)
		default:
			fmt.Fprintf(&file, "p%d@example.com,First %d,once\n", i, i)
		}
	}
	return file.String()
}

// sendsPart begins to send a file, and closes the connection's one direction in the middle; the other has the answer.
func (x *tenant) sendsPart(file string, n int) answer {
	x.t.Helper()
	conn := must(net.Dial("tcp", strings.TrimPrefix(x.s.address(), "http://")))(x.t)
	defer func() { _ = conn.Close() }()
	_, err := fmt.Fprintf(conn, "POST /v1/contacts/import?list=Everybody HTTP/1.1\r\nHost: postroom\r\nAuthorization: Bearer %s\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n%s", x.key, len(file), file[:n])
	if err == nil {
		err = conn.(*net.TCPConn).CloseWrite()
	}
	if err != nil {
		x.t.Fatal(err)
	}
	resp := must(http.ReadResponse(bufio.NewReader(conn), nil))(x.t)
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		x.t.Fatal(err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: body}
}

func importBroken(x *tenant) {
	ctx, t := x.t.Context(), x.t
	const bad, second = importRows / 100, importRows / 10
	const people = importRows - bad - second
	file, in := largeFile(), client.ImportInput{Format: client.ExportCSV, Lists: []string{"Everybody"}}
	// Cut in the middle of a row: "p2345@example.com" would be another address without its end.
	cut := strings.Index(file, "p2345@example.com") + len("p2345@example.co")
	var broken postroom.ImportResource
	x.sendsPart(file, cut).is(t, http.StatusCreated).into(t, &broken)
	if broken.State != postroom.ImportFailed || broken.Reason == "" || broken.Rows != 2345 || broken.EndedAt == nil || broken.Created+broken.Updated+broken.Refused != broken.Rows {
		t.Errorf("the import that broke off is %+v", broken)
	}
	if n := must(x.api.List(ctx, "Everybody"))(t).Members; n != broken.Created {
		t.Errorf("%d contacts are on the list, and %d were made", n, broken.Created)
	}
	x.do(http.MethodGet, "/v1/contacts/p2345@example.co", "").refused(t, 404, postroom.CodeNotFound, "")

	again := must(x.api.ImportContacts(ctx, in, strings.NewReader(file)))(t)
	if again.State != postroom.ImportDone || again.Rows != importRows || again.Refused != bad || again.Created != people-broken.Created || len(again.Problems) != bad {
		t.Errorf("the second import is %+v", again)
	}
	if first := again.Problems[0]; first.Row != 101 || first.Email != "bad-99" || first.Errors[0].Pointer != "/email" {
		t.Errorf("the first bad row is %+v", first)
	}
	third := must(x.api.ImportContacts(ctx, client.ImportInput{Format: client.ExportCSV, Lists: in.Lists, Keep: true}, strings.NewReader(file)))(t)
	if third.Created+third.Updated != 0 || third.Unchanged != importRows-bad {
		t.Errorf("the third import is %+v", third)
	}
	if got := must(x.api.Import(ctx, third.ID.String()))(t); !cmp.Equal(got, third) {
		t.Errorf("read again it is (-want +got)\n%s", cmp.Diff(third, got))
	}
	if n := must(x.api.List(ctx, "Everybody"))(t).Members; n != people {
		t.Errorf("%d contacts are on the list, want %d", n, people)
	}
	c := must(x.api.Contact(ctx, "P10@example.com"))(t)
	if c.FirstName != "Second 11" || fmt.Sprint(c.Tags) != "[once twice]" || c.Source != "import" {
		t.Errorf("a contact of two rows is %+v", c)
	}
	created := 0
	for _, err := range x.api.Events(ctx, postroom.EventFilter{Type: "contact.created"}) {
		if err != nil {
			t.Fatal(err)
		}
		created++
	}
	if created != people {
		t.Errorf("%d events tell of %d contacts", created, people)
	}
}

// whole reads an export to its end.
func (x *tenant) whole(format client.ExportFormat) string {
	x.t.Helper()
	r := must(x.api.ExportContacts(x.t.Context(), client.ContactFilter{}, format))(x.t)
	text, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		x.t.Fatal(err)
	}
	return string(text)
}

// people are the contacts of a workspace without what another workspace would have otherwise: ids and times.
func (x *tenant) people() (all []string) {
	x.t.Helper()
	for line := range strings.Lines(x.whole(client.ExportNDJSON)) {
		var c postroom.Contact
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			x.t.Fatal(err)
		}
		c.ID, c.CreatedAt, c.UpdatedAt = postroom.ContactID{}, postroom.Timestamp{}, postroom.Timestamp{}
		for i := range c.Lists {
			c.Lists[i].ID, c.Lists[i].At = postroom.ListID{}, postroom.Timestamp{}
		}
		slices.SortFunc(c.Lists, func(a, b postroom.Membership) int { return strings.Compare(a.Name, b.Name) })
		text := must(json.Marshal(c))(x.t)
		all = append(all, string(text))
	}
	slices.Sort(all)
	return all
}

func exportImported(x *tenant) {
	ctx, t := x.t.Context(), x.t
	fields := func(x *tenant) {
		must(x.api.CreateField(ctx, client.FieldInput{Name: "age", Type: postroom.FieldNumber}))(t)
		must(x.api.CreateField(ctx, client.FieldInput{Name: "note"}))(t)
	}
	fields(x)
	for i := range 300 {
		in := client.ContactInput{FirstName: text("=1+" + fmt.Sprint(i)), LastName: text(`O"Neil, Å`), UID: text(fmt.Sprint("u-", i)), Tags: []string{"a", "b,c"}, Lists: []string{"News"},
			CustomFields: map[string]any{"age": i, "note": "+46", "any": map[string]any{"deep": []int{i}}, "text": "7"}}
		if i%3 == 0 {
			in.Phone, in.Status = text(fmt.Sprintf("+12025550%03d", i)), postroom.ContactBounced
		}
		if i%5 == 0 {
			in.Lists, in.DoubleOptIn = []string{"Later; or, now"}, true
		}
		must(x.api.UpsertContact(ctx, fmt.Sprintf("person%d@example.com", i), in))(t)
	}
	want := x.people()
	for _, format := range []client.ExportFormat{client.ExportCSV, client.ExportNDJSON} {
		file := x.whole(format)
		if format == client.ExportCSV && (!strings.Contains(file, ",'=1+7,") || strings.Contains(file, ",=1")) {
			t.Errorf("a formula is not defused: %.300s", file)
		}
		y := newTenant(t, x.s)
		y.t = t
		fields(y)
		done := must(y.api.ImportContacts(ctx, client.ImportInput{Format: format}, strings.NewReader(file)))(t)
		if done.Created != 300 || done.Refused != 0 {
			t.Fatalf("%s: %+v", format, done)
		}
		if diff := cmp.Diff(want, y.people()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", format, diff)
		}
		if again := must(y.api.ImportContacts(ctx, client.ImportInput{Format: format}, strings.NewReader(file)))(t); again.Unchanged != 300 {
			t.Errorf("%s: the second time it is %+v", format, again)
		}
	}
}

func importOptions(x *tenant) {
	ctx, t := x.t.Context(), x.t
	must(x.api.UpsertContact(ctx, "ada@example.com", client.ContactInput{FirstName: text("Ada"), UID: text("u-1")}))(t)
	file := "email,uid,first_name\nADA@example.com,,Augusta\nnew@example.com,u-2,New\nother@example.com,u-1,Moved\n,u-2,Newer\n"
	dry := must(x.api.ImportContacts(ctx, client.ImportInput{Format: client.ExportCSV, DryRun: true, Lists: []string{"A, B"}}, strings.NewReader(file)))(t)
	if dry.ID != nil || dry.Created != 1 || dry.Updated != 3 || dry.State != postroom.ImportDone {
		t.Errorf("the dry run is %+v", dry)
	}
	if all := must(x.api.ContactPage(ctx, client.ContactFilter{}, postroom.PageQuery{}))(t).Data; len(all) != 1 || all[0].FirstName != "Ada" {
		t.Errorf("the dry run has left %+v", all)
	}
	kept := must(x.api.ImportContacts(ctx, client.ImportInput{Format: client.ExportCSV, Keep: true, Lists: []string{"A, B"}, Tags: []string{"t,u"}, DoubleOptIn: true}, strings.NewReader("email,first_name\nada@example.com,Augusta\n")))(t)
	ada := must(x.api.Contact(ctx, "ada@example.com"))(t)
	if kept.Updated != 1 || ada.FirstName != "Ada" || fmt.Sprint(ada.Tags) != "[t,u]" || ada.Lists[0].Name != "A, B" || ada.Lists[0].Status != postroom.MemberPending {
		t.Errorf("it is %+v, and the contact %+v", kept, ada)
	}
	done := must(x.api.ImportContacts(ctx, client.ImportInput{Format: client.ExportCSV}, strings.NewReader(file)))(t)
	moved, newer := must(x.api.Contact(ctx, "other@example.com"))(t), must(x.api.Contact(ctx, "u-2"))(t)
	if done.Created != 1 || done.Updated != 3 || moved.ID != ada.ID || moved.FirstName != "Moved" || newer.Email != "new@example.com" || newer.FirstName != "Newer" {
		t.Errorf("it is %+v, and the contacts %+v %+v", done, moved, newer)
	}
	// A key makes a call once.
	upload := call{method: http.MethodPost, path: "/v1/contacts/import?tag=once", key: x.key, body: "email\nkeyed@example.com\n", header: map[string]string{"Content-Type": "text/csv", "Idempotency-Key": "k-1"}}
	first, second := x.s.do(t, upload).is(t, http.StatusCreated), x.s.do(t, upload).is(t, http.StatusCreated)
	if !bytes.Equal(first.body, second.body) || second.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Location") == "" {
		t.Errorf("the answers are %s and %s", first.body, second.body)
	}
	upload.path = "/v1/contacts/import?tag=twice"
	x.s.do(t, upload).refused(t, 422, postroom.CodeIdempotencyReuse, "")
}

func importHostile(x *tenant) {
	t := x.t
	send := func(media, query, body string) answer {
		return x.s.do(t, call{method: http.MethodPost, path: "/v1/contacts/import" + query, key: x.key, body: body, header: map[string]string{"Content-Type": media}})
	}
	for _, test := range []struct {
		media, query, body string
		status             int
		code               postroom.Code
		pointer            string
	}{
		{"text/csv", "", "", 422, postroom.CodeInvalid, ""},
		{"text/csv", "", "email,shoe\na@example.com,1\n", 422, postroom.CodeInvalid, "/shoe"},
		{"text/csv", "", "first_name\nA\n", 422, postroom.CodeInvalid, "/email"},
		{"text/csv", "", "\xff\xfee\x00", 415, postroom.CodeUnsupportedMedia, ""},
		{"text/csv; charset=latin1", "", "email\n", 415, postroom.CodeUnsupportedMedia, ""},
		{"application/json", "", "{}", 415, postroom.CodeUnsupportedMedia, ""},
		{"", "", "email\n", 415, postroom.CodeUnsupportedMedia, ""},
		{"text/csv", "?update=maybe", "email\n", 422, postroom.CodeInvalid, "?update"},
		{"text/csv", "?lists=x", "email\n", 422, postroom.CodeInvalid, "?lists"},
		{"text/csv", "?list=" + strings.Repeat("x", 300), "email\n", 422, postroom.CodeInvalid, "?list"},
	} {
		t.Run(test.media+" "+test.query, func(t *testing.T) {
			send(test.media, test.query, test.body).refused(t, test.status, test.code, test.pointer)
		})
	}
	if all := must(x.api.ImportPage(t.Context(), postroom.PageQuery{}))(t).Data; len(all) != 0 {
		t.Errorf("what was refused has left %+v", all)
	}
	huge := strings.Repeat("x", 300<<10)
	var out postroom.ImportResource
	send("text/csv", "", "\xef\xbb\xbfE-Mail;First name\r\na@example.com;\"A\"\"a\"\r\nb@example.com;"+huge+"\r\nc@example.com;C\x00\r\nd@example.com\r\ne@example.com;E;E\r\n"+
		"f@example.com;\"F\nf\"\r\n=cmd|' /C calc'!A0;G\r\nh@example.com;=1+1\r\n\r\nz@example.com;Z").is(t, http.StatusCreated).into(t, &out)
	var rows []int64
	for _, row := range out.Problems {
		rows = append(rows, row.Row)
	}
	if out.Created != 3 || out.Refused != 6 || fmt.Sprint(rows) != "[3 4 5 6 7 8]" {
		t.Errorf("the import is %+v", out)
	}
	var lines postroom.ImportResource
	send("application/x-ndjson", "", `{"email":"n@example.com","custom_fields":{"n":1e400}}`+"\n"+`{"email":"`+huge+`"}`+"\n[]\n{\n"+`{"email":"m@example.com"}`).is(t, http.StatusCreated).into(t, &lines)
	if lines.Created != 2 || lines.Refused != 3 {
		t.Errorf("the import is %+v", lines)
	}
}
