package postroom

import (
	"slices"
	"time"
)

// Member is a person in a workspace.
type Member struct {
	ID          MemberID    `json:"id"`
	WorkspaceID WorkspaceID `json:"workspace_id"`
	PersonID    PersonID    `json:"-"`
	Email       string      `json:"email"` // that of the person, who may be a member of other workspaces too
	Name        string      `json:"name"`
	Phone       string      `json:"phone"` // in E.164 form; empty for none
	Role        Role        `json:"role"`
	// MayTrigger are the webhooks and sources, by their ids, that the member may test, retry and resend without being an administrator;
	// AllIntegrations stands for all of them.
	MayTrigger []string     `json:"may_trigger"`
	Status     MemberStatus `json:"status"`
	CreatedAt  Timestamp    `json:"created_at"`
	UpdatedAt  Timestamp    `json:"updated_at"`
}

// AllIntegrations among a member's MayTrigger stands for all webhooks and sources.
const AllIntegrations = "*"

// Triggers tells whether the member may trigger a webhook or a source.
func (m *Member) Triggers(id string) bool {
	return m.Role == RoleAdmin || slices.Contains(m.MayTrigger, AllIntegrations) || slices.Contains(m.MayTrigger, id)
}

// MemberStatus says whether a member has accepted the invitation.
type MemberStatus string

// The statuses of a member.
const (
	MemberInvited MemberStatus = "invited" // there is a link that was not used yet, or there was
	MemberActive  MemberStatus = "active"
)

// Place is a workspace that a person may work in, as a member.
type Place struct {
	Member    Member
	Workspace string // its name
}

// Person is who signs in: an email address with a password.
type Person struct {
	ID       PersonID
	Email    string
	Password string // an argon2id hash in PHC's form; empty while none is set
	Operator bool   // administers the installation: may manage workspaces where they are an administrator
}

// Session is somebody who is signed in. The token that proves it is kept as a digest only.
type Session struct {
	PersonID    PersonID
	WorkspaceID WorkspaceID // in which the person works at present
	// Fresh says that a link opened it, so that a new password may be set without the old one.
	Fresh     bool
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time // whatever is done with it
	UserAgent string
	Address   string
}

// SignInLink lets a person in once. The token in it is kept as a digest only.
type SignInLink struct {
	MemberID    MemberID
	WorkspaceID WorkspaceID
	PersonID    PersonID
	// Resets says that whoever made it may let the person set a new password: without that, a person who has a password must give it.
	Resets    bool
	CreatedAt time.Time
	ExpiresAt time.Time
}
