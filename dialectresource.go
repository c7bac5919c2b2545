package postroom

// DialectResource is a vendor's way of sending webhooks, as the API shows it.
type DialectResource struct {
	Name        string           `json:"name"`
	Title       string           `json:"title"`
	Description string           `json:"description"`
	Events      []DialectEvent   `json:"events"`       // the event types that it names
	Others      bool             `json:"others"`       // every other type is sent, too, under its own name
	ContentType string           `json:"content_type"` // of the body
	Bodies      []DialectBody    `json:"bodies"`       // templates; the most specific counts
	Headers     []DialectHeader  `json:"headers"`      // its own, which a webhook cannot set; the most specific counts
	Signature   DialectSignature `json:"signature"`
	Auth        []AuthType       `json:"auth"`     // that its webhooks may use
	Defaults    DialectDefaults  `json:"defaults"` // of a webhook's settings
	Test        string           `json:"test"`     // the type of the event that a test sends
	Samples     []DialectSample  `json:"samples,omitempty"`
}

// DialectEvent is an event type and the vendor's name for it.
type DialectEvent struct {
	Type string `json:"type"` // in the catalogue
	Name string `json:"name"` // the vendor's
}

// DialectBody is the template of a body.
type DialectBody struct {
	Events   string `json:"events"` // a type, a group such as "email.*", or "*"
	Template string `json:"template"`
}

// DialectHeader is a header of each call.
type DialectHeader struct {
	Events string `json:"events"` // a type, a group such as "email.*", or "*"
	Name   string `json:"name"`
	Value  string `json:"value"` // a template; without a value the header is left out
}

// DialectSignature is how calls are signed.
type DialectSignature struct {
	Scheme    string `json:"scheme"` // standard, hmac or none
	Header    string `json:"header,omitempty"`
	Algorithm string `json:"algorithm,omitempty"`
	Encoding  string `json:"encoding,omitempty"`
	Prefix    string `json:"prefix,omitempty"`
}

// DialectDefaults are the settings that a webhook has unless its owner says otherwise.
type DialectDefaults struct {
	Method     string       `json:"method"`
	Retry      Retry        `json:"retry"`
	Timeout    Duration     `json:"timeout"`
	ExpectJSON bool         `json:"expect_json"`
	RateLimit  *RateLimit   `json:"rate_limit"`
	Disable    DisableAfter `json:"disable_after"`
}

// DialectSample is an event as it is sent.
type DialectSample struct {
	Type    string          `json:"type"` // in the catalogue
	Name    string          `json:"name"` // the vendor's
	Request RequestResource `json:"request"`
}
