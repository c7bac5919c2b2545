package store

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/postroom/postroom"
)

// Contacts lists up to limit contacts of a workspace that the filter lets through, newest first; or, when the cursor asks for newer ones,
// those, oldest first. rest is how far it looked, if it gave up before it had found as many.
func (s *Store) Contacts(ctx context.Context, workspace postroom.WorkspaceID, f postroom.ContactFilter, cursor *postroom.Cursor, limit int) (all []postroom.Contact, rest *[16]byte, err error) {
	ids, rest, err := s.contactPage(ctx, workspace, f, cursor, limit)
	if err != nil || len(ids) == 0 {
		return nil, rest, err
	}
	set := contactSet{}
	if err := s.read(ctx, func(q querier) error {
		set = contactSet{}
		if _, err := set.read(ctx, q, "contact_by_ids", workspace, hexList(ids)); err != nil {
			return err
		}
		return set.complete(ctx, q, workspace)
	}); err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		if c := set[id]; c != nil { // else it was deleted meanwhile
			all = append(all, *c)
		}
	}
	if rest == nil && len(ids) == limit && len(all) < limit { // what is missing does not make it the last page
		last := [16]byte(ids[limit-1])
		rest = &last
	}
	return all, rest, nil
}

// contactPage finds the ids of a page.
func (s *Store) contactPage(ctx context.Context, workspace postroom.WorkspaceID, f postroom.ContactFilter, cursor *postroom.Cursor, limit int) ([]postroom.ContactID, *[16]byte, error) {
	list, err := s.contactListing(ctx, workspace, f, cursor)
	if err != nil || list == nil {
		return nil, nil, err
	}
	list.window = s.listWindow
	if f.Field == "" {
		return s.contactIDs(ctx, list, limit)
	}
	// What a field holds is compared here, as no database reads every JSON in the same way.
	looked, rest, err := s.contactIDs(ctx, list, s.listWindow)
	if err != nil {
		return nil, nil, err
	}
	if rest == nil && len(looked) == s.listWindow {
		last := [16]byte(looked[len(looked)-1])
		rest = &last
	}
	ids, err := s.withField(ctx, workspace, f, looked, limit)
	if len(ids) >= limit {
		rest = nil
	}
	return ids, rest, err
}

// contactIDs runs a listing, whose only column is an id.
func (s *Store) contactIDs(ctx context.Context, l *listing, limit int) (ids []postroom.ContactID, rest *[16]byte, err error) {
	text, args := l.sql(limit)
	if err := s.read(ctx, func(q querier) error {
		ids = nil
		return q.eachText(ctx, "contacts", translate(s.dialect, text), func(row func(...any) error) error {
			var id postroom.ContactID
			err := row(&id)
			ids = append(ids, id)
			return err
		}, args...)
	}); err != nil {
		return nil, nil, err
	}
	return looked(ctx, s, l, ids, limit, func(id postroom.ContactID) [16]byte { return id })
}

// contactListing makes the query of a page; nil when nothing can be found.
func (s *Store) contactListing(ctx context.Context, workspace postroom.WorkspaceID, f postroom.ContactFilter, cursor *postroom.Cursor) (*listing, error) {
	for _, text := range []string{f.Email, f.Phone, f.Tag, f.Text} {
		if text != "" && !isText(text) {
			return nil, nil
		}
	}
	var search *textSearch
	if f.Text != "" {
		var err error
		if search, err = s.search(ctx, workspace, f.Text); err != nil {
			return nil, err
		}
	}
	ways := contactWays(f, search)
	best := 0
	if len(ways) > 1 && !ways[0].few {
		var err error
		if best, err = s.rarestWay(ctx, workspace, f, ways); err != nil {
			return nil, err
		}
	}
	return contactListing(workspace, f, cursor, ways, best, search), nil
}

// way is how contacts can be found by one of the conditions, in the order of their ids.
type way struct {
	table, id string
	index     string     // for SQLite
	where     *condition // beside the workspace; nil for all contacts
	filter    condition  // the same of a contact that was found in another way
	few       bool       // it finds a few at most
}

// ofFound refers to the contact that a way has found, in a filter.
const ofFound = "@id"

// contactWays are the ways that a filter offers, the best first if that is known.
func contactWays(f postroom.ContactFilter, search *textSearch) (ways []way) {
	contact := func(text, index string, value any, few bool) {
		where := is(text, value)
		ways = append(ways, way{"contacts", "id", index, &where, is("EXISTS (SELECT 1 FROM contacts p WHERE p.workspace_id = $w AND p.id = "+ofFound+" AND p."+text+")", value), few})
	}
	if f.Email != "" {
		contact("email_key = $", "", postroom.Fold(f.Email), true)
	}
	if search != nil && search.among != "" {
		where := condition{"id IN (" + search.ids() + ")", []any{search.among}}
		ways = append(ways, way{"contacts", "id", "", &where, condition{ofFound + " IN (" + search.ids() + ")", []any{search.among}}, true})
	}
	if f.Phone != "" {
		contact("phone = $", "contacts_phone", f.Phone, false)
		ways[len(ways)-1].where.text += " AND phone <> ''"
	}
	if f.Tag != "" {
		where := is("tag = $", f.Tag)
		ways = append(ways, way{"contact_tags", "contact_id", "contact_tags_tag", &where,
			is("EXISTS (SELECT 1 FROM contact_tags WHERE workspace_id = $w AND contact_id = "+ofFound+" AND tag = $)", f.Tag), false})
	}
	if !f.List.IsZero() {
		where := is("list_id = $ AND status <> 'unsubscribed'", f.List)
		ways = append(ways, way{"memberships", "contact_id", "memberships_list", &where,
			is("EXISTS (SELECT 1 FROM memberships m WHERE m.workspace_id = $w AND m.contact_id = "+ofFound+" AND m.list_id = $ AND m.status <> 'unsubscribed')", f.List), false})
	}
	if f.Status != "" {
		contact("status = $", "contacts_status", string(f.Status), false)
	}
	if len(ways) == 0 {
		ways = append(ways, way{table: "contacts", id: "id"})
	}
	return ways
}

// contactListing goes one of the ways, and looks at what it finds for the other conditions.
func contactListing(workspace postroom.WorkspaceID, f postroom.ContactFilter, cursor *postroom.Cursor, ways []way, best int, search *textSearch) *listing {
	w := ways[best]
	l := newListing(cursor, w.id, w.id, w.table)
	l.index = w.index
	l.where(is("workspace_id = $", workspace))
	l.between(f.After, f.Before)
	if w.where != nil {
		l.where(*w.where)
	}
	filter := func(c condition) {
		c.text = strings.ReplaceAll(c.text, ofFound, "recent0."+w.id)
		if strings.Contains(c.text, "$w") {
			c = condition{strings.Replace(c.text, "$w", "$", 1), append([]any{workspace}, c.values...)}
		}
		l.filter(c)
	}
	for i, other := range ways {
		if i != best {
			filter(other.filter)
		}
	}
	if search != nil && search.among == "" {
		filter(search.filter())
	}
	return l
}

// rarestWay says which way finds fewest contacts, as far as a short look tells.
func (s *Store) rarestWay(ctx context.Context, workspace postroom.WorkspaceID, f postroom.ContactFilter, ways []way) (best int, err error) {
	fewest := probeRows + 1
	err = s.read(ctx, func(q querier) error {
		fewest = probeRows + 1
		for i, w := range ways {
			l := contactListing(workspace, postroom.ContactFilter{After: f.After, Before: f.Before}, nil, ways[i:i+1], 0, nil)
			var n int
			text := "SELECT count(*) FROM (" + l.arm("1", "", w.index) + " LIMIT 1000) AS few"
			if err := q.eachText(ctx, "probe", translate(s.dialect, text), func(row func(...any) error) error { return row(&n) }, l.args...); err != nil {
				return err
			}
			if n < fewest {
				fewest, best = n, i
			}
		}
		return nil
	})
	return best, err
}

// textSearch is what a text finds: the contacts of which the email, a name or the phone number begins with it. If there are none it is those
// whose email has it somewhere.
type textSearch struct {
	dialect dialect
	text    string // in lower case
	among   string // the contacts that it begins something of, if they are few, as a list of hexadecimal texts; empty when all must be looked at
	inside  bool   // nothing begins with it
}

func (s *Store) search(ctx context.Context, workspace postroom.WorkspaceID, text string) (*textSearch, error) {
	t := &textSearch{dialect: s.dialect, text: postroom.Fold(strings.TrimSpace(text))}
	counted := map[postroom.ContactID]bool{}
	n := 0
	if err := s.read(ctx, func(q querier) error {
		clear(counted)
		n = 0
		return q.each(ctx, "contact_words", func(row func(...any) error) error {
			var id postroom.ContactID
			err := row(&id)
			counted[id] = true
			n++
			return err
		}, workspace, t.text, t.text+lastCharacter, probeRows)
	}); err != nil {
		return nil, err
	}
	switch {
	case n == 0:
		t.inside = true
	case n < probeRows: // then none of the limits was reached
		ids := make([]postroom.ContactID, 0, len(counted))
		for id := range counted {
			ids = append(ids, id)
		}
		t.among = hexList(ids)
	}
	return t, nil
}

// lastCharacter comes after all others, in both databases.
const lastCharacter = "\U0010ffff"

// ids is the SQL of the contacts among which it looks.
func (t *textSearch) ids() string {
	if t.dialect == postgres {
		return "SELECT decode(value, 'hex') FROM json_array_elements_text($::text::json)"
	}
	return "SELECT unhex(value) FROM json_each($)"
}

// filter is the condition of one contact, where all of them are looked at.
func (t *textSearch) filter() condition {
	const of = "EXISTS (SELECT 1 FROM contacts p WHERE p.workspace_id = $w AND p.id = " + ofFound + " AND "
	if t.inside {
		if t.dialect == postgres {
			return is(of+"position($ in p.email_key) > 0)", t.text)
		}
		return is(of+"instr(p.email_key, $) > 0)", t.text)
	}
	var parts []string
	var values []any
	for _, column := range []string{"email_key", "first_key", "last_key", "phone"} {
		parts = append(parts, "p."+column+" >= $ AND p."+column+" < $")
		values = append(values, t.text, t.text+lastCharacter)
	}
	return condition{of + "(" + strings.Join(parts, " OR ") + "))", values}
}

// withField keeps, of contacts, up to limit that have a value in a custom field.
func (s *Store) withField(ctx context.Context, workspace postroom.WorkspaceID, f postroom.ContactFilter, ids []postroom.ContactID, limit int) (kept []postroom.ContactID, err error) {
	for len(ids) > 0 && len(kept) < limit {
		some := ids[:min(len(ids), 500)]
		ids = ids[len(some):]
		set := contactSet{}
		if err := s.read(ctx, func(q querier) error {
			clear(set)
			_, err := set.read(ctx, q, "contact_by_ids", workspace, hexList(some))
			return err
		}); err != nil {
			return nil, err
		}
		for _, id := range some {
			if c := set[id]; c != nil && len(kept) < limit && holds(c.CustomFields[f.Field], f.Value) {
				kept = append(kept, id)
			}
		}
	}
	return kept, nil
}

// holds tells whether a JSON value is what a person asked for: as it is spelled, or a text without its quotes.
func holds(raw json.RawMessage, value string) bool {
	if raw == nil {
		return false
	}
	var text string
	if raw[0] == '"' && json.Unmarshal(raw, &text) == nil && text == value {
		return true
	}
	var asked bytes.Buffer
	return json.Compact(&asked, []byte(value)) == nil && bytes.Equal(asked.Bytes(), raw)
}
