package postroom

import (
	"crypto/rand"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"
)

// ID is the identity of one thing of kind K: a UUIDv7 (RFC 9562), so ids sort by the time at which they were made.
// People see it as a prefix and 26 characters of Crockford's base 32 in lower case, such as
// "evt_01jd3v8x2mf4k8c0q9r7t5y1za", which sorts the same way. Databases see its 16 bytes.
type ID[K idKind] [16]byte

type idKind interface{ prefix() string }

// The kinds that tell ids apart; they hold nothing.
type (
	WorkspaceKind     struct{}
	KeyKind           struct{}
	EventKind         struct{}
	WebhookKind       struct{}
	SigningSecretKind struct{}
	DeliveryKind      struct{}
	ReplayKind        struct{}
	SourceKind        struct{}
	RequestKind       struct{}
	ContactKind       struct{}
	ListKind          struct{}
	ImportKind        struct{}
	AuditKind         struct{}
	MemberKind        struct{}
	PersonKind        struct{}
	NodeKind          struct{}
)

func (WorkspaceKind) prefix() string     { return "wsp_" }
func (KeyKind) prefix() string           { return "key_" }
func (EventKind) prefix() string         { return "evt_" }
func (WebhookKind) prefix() string       { return "whk_" }
func (SigningSecretKind) prefix() string { return "sec_" }
func (DeliveryKind) prefix() string      { return "dlv_" }
func (ReplayKind) prefix() string        { return "rpl_" }
func (SourceKind) prefix() string        { return "src_" }
func (RequestKind) prefix() string       { return "req_" }
func (ContactKind) prefix() string       { return "con_" }
func (ListKind) prefix() string          { return "lst_" }
func (ImportKind) prefix() string        { return "imp_" }
func (AuditKind) prefix() string         { return "aud_" }
func (MemberKind) prefix() string        { return "mem_" }
func (PersonKind) prefix() string        { return "per_" }
func (NodeKind) prefix() string          { return "nod_" }

// The kinds of ids, one for each noun, so that the compiler notices when two are mixed up.
type (
	WorkspaceID = ID[WorkspaceKind]
	KeyID       = ID[KeyKind]
	EventID     = ID[EventKind]
	WebhookID   = ID[WebhookKind]
	SecretID    = ID[SigningSecretKind]
	DeliveryID  = ID[DeliveryKind]
	ReplayID    = ID[ReplayKind]
	SourceID    = ID[SourceKind]
	RequestID   = ID[RequestKind]
	ContactID   = ID[ContactKind]
	ListID      = ID[ListKind]
	ImportID    = ID[ImportKind]
	AuditID     = ID[AuditKind]
	MemberID    = ID[MemberKind]
	PersonID    = ID[PersonKind]
	NodeID      = ID[NodeKind] // one run of the server
)

const (
	idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	idLength   = 26 // 130 bits hold the 128 of an id; the first character is 0 to 7
)

// NewID makes an id that carries now, in milliseconds, and a random rest.
func NewID[K idKind](now time.Time) ID[K] {
	var id ID[K]
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	setTime(id[:], now)
	return id
}

// FirstID is the smallest id that could have been made at t or after it; it turns a time into a bound on ids.
func FirstID[K idKind](t time.Time) ID[K] {
	var id ID[K]
	setMillis(id[:], t)
	return id
}

func setMillis(b []byte, t time.Time) {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(t.UnixMilli(), 0)))
	copy(b[:6], ms[2:])
}

func setTime(b []byte, t time.Time) {
	setMillis(b, t)
	b[6] = b[6]&0x0f | 0x70 // version 7
	b[8] = b[8]&0x3f | 0x80 // the RFC's variant
}

// IDs makes ids that grow strictly within one process, even when the clock stands still or steps back: the 12 bits
// after the milliseconds count (RFC 9562, 6.2, method 1). A clock that steps back by a day or more was wrong before: ids then follow
// it, as what is stored must not stay in the future. The zero value is ready, and is safe for concurrent use.
type IDs struct {
	mu   sync.Mutex
	last uint64 // milliseconds<<12 | counter
	pool [512]byte
	left int
}

// stepBack is how far, in ticks of IDs, the clock may step back before ids follow it.
const stepBack = uint64(24*time.Hour/time.Millisecond) << 12

// Next makes the next id of kind K at the time now.
func Next[K idKind](g *IDs, now time.Time) ID[K] {
	var id ID[K]
	g.mu.Lock()
	tick := uint64(max(now.UnixMilli(), 0)) << 12
	if tick <= g.last && g.last-tick < stepBack {
		tick = g.last + 1 // borrows from the next millisecond when one holds more than 4096 ids
	}
	g.last = tick
	if g.left < 8 {
		_, _ = rand.Read(g.pool[:])
		g.left = len(g.pool)
	}
	copy(id[8:], g.pool[g.left-8:g.left])
	g.left -= 8
	g.mu.Unlock()

	binary.BigEndian.PutUint64(id[:8], tick>>12<<16|0x7000|tick&0xfff)
	id[8] = id[8]&0x3f | 0x80
	return id
}

// IsZero tells whether the id was never set.
func (id ID[K]) IsZero() bool { return id == ID[K]{} }

// Time is when the id was made, to the millisecond.
func (id ID[K]) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// String writes the id as people see it.
func (id ID[K]) String() string {
	var k K
	buf := make([]byte, 0, len(k.prefix())+idLength)
	return string(id.Append(buf))
}

// Append appends the id as people see it.
func (id ID[K]) Append(dst []byte) []byte {
	var k K
	dst = append(dst, k.prefix()...)
	hi, lo := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	for shift := 125; shift >= 0; shift -= 5 {
		var v uint64
		switch {
		case shift >= 64:
			v = hi >> (shift - 64)
		case shift > 59:
			v = hi<<(64-shift) | lo>>shift
		default:
			v = lo >> shift
		}
		dst = append(dst, idAlphabet[v&31])
	}
	return dst
}

// MarshalText writes the id as people see it.
func (id ID[K]) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID[K]) UnmarshalText(text []byte) error {
	parsed, err := ParseID[K](string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// ParseID reads an id as people see it. Upper case is read too.
func ParseID[K idKind](s string) (ID[K], error) {
	var id ID[K]
	var k K
	digits, ok := strings.CutPrefix(s, k.prefix())
	if !ok || len(digits) != idLength || digits[0] > '7' {
		return id, badID[K](s)
	}
	var hi, lo uint64
	for i := range len(digits) {
		v := strings.IndexByte(idAlphabet, lower(digits[i]))
		if v < 0 {
			return id, badID[K](s)
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(v)
	}
	binary.BigEndian.PutUint64(id[:8], hi)
	binary.BigEndian.PutUint64(id[8:], lo)
	return id, nil
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func badID[K idKind](s string) error {
	var k K
	return Errorf(CodeInvalid, "%q is not an id of this kind: such an id is %q and %d characters", cut(s, 64), k.prefix(), idLength)
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// Value hands the id's 16 bytes to a database.
func (id ID[K]) Value() (driver.Value, error) {
	if id.IsZero() {
		return nil, nil
	}
	return id[:], nil
}

// Scan reads the id's 16 bytes, or null as the zero id, from a database.
func (id *ID[K]) Scan(src any) error {
	switch b := src.(type) {
	case nil:
		*id = ID[K]{}
		return nil
	case []byte:
		if len(b) == len(id) {
			copy(id[:], b)
			return nil
		}
	}
	return fmt.Errorf("an id is 16 bytes, and the database holds %T %v", src, src)
}
