package ui

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

const hostile = `<script>alert("x")</script>`

// contact makes a contact, and gives the path of its page.
func (b *browser) contact(fields ...string) string {
	b.t.Helper()
	b.send("/contacts/new", append([]string{"status", "subscribed"}, fields...)...)
	b.sees(http.StatusOK, "The contact was made.")
	return b.url.Path
}

func TestContactPages(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	b.open("/contacts")
	b.sees(http.StatusOK, "There are no contacts yet")
	b.send("/fields/new", "name", "plan", "title", "Plan", "type", "choice", "options", "free\r\npaid\r\n")
	b.sees(http.StatusOK, "The field was declared.", "free, paid")
	b.send("/fields/new", "name", "age", "type", "number")
	b.send("/fields/new", "name", "", "type", "text")
	b.sees(http.StatusUnprocessableEntity, `id="f-name-error"`)
	b.open("/fields/edit?name=plan")
	b.sees(http.StatusOK, "free\npaid")
	b.send("/fields/edit", "name", "plan", "title", "The plan", "type", "choice", "options", "free\npaid\ngold")
	b.sees(http.StatusOK, "The plan", "gold")

	b.open("/contacts/new")
	b.sees(http.StatusOK, "The plan", `name="custom_fields.age"`)
	b.send("/contacts/new", "email", "not an address", "status", "subscribed")
	b.sees(http.StatusUnprocessableEntity, `id="f-email-error"`, "not an address")
	b.send("/contacts/new", "email", "ada@example.com", "status", "subscribed", "custom_fields.age", "old")
	b.sees(http.StatusUnprocessableEntity, `id="f-custom_fields-age-error"`)
	at := b.contact("email", "ada@example.com", "first_name", hostile, "tags", "vip, early", "custom_fields.age", "36", "custom_fields.plan", "gold")
	b.sees(http.StatusOK, "&lt;script&gt;", "vip", "early", "36", "gold", "contact.created")
	if strings.Contains(b.page, hostile) {
		t.Error("a name is markup")
	}
	b.send("/contacts/new", "email", "Ada@example.com", "status", "subscribed")
	b.sees(http.StatusConflict)

	b.open(at + "/edit")
	b.sees(http.StatusOK, `value="early, vip"`, `value="gold" selected`, `value="36"`)
	b.send(at+"/edit", "email", "ada@example.com", "first_name", "Ada", "status", "unsubscribed", "tags", "vip", "custom_fields.plan", "")
	b.sees(http.StatusOK, "The contact was changed.", "unsubscribed", "Ada")
	if strings.Contains(b.content(), "gold") || strings.Contains(b.content(), "early") {
		t.Error("what was taken away is still there")
	}
	b.send(at+"/tag", "tag", "one, two")
	b.sees(http.StatusOK, "Tagged.", "one", "two")
	b.send(at+"/tag", "tag", strings.Repeat("x", 200))
	b.sees(http.StatusUnprocessableEntity, `id="f-tag-error"`)
	b.send(at+"/untag", "tag", "one")
	b.sees(http.StatusOK, "The tag was taken away.")

	b.contact("email", "grace@example.com", "tags", "navy")
	for query, found := range map[string]bool{"q=grace": true, "q=nobody": false, "tag=navy": true, "tag=none": false, "status=subscribed": true, "status=unsubscribed": false} {
		b.open("/contacts?" + query)
		if b.status != http.StatusOK || strings.Contains(b.content(), "/contacts/con_") && strings.Contains(b.content(), "grace@example.com") != found {
			t.Errorf("%s: status %d, %s", query, b.status, b.content())
		}
	}
	b.open("/contacts?list=none")
	b.sees(http.StatusUnprocessableEntity, "there is no list")
	b.open("/contacts/export?q=grace")
	if !strings.Contains(b.page, "grace@example.com") || strings.Contains(b.page, "ada@example.com") || !strings.Contains(b.header.Get("Content-Disposition"), "contacts.csv") {
		t.Errorf("it exports %s", b.page)
	}
	b.open("/contacts/export?list=none")
	b.sees(http.StatusUnprocessableEntity, "there is no list")
	b.open("/contacts/export?format=ndjson")
	if strings.Count(b.page, "\n") != 2 || b.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("it exports %s", b.page)
	}
	v := s.member(postroom.RoleViewer)
	v.open(at)
	v.sees(http.StatusOK, "ada@example.com")
	if strings.Contains(v.content(), "<form") {
		t.Error("a viewer is shown forms")
	}
	b.send(at + "/delete")
	b.sees(http.StatusOK, "The contact was deleted.")
	other := b.contact("email", "forget@example.com")
	b.send(other + "/erase")
	b.sees(http.StatusOK, "The person was erased")
	b.open(other)
	b.sees(http.StatusNotFound)
	b.send("/fields/delete", "name", "plan")
	b.sees(http.StatusOK, "The declaration was taken back.")
}

func TestListAndTagPages(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	b.send("/lists/new", "name", "")
	b.sees(http.StatusUnprocessableEntity, `id="f-name-error"`)
	b.send("/lists/new", "name", "News <b>", "description", "Monthly")
	b.sees(http.StatusOK, "News &lt;b&gt;", "Nobody is on the list yet")
	list := b.url.Path
	contact := b.contact("email", "ada@example.com", "tags", "lead")
	b.contact("email", "grace@example.com", "tags", "lead")
	b.send(list+"/add", "contacts", "ada@example.com, nobody@example.com")
	b.sees(http.StatusUnprocessableEntity, "nobody@example.com", `id="f-contacts-error"`)
	b.send(list+"/add", "contacts", "ada@example.com\ngrace@example.com", "pending", "on")
	b.sees(http.StatusOK, "2 contacts put on the list.", "pending")
	b.send(list+"/confirm", "contact", "ada@example.com")
	b.sees(http.StatusOK, "ada@example.com is confirmed.", "1 subscribed contact")
	b.open("/contacts?list=" + strings.TrimPrefix(list, "/lists/"))
	b.sees(http.StatusOK, "ada@example.com")
	b.open(contact)
	b.sees(http.StatusOK, "News &lt;b&gt;", "pending")
	b.send(list+"/remove", "contact", "ada@example.com")
	b.sees(http.StatusOK, "was taken off the list.")
	b.send(contact+"/join", "list", strings.TrimPrefix(list, "/lists/"))
	b.sees(http.StatusOK, "The contact is on the list.")
	b.send(contact+"/leave", "list", strings.TrimPrefix(list, "/lists/"))
	b.sees(http.StatusOK, "was taken off the list.")
	b.send(list+"/edit", "name", "Letters")
	b.sees(http.StatusOK, "The list was changed.", "Letters")
	b.open("/lists")
	b.sees(http.StatusOK, "Letters")
	b.send(list + "/delete")
	b.sees(http.StatusOK, "The list was deleted.", "There are no lists yet")

	b.open("/tags")
	b.sees(http.StatusOK, "lead", ">2<")
	b.send("/tags/rename", "tag", "lead", "name", "customer")
	b.sees(http.StatusOK, "The tag is called customer now.")
	b.send("/tags/rename", "tag", "customer", "name", "")
	b.sees(http.StatusUnprocessableEntity, "customer")
	b.send("/tags/delete", "tag", "customer")
	b.sees(http.StatusOK, "No contact has a tag yet")
}

// upload sends a file to the form of imports.
func (b *browser) upload(name, text string, fields ...string) {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, pair := range append([][2]string{{tokenField, b.token()}}, pairs(fields)...) {
		b.must(w.WriteField(pair[0], pair[1]))
	}
	part, err := w.CreateFormFile("file", name)
	b.must(err)
	_, err = part.Write([]byte(text))
	b.must(err)
	b.must(w.Close())
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.server.URL+"/imports", &body)
	b.must(err)
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	b.do(req)
}

func pairs(fields []string) (all [][2]string) {
	for i := 0; i < len(fields); i += 2 {
		all = append(all, [2]string{fields[i], fields[i+1]})
	}
	return all
}

func TestImportPages(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	b.open("/imports/new")
	b.sees(http.StatusOK, "At most 256 MiB")
	b.upload("", "")
	b.sees(http.StatusUnprocessableEntity, "choose a file")
	b.upload("x.csv", "email\n", "tags", strings.Repeat("x", 200))
	b.sees(http.StatusUnprocessableEntity, `id="f-tags-error"`)
	b.upload("contacts.csv", "email,first_name,status\nada@example.com,Ada,subscribed\n=cmd@,Bad,nonsense\ngrace@example.com,\"<script>alert(\"\"x\"\")</script>\",subscribed\n", "new_list", "News", "tags", "imported", "update", "on")
	b.sees(http.StatusOK, "Rows")
	at := b.url.Path
	if !regexp.MustCompile(`^/imports/imp_[0-9a-z]{26}$`).MatchString(at) {
		t.Fatalf("it leads to %s", at)
	}
	for end := time.Now().Add(20 * time.Second); !strings.Contains(b.page, "The import is done."); {
		if time.Now().After(end) {
			t.Fatalf("it does not end: %s", b.content())
		}
		b.do(b.request(http.MethodGet, at+"?part=progress", nil, "HX-Request", "true"))
	}
	b.open(at)
	b.sees(http.StatusOK, "The import is done.", "Rows that were refused", "=cmd@")
	b.open(at + "/problems")
	b.sees(http.StatusOK, "row,email,field,problem", "3,'=cmd@,")
	b.open("/contacts?tag=imported")
	b.sees(http.StatusOK, "ada@example.com", "grace@example.com", "News", "&lt;script&gt;")
	b.open("/imports")
	b.sees(http.StatusOK, "done")
	b.upload("more.ndjson", `{"email":"alan@example.com"}`+"\n")
	b.sees(http.StatusOK)
	for end := time.Now().Add(20 * time.Second); !strings.Contains(b.page, "The import is done."); b.open(b.url.Path) {
		if time.Now().After(end) {
			t.Fatalf("it does not end: %s", b.content())
		}
	}
	v := s.member(postroom.RoleViewer)
	v.upload("x.csv", "email\nx@example.com\n")
	v.sees(http.StatusForbidden)
	for i, rt := range s.d.routes {
		if rt.body == app.MaxImportFile {
			s.d.mux = http.NewServeMux()
			s.d.routes[i].body = 3000
			s.d.mux.Handle("GET /account", s.d.guard(route{method: http.MethodGet, path: "/account", role: postroom.RoleViewer, handle: accountPage}))
			s.d.mux.Handle("POST /imports", s.d.guard(s.d.routes[i]))
		}
	}
	b.upload("large.csv", strings.Repeat("x", 5000))
	b.sees(http.StatusRequestEntityTooLarge, "too large")
}
