package app

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

// shown is a row as a test compares it.
func (r importRow) shown() string {
	var parts []string
	for _, f := range []struct {
		name string
		to   *string
	}{{"email", r.fields.Email}, {"uid", r.fields.UID}, {"phone", r.fields.Phone}, {"first", r.fields.FirstName}, {"last", r.fields.LastName}, {"source", r.fields.Source}} {
		if f.to != nil {
			parts = append(parts, f.name+"="+*f.to)
		}
	}
	if r.fields.Status != nil {
		parts = append(parts, "status="+string(*r.fields.Status))
	}
	if r.tags != nil {
		parts = append(parts, fmt.Sprintf("tags=%q", r.tags))
	}
	for _, l := range r.lists {
		parts = append(parts, fmt.Sprintf("list=%s/%v", l.name, l.pending))
	}
	if r.fields.CustomFields != nil {
		parts = append(parts, "custom="+string(customJSON(r.fields.CustomFields)))
	}
	for _, f := range r.faults {
		parts = append(parts, "!"+f.Pointer+": "+f.Detail)
	}
	return fmt.Sprintf("%d: %s", r.number, strings.Join(parts, " "))
}

// rowsOf reads a file to its end.
func rowsOf(t *testing.T, format string, file io.Reader, fields ...postroom.Field) (rows []string, end error) {
	t.Helper()
	r, err := newRowReader(format, file, fields)
	for err == nil {
		var row importRow
		if row, err = r.next(); err == nil {
			rows = append(rows, row.shown())
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return rows, err
}

func TestCSVRows(t *testing.T) {
	declared := []postroom.Field{{Name: "age", Type: postroom.FieldNumber}, {Name: "member", Type: postroom.FieldBoolean}, {Name: "note", Type: postroom.FieldText}}
	long := strings.Repeat("x", maxRecord)
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"a plain file": {"email,first_name\na@x.org,Ann\nb@x.org,\n", []string{"2: email=a@x.org first=Ann", "3: email=b@x.org"}},
		"headings as people write them": {"E-Mail, First Name ,SURNAME,Phone number,custom_field_Plan,age,member,note\n" + `a@x.org,Ann,Lee,+1 202,pro,7,yes,1` + "\n",
			[]string{`2: email=a@x.org phone=+1 202 first=Ann last=Lee custom={"Plan":"pro","age":7,"member":true,"note":"1"}`}},
		"a mark, CRLF, semicolons, and no end": {"\xef\xbb\xbfemail;tags\r\na@x.org;\"one, two;three\"\r\nb@x.org;\"[\"\"a,b\"\"]\"", []string{`2: email=a@x.org tags=["one" "two" "three"]`, `3: email=b@x.org tags=["a,b"]`}},
		"tabs":                                 {"uid\tstatus\n17\tUnsubscribed\n", []string{"2: uid=17 status=unsubscribed"}},
		"quotes, lines in values, blank lines": {"email,last_name\n\n\"a@x.org\",\"O\"\"Neil\nand son\"\n \nb@x.org,plain\n", []string{"3: email=a@x.org last=O\"Neil\nand son", "5: email=b@x.org last=plain"}},
		"what an export has guarded":           {"email,first_name,phone\na@x.org,'=1+1,'+12025550143\nb@x.org,'quoted,\n", []string{"2: email=a@x.org phone=+12025550143 first==1+1", "3: email=b@x.org first='quoted"}},
		"lists and custom fields": {"email,lists,pending_lists,custom_fields\n" + `a@x.org,"News,Deals",Later,"{""a"":1.50,""b"":null}"` + "\n",
			[]string{`2: email=a@x.org list=News/false list=Deals/false list=Later/true custom={"a":1.50,"b":null}`}},
		"bad rows between good ones": {"email,first_name\na@x.org\nb@x.org,B,C\nc@x.org,\"C\" c\nd@x.org,D\x00\ne@x.org,\xff\nf@x.org,a \"b\" c\n" + long + "y\ng@x.org,G\n", []string{
			"2: !: the row has 1 values, and there are 2 columns", "3: !: the row has 3 values, and there are 2 columns",
			"4: !: extraneous or missing \" in quoted-field (at the row's byte 11)", "5: !: the row holds a zero character", "6: !: the row is not UTF-8",
			"7: !: bare \" in non-quoted-field (at the row's byte 11)", "8: !: the row is longer than 262144 bytes", "9: email=g@x.org first=G"}},
		"a quote that is never closed": {"email,first_name\na@x.org,A\nb@x.org,\"B\nc@x.org,C\n", []string{"2: email=a@x.org first=A", "3: !: a quote is opened here and not closed"}},
		"one that hides the rest of a large file": {"email,first_name\nb@x.org,\"B\n" + strings.Repeat("c@x.org,C\n", maxRecord/8),
			[]string{"2: !: a quote is opened here and never closed, so that the rest of the file is one row"}},
		"a bad object": {"email,custom_fields\na@x.org,{\n", []string{"2: email=a@x.org !/custom_fields: must be a JSON object"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rowsOf(t, FormatCSV, strings.NewReader(test.file), declared...)
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got)\n%s", err, diff)
			}
		})
	}
}

func TestCSVFilesThatAreRefused(t *testing.T) {
	for file, want := range map[string]string{
		"":                             "The file is empty",
		"\n\n":                         "The file is empty",
		"first_name,tags\n":            "email, uid or phone",
		"email,shoe size\n":            "/shoe size: there is no such column",
		"email,E-Mail\n":               "two columns are email",
		"a@x.org,Ann\n":                "the first row names the columns",
		"\xff\xfee\x00m\x00a\x00":      "UTF-16",
		"email,\"first\n" + "a@x.org,": "a quote is opened here and not closed",
		"email,fi\x00rst\n":            "zero character",
	} {
		_, err := rowsOf(t, FormatCSV, strings.NewReader(file))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", file, err, want)
		}
	}
}

func TestJSONRows(t *testing.T) {
	file := "\xef\xbb\xbf" + `{"email":"a@x.org","id":"con_1","created_at":"x","tags":["t","u"],"lists":["News",{"id":"lst_1","name":"Deals","status":"pending"},{"name":"Old","status":"unsubscribed"}],"custom_fields":{"n":12345678901234567890},"uid":null}` + "\n" +
		`{"email":1,"shoes":2,"tags":"t","lists":[{}],"custom_fields":[]}` + "\n\n" + `[]` + "\n" + `{"email":` + "\n" + `{"email":"a","email":"b"}` + "\n" + `{"uid":"17"}`
	got, err := rowsOf(t, FormatNDJSON, strings.NewReader(file))
	want := []string{
		`1: email=a@x.org tags=["t" "u"] list=News/false list=Deals/true custom={"n":12345678901234567890}`,
		"2: email= !/email: must be a string; it is a number !/shoes: there is no such field; the fields are email, uid, phone, first_name, last_name, status, source, tags, lists, custom_fields" +
			" !/tags: must be an array; it is a string !/lists/0: must be the name of a list, or an object such as {\"name\":\"Newsletter\",\"status\":\"subscribed\"} !/custom_fields: must be a JSON object",
		"4: !: a row is a JSON object; this is an array", "5: !: ", "6: email=a !/email: is there twice", "7: uid=17"}
	if len(got) == len(want) {
		got[3], _, _ = strings.Cut(got[3], "not valid") // what exactly is package payload's
		want[3] = got[3]
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

// A file that breaks off has the rows that came whole, and not the one that it breaks off in.
func TestRowsOfAFileThatBreaksOff(t *testing.T) {
	broken := errors.New("connection reset")
	for format, file := range map[string]string{FormatCSV: "email\na@x.org\nb@x.or", FormatNDJSON: "{\"uid\":\"1\"}\n{\"email\":\"a@x.org\"}\n{\"email\":\"b@x.org\"}"} {
		got, err := rowsOf(t, format, io.MultiReader(strings.NewReader(file), &failingReader{broken}))
		if !errors.Is(err, broken) || len(got) == 0 || !strings.Contains(got[len(got)-1], "a@x.org") {
			t.Errorf("%s: %v, %v", format, got, err)
		}
	}
}

type failingReader struct{ err error }

func (r *failingReader) Read([]byte) (int, error) { return 0, r.err }

// What is exported as CSV is the same contact when it is read again.
func TestContactCells(t *testing.T) {
	uid := "=17"
	fields := []postroom.Field{{Name: "age", Type: postroom.FieldNumber}, {Name: "note", Type: postroom.FieldText}, {Name: "any", Type: postroom.FieldJSON}, {Name: "odd", Type: postroom.FieldText}}
	c := postroom.Contact{UID: &uid, Email: "a@x.org", Phone: "+12025550143", FirstName: "\"A\"; b", LastName: "@x\ny", Status: postroom.ContactPending, Tags: []string{"a,b", "[c", "d"}, Source: "web",
		Lists:        []postroom.Membership{{Name: "News", Status: postroom.MemberSubscribed}, {Name: "Deals", Status: postroom.MemberSubscribed}, {Name: "Later", Status: postroom.MemberPending}, {Name: "Old", Status: postroom.MemberUnsubscribed}},
		CustomFields: map[string]json.RawMessage{"age": json.RawMessage("1.50"), "note": json.RawMessage(`"007"`), "any": json.RawMessage(`{"a":[1]}`), "odd": json.RawMessage(`""`), "undeclared": json.RawMessage(`"7"`)}}
	var file bytes.Buffer
	w := csv.NewWriter(&file)
	if err := errors.Join(w.Write(ContactColumns(fields)), w.Write(ContactCells(c, fields))); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	got, err := rowsOf(t, FormatCSV, &file, fields...)
	want := []string{"2: email=a@x.org uid==17 phone=+12025550143 first=\"A\"; b last=@x\ny source=web status=pending tags=[\"a,b\" \"[c\" \"d\"] list=News/false list=Deals/false list=Later/true " +
		`custom={"age":1.50,"any":{"a":[1]},"note":"007","odd":"","undeclared":"7"}`}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func FuzzRows(f *testing.F) {
	for _, seed := range []string{"email,tags\na@x.org,\"x\"\"y\"\n", "email;uid\n\"\n\";1", "{\"email\":\"a\",\"lists\":[{\"name\":\"x\"}]}\n{", "\xef\xbb\xbfemail\r\n,\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		for _, format := range []string{FormatCSV, FormatNDJSON} {
			rows, err := rowsOf(t, format, strings.NewReader(file))
			var known *postroom.Error
			if err != nil && !errors.As(err, &known) {
				t.Errorf("%s: %v", format, err)
			}
			if len(rows) > strings.Count(file, "\n")+1 {
				t.Errorf("%s: %d rows of %q", format, len(rows), file)
			}
		}
	})
}
