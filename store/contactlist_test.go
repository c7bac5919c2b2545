package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// TestContacts compares pages with what a loop over all contacts finds, in windows so small that they matter.
func TestContacts(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		f.s.listWindow = 40
		workspace := f.workspace("one")
		lists := []postroom.List{f.list(workspace, "a"), f.list(workspace, "b")}
		all := f.crowd(workspace, lists, 300)
		f.crowd(f.workspace("other"), nil, 20)
		for what, filter := range contactFilters(all, lists) {
			t.Run(what, func(t *testing.T) {
				var want []postroom.ContactID
				for _, c := range slices.Backward(all) {
					if letsThrough(filter, c, all) {
						want = append(want, c.ID)
					}
				}
				if len(want) == 0 && !strings.HasPrefix(what, "no ") {
					t.Fatal("the filter finds nothing, and tests nothing")
				}
				for _, newer := range []bool{false, true} {
					got := f.allContacts(workspace, filter, newer, 7)
					if newer {
						slices.Reverse(got)
					}
					if !slices.Equal(got, want) {
						t.Errorf("newer %v: found %d contacts, want %d", newer, len(got), len(want))
					}
				}
			})
		}
	})
}

// crowd stores contacts a minute apart.
func (f *fixture) crowd(workspace postroom.WorkspaceID, lists []postroom.List, n int) (all []postroom.Contact) {
	f.t.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	var writes []postroom.ContactWrite
	for i := range n {
		made := at(time.Duration(i) * time.Minute)
		c := f.newContact(workspace, fmt.Sprintf("%c%d@%s.example.com", 'a'+rune(i%3), i, []string{"shop", "MAIL"}[i%2]))
		c.ID, c.CreatedAt, c.UpdatedAt = postroom.Next[postroom.ContactKind](f.made(made), made), stamp(made), stamp(made)
		if i%5 == 0 {
			c.Phone = []string{"+12025550143", "+442079460958"}[i%2]
		}
		if i%10 == 0 {
			c.FirstName, c.LastName = []string{"Zoë", "Ada", "ZOË"}[i%3], "Lovelace"
		}
		c.Status = postroom.ContactStatuses()[min(random.IntN(20), 4)]
		if random.IntN(4) == 0 {
			c.Tags = append(c.Tags, "vip")
		}
		if i == 7 {
			c.Tags = append(c.Tags, "rare")
		}
		for _, l := range lists {
			if random.IntN(3) == 0 {
				c.Lists = append(c.Lists, on(l, []postroom.MembershipStatus{postroom.MemberSubscribed, postroom.MemberPending, postroom.MemberUnsubscribed}[random.IntN(3)]))
			}
		}
		c.CustomFields = map[string]json.RawMessage{"n": json.RawMessage(fmt.Sprint(i % 50)), "s": json.RawMessage(fmt.Sprintf(`"é%d\u0000"`, i%2))}
		all = append(all, c)
		writes = append(writes, create(c))
	}
	f.writeContacts(writes...)
	return all
}

func contactFilters(all []postroom.Contact, lists []postroom.List) map[string]postroom.ContactFilter {
	filters := map[string]postroom.ContactFilter{
		"all": {}, "email": {Email: strings.ToUpper(all[17].Email)}, "phone": {Phone: "+442079460958"}, "status": {Status: postroom.ContactComplained}, "list": {List: lists[0].ID}, "tag": {Tag: "vip"},
		"rare tag": {Tag: "rare"}, "number": {Field: "n", Value: "17"}, "text in a field": {Field: "s", Value: "é1\x00"}, "JSON in a field": {Field: "s", Value: `"é1\u0000"`},
		"span": {After: at(50 * time.Minute), Before: at(60 * time.Minute)}, "after": {After: at(280 * time.Minute)},
		"a few begin with it": {Text: "zoë"}, "many begin with it": {Text: "A"}, "phone begins": {Text: "+1202"}, "last name begins": {Text: "LOVE"}, "inside": {Text: "shop.example"}, "inside, rarely": {Text: "99@"},
		"tag and list": {Tag: "vip", List: lists[1].ID}, "status, tag, list": {Tag: "vip", List: lists[1].ID, Status: postroom.ContactComplained},
		"list, field": {List: lists[0].ID, Field: "s", Value: "é1\x00"}, "text, tag": {Text: "a", Tag: "vip"}, "few, status": {Text: "zoë", Status: postroom.ContactComplained, After: at(10 * time.Minute)},
		"inside, list": {Text: "mail.", List: lists[0].ID}, "phone and tag": {Phone: "+12025550143", Tag: "vip"}, "email and tag": {Email: all[7].Email, Tag: "rare"},
		"no such tag": {Tag: "nothing"}, "no such text": {Text: "nothing at all"}, "no zero": {Text: "a\x00"}, "no zero in an email": {Email: "\x00"}, "no such field": {Field: "x", Value: "1"}, "no number by text": {Field: "n", Value: `"17"`},
		"no wildcard": {Text: "%"},
	}
	return filters
}

// letsThrough says in a plain way whether a filter lets a contact through.
func letsThrough(f postroom.ContactFilter, c postroom.Contact, all []postroom.Contact) bool {
	on := slices.ContainsFunc(c.Lists, func(m postroom.Membership) bool { return m.ID == f.List && m.Status != postroom.MemberUnsubscribed })
	var text string
	raw := c.CustomFields[f.Field]
	_ = json.Unmarshal(raw, &text)
	return (f.Email == "" || strings.EqualFold(f.Email, c.Email)) && (f.Phone == "" || f.Phone == c.Phone) && (f.Status == "" || f.Status == c.Status) &&
		(f.List.IsZero() || on) && (f.Tag == "" || slices.Contains(c.Tags, f.Tag)) && (f.Field == "" || raw != nil && (string(raw) == f.Value || text == f.Value && text != "")) &&
		(f.After.IsZero() || !c.CreatedAt.Before(f.After)) && (f.Before.IsZero() || c.CreatedAt.Before(f.Before)) && (f.Text == "" || matchesText(f.Text, c, all))
}

func matchesText(text string, c postroom.Contact, all []postroom.Contact) bool {
	text = strings.ToLower(text)
	begins := func(c postroom.Contact) bool {
		return slices.ContainsFunc([]string{c.Email, c.FirstName, c.LastName, c.Phone}, func(s string) bool { return strings.HasPrefix(strings.ToLower(s), text) })
	}
	if slices.ContainsFunc(all, begins) {
		return begins(c)
	}
	return strings.Contains(strings.ToLower(c.Email), text)
}

// allContacts goes from page to page.
func (f *fixture) allContacts(workspace postroom.WorkspaceID, filter postroom.ContactFilter, newer bool, limit int) (ids []postroom.ContactID) {
	f.t.Helper()
	var cursor *postroom.Cursor
	if newer {
		cursor = &postroom.Cursor{Newer: true}
	}
	for range 1000 {
		page, rest, err := f.s.Contacts(f.ctx, workspace, filter, cursor, limit)
		f.must(err)
		for _, c := range page {
			ids = append(ids, c.ID)
		}
		switch {
		case len(page) == limit:
			cursor = &postroom.Cursor{Newer: newer, ID: page[limit-1].ID}
		case rest != nil:
			cursor = &postroom.Cursor{Newer: newer, ID: *rest}
		default:
			return ids
		}
	}
	f.t.Error("the pages do not end")
	return ids
}

// contactListings are the ways that the combinations of filters may go.
func contactListings(workspace postroom.WorkspaceID, d dialect) (all []listed) {
	cursors := []*postroom.Cursor{nil, {ID: postroom.FirstID[postroom.DeliveryKind](at(time.Minute))}, {Newer: true, ID: postroom.FirstID[postroom.DeliveryKind](at(-time.Minute))}}
	searches := []*textSearch{nil, {dialect: d, text: "ada", inside: true}, {dialect: d, text: "ada"}, {dialect: d, text: "ada", among: `["00"]`}}
	for i, cursor := range cursors {
		for k := range 32 {
			f := postroom.ContactFilter{}
			if k&1 != 0 {
				f.Phone, f.Status = "+12025550143", postroom.ContactBounced
			}
			if k&2 != 0 {
				f.Tag = "vip"
			}
			if k&4 != 0 {
				f.List = postroom.NewID[postroom.ListKind](noon())
			}
			if k&8 != 0 {
				f.Email = "ada@example.com"
			}
			if k&16 != 0 {
				f.After, f.Before = at(-time.Hour), at(time.Hour)
			}
			for _, search := range searches {
				ways := contactWays(f, search)
				for best := range ways {
					l := contactListing(workspace, f, cursor, ways, best, search)
					l.window = 100
					text, args := l.sql(50)
					one := listed{what: fmt.Sprintf("contacts: cursor %d, %+v, %+v by %d", i, f, search, best), text: translate(d, text), args: args, bounded: (cursor != nil || k&16 != 0) && !ways[best].few}
					all = append(all, one)
					if len(l.filters) > 0 {
						one.what = "how far: " + one.what
						one.text, one.args = l.rest()
						one.text = translate(d, one.text)
						all = append(all, one)
					}
				}
			}
		}
	}
	return all
}
