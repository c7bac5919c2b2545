package postroom

import "encoding/json"

// Source is an incoming webhook: a URL of its own, how a call to it is verified, what it means, and what is then done.
type Source struct {
	ID          SourceID    `json:"id"`
	WorkspaceID WorkspaceID `json:"-"`
	SourceSettings
	URL       string        `json:"url"`      // where calls go; its token is masked but for those who may see it
	Requests  RequestCounts `json:"requests"` // read-only; it is no part of the version
	CreatedAt Timestamp     `json:"created_at"`
	UpdatedAt Timestamp     `json:"updated_at"`
	Version   int64         `json:"-"` // grows with each change; the ETag
}

// RequestCounts are the requests that a source ever had.
type RequestCounts struct {
	Total  int64 `json:"total"`
	Failed int64 `json:"failed"` // given up
}

// SourceSettings is the part of a source that people set. Secret values in it are write-only: they are sealed before they
// are stored, and read back as Redacted.
type SourceSettings struct {
	UID          *string          `json:"uid"`  // the caller's own id, unique in the workspace
	Name         string           `json:"name"` // for people
	Description  string           `json:"description"`
	Kind         string           `json:"kind"`       // KindGeneric, or a dialect with an incoming part
	EventType    string           `json:"event_type"` // of the catalogue, the workspace's own, or a name of the kind; empty: the call says it
	Status       SourceStatus     `json:"status"`
	RequireToken bool             `json:"require_token"` // false only where something else proves the caller
	APIKey       *SourceKey       `json:"api_key"`
	Signature    *SourceSignature `json:"signature"`
	BasicAuth    *BasicAuth       `json:"basic_auth"`
	IPAllow      []string         `json:"ip_allow"` // addresses and CIDRs; empty for all
	RateLimit    *RateLimit       `json:"rate_limit"`
	Dedupe       Dedupe           `json:"dedupe"`
	Mapping      []MappingRow     `json:"mapping"`
	Actions      []Action         `json:"actions"`
}

// KindGeneric is the kind of sources that take any body, which the owner's own mapping explains.
const KindGeneric = "generic"

// SourceStatus says whether a source takes calls.
type SourceStatus string

// The states of a source. A call to an inactive one is refused, and is in its log.
const (
	SourceActive   SourceStatus = "active"
	SourceInactive SourceStatus = "inactive"
)

// SourceKey is a key that callers send in a header.
type SourceKey struct {
	Header string `json:"header"` // by default X-API-Key
	Key    string `json:"key"`    // write-only; made by Postroom where it is left out on create
}

// BasicAuth is a user and a password.
type BasicAuth struct {
	Username string `json:"username"`
	Password string `json:"password"` // write-only
}

// SourceSignature is how calls are signed. A kind knows its own scheme, and needs only the secrets; of a generic source it says
// all. What each parameter means stands at inbound/scheme.Config, of which these are the JSON names.
type SourceSignature struct {
	Scheme          string   `json:"scheme,omitempty"` // hmac, ed25519, ecdsa, standard; empty for that of the kind
	Header          string   `json:"header,omitempty"`
	Prefix          string   `json:"prefix,omitempty"`
	Separator       string   `json:"separator,omitempty"`
	Algorithm       string   `json:"algorithm,omitempty"`
	Encoding        string   `json:"encoding,omitempty"`
	Signed          string   `json:"signed,omitempty"`
	ID              string   `json:"id,omitempty"`
	Timestamp       string   `json:"timestamp,omitempty"`
	TimestampFormat string   `json:"timestamp_format,omitempty"`
	Tolerance       Duration `json:"tolerance,omitempty"`
	SecretEncoding  string   `json:"secret_encoding,omitempty"`
	Secret          string   `json:"secret,omitempty"`  // write-only; or a public key
	Secrets         []string `json:"secrets,omitempty"` // write-only; further ones, any of which fits, for rotation
	// Credentials are those that a kind has beside its secret, by the names that it gives them. Write-only.
	Credentials map[string]string `json:"credentials,omitempty"`
}

// Dedupe says how a call that arrives twice is recognised.
type Dedupe struct {
	By     DedupeBy `json:"by"`
	Header string   `json:"header,omitempty"` // by header: its name
	Path   string   `json:"path,omitempty"`   // by id: the path of the id in an event's body
}

// DedupeBy names a way to recognise what arrives twice.
type DedupeBy string

// The ways. DedupeAuto is the event's id as the kind knows it, else an id in one of the usual headers; without either
// nothing is a duplicate.
const (
	DedupeAuto   DedupeBy = "auto"
	DedupeID     DedupeBy = "id"
	DedupeHeader DedupeBy = "header"
	DedupeBody   DedupeBy = "body" // the SHA-256 of an event's body as it came
	DedupeNone   DedupeBy = "none"
)

// MappingRow brings values of a call to a field.
type MappingRow struct {
	From      Paths       `json:"from"`                // paths into the body; headers.<name>, query.<name> and request.<id, ip, time> too
	To        string      `json:"to"`                  // a field of the contact, custom_field.<name>, or data.<path> of the event
	Transform []Transform `json:"transform,omitempty"` // in order
	When      string      `json:"when,omitempty"`      // a CEL condition; empty for always
}

// Paths are one path or several. JSON has a string for one, and an array for several.
type Paths []string

// MarshalJSON writes one path as a string.
func (p Paths) MarshalJSON() ([]byte, error) {
	if len(p) == 1 {
		return json.Marshal(p[0])
	}
	return json.Marshal([]string(p))
}

// UnmarshalJSON reads a string or an array of strings.
func (p *Paths) UnmarshalJSON(raw []byte) error {
	var one string
	if err := json.Unmarshal(raw, &one); err == nil {
		*p = Paths{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(p))
}

// Transform changes a value on its way: a name, and what it is given. JSON has a string for a name alone, such as "trim", and an
// object with one member for one with an argument, such as {"join":" "}.
type Transform struct {
	Name string
	Arg  json.RawMessage // nil for none
}

// MarshalJSON writes a name alone as a string.
func (t Transform) MarshalJSON() ([]byte, error) {
	if t.Arg == nil {
		return json.Marshal(t.Name)
	}
	return json.Marshal(map[string]json.RawMessage{t.Name: t.Arg})
}

// UnmarshalJSON reads a string, or an object with one member.
func (t *Transform) UnmarshalJSON(raw []byte) error {
	*t = Transform{}
	if err := json.Unmarshal(raw, &t.Name); err == nil {
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil || len(object) != 1 {
		return Errorf(CodeInvalid, `a transform is a name such as "trim", or an object with one member such as {"join":" "}`)
	}
	for t.Name, t.Arg = range object {
	}
	return nil
}

// Action is something that is done about a request. Its type says which of the rest it has.
type Action struct {
	Type ActionType `json:"type"`
	When string     `json:"when,omitempty"` // a CEL condition; empty for always

	Lists        []string                   `json:"lists,omitempty"`         // names or ids; a list that does not exist is made
	DoubleOptIn  bool                       `json:"double_opt_in,omitempty"` // add_to_list: the membership is pending until it is confirmed
	Tags         []string                   `json:"tags,omitempty"`
	RemoveTags   []string                   `json:"remove_tags,omitempty"` // update_subscriber
	CustomFields map[string]json.RawMessage `json:"custom_fields,omitempty"`
	Status       ContactStatus              `json:"status,omitempty"`
	Mapping      []MappingRow               `json:"mapping,omitempty"`    // transform: further rows
	EventType    string                     `json:"event_type,omitempty"` // publish_event
	Data         json.RawMessage            `json:"data,omitempty"`       // publish_event: a template; the event's own data where it is left out
	Call         *Call                      `json:"call,omitempty"`       // call_api
}

// Call is an outgoing call that an action makes, as a delivery.
type Call struct {
	URL       string            `json:"url"`
	Method    string            `json:"method,omitempty"` // by default POST
	Headers   map[string]string `json:"headers,omitempty"`
	Auth      *Auth             `json:"auth,omitempty"`
	Payload   *Payload          `json:"payload,omitempty"` // by default the standard one
	Retry     *Retry            `json:"retry,omitempty"`
	Timeout   Duration          `json:"timeout,omitempty"`
	WebhookID *WebhookID        `json:"webhook_id,omitempty"` // read-only: where its deliveries are
}

// ActionType names something that can be done.
type ActionType string

// What can be done about a request.
const (
	ActionAddSubscriber    ActionType = "add_subscriber"    // made if new; lists, tags, custom fields
	ActionUpdateSubscriber ActionType = "update_subscriber" // matched by email; fields, tags, custom fields
	ActionAddToList        ActionType = "add_to_list"
	ActionRemoveFromList   ActionType = "remove_from_list"
	ActionApplyTag         ActionType = "apply_tag"
	ActionRemoveTag        ActionType = "remove_tag"
	ActionChangeStatus     ActionType = "change_status"
	ActionTransform        ActionType = "transform"
	ActionPublishEvent     ActionType = "publish_event"
	ActionCallAPI          ActionType = "call_api"
)

// ActionTypes are all of them.
func ActionTypes() []ActionType {
	return []ActionType{ActionAddSubscriber, ActionUpdateSubscriber, ActionAddToList, ActionRemoveFromList, ActionApplyTag, ActionRemoveTag,
		ActionChangeStatus, ActionTransform, ActionPublishEvent, ActionCallAPI}
}

// StoredSource is a source with its secret values, sealed.
type StoredSource struct {
	Source
	Sealed []byte // of SourceSecrets, as JSON
}

// SourceSecrets are the secret values of a source.
type SourceSecrets struct {
	Token       string            `json:"token"`
	APIKey      string            `json:"api_key,omitempty"`
	Signature   []string          `json:"signature,omitempty"` // the secret first
	Credentials map[string]string `json:"credentials,omitempty"`
	Password    string            `json:"password,omitempty"`
}

// SourceHealth is how a source has been doing since it last succeeded; a healthy one has none.
type SourceHealth struct {
	Failures     int       // requests in a row that could not be processed
	FailingSince Timestamp // when the first of them came
	Told         bool      // postroom.source.failing was published
}

// Parts are the parts that an action of this type has beside its type and condition, by their names in JSON.
func (t ActionType) Parts() []string {
	switch t {
	case ActionAddSubscriber:
		return []string{"lists", "tags", "custom_fields", "status"}
	case ActionUpdateSubscriber:
		return []string{"tags", "remove_tags", "custom_fields", "status"}
	case ActionAddToList:
		return []string{"lists", "double_opt_in"}
	case ActionRemoveFromList:
		return []string{"lists"}
	case ActionApplyTag, ActionRemoveTag:
		return []string{"tags"}
	case ActionChangeStatus:
		return []string{"status"}
	case ActionTransform:
		return []string{"mapping"}
	case ActionPublishEvent:
		return []string{"event_type", "data"}
	case ActionCallAPI:
		return []string{"call"}
	}
	return nil
}
