package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// How long a session lasts, and how often it is noted that it is used.
const (
	sessionLife = 30 * 24 * time.Hour // whatever is done
	sessionIdle = 3 * 24 * time.Hour  // when nothing is done
	seenEvery   = time.Minute
	freshLife   = time.Hour // for which a link's session may set a password without the old one
)

// How many failures are free, and how long one waits after more: twice as long each time.
const (
	freeByEmail   = 5
	freeByAddress = 20
	firstWait     = 5 * time.Second
	longestWait   = 15 * time.Minute
)

// Origin is where somebody signs in from.
type Origin struct {
	Address   netip.Addr
	UserAgent string
}

// SignedIn is somebody who is signed in, with the workspace that they work in.
type SignedIn struct {
	Caller  Caller
	Person  postroom.Person // without the password's hash
	Member  postroom.Member
	Session postroom.Session
	Places  []postroom.Place // all workspaces that they may work in
	// NeedsPassword says that no password is set yet, which is to be done before anything else; NeedsEmail, that the first administrator
	// has not said who they are.
	NeedsPassword, NeedsEmail bool
}

// Workspace is the name of the workspace in which somebody works.
func (s *SignedIn) Workspace() string {
	for _, p := range s.Places {
		if p.Member.WorkspaceID == s.Caller.Workspace {
			return p.Workspace
		}
	}
	return ""
}

// MaySetPassword tells whether a new password may be set without the old one.
func (s *SignedIn) MaySetPassword(now time.Time) bool {
	return s.NeedsPassword || s.Session.Fresh && now.Sub(s.Session.CreatedAt) < freshLife
}

var (
	errSignIn  = &postroom.Error{Code: postroom.CodeUnauthenticated, Message: "The email address or the password is wrong."}
	errSession = &postroom.Error{Code: postroom.CodeUnauthenticated, Message: "You are signed out: sign in again."}
	errLink    = &postroom.Error{Code: postroom.CodeNotFound, Message: "This link was used already, or is too old. Ask an administrator for a new one."}
)

// newToken makes a secret, and the digest by which it is kept.
func newToken() (token string, sum []byte) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	token = base64.RawURLEncoding.EncodeToString(b)
	return token, tokenDigest(token)
}

func tokenDigest(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// SignIn signs somebody in with a password, and gives the token of the session. Unknown emails, people without a password and wrong
// passwords are refused alike, after as long.
func (a *App) SignIn(ctx context.Context, email, password string, from Origin) (token string, err error) {
	p, err := a.checkSignIn(ctx, email, password, from)
	if err != nil {
		return "", err
	}
	places, err := a.places(ctx, p.ID)
	if err != nil {
		return "", err
	}
	if len(places) == 0 {
		return "", postroom.Errorf(postroom.CodeForbidden, "You are not a member of any workspace: open the link of your invitation first.")
	}
	return a.beginSession(ctx, p.ID, places[0].Member, false, from)
}

// checkSignIn finds who has an email and a password.
func (a *App) checkSignIn(ctx context.Context, email, password string, from Origin) (postroom.Person, error) {
	email = strings.TrimSpace(email)
	byEmail := tokenDigest("email " + postroom.Fold(email))
	subjects := [][]byte{tokenDigest("address " + network(from.Address)), byEmail}
	now := a.Now()
	until, err := a.Store.CountSignIn(ctx, subjects, now, func(i int, failures int64) time.Duration {
		free := freeByAddress
		if i == 1 {
			free = freeByEmail
		}
		return waitAfter(failures, int64(free))
	})
	if err != nil {
		return postroom.Person{}, unavailable(err)
	}
	if !until.IsZero() {
		wait := max(until.Sub(now).Round(time.Second), time.Second)
		return postroom.Person{}, postroom.Errorf(postroom.CodeRateLimited, "There were too many failed tries: try again in %s.", wait)
	}
	var p postroom.Person
	if len(email) <= postroom.MaxEmail && !strings.ContainsRune(email, 0) {
		p, err = a.Store.PersonByEmail(ctx, email)
		if err != nil && postroom.CodeOf(err) != postroom.CodeNotFound {
			return p, err
		}
	}
	same, err := a.passwords.matches(ctx, p.Password, password)
	if err != nil {
		return p, err
	}
	if !same {
		a.Log.Info("sign-in refused", "address", from.Address)
		return p, errSignIn
	}
	return p, a.Store.SignInSucceeded(ctx, byEmail, subjects[0])
}

func waitAfter(failures, free int64) time.Duration {
	if failures < free {
		return 0
	}
	return min(firstWait<<min(failures-free, 20), longestWait)
}

// network is what an attacker has addresses of: of IPv6, a /64.
func network(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		p, _ := a.Prefix(64) // 64 bits are not too many
		return p.String()
	}
	return a.String()
}

// places are the workspaces in which a person has accepted to work.
func (a *App) places(ctx context.Context, id postroom.PersonID) ([]postroom.Place, error) {
	all, err := a.Store.Places(ctx, id)
	return slices.DeleteFunc(all, func(p postroom.Place) bool { return p.Member.Status != postroom.MemberActive }), err
}

const maxUserAgent = 300

func (a *App) beginSession(ctx context.Context, id postroom.PersonID, m postroom.Member, fresh bool, from Origin) (string, error) {
	token, sum := newToken()
	now := a.Now()
	agent := strings.ToValidUTF8(strings.ReplaceAll(from.UserAgent[:min(len(from.UserAgent), maxUserAgent)], "\x00", ""), "")
	s := postroom.Session{PersonID: id, WorkspaceID: m.WorkspaceID, Fresh: fresh, CreatedAt: now, ExpiresAt: now.Add(sessionLife), UserAgent: agent, Address: from.Address.String()}
	if err := a.Store.CreateSession(ctx, s, sum); err != nil {
		return "", unavailable(err)
	}
	a.Log.Info("signed in", "workspace", m.WorkspaceID, "member", m.ID, "address", from.Address)
	a.audit(ctx, Caller{Workspace: m.WorkspaceID, Member: m.ID}, "member.signed_in", m.ID.String(), nil)
	return token, nil
}

// LinkAsks says what a sign-in link is for.
type LinkAsks struct {
	Email     string
	Workspace string
	Password  bool // the password is needed too: the person has one, and works in other workspaces
}

// OpenLink looks at a sign-in link, without using it.
func (a *App) OpenLink(ctx context.Context, token string) (LinkAsks, error) {
	_, p, resets, err := a.findLink(ctx, token)
	if err != nil {
		return LinkAsks{}, err
	}
	l, err := a.Store.Link(ctx, tokenDigest(token))
	if err != nil {
		return LinkAsks{}, errLink
	}
	w, err := a.Store.Workspace(ctx, l.WorkspaceID)
	return LinkAsks{Email: p.Email, Workspace: w.Name, Password: !resets}, err
}

// findLink finds what a link leads to. Who works in another workspace must give their password, unless an operator made the link: else the
// administrators of one workspace could get into another one.
func (a *App) findLink(ctx context.Context, token string) (m postroom.Member, p postroom.Person, resets bool, err error) {
	l, err := a.Store.Link(ctx, tokenDigest(token))
	if err == nil && !a.Now().Before(l.ExpiresAt) || postroom.CodeOf(err) == postroom.CodeNotFound {
		return m, p, false, errLink
	}
	if err != nil {
		return m, p, false, err
	}
	if m, err = a.Store.Member(ctx, l.WorkspaceID, l.MemberID); err != nil {
		return m, p, false, err
	}
	if p, err = a.Store.Person(ctx, l.PersonID); err != nil {
		return m, p, false, err
	}
	places, err := a.places(ctx, p.ID)
	elsewhere := slices.ContainsFunc(places, func(p postroom.Place) bool { return p.Member.WorkspaceID != l.WorkspaceID })
	return m, p, p.Password == "" || l.Resets || !elsewhere, err
}

// SignInByLink signs somebody in with a link, which is used up by it, and with their password where OpenLink says so.
func (a *App) SignInByLink(ctx context.Context, link, password string, from Origin) (token string, err error) {
	m, p, resets, err := a.findLink(ctx, link)
	if err != nil {
		return "", err
	}
	if !resets {
		if _, err := a.checkSignIn(ctx, p.Email, password, from); err != nil {
			return "", err
		}
	}
	used, err := a.Store.UseLink(ctx, tokenDigest(link))
	if err != nil {
		return "", unavailable(err)
	}
	if !used {
		return "", errLink
	}
	if err := a.Store.AcceptMember(ctx, m.WorkspaceID, m.ID, a.Now()); err != nil {
		return "", err
	}
	return a.beginSession(ctx, p.ID, m, resets, from)
}

// Resume finds who has a session, and in which workspace they work. Every reason to refuse looks the same.
func (a *App) Resume(ctx context.Context, token string) (SignedIn, error) {
	sum, now := tokenDigest(token), a.Now()
	s, err := a.Store.Session(ctx, sum)
	if postroom.CodeOf(err) == postroom.CodeNotFound || err == nil && (!now.Before(s.ExpiresAt) || now.Sub(s.SeenAt) > sessionIdle) {
		return SignedIn{}, errSession
	}
	if err != nil {
		return SignedIn{}, err
	}
	p, err := a.Store.Person(ctx, s.PersonID)
	if err != nil {
		return SignedIn{}, errSession
	}
	places, err := a.places(ctx, p.ID)
	if err != nil {
		return SignedIn{}, err
	}
	if len(places) == 0 {
		return SignedIn{}, errSession
	}
	at := max(slices.IndexFunc(places, func(p postroom.Place) bool { return p.Member.WorkspaceID == s.WorkspaceID }), 0)
	m := places[at].Member
	if now.Sub(s.SeenAt) > seenEvery {
		if err := a.Store.SawSession(ctx, sum, now); err != nil {
			return SignedIn{}, unavailable(err)
		}
	}
	in := SignedIn{Person: p, Member: m, Session: s, Places: places, NeedsPassword: p.Password == "", NeedsEmail: p.Email == placeholderMail,
		Caller: Caller{Workspace: m.WorkspaceID, Member: m.ID, Role: m.Role, MayTrigger: m.MayTrigger, Operator: p.Operator && m.Role == postroom.RoleAdmin}}
	in.Person.Password = ""
	return in, nil
}

// SignOut ends a session.
func (a *App) SignOut(ctx context.Context, token string) error {
	return unavailable(a.Store.DeleteSession(ctx, tokenDigest(token)))
}

// SignOutEverywhere ends all sessions of whoever has the token.
func (a *App) SignOutEverywhere(ctx context.Context, token string) error {
	in, err := a.Resume(ctx, token)
	if err != nil {
		return err
	}
	a.audit(ctx, in.Caller, "member.signed_out_everywhere", in.Member.ID.String(), nil)
	return unavailable(a.Store.DeleteSessions(ctx, in.Person.ID))
}

// Sessions lists where whoever has the token is signed in.
func (a *App) Sessions(ctx context.Context, token string) ([]postroom.Session, error) {
	in, err := a.Resume(ctx, token)
	if err != nil {
		return nil, err
	}
	return a.Store.Sessions(ctx, in.Person.ID)
}

// SwitchWorkspace lets a session go on in another workspace of the person's.
func (a *App) SwitchWorkspace(ctx context.Context, token, ref string) error {
	in, err := a.Resume(ctx, token)
	if err != nil {
		return err
	}
	for _, p := range in.Places {
		if p.Member.WorkspaceID.String() == ref {
			return unavailable(a.Store.MoveSession(ctx, tokenDigest(token), p))
		}
	}
	return postroom.Errorf(postroom.CodeNotFound, "There is no workspace %s.", quote(ref))
}

// PasswordInput is a new password, with what proves that it may be set.
type PasswordInput struct {
	Email   string // of the first administrator, who has none yet
	Current string // not needed after a link
	New     string
}

// SetPassword sets the password of whoever has the token. All their other sessions and links end.
func (a *App) SetPassword(ctx context.Context, token string, in PasswordInput, from Origin) error {
	s, err := a.Resume(ctx, token)
	if err != nil {
		return err
	}
	var p postroom.Problems
	email := s.Person.Email
	if s.NeedsEmail {
		if email, err = contacts.Email(in.Email); err != nil {
			p.Add("/email", "%s", err)
		}
	}
	checkPassword(&p, "/new", in.New, email)
	if err := p.Err(); err != nil {
		return err
	}
	if !s.MaySetPassword(a.Now()) {
		if _, err := a.checkSignIn(ctx, email, in.Current, from); err != nil {
			if postroom.CodeOf(err) == postroom.CodeUnauthenticated {
				return postroom.Invalid(postroom.CodeInvalid, "/current", "this is not the present password")
			}
			return err
		}
	}
	hash, err := a.passwords.hash(ctx, in.New)
	if err != nil {
		return err
	}
	if s.NeedsEmail {
		if err := a.Store.SetEmail(ctx, s.Person.ID, email, a.Now()); err != nil {
			return err
		}
	}
	if err := a.Store.SetPassword(ctx, s.Person.ID, hash, tokenDigest(token), a.Now()); err != nil {
		return unavailable(err)
	}
	a.Log.Info("password set", "workspace", s.Caller.Workspace, "member", s.Member.ID)
	a.audit(ctx, s.Caller, "member.password_set", s.Member.ID.String(), nil)
	return nil
}
