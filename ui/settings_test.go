package ui

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestFirstSignIn(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.open("/settings/keys?x=1")
	b.at("/sign-in?next=%2Fsettings%2Fkeys%3Fx%3D1")
	link := strings.TrimPrefix(s.link, s.server.URL)
	for range 2 { // looking does not use it up
		b.open(link)
		b.sees(http.StatusOK, "Sign in to default", "first administrator")
	}
	b.send(link)
	b.at("/welcome")
	b.open("/webhooks")
	b.at("/welcome")
	b.send("/welcome", "email", "nonsense", "new", "short", "again", "short")
	b.sees(http.StatusUnprocessableEntity, "is not an email address", "at least 10 characters", `aria-describedby="f-new-hint f-new-error" aria-invalid="true"`)
	b.send("/welcome", "email", "root@example.com", "new", goodPassword, "again", goodPassword+"!")
	b.sees(http.StatusUnprocessableEntity, "the passwords differ")
	if strings.Contains(b.page, goodPassword) {
		t.Error("a password is shown")
	}
	b.send("/welcome", "email", "root@example.com", "new", goodPassword, "again", goodPassword)
	b.at("/")
	b.sees(http.StatusOK, "Your password is set.", "Overview")
	b.open("/")
	if strings.Contains(b.page, "Your password is set.") {
		t.Error("what was said is said again")
	}
	b.send(link)
	b.sees(http.StatusNotFound, "used already")

	b.send("/sign-out")
	b.at("/sign-in")
	b.sees(http.StatusOK, "You are signed out.")
	b.send("/sign-in", "email", "root@example.com", "password", "wrong", "next", "/settings/keys")
	b.sees(http.StatusUnprocessableEntity, "The email address or the password is wrong.")
	b.send("/sign-in", "email", "root@example.com", "password", goodPassword, "next", "/settings/keys")
	b.at("/settings/keys")
	other := s.browser()
	other.send("/sign-in", "email", "root@example.com", "password", goodPassword)
	other.at("/")
	b.send("/account/password", "current", goodPassword, "new", goodPassword+"!", "again", goodPassword+"!")
	b.sees(http.StatusOK, "Your password is set.", "Go-http-client")
	other.open("/")
	other.at("/sign-in")
	b.send("/account/sign-out-everywhere")
	b.at("/sign-in")
}

func TestKeyPages(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	b.open("/settings/keys/new")
	b.send("/settings/keys", "name", "", "role", "root")
	b.sees(http.StatusUnprocessableEntity, `id="f-name-error"`, "this is required", "admin, publisher or viewer")
	b.send("/settings/keys", "name", `<b>"Shop"</b>`, "role", "publisher", "expires_at", "30")
	key := regexp.MustCompile(`data-secret>(prk_\w+)<`).FindStringSubmatch(b.page)
	b.sees(http.StatusOK, html.EscapeString(`<b>"Shop"</b>`))
	if key == nil {
		t.Fatalf("no key is shown:\n%s", b.page)
	}
	who, err := s.app.Authenticate(t.Context(), key[1])
	s.must(err)
	if who.Role != postroom.RolePublisher {
		t.Errorf("the key's role is %s", who.Role)
	}
	b.open("/settings/keys")
	if strings.Contains(b.page, key[1]) || strings.Contains(b.page, "<b>") {
		t.Errorf("the list shows the key, or the name as markup:\n%s", b.page)
	}
	b.send("/settings/keys/" + who.Key.String() + "/revoke")
	b.at("/settings/keys")
	b.sees(http.StatusOK, "The key is revoked.")
	_, err = s.app.Authenticate(t.Context(), key[1])
	if postroom.CodeOf(err) != postroom.CodeUnauthenticated {
		t.Errorf("the key that was revoked: %v", err)
	}
	viewer := s.member(postroom.RoleViewer)
	viewer.open("/settings/keys")
	viewer.sees(http.StatusOK, "First key")
	if strings.Contains(viewer.page, "Revoke") || strings.Contains(viewer.page, "New key") {
		t.Error("a viewer is shown what they may not do")
	}
}

func TestMemberPages(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	b.open("/settings/members/new")
	b.sees(http.StatusOK, "All webhooks and sources")
	b.send("/settings/members", "email", "x", "phone", "12", "role", "viewer")
	b.sees(http.StatusUnprocessableEntity, `id="f-email-error"`, `id="f-phone-error"`, `value="12"`)
	b.send("/settings/members", "email", "ada@example.com", "name", "Ada", "role", "viewer", "may_trigger", "*")
	link := regexp.MustCompile(`data-secret>` + regexp.QuoteMeta(s.server.URL) + `(/sign-in/[\w-]+)<`).FindStringSubmatch(b.page)
	if link == nil {
		t.Fatalf("no link is shown:\n%s", b.page)
	}
	b.send("/settings/members", "email", "ADA@example.com", "role", "viewer")
	b.sees(http.StatusConflict, "a member of the workspace already")
	ada := s.browser()
	ada.open(link[1])
	ada.sees(http.StatusOK, "ada@example.com")
	ada.send(link[1])
	ada.send("/welcome", "new", goodPassword, "again", goodPassword)
	ada.at("/")

	b.open("/settings/members")
	id := regexp.MustCompile(`/settings/members/(mem_\w+)"><strong>Ada`).FindStringSubmatch(b.page)
	if id == nil {
		t.Fatalf("Ada is not in the list:\n%s", b.page)
	}
	one := "/settings/members/" + id[1]
	b.open(one)
	b.sees(http.StatusOK, `value="viewer" checked`, `value="*" checked`, "active")
	b.send(one, "name", "Ada L.", "role", "publisher", "phone", "+1 202 555 0143")
	b.at("/settings/members")
	b.sees(http.StatusOK, "Ada L. was changed.", "publisher")
	b.send(one + "/link")
	b.sees(http.StatusOK, "Ada L.", "/sign-in/")
	me := regexp.MustCompile(`/settings/members/(mem_\w+)"><strong>Administrator`)
	b.open("/settings/members")
	root := "/settings/members/" + me.FindStringSubmatch(b.page)[1]
	b.send(root, "name", "Root", "role", "viewer")
	b.sees(http.StatusConflict, "last administrator")
	b.send(one + "/remove")
	b.sees(http.StatusOK, "Ada L. was removed.")
	ada.open("/")
	ada.at("/sign-in")
}

func TestAuditPages(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	b.open("/settings/audit")
	b.sees(http.StatusOK, "member.signed_in", "member.password_set", "Administrator")
	for range postroom.DefaultPageLimit {
		b.send("/settings", "name", "Acme")
	}
	b.open("/settings/audit")
	older := regexp.MustCompile(`href="(/settings/audit\?cursor=[^"]+)" rel="next"`).FindStringSubmatch(b.page)
	if older == nil {
		t.Fatalf("there is no next page:\n%s", b.page)
	}
	b.open(html.UnescapeString(older[1]))
	b.sees(http.StatusOK, "member.signed_in", "Newer")
	b.open("/settings/audit?cursor=x")
	b.sees(http.StatusUnprocessableEntity)
}

func TestWorkspacePages(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	b.send("/settings", "name", "")
	b.sees(http.StatusUnprocessableEntity, "this is required")
	b.send("/settings", "name", "Acme <Europe>")
	b.sees(http.StatusOK, "Acme &lt;Europe&gt;")

	all, err := s.app.Store.Workspaces(t.Context())
	s.must(err)
	b.send("/switch", "workspace", all[0].ID.String())
	b.at("/")
	b.send("/switch", "workspace", "wsp_x")
	b.sees(http.StatusNotFound, "There is no workspace")
	b.send("/theme", "theme", "dark", "back", "/settings")
	b.at("/settings")
	b.sees(http.StatusOK, `data-theme="dark"`)
	b.send("/theme", "theme", "auto", "back", "https://example.com/")
	b.at("/")
}
