package ui

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/dialects"
	"github.com/postroom/postroom/inbound"
	"github.com/postroom/postroom/internal/egress"
	"github.com/postroom/postroom/internal/expr"
	"github.com/postroom/postroom/internal/seal"
	"github.com/postroom/postroom/internal/testenv"
	"github.com/postroom/postroom/outbound"
	"github.com/postroom/postroom/store"
)

const goodPassword = "correct horse battery"

// site is the dashboard over the real application, on SQLite.
type site struct {
	t      *testing.T
	app    *app.App
	d      *dashboard
	server *httptest.Server
	log    bytes.Buffer // of the dashboard
	link   string       // the first administrator's
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t}
	db, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "test.db"), Node: postroom.NewID[postroom.NodeKind](time.Now()), Log: testenv.Logger(t)})
	s.must(err)
	t.Cleanup(func() { s.must(db.Close()) })
	sealer, err := seal.New(make([]byte, seal.KeySize))
	s.must(err)
	types, err := catalogue.Load()
	s.must(err)
	ids := &postroom.IDs{}
	all := dialect.Known{Types: map[string]dialect.EventType{}, Check: inbound.CheckKind}
	for _, t := range types.Types() {
		all.Types[t.Name] = dialect.EventType{Schema: t.Schema, Sample: t.Sample}
	}
	set, err := dialect.Load(dialects.Files, "dialects", all)
	s.must(err)
	sender, err := egress.New(egress.Config{Dev: true})
	s.must(err)
	filters, err := expr.NewCompiler()
	s.must(err)
	engine := outbound.New(outbound.Config{Store: db, Sender: sender, Filters: filters, Opener: sealer, IDs: ids, Dialects: set})
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.d.ServeHTTP(w, r) }))
	t.Cleanup(s.server.Close)
	s.app = app.New(app.Config{Store: db, Engine: engine, Catalogue: types, Sealer: sealer, IDs: ids, PublicURL: s.server.URL, Dialects: set,
		CheckURL: func(raw string) error {
			_, err := sender.CheckURL(raw)
			return err
		}})
	t.Cleanup(s.app.StopWatching)
	s.d, err = newDashboard(Config{App: s.app, PublicURL: s.server.URL, Log: slog.New(slog.NewTextHandler(&s.log, nil))})
	s.must(err)
	shown, err := s.app.Bootstrap(t.Context(), "")
	s.must(err)
	s.link = shown.Link
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// browser is a browser without JavaScript: it keeps cookies, follows redirects, and sends the tokens of forms.
type browser struct {
	*site
	client *http.Client
	page   string // the last one
	status int
	header http.Header
	url    *url.URL
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	s.must(err)
	return &browser{site: s, client: &http.Client{Jar: jar}}
}

// admin is a browser in which the first administrator is signed in.
func (s *site) admin() *browser {
	s.t.Helper()
	b := s.browser()
	b.send(strings.TrimPrefix(s.link, s.server.URL))
	b.send("/welcome", "email", "root@example.com", "new", goodPassword, "again", goodPassword)
	return b
}

// member is a browser in which a new member with a role is signed in.
func (s *site) member(role postroom.Role) *browser {
	s.t.Helper()
	all, err := s.app.Store.Workspaces(s.t.Context())
	s.must(err)
	admin := app.Caller{Workspace: all[0].ID, Role: postroom.RoleAdmin}
	email := string(role) + "@example.com"
	_, link, err := s.app.InviteMember(s.t.Context(), admin, app.MemberInput{Email: email, MemberSettings: app.MemberSettings{Role: role}})
	s.must(err)
	b := s.browser()
	b.send(strings.TrimPrefix(link.URL, s.server.URL))
	b.send("/welcome", "new", goodPassword, "again", goodPassword)
	return b
}

func (b *browser) do(req *http.Request) {
	b.t.Helper()
	resp, err := b.client.Do(req)
	b.must(err)
	body, err := io.ReadAll(resp.Body)
	b.must(err)
	b.must(resp.Body.Close())
	b.page, b.status, b.header, b.url = string(body), resp.StatusCode, resp.Header, resp.Request.URL
}

func (b *browser) request(method, path string, form url.Values, headers ...string) *http.Request {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, strings.NewReader(form.Encode()))
	b.must(err)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// open asks for a page.
func (b *browser) open(path string) {
	b.t.Helper()
	b.do(b.request(http.MethodGet, path, nil))
}

// send sends a form: its path, and the fields in pairs.
func (b *browser) send(path string, fields ...string) {
	b.t.Helper()
	form := url.Values{tokenField: {b.token()}}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	b.do(b.request(http.MethodPost, path, form))
}

var tokenInPage = regexp.MustCompile(`name="_token" value="([^"]+)"`)

// token is that of the present page's forms, or else of the account's page.
func (b *browser) token() string {
	b.t.Helper()
	m := tokenInPage.FindStringSubmatch(b.page)
	if m == nil && b.page != "" {
		b.open("/account")
		m = tokenInPage.FindStringSubmatch(b.page)
	}
	if m == nil {
		return ""
	}
	return m[1]
}

// sees checks the status and that the page holds texts.
func (b *browser) sees(status int, texts ...string) {
	b.t.Helper()
	if b.status != status {
		b.t.Errorf("%s has the status %d, want %d:\n%s", b.url, b.status, status, b.content())
	}
	for _, text := range texts {
		if !strings.Contains(b.page, text) {
			b.t.Errorf("%s does not show %q:\n%s", b.url, text, b.content())
		}
	}
}

// content is the page without what is around it.
func (b *browser) content() string {
	_, content, found := strings.Cut(b.page, "<main")
	if !found {
		return b.page
	}
	return content
}

// at checks which page it is.
func (b *browser) at(path string) {
	b.t.Helper()
	if b.url.RequestURI() != path {
		b.t.Errorf("it is at %s, want %s", b.url.RequestURI(), path)
	}
}

// Whatever a route does, nobody gets to it from another site, with a form that is not the session's, without a session, or with a lesser role.
func TestEveryRouteIsGuarded(t *testing.T) {
	s := newSite(t)
	admin := s.admin()
	token := admin.token()
	browsers := map[postroom.Role]*browser{postroom.RoleViewer: s.member(postroom.RoleViewer), postroom.RolePublisher: s.member(postroom.RolePublisher)}
	anybody := map[string]bool{"GET /sign-in": true, "POST /sign-in": true, "GET /sign-in/{link}": true, "POST /sign-in/{link}": true, "POST /theme": true}
	stay := func(b *browser) *browser {
		b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		return b
	}
	nobody := stay(s.browser())
	gone := stay(s.browser())
	at, err := url.Parse(s.server.URL)
	s.must(err)
	gone.client.Jar.SetCookies(at, []*http.Cookie{{Name: sessionCookie, Value: "a-session-that-has-ended"}})
	stay(admin)
	for _, rt := range s.d.routes {
		name := rt.method + " " + rt.path
		path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(rt.path, "x")
		path = strings.TrimSuffix(path, "x$")
		if strings.HasSuffix(rt.path, "{$}") {
			path = "/"
		}
		inPortal := strings.HasPrefix(rt.path, portalPrefix) // where the token in the path says who it is: see TestPortalIsOneCustomers
		if (rt.role == "") != (anybody[name] || inPortal) {
			t.Errorf("%s is open to the role %q", name, rt.role)
		}
		form := url.Values{tokenField: {token}}
		refused := func(what string, b *browser, form url.Values, headers ...string) {
			t.Helper()
			b.do(b.request(rt.method, path, form, headers...))
			if b.status != http.StatusForbidden {
				t.Errorf("%s, %s: status %d", name, what, b.status)
			}
		}
		if rt.method != http.MethodGet {
			refused("from another site", admin, form, "Sec-Fetch-Site", "cross-site")
			refused("from another site of an old browser", admin, form, "Sec-Fetch-Site", "", "Origin", "https://example.com")
		}
		if rt.role == "" {
			continue
		}
		if rt.method != http.MethodGet {
			refused("without a token", admin, url.Values{})
			refused("with a forged token", admin, url.Values{tokenField: {strings.Repeat("A", len(token))}})
			refused("with another session's token", admin, url.Values{tokenField: {browsers[postroom.RoleViewer].token()}})
		}
		for what, b := range map[string]*browser{"nobody": nobody, "an ended session": gone} {
			b.do(b.request(rt.method, path, form))
			if b.status != http.StatusSeeOther || !strings.HasPrefix(b.header.Get("Location"), "/sign-in") {
				t.Errorf("%s, by %s: status %d to %s", name, what, b.status, b.header.Get("Location"))
			}
			b.do(b.request(rt.method, path, form, "HX-Request", "true"))
			if b.status != http.StatusNoContent || b.header.Get("HX-Redirect") != "/sign-in" {
				t.Errorf("%s, by htmx for %s: status %d to %s", name, what, b.status, b.header.Get("HX-Redirect"))
			}
		}
		for role, b := range browsers {
			if !role.Allows(rt.role) {
				refused("by a "+string(role), b, url.Values{tokenField: {b.token()}})
			}
		}
	}
	if s.log.Len() > 0 {
		t.Errorf("it logged %s", s.log.String())
	}
}

func TestHeaders(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.open("/sign-in")
	for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Strict-Transport-Security": ""} {
		if got := b.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, file := range regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(b.page, -1) {
		b.open(file[1])
		if b.status != http.StatusOK || !strings.Contains(b.header.Get("Cache-Control"), "immutable") || b.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: status %d, %v", file[1], b.status, b.header)
		}
	}
	b.open("/assets/000000000000/app.css")
	b.sees(http.StatusNotFound)

	secure, err := newDashboard(Config{App: s.app, PublicURL: "https://postroom.example.com"})
	s.must(err)
	w := httptest.NewRecorder()
	secure.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "https://postroom.example.com/theme", strings.NewReader("theme=dark")))
	cookie := w.Result().Cookies()[0] //nolint:bodyclose // of a recorder
	if cookie.Name != "__Host-postroom_theme" || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || w.Header().Get("Strict-Transport-Security") == "" {
		t.Errorf("with HTTPS, the cookie is %v, and the headers are %v", cookie, w.Header())
	}
}

func TestReports(t *testing.T) {
	s := newSite(t)
	count := 0
	s.d.Violation = func() { count++ }
	b := s.browser()
	for range 20 {
		b.do(b.request(http.MethodPost, reportPath, url.Values{"csp-report": {"x"}}, "Sec-Fetch-Site", "cross-site"))
		b.sees(http.StatusNoContent)
	}
	b.do(b.request(http.MethodPost, reportPath, url.Values{"x": {strings.Repeat("x", maxReport)}}))
	b.sees(http.StatusRequestEntityTooLarge)
	if lines := strings.Count(s.log.String(), "\n"); count != 20 || lines < 10 || lines > 15 {
		t.Errorf("%d were counted and %d logged", count, lines)
	}
}

func TestLocalPath(t *testing.T) {
	for next, want := range map[string]string{"/webhooks?a=b": "/webhooks?a=b", "": "/", "https://example.com/": "/", "//example.com": "/", "/\\example.com": "/", "/%5cexample.com": "/%5cexample.com",
		"javascript:alert(1)": "/", "webhooks": "/", "/a\nb": "/", "/x#y": "/x", "///example.com": "/"} {
		if got := localPath(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

// Every page that a member can open without anything in the workspace renders, and so does its htmx part.
func TestEveryPageRenders(t *testing.T) {
	s := newSite(t)
	admin := s.admin()
	for _, rt := range s.d.routes {
		path := strings.TrimSuffix(rt.path, "{$}")
		if rt.method != http.MethodGet || strings.Contains(path, "{") || path == "/overview/events" || path == "/fields/edit" || path == "/sign-in" || path == "/welcome" {
			continue
		}
		admin.open(path)
		admin.sees(http.StatusOK)
		admin.do(admin.request(http.MethodGet, path, nil, "HX-Request", "true"))
		admin.sees(http.StatusOK)
		if strings.Contains(admin.page, "<!doctype") {
			t.Errorf("%s gives htmx a whole page", path)
		}
	}
	admin.open("/no-such-page")
	admin.sees(http.StatusNotFound, "There is no such page.", "Webhooks")
	if s.log.Len() > 0 {
		t.Errorf("it logged %s", s.log.String())
	}
}
