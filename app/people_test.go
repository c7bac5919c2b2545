package app_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/internal/seal"
	"github.com/postroom/postroom/store"
)

const goodPassword = "correct horse battery"

// house is an application with people, on SQLite, whose clock a test sets.
type house struct {
	*app.App
	t   *testing.T
	now time.Time
	key app.Caller // the first key
}

func newHouse(t *testing.T) (*house, string) {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)}
	db, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "test.db"), Node: postroom.NewID[postroom.NodeKind](h.now)})
	h.must(err)
	t.Cleanup(func() { h.must(db.Close()) })
	sealer, err := seal.New(make([]byte, seal.KeySize))
	h.must(err)
	h.App = app.New(app.Config{Store: db, Sealer: sealer, IDs: &postroom.IDs{}, PublicURL: "https://postroom.example.com", Now: func() time.Time { return h.now }})
	shown, err := h.Bootstrap(t.Context(), "")
	h.must(err)
	h.key, err = h.Authenticate(t.Context(), shown.Key)
	h.must(err)
	return h, tokenOf(t, shown.Link)
}

func tokenOf(t *testing.T, link string) string {
	t.Helper()
	token, ok := strings.CutPrefix(link, "https://postroom.example.com/sign-in/")
	if !ok || len(token) != 43 {
		t.Fatalf("the link is %q", link)
	}
	return token
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) refused(what string, err error, want postroom.Code) {
	h.t.Helper()
	if got := postroom.CodeOf(err); err == nil || got != want {
		h.t.Errorf("%s: %v (%s), want %s", what, err, got, want)
	}
}

func from(address string) app.Origin {
	return app.Origin{Address: netip.MustParseAddr(address), UserAgent: "Browser/1"}
}

func home() app.Origin { return from("192.0.2.1") }

func (h *house) resume(token string) app.SignedIn {
	h.t.Helper()
	in, err := h.Resume(h.t.Context(), token)
	h.must(err)
	return in
}

// enter uses a link and sets a password.
func (h *house) enter(link, email string) (token string) {
	h.t.Helper()
	token, err := h.SignInByLink(h.t.Context(), link, "", home())
	h.must(err)
	h.must(h.SetPassword(h.t.Context(), token, app.PasswordInput{Email: email, New: goodPassword}, home()))
	return token
}

func (h *house) invite(who app.Caller, email string, role postroom.Role) (postroom.Member, string) {
	h.t.Helper()
	m, link, err := h.InviteMember(h.t.Context(), who, app.MemberInput{Email: email, MemberSettings: app.MemberSettings{Name: "Ada", Role: role}})
	h.must(err)
	return m, tokenOf(h.t, link.URL)
}

func TestFirstAdministrator(t *testing.T) {
	h, link := newHouse(t)
	asks, err := h.OpenLink(t.Context(), link)
	h.must(err)
	if asks.Password || asks.Workspace != "default" {
		t.Errorf("the first link asks %+v", asks)
	}
	again, err := h.Bootstrap(t.Context(), "")
	h.must(err)
	if again != (app.Shown{}) {
		t.Errorf("a second start shows %+v", again)
	}
	token, err := h.SignInByLink(t.Context(), link, "", home())
	h.must(err)
	if in := h.resume(token); !in.NeedsPassword || !in.NeedsEmail || !in.Caller.Operator || in.Caller.Role != postroom.RoleAdmin || in.Workspace() != "default" {
		t.Errorf("who came by the first link is %+v", in)
	}
	_, err = h.SignInByLink(t.Context(), link, "", home())
	h.refused("the link again", err, postroom.CodeNotFound)
	for what, in := range map[string]app.PasswordInput{"short": {Email: "root@example.com", New: "short"}, "no email": {New: goodPassword}, "the email": {Email: "root@example.com", New: "root@example.com"},
		"one character": {Email: "root@example.com", New: "aaaaaaaaaaaa"}} {
		h.refused(what, h.SetPassword(t.Context(), token, in, home()), postroom.CodeInvalid)
	}
	h.must(h.SetPassword(t.Context(), token, app.PasswordInput{Email: "root@example.com", New: goodPassword}, home()))
	if in := h.resume(token); in.NeedsPassword || in.NeedsEmail || in.Person.Email != "root@example.com" || in.Person.Password != "" {
		t.Errorf("after the password they are %+v", in)
	}
	_, err = h.SignIn(t.Context(), "ROOT@example.com", goodPassword, home())
	h.must(err)
	page, err := h.Audit(t.Context(), h.key, postroom.PageQuery{})
	h.must(err)
	if e := page.Data[0]; e.Action != "member.signed_in" || e.MemberID == nil || e.KeyID != nil {
		t.Errorf("the audit's last entry is %+v", e)
	}
}

func TestSignInRefusals(t *testing.T) {
	h, link := newHouse(t)
	h.enter(link, "root@example.com")
	_, unused := h.invite(h.key, "new@example.com", postroom.RoleViewer)
	var messages []string
	for _, try := range [][2]string{{"root@example.com", "wrong password"}, {"nobody@example.com", goodPassword}, {"new@example.com", ""}, {"\x00", "x"}, {strings.Repeat("x", 5000), strings.Repeat("y", 5000)}} {
		_, err := h.SignIn(t.Context(), try[0], try[1], home())
		h.refused(try[0][:1], err, postroom.CodeUnauthenticated)
		messages = append(messages, err.Error())
	}
	if slices.Sort(messages); messages[0] != messages[len(messages)-1] {
		t.Errorf("refusals differ: %q", messages)
	}
	for what, token := range map[string]string{"an unknown link": "x", "a link that is too old": unused} {
		h.now = h.now.Add(4 * 24 * time.Hour)
		_, err := h.SignInByLink(t.Context(), token, "", home())
		h.refused(what, err, postroom.CodeNotFound)
	}
}

// Guessing is slowed down alike for emails that exist and those that do not; so is trying many emails from one network.
func TestGuessing(t *testing.T) {
	h, link := newHouse(t)
	h.enter(link, "root@example.com")
	for _, email := range []string{"root@example.com", "nobody@example.com"} {
		for range 5 {
			_, err := h.SignIn(t.Context(), email, "guess", home())
			h.refused("a guess", err, postroom.CodeUnauthenticated)
		}
		_, err := h.SignIn(t.Context(), email, goodPassword, from("198.51.100.7"))
		h.refused("one more, with the right password, from elsewhere", err, postroom.CodeRateLimited)
		h.now = h.now.Add(5 * time.Second)
		_, err = h.SignIn(t.Context(), email, "guess", home())
		h.refused("after the wait", err, postroom.CodeUnauthenticated)
		h.now = h.now.Add(9 * time.Second)
		_, err = h.SignIn(t.Context(), email, "guess", home())
		h.refused("the wait has doubled", err, postroom.CodeRateLimited)
	}
	h.now = h.now.Add(time.Hour)
	_, err := h.SignIn(t.Context(), "root@example.com", goodPassword, home())
	h.must(err)
	for i := range 20 {
		_, err := h.SignIn(t.Context(), string(rune('a'+i))+"@example.com", "guess", from("2001:db8::"+string(rune('1'+i%9))))
		h.refused("a guess", err, postroom.CodeUnauthenticated)
	}
	_, err = h.SignIn(t.Context(), "root@example.com", goodPassword, from("2001:db8::ffff"))
	h.refused("from the same /64", err, postroom.CodeRateLimited)
	_, err = h.SignIn(t.Context(), "root@example.com", goodPassword, from("2001:db8:1::1"))
	h.must(err)
}

func TestSessionsEnd(t *testing.T) {
	h, link := newHouse(t)
	first := h.enter(link, "root@example.com")
	second, err := h.SignIn(t.Context(), "root@example.com", goodPassword, home())
	h.must(err)
	h.refused("a password without the old one", h.SetPassword(t.Context(), second, app.PasswordInput{Current: "wrong", New: goodPassword + "!"}, home()), postroom.CodeInvalid)
	h.must(h.SetPassword(t.Context(), second, app.PasswordInput{Current: goodPassword, New: goodPassword + "!"}, home()))
	_, err = h.Resume(t.Context(), first)
	h.refused("the other session", err, postroom.CodeUnauthenticated)

	for range 12 { // used every two days and a half
		h.now = h.now.Add(60 * time.Hour)
		if _, err = h.Resume(t.Context(), second); err != nil {
			break
		}
	}
	if lasted := h.now.Sub(time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)); lasted != 30*24*time.Hour {
		t.Errorf("a session that is used lasted %v", lasted)
	}
	third, err := h.SignIn(t.Context(), "root@example.com", goodPassword+"!", home())
	h.must(err)
	h.now = h.now.Add(73 * time.Hour)
	_, err = h.Resume(t.Context(), third)
	h.refused("a session that was not used", err, postroom.CodeUnauthenticated)

	fourth, err := h.SignIn(t.Context(), "root@example.com", goodPassword+"!", home())
	h.must(err)
	fifth, err := h.SignIn(t.Context(), "root@example.com", goodPassword+"!", home())
	h.must(err)
	h.must(h.SignOut(t.Context(), fourth))
	_, err = h.Resume(t.Context(), fourth)
	h.refused("who signed out", err, postroom.CodeUnauthenticated)
	h.must(h.SignOutEverywhere(t.Context(), fifth))
	_, err = h.Resume(t.Context(), fifth)
	h.refused("who signed out everywhere", err, postroom.CodeUnauthenticated)
}

// The administrators of one workspace cannot get into another one by inviting its people.
func TestInvitationsAcrossWorkspaces(t *testing.T) {
	h, link := newHouse(t)
	h.enter(link, "root@example.com")
	ctx := context.Background()
	_, _, plain, err := h.CreateWorkspace(ctx, h.key, "Other")
	h.must(err)
	other, err := h.Authenticate(ctx, plain)
	h.must(err)
	_, link = h.invite(other, "root@example.com", postroom.RoleViewer)
	asks, err := h.OpenLink(ctx, link)
	h.must(err)
	if !asks.Password {
		t.Error("a link of another workspace asks for no password")
	}
	_, err = h.SignInByLink(ctx, link, "", home())
	h.refused("without the password", err, postroom.CodeUnauthenticated)
	token, err := h.SignInByLink(ctx, link, goodPassword, home())
	h.must(err)
	in := h.resume(token)
	if in.Workspace() != "Other" || in.Caller.Role != postroom.RoleViewer || in.Caller.Operator || len(in.Places) != 2 {
		t.Errorf("who accepted is %+v", in)
	}
	_, _, err = h.InviteMember(ctx, in.Caller, app.MemberInput{Email: "x@example.com", MemberSettings: app.MemberSettings{Role: postroom.RoleAdmin}})
	h.refused("a viewer invites", err, postroom.CodeForbidden)
	h.must(h.SwitchWorkspace(ctx, token, h.key.Workspace.String()))
	if in := h.resume(token); in.Workspace() != "default" || !in.Caller.Operator {
		t.Errorf("after the switch they are %+v", in)
	}
	h.refused("another's workspace", h.SwitchWorkspace(ctx, token, postroom.NewID[postroom.WorkspaceKind](h.now).String()), postroom.CodeNotFound)

	// An operator's link lets somebody in who lost the password.
	m, err := h.Member(ctx, h.key, "root@example.com")
	h.must(err)
	_, made, err := h.LinkMember(ctx, h.key, m.ID.String())
	h.must(err)
	token = h.enter(tokenOf(t, made.URL), "")
	h.refused("a fresh session an hour later", func() error {
		h.must(h.SetPassword(ctx, token, app.PasswordInput{Current: goodPassword, New: goodPassword}, home()))
		return h.SetPassword(ctx, token, app.PasswordInput{New: goodPassword}, home())
	}(), postroom.CodeInvalid)
	// Who is removed from the workspace in which they work goes on in another one, and out of the last.
	theirs, err := h.Member(ctx, other, "root@example.com")
	h.must(err)
	h.must(h.DeleteMember(ctx, other, theirs.ID.String()))
	h.refused("the last administrator", h.DeleteMember(ctx, h.key, m.ID.String()), postroom.CodeConflict)
}

func TestMemberSettings(t *testing.T) {
	h, _ := newHouse(t)
	ctx := t.Context()
	for what, in := range map[string]app.MemberInput{
		"email": {Email: "no", MemberSettings: app.MemberSettings{Role: postroom.RoleViewer}}, "role": {Email: "a@example.com"},
		"phone":   {Email: "a@example.com", MemberSettings: app.MemberSettings{Role: postroom.RoleViewer, Phone: "12"}},
		"trigger": {Email: "a@example.com", MemberSettings: app.MemberSettings{Role: postroom.RoleViewer, MayTrigger: []string{"x"}}},
	} {
		_, _, err := h.InviteMember(ctx, h.key, in)
		h.refused(what, err, postroom.CodeInvalid)
	}
	m, _ := h.invite(h.key, "a@example.com", postroom.RoleViewer)
	_, _, err := h.InviteMember(ctx, h.key, app.MemberInput{Email: "A@example.com", MemberSettings: app.MemberSettings{Role: postroom.RoleViewer}})
	h.refused("twice", err, postroom.CodeConflict)
	whk := postroom.NewID[postroom.WebhookKind](h.now).String()
	m, err = h.UpdateMember(ctx, h.key, m.Email, func(s *app.MemberSettings) error {
		s.Phone, s.MayTrigger = "+1 202 555 0143", []string{whk, whk}
		return nil
	})
	h.must(err)
	if m.Phone != "+12025550143" || !slices.Equal(m.MayTrigger, []string{whk}) || !m.Triggers(whk) || m.Triggers("src_x") {
		t.Errorf("the member is %+v", m)
	}
	m, err = h.UpdateMember(ctx, h.key, m.Email, func(s *app.MemberSettings) error { s.MayTrigger = []string{whk, "*"}; return nil })
	h.must(err)
	if !slices.Equal(m.MayTrigger, []string{"*"}) || !m.Triggers("src_x") {
		t.Errorf("the member is %+v", m)
	}
}
