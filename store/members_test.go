package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// member stores a member of a workspace, who has accepted, with a session and a link.
func (f *fixture) member(workspace postroom.WorkspaceID, email string, role postroom.Role) postroom.Member {
	f.t.Helper()
	m := f.invite(workspace, email, role)
	f.must(f.s.AcceptMember(f.ctx, workspace, m.ID, noon()))
	m.Status = postroom.MemberActive
	ref := workspace.String() + email
	f.must(f.s.CreateSession(f.ctx, postroom.Session{PersonID: m.PersonID, WorkspaceID: workspace, CreatedAt: noon(), SeenAt: noon(), ExpiresAt: at(time.Hour)}, f.keyDigest("session "+ref)))
	f.must(f.s.CreateLink(f.ctx, postroom.SignInLink{MemberID: m.ID, WorkspaceID: workspace, PersonID: m.PersonID, CreatedAt: noon(), ExpiresAt: at(time.Hour)}, f.keyDigest("link "+ref)))
	return m
}

func (f *fixture) invite(workspace postroom.WorkspaceID, email string, role postroom.Role) postroom.Member {
	f.t.Helper()
	m, err := f.s.AddMember(f.ctx, postroom.Person{ID: postroom.NewID[postroom.PersonKind](noon()), Email: email},
		postroom.Member{ID: postroom.Next[postroom.MemberKind](f.made(noon()), noon()), WorkspaceID: workspace, Name: "Ada", Phone: "+12025550143", Role: role, MayTrigger: []string{"*"},
			Status: postroom.MemberInvited, CreatedAt: stamp(noon()), UpdatedAt: stamp(noon())})
	f.must(err)
	return m
}

func testMembers(f *fixture) {
	first, second := f.workspace("first"), f.workspace("second")
	ada := f.member(first, "Ada@Members.example.com", postroom.RoleAdmin)
	bob := f.member(first, "bob@members.example.com", postroom.RoleViewer)
	again := f.invite(second, "ada@members.example.com", postroom.RolePublisher)
	f.equal("the person of two members", again.PersonID, ada.PersonID)
	f.equal("the email is the person's", again.Email, "Ada@Members.example.com")

	_, err := f.s.AddMember(f.ctx, postroom.Person{ID: postroom.NewID[postroom.PersonKind](noon()), Email: "ADA@members.example.com"},
		postroom.Member{ID: postroom.NewID[postroom.MemberKind](noon()), WorkspaceID: first, Role: postroom.RoleViewer, CreatedAt: stamp(noon())})
	f.code("a member twice", err, postroom.CodeConflict)

	all, err := f.s.Members(f.ctx, first)
	f.must(err)
	f.equal("the members", all, []postroom.Member{ada, bob})
	found, err := f.s.MemberByEmail(f.ctx, first, "ADA@MEMBERS.EXAMPLE.COM")
	f.must(err)
	f.equal("a member by email", found, ada)
	places, err := f.s.Places(f.ctx, ada.PersonID)
	f.must(err)
	f.equal("a person's places", places, []postroom.Place{{Member: ada, Workspace: "first"}, {Member: again, Workspace: "second"}})

	demote := func(m *postroom.Member) error { m.Role = postroom.RoleViewer; return nil }
	_, err = f.s.UpdateMember(f.ctx, first, ada.ID, at(time.Hour), demote)
	f.code("the last administrator is demoted", err, postroom.CodeConflict)
	f.code("the last administrator is removed", f.s.DeleteMember(f.ctx, first, ada.ID), postroom.CodeConflict)
	bob, err = f.s.UpdateMember(f.ctx, first, bob.ID, at(time.Hour), func(m *postroom.Member) error {
		m.Name, m.Phone, m.Role, m.MayTrigger = "Bob", "", postroom.RoleAdmin, nil
		return nil
	})
	f.must(err)
	stored, err := f.s.Member(f.ctx, first, bob.ID)
	f.must(err)
	bob.MayTrigger = []string{}
	f.equal("what was changed", stored, bob)
	f.must(f.s.DeleteMember(f.ctx, first, ada.ID))
	_, err = f.s.Session(f.ctx, f.keyDigest("session "+first.String()+"Ada@Members.example.com"))
	f.code("the session of who was removed", err, postroom.CodeNotFound)
	_, err = f.s.Link(f.ctx, f.keyDigest("link "+first.String()+"Ada@Members.example.com"))
	f.code("the link of who was removed", err, postroom.CodeNotFound)
	_, err = f.s.Person(f.ctx, ada.PersonID)
	f.must(err)
	f.must(f.s.DeleteMember(f.ctx, second, again.ID))
	_, err = f.s.Person(f.ctx, ada.PersonID)
	f.code("who is nobody's member", err, postroom.CodeNotFound)
}

// Two administrators who remove each other at once do not both succeed.
func testLastAdminRace(f *fixture) {
	for i := range 5 {
		w := f.workspace(fmt.Sprintf("race %d", i))
		a, b := f.member(w, "a@race.example.com", postroom.RoleAdmin), f.member(w, "b@race.example.com", postroom.RoleAdmin)
		var group sync.WaitGroup
		results := make([]error, 2)
		for i, m := range []postroom.Member{a, b} {
			group.Go(func() { results[i] = f.s.DeleteMember(f.ctx, w, m.ID) })
		}
		group.Wait()
		if (results[0] == nil) == (results[1] == nil) {
			f.t.Fatalf("both were removed, or neither: %v", errors.Join(results...))
		}
	}
}

func testSessions(f *fixture) {
	w, other := f.workspace("sessions"), f.workspace("other")
	ada := f.member(w, "ada@sessions.example.com", postroom.RoleAdmin)
	token, more := f.keyDigest("token"), f.keyDigest("more")
	want := postroom.Session{PersonID: ada.PersonID, WorkspaceID: w, Fresh: true, CreatedAt: noon(), SeenAt: noon(), ExpiresAt: at(24 * time.Hour), UserAgent: "Browser/1", Address: "192.0.2.1"}
	f.must(f.s.CreateSession(f.ctx, want, token))
	f.must(f.s.CreateSession(f.ctx, want, more))
	f.must(f.s.SawSession(f.ctx, token, at(time.Minute)))
	f.must(f.s.SawSession(f.ctx, token, at(time.Second))) // a slower node
	f.must(f.s.MoveSession(f.ctx, token, postroom.Place{Member: postroom.Member{WorkspaceID: other}}))
	want.SeenAt, want.WorkspaceID = at(time.Minute), other
	got, err := f.s.Session(f.ctx, token)
	f.must(err)
	f.equal("the session", got, want)

	link := f.keyDigest("link")
	f.must(f.s.CreateLink(f.ctx, postroom.SignInLink{MemberID: ada.ID, WorkspaceID: w, PersonID: ada.PersonID, Resets: true, CreatedAt: noon(), ExpiresAt: at(time.Hour)}, link))
	_, err = f.s.Link(f.ctx, f.keyDigest("link "+w.String()+"ada@sessions.example.com"))
	f.code("an earlier link", err, postroom.CodeNotFound)
	l, err := f.s.Link(f.ctx, link)
	f.must(err)
	f.equal("the link", l, postroom.SignInLink{MemberID: ada.ID, WorkspaceID: w, PersonID: ada.PersonID, Resets: true, CreatedAt: noon(), ExpiresAt: at(time.Hour)})
	for _, want := range []bool{true, false} {
		used, err := f.s.UseLink(f.ctx, link)
		f.must(err)
		f.equal("the link is used", used, want)
	}

	f.must(f.s.SetPassword(f.ctx, ada.PersonID, "$hash", token, noon()))
	sessions, err := f.s.Sessions(f.ctx, ada.PersonID)
	f.must(err)
	want.Fresh = false
	f.equal("the sessions after a new password", sessions, []postroom.Session{want})
	p, err := f.s.PersonByEmail(f.ctx, "ADA@sessions.example.com")
	f.must(err)
	f.equal("the person", p, postroom.Person{ID: ada.PersonID, Email: ada.Email, Password: "$hash"})
	f.member(w, "bob@sessions.example.com", postroom.RoleViewer)
	f.code("the email of somebody else", f.s.SetEmail(f.ctx, ada.PersonID, "Bob@sessions.example.com", noon()), postroom.CodeConflict)
	f.must(f.s.SetEmail(f.ctx, ada.PersonID, "ADA@sessions.example.com", noon()))
	f.must(f.s.DeleteSession(f.ctx, token))
	_, err = f.s.Session(f.ctx, token)
	f.code("a session that ended", err, postroom.CodeNotFound)
}

func testSignInFailures(f *fixture) {
	address, email := f.keyDigest("address"), f.keyDigest("email")
	try := func(now time.Time) time.Time {
		f.t.Helper()
		until, err := f.s.CountSignIn(f.ctx, [][]byte{address, email}, now, func(subject int, failures int64) time.Duration {
			if subject == 1 && failures >= 2 {
				return time.Duration(failures) * time.Minute
			}
			return 0
		})
		f.must(err)
		return until
	}
	f.equal("the first try", try(noon()), time.Time{})
	f.equal("the second", try(noon()), time.Time{})
	f.equal("one too early", try(at(time.Minute)), at(2*time.Minute))
	f.equal("the third, which is the one after the wait", try(at(2*time.Minute)), time.Time{})
	f.equal("the wait has grown", try(at(3*time.Minute)), at(5*time.Minute))
	f.must(f.s.SignInSucceeded(f.ctx, email, address))
	f.equal("after a success", try(at(3*time.Minute)), time.Time{})
	f.equal("what counts of the address", f.number("SELECT failures FROM sign_in_failures WHERE subject = $1", address), int64(3))
	f.equal("what counts of the email", f.number("SELECT failures FROM sign_in_failures WHERE subject = $1", email), int64(1))
	f.equal("a day later", try(at(48*time.Hour)), time.Time{})
	f.equal("what counts of the address", f.number("SELECT failures FROM sign_in_failures WHERE subject = $1", address), int64(1))
}

// A race of tries does not go past the bound.
func TestSignInRace(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		var group sync.WaitGroup
		var mu sync.Mutex
		through := 0
		for range 20 {
			group.Go(func() {
				until, err := f.s.CountSignIn(f.ctx, [][]byte{digest("race")}, noon(), func(_ int, failures int64) time.Duration {
					if failures >= 3 {
						return time.Minute
					}
					return 0
				})
				if err != nil {
					t.Error(err)
				}
				if until.IsZero() {
					mu.Lock()
					defer mu.Unlock()
					through++
				}
			})
		}
		group.Wait()
		if through != 3 {
			t.Errorf("%d tries got through, want 3", through)
		}
	})
}
