package postroom

import (
	"encoding/json"
	"strings"
	"time"
)

// Bounds of what a contact may hold. Texts are counted in characters.
const (
	MaxEmail           = 254 // bytes
	MaxContactText     = 255 // of a uid, a name, a source
	MaxTag             = 100
	MaxListName        = 200
	MaxFieldName       = 100
	MaxContactTags     = 250
	MaxContactLists    = 250
	MaxContactFields   = 500     // custom ones
	MaxContactDocument = 1 << 16 // bytes of all of a contact's custom fields as JSON
)

// Fold is what emails and the names of lists are told apart by: two that differ only in upper and lower case are the same.
func Fold(s string) string { return strings.ToLower(s) }

// Contact is a person in a workspace's audience. At least one of email, uid and phone tells who it is.
type Contact struct {
	ID           ContactID                  `json:"id"`
	WorkspaceID  WorkspaceID                `json:"-"`
	UID          *string                    `json:"uid"`   // the caller's own id, unique in the workspace
	Email        string                     `json:"email"` // unique in the workspace, upper and lower case being the same; empty for none
	Phone        string                     `json:"phone"`
	FirstName    string                     `json:"first_name"`
	LastName     string                     `json:"last_name"`
	Status       ContactStatus              `json:"status"`
	Lists        []Membership               `json:"lists"` // in the order in which they were joined
	Tags         []string                   `json:"tags"`  // sorted
	CustomFields map[string]json.RawMessage `json:"custom_fields"`
	Source       string                     `json:"source"` // where it came from, such as form_submission or import
	CreatedAt    Timestamp                  `json:"created_at"`
	UpdatedAt    Timestamp                  `json:"updated_at"`
	Version      int64                      `json:"-"` // grows with each change; the ETag
}

// ContactStatus says whether a contact may be written to, or why not.
type ContactStatus string

// The statuses of a contact.
const (
	ContactSubscribed   ContactStatus = "subscribed"
	ContactUnsubscribed ContactStatus = "unsubscribed"
	ContactPending      ContactStatus = "pending" // has not confirmed yet
	ContactBounced      ContactStatus = "bounced"
	ContactComplained   ContactStatus = "complained"
)

// ContactStatuses are all of them.
func ContactStatuses() []ContactStatus {
	return []ContactStatus{ContactSubscribed, ContactUnsubscribed, ContactPending, ContactBounced, ContactComplained}
}

// Membership is a contact's place on a list.
type Membership struct {
	ID     ListID           `json:"id"`   // of the list
	Name   string           `json:"name"` // of the list
	Status MembershipStatus `json:"status"`
	At     Timestamp        `json:"at"` // since when it has the status
}

// MembershipStatus says whether a contact is on a list.
type MembershipStatus string

// The statuses of a membership. Who left a list keeps a membership, so that it is known.
const (
	MemberSubscribed   MembershipStatus = "subscribed"
	MemberPending      MembershipStatus = "pending" // double opt-in: has not confirmed yet
	MemberUnsubscribed MembershipStatus = "unsubscribed"
)

// List is a named part of the audience.
type List struct {
	ID          ListID      `json:"id"`
	WorkspaceID WorkspaceID `json:"-"`
	UID         *string     `json:"uid"`
	Name        string      `json:"name"` // unique in the workspace, upper and lower case being the same
	Description string      `json:"description"`
	Members     int64       `json:"members"` // read-only: how many are subscribed
	CreatedAt   Timestamp   `json:"created_at"`
	UpdatedAt   Timestamp   `json:"updated_at"`
}

// Tag is a word that contacts have.
type Tag struct {
	Name     string `json:"name"`
	Contacts int64  `json:"contacts"` // how many have it
}

// Field is a custom field that the workspace declared: contacts' values of it are checked against its type. A field that is not
// declared holds any JSON.
type Field struct {
	Name      string    `json:"name"`
	Title     string    `json:"title"`
	Type      FieldType `json:"type"`
	Options   []string  `json:"options,omitempty"` // of the type choice
	CreatedAt Timestamp `json:"created_at"`
	UpdatedAt Timestamp `json:"updated_at"`
}

// FieldType names what a custom field holds.
type FieldType string

// The types of custom fields.
const (
	FieldText    FieldType = "text"
	FieldNumber  FieldType = "number"
	FieldBoolean FieldType = "boolean"
	FieldDate    FieldType = "date"   // RFC 3339, a day or a time
	FieldChoice  FieldType = "choice" // one of the options
	FieldJSON    FieldType = "json"   // anything
)

// Consent is an entry of a contact's history: a status, or a membership, that became another.
type Consent struct {
	At        Timestamp  `json:"at"`
	ContactID ContactID  `json:"contact_id"`
	ListID    *ListID    `json:"list_id"` // null for the contact's own status
	From      string     `json:"from"`    // empty where there was none
	To        string     `json:"to"`
	Origin    Origin     `json:"origin"`
	RequestID *RequestID `json:"request_id"` // that asked for it
	IP        string     `json:"ip,omitempty"`
	KeyID     *KeyID     `json:"key_id"` // with which it was asked for
}

// Origin says what changed a contact.
type Origin string

// What changes contacts.
const (
	OriginAPI     Origin = "api"
	OriginImport  Origin = "import"
	OriginRequest Origin = "request" // a source's action
)

// ContactRef tells which contact is meant: by the first of these that is not empty.
type ContactRef struct {
	ID    ContactID
	Email string // upper and lower case are the same
	UID   string
	Phone string // the oldest contact that has it
}

// ContactFields are the fields of a contact that can be set; nil leaves one as it is, and an empty text clears it.
type ContactFields struct {
	UID, Email, Phone, FirstName, LastName, Source *string
	Status                                         *ContactStatus
	CustomFields                                   map[string]json.RawMessage // null takes one away
}

// ContactChange is what is wanted of a contact.
type ContactChange struct {
	WorkspaceID WorkspaceID // of a contact that is made

	Ref      ContactRef
	Fields   ContactFields
	Tag      []string
	Untag    []string
	Join     []List // that exist, or are made with it
	Pending  bool   // what is joined is to be confirmed first
	Leave    []ListID
	MayMake  bool // whether a contact that does not exist is made
	MayAlter bool // whether the fields of one that exists are changed; tags and lists always are
	By       Author
}

// Author is who or what wants a change, for the history.
type Author struct {
	Origin  Origin
	Request RequestID // zero for none
	Key     KeyID     // zero for none
	IP      string
}

// ContactWrite is a contact as it is to be stored, if it still is what it was.
type ContactWrite struct {
	Was      int64   // the version that was changed; 0 for a contact that is new
	Contact  Contact // after the change; with Was = 0 its id is new
	Deleted  bool    // it is removed
	Lists    []List  // to be made first; one whose name exists by now makes the write stale
	Consents []Consent

	Stale bool // set by the store: it is not any more what it was, or its email or uid is another's now; nothing was stored
}

// Changes tells whether there is anything to store: a change that finds everything as it wants it gives a write that does not.
func (w *ContactWrite) Changes() bool { return w.Deleted || w.Contact.Version != w.Was }

// ContactFilter chooses contacts. What is zero does not filter.
type ContactFilter struct {
	Email  string
	Phone  string
	Status ContactStatus
	List   ListID // subscribed or pending
	Tag    string
	Field  string // name of a custom field that has Value
	Value  string // text, or JSON
	Text   string // begins the email, a name or the phone; or is part of the email
	After  time.Time
	Before time.Time
}

// FieldTypes are all of them.
func FieldTypes() []FieldType {
	return []FieldType{FieldText, FieldNumber, FieldBoolean, FieldDate, FieldChoice, FieldJSON}
}

// Import is a file of contacts that is being brought in, or was.
type Import struct {
	ID          ImportID    `json:"id"`
	WorkspaceID WorkspaceID `json:"-"`
	State       ImportState `json:"state"`
	Rows        int64       `json:"rows"` // read so far
	Created     int64       `json:"created"`
	Updated     int64       `json:"updated"`
	Unchanged   int64       `json:"unchanged"`
	Refused     int64       `json:"refused"`
	Problems    []BadRow    `json:"problems"` // the first of those that were refused
	Reason      string      `json:"reason,omitempty"`
	CreatedAt   Timestamp   `json:"created_at"`
	UpdatedAt   Timestamp   `json:"updated_at"`
	EndedAt     *Timestamp  `json:"ended_at"`
}

// ImportState says how far an import has come.
type ImportState string

// The states of an import.
const (
	ImportRunning ImportState = "running"
	ImportDone    ImportState = "done"
	ImportFailed  ImportState = "failed" // it could not be read to its end; what came before is stored
)

// BadRow is a row of an import that was refused.
type BadRow struct {
	Row    int64        `json:"row"` // from 1, the header of a CSV being row 1
	Email  string       `json:"email,omitempty"`
	Errors []FieldError `json:"errors"`
}

// MaxBadRows is how many bad rows an import reports.
const MaxBadRows = 1000

// AuditEntry is something that a person did, kept for a year beside what it changed.
type AuditEntry struct {
	ID          AuditID         `json:"id"`
	WorkspaceID WorkspaceID     `json:"-"`
	At          Timestamp       `json:"at"`
	KeyID       *KeyID          `json:"key_id"`
	MemberID    *MemberID       `json:"member_id"`
	Action      string          `json:"action"`  // such as contact.erased, source.created, source.token_regenerated
	Subject     string          `json:"subject"` // the id of what it was done to
	Detail      json.RawMessage `json:"detail,omitempty"`
}
