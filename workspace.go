package postroom

// Workspace is a tenant: everything else belongs to one.
type Workspace struct {
	ID        WorkspaceID `json:"id"`
	Name      string      `json:"name"`
	CreatedAt Timestamp   `json:"created_at"`
	UpdatedAt Timestamp   `json:"updated_at"`
}

// Role says what the bearer of a key may do. Each role may do all that the ones before it may.
type Role string

// The roles, from the least to the most.
const (
	RoleViewer    Role = "viewer"    // read everything but secrets
	RolePublisher Role = "publisher" // and publish events
	RoleAdmin     Role = "admin"     // and change everything
)

// Allows tells whether the role may do what needs the role need.
func (r Role) Allows(need Role) bool { return r.rank() >= need.rank() && need.rank() > 0 }

// Valid tells whether it is one of the roles.
func (r Role) Valid() bool { return r.rank() > 0 }

func (r Role) rank() int {
	switch r {
	case RoleViewer:
		return 1
	case RolePublisher:
		return 2
	case RoleAdmin:
		return 3
	}
	return 0
}

// Key is an API key, without the key itself: only its SHA-256 digest is kept.
type Key struct {
	ID          KeyID       `json:"id"`
	WorkspaceID WorkspaceID `json:"workspace_id"`
	Name        string      `json:"name"`
	Role        Role        `json:"role"`
	Hint        string      `json:"hint"` // the key's first characters, to tell keys apart
	CreatedAt   Timestamp   `json:"created_at"`
	ExpiresAt   *Timestamp  `json:"expires_at"`
	Operator    bool        `json:"operator"` // may also manage workspaces: the first key of an installation
}
