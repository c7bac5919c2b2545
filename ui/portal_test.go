package ui

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// portalSite is a site whose portal is set up, with who administers it.
func portalSite(t *testing.T) (*site, app.Caller) {
	t.Helper()
	s := newSite(t)
	all, err := s.app.Store.Workspaces(t.Context())
	s.must(err)
	who := app.Caller{Workspace: all[0].ID, Role: postroom.RoleAdmin, Operator: true}
	s.setPortal(who)
	return s, who
}

func (s *site) setPortal(who app.Caller) {
	s.t.Helper()
	_, err := s.app.UpdatePortal(s.t.Context(), who, func(p *postroom.Portal) error {
		p.Name, p.Accent, p.Background, p.FrameOrigins = "Acme <Cloud>", "#0b7285", "#ffffff", []string{"https://app.example.com", "http://localhost:3000"}
		p.Filter, p.Events = "event.data.account == {customer}", []string{"contact.*", "email.*"}
		return nil
	})
	s.must(err)
}

// customer is a browser with a link for a customer, and the path that the link leads to.
func (s *site) customer(who app.Caller, name string) (b *browser, base string) {
	s.t.Helper()
	link, err := s.app.PortalLink(s.t.Context(), who, name, 0)
	s.must(err)
	return s.browser(), strings.TrimPrefix(link.URL, s.server.URL)
}

// add makes a webhook in the portal, and gives its id.
func (b *browser) add(base, name string) string {
	b.t.Helper()
	b.send(base+"/new", "name", name, "url", "https://hooks.example.com/"+name, "events", "contact.created", "events", "email.bounced")
	b.sees(http.StatusOK, "Your webhook is ready", "whsec_")
	return regexp.MustCompile(`whk_[0-9a-z]{26}`).FindString(b.page)
}

func TestPortal(t *testing.T) {
	s, who := portalSite(t)
	b, base := s.customer(who, "acme")
	b.open(base)
	b.sees(http.StatusOK, "Acme &lt;Cloud&gt;", "There are no webhooks yet")
	policy := b.header.Get("Content-Security-Policy")
	if !strings.HasSuffix(policy, "frame-ancestors https://app.example.com http://localhost:3000") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "report") {
		t.Errorf("the policy is %s", policy)
	}
	if b.header.Get("Referrer-Policy") != "no-referrer" || b.header.Get("X-Frame-Options") != "" || len(b.header.Values("Set-Cookie")) > 0 {
		t.Errorf("the headers are %v", b.header)
	}
	b.open(base + "/theme.css")
	b.sees(http.StatusOK, "--accent: #0b7285", "color-scheme: light", "--back: #ffffff")

	b.open(base + "/new")
	b.sees(http.StatusOK, "contact.created", "email.bounced")
	if strings.Contains(b.page, "form.submitted") {
		t.Error("it offers event types that are not to be chosen")
	}
	b.send(base+"/new", "name", "", "url", "nowhere", "events", "order.paid")
	b.sees(http.StatusUnprocessableEntity, "cannot be chosen")
	b.send(base+"/new", "name", "x", "url", "https://x.example.com", "events", "*")
	b.sees(http.StatusUnprocessableEntity, "cannot be chosen")
	id := b.add(base, "Hook<b>")
	w, err := s.app.Webhook(t.Context(), who, id)
	s.must(err)
	if w.Customer != "acme" || w.Filter != `event.data.account == "acme"` || w.Dialect != "standard" {
		t.Errorf("it made %+v", w)
	}
	b.open(base)
	b.sees(http.StatusOK, "Hook&lt;b&gt;", "2 event types")

	at := base + "/webhooks/" + id
	b.open(at)
	b.sees(http.StatusOK, "Nothing was sent yet", "contact.created")
	b.open(at + "/edit")
	b.sees(http.StatusOK, `value="contact.created" checked`)
	b.send(at+"/edit", "name", "Renamed", "url", "https://hooks.example.com/2", "events", "contact.created")
	b.sees(http.StatusOK, "The webhook was changed.", "Renamed")
	b.send(at+"/edit", "name", "", "url", "https://hooks.example.com/2", "events", "contact.created")
	b.sees(http.StatusUnprocessableEntity, "his is required")
	b.send(at + "/pause")
	b.sees(http.StatusOK, "The webhook is paused.", "Paused in the portal.")
	b.send(at + "/resume")
	b.sees(http.StatusOK, "active again")
	b.send(at + "/rotate")
	b.sees(http.StatusOK, "Your new secret", "whsec_", "until tomorrow")
	b.send(at + "/delete")
	b.sees(http.StatusOK, "The webhook was deleted.", "There are no webhooks yet")
	b.open(at)
	b.sees(http.StatusNotFound)
	if s.log.Len() > 0 {
		t.Errorf("it logged %s", s.log.String())
	}
}

// A link shows and changes nothing but what belongs to its customer in its workspace, on every route.
func TestPortalIsOneCustomers(t *testing.T) {
	s, who := portalSite(t)
	b, base := s.customer(who, "acme")
	others, othersBase := s.customer(who, "globex")
	_, _, key, err := s.app.CreateWorkspace(t.Context(), who, "Elsewhere")
	s.must(err)
	elsewhere, err := s.app.Authenticate(t.Context(), key)
	s.must(err)
	s.setPortal(elsewhere)
	there, thereBase := s.customer(elsewhere, "acme")
	unowned, _, err := s.app.CreateWebhook(t.Context(), who, s.app.DefaultSettings("standard"), "", "")
	if err == nil {
		t.Fatal("a webhook without a URL was made")
	}
	settings := s.app.DefaultSettings("standard")
	settings.Name, settings.URL, settings.Events = "The operator's", "https://example.com", []string{"*"}
	unowned, _, err = s.app.CreateWebhook(t.Context(), who, settings, "", "")
	s.must(err)
	for what, id := range map[string]string{"another customer's": others.add(othersBase, "theirs"), "another workspace's": there.add(thereBase, "there"), "nobody's": unowned.ID.String(), "none": "whk_x"} {
		for _, rt := range portalRoutes() {
			if !strings.Contains(rt.path, "{id}") {
				continue
			}
			path := strings.NewReplacer("/portal/{token}", base, "{id}", id).Replace(rt.path)
			if rt.method == http.MethodGet {
				b.open(path)
			} else {
				b.send(path, "name", "mine", "url", "https://hooks.example.com", "events", "contact.created")
			}
			if b.status != http.StatusNotFound {
				t.Errorf("%s %s with %s webhook: status %d", rt.method, rt.path, what, b.status)
			}
		}
	}
	b.open(base)
	b.sees(http.StatusOK, "There are no webhooks yet")
	others.open(othersBase)
	others.sees(http.StatusOK, "theirs")
	found, err := s.app.CustomerWebhooks(t.Context(), who, "globex", postroom.PageQuery{})
	s.must(err)
	if len(found.Data) != 1 || found.Data[0].Status != postroom.WebhookActive || found.Data[0].Name != "theirs" {
		t.Errorf("of globex there are %+v", found.Data)
	}
}

func TestPortalLinksEnd(t *testing.T) {
	s, who := portalSite(t)
	b, base := s.customer(who, "acme")
	for what, path := range map[string]string{"tampered": base[:len(base)-2] + "AA", "cut": base[:len(base)-8], "made up": "/portal/AAAA", "long": base + strings.Repeat("A", 4000), "no text": "/portal/!!"} {
		b.open(path)
		if b.status != http.StatusNotFound || !strings.HasSuffix(b.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("a link that is %s: status %d, %v", what, b.status, b.header)
		}
	}
	now := time.Now()
	s.app.Now = func() time.Time { return now.Add(61 * time.Minute) }
	for _, rt := range portalRoutes() {
		path := strings.NewReplacer("/portal/{token}", base, "{id}", "whk_x").Replace(rt.path)
		b.do(b.request(rt.method, path, url.Values{}))
		if b.status != http.StatusUnauthorized || !strings.Contains(b.page, "This link has ended.") || !strings.HasSuffix(b.header.Get("Content-Security-Policy"), "http://localhost:3000") {
			t.Errorf("%s %s with an ended link: status %d", rt.method, rt.path, b.status)
		}
	}
	b, base = s.customer(who, "acme")
	b.open(base)
	b.sees(http.StatusOK)
	s.must(s.app.EndPortalLinks(t.Context(), who))
	b.open(base)
	b.sees(http.StatusUnauthorized, "Acme &lt;Cloud&gt;")
}

func TestPortalDeliveries(t *testing.T) {
	s, who := portalSite(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "<script>no</script>")
	}))
	t.Cleanup(receiver.Close)
	b, base := s.customer(who, "acme")
	b.send(base+"/new", "name", "Tea", "url", receiver.URL, "events", "contact.created")
	id := regexp.MustCompile(`whk_[0-9a-z]{26}`).FindString(b.page)
	b.send(base + "/webhooks/" + id + "/test")
	b.sees(http.StatusOK, "A sample was sent.", "Attempt 1", "418", "&lt;script&gt;no&lt;/script&gt;", "contact.created")
	delivery := b.url.Path
	b.open(base + "/webhooks/" + id)
	b.sees(http.StatusOK, "test", "418")
	b.send(delivery + "/retry")
	b.sees(http.StatusOK, "It is sent again now.")

	other, otherBase := s.customer(who, "globex")
	other.open(otherBase + strings.TrimPrefix(delivery, base))
	other.sees(http.StatusNotFound)
	other.send(otherBase + strings.TrimPrefix(delivery, base) + "/retry")
	other.sees(http.StatusNotFound)

	_, err := s.app.UpdateWebhook(t.Context(), who, id, 0, func(w *postroom.WebhookSettings) error {
		w.Auth = &postroom.Auth{Type: postroom.AuthBearer, Token: "operators-secret"}
		return nil
	})
	s.must(err)
	b.send(base+"/webhooks/"+id+"/edit", "name", "Tea", "url", "https://thief.example.com", "events", "contact.created")
	b.sees(http.StatusConflict, "credentials that belong to its URL")
	for _, path := range []string{"", "/edit"} {
		b.open(base + "/webhooks/" + id + path)
		if strings.Contains(b.page, "operators-secret") {
			t.Error("the page shows the operator's secret")
		}
	}
}

func TestPortalSettings(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	b.open("/settings/portal")
	b.sees(http.StatusOK, "Set a filter first")
	good := []string{"name", "Acme", "accent", "#0b7285", "background", "", "frame_origins", "https://app.example.com", "dialect", "standard", "events", "*", "filter", "event.data.account == {customer}"}
	for field, bad := range map[string]string{"accent": "red; } body { display: none", "background": "#12345", "frame_origins": "https://app.example.com/path", "dialect": "none", "events": "", "filter": "event.data.("} {
		form := append([]string{}, good...)
		for i := 0; i < len(form); i += 2 {
			if form[i] == field {
				form[i+1] = bad
			}
		}
		b.send("/settings/portal", form...)
		b.sees(http.StatusUnprocessableEntity, `id="f-`+field+`-error"`)
	}
	for _, origin := range []string{"*", "https://*.example.com", "http://app.example.com", "https://a.example.com;script-src", "'self'", "https://user@example.com", "javascript://x", "https://a.example.com\u00a0x"} {
		if _, err := s.app.UpdatePortal(t.Context(), s.root(), func(p *postroom.Portal) error { p.FrameOrigins = []string{origin}; return nil }); err == nil {
			t.Errorf("%q may have a frame", origin)
		}
	}
	b.send("/settings/portal/link", "customer", "acme", "expires_in", "1h")
	b.sees(http.StatusConflict, "no filter yet")
	b.send("/settings/portal", good...)
	b.sees(http.StatusOK, "The portal was changed.")
	b.send("/settings/portal/link", "customer", "not a name", "expires_in", "1h")
	b.sees(http.StatusUnprocessableEntity, `id="f-customer-error"`, "event.data.account")
	b.send("/settings/portal/link", "customer", "acme", "expires_in", "8h")
	b.sees(http.StatusOK, "/portal/", "Open it")
	b.send("/settings/portal/end")
	b.sees(http.StatusOK, "have ended")
	b.open("/settings/audit")
	b.sees(http.StatusOK, "portal.linked", "acme", "Administrator")
	v := s.member(postroom.RoleViewer)
	v.open("/settings/portal")
	v.sees(http.StatusOK, "Acme")
	if strings.Contains(v.page, "Make a link") {
		t.Error("a viewer is shown what they may not do")
	}
}

// root is who administers the first workspace.
func (s *site) root() app.Caller {
	s.t.Helper()
	all, err := s.app.Store.Workspaces(s.t.Context())
	s.must(err)
	return app.Caller{Workspace: all[0].ID, Role: postroom.RoleAdmin}
}
