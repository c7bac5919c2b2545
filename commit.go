package postroom

import "errors"

// ErrNotStored ends a publication whose Commit was refused as Taken, Stale or Lost: nothing has failed, and whoever made it computes it anew.
var ErrNotStored = errors.New("it was not stored, since something has changed meanwhile")

// Commit is all that is stored in one transaction for one cause: a request, an import's batch, a person's change of contacts. It is
// stored whole or not at all.
type Commit struct {
	// Request is stored as it is: inserted where its claim is 0, else changed, if its claim is still the newest.
	Request *Request
	Keys    []RequestKey // of the request's events that this commit acts on
	// Health of the request's source from now on; nil when it has not changed.
	Health       *SourceHealth
	Contacts     []ContactWrite
	Publications []*Publication
	Audit        []AuditEntry

	// Set by the store. When one of these is true nothing was stored.
	Taken bool // one of the keys was taken: see their Request
	Stale bool // a contact has changed meanwhile: see the writes' Stale
	Lost  bool // another claim of the request is newer
}

// Stored tells whether the commit was stored, once the store has returned without an error. A publication that is stale keeps all from
// being stored too.
func (c *Commit) Stored() bool {
	for _, p := range c.Publications {
		if p.Stale {
			return false
		}
	}
	return !c.Taken && !c.Stale && !c.Lost
}
