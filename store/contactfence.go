package store

import (
	"context"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/postroom/postroom"
)

// contactLocks is how many locks the keys of contacts share on PostgreSQL: see orderLocks. contactLockBase sets them apart from the others:
// "conta" in hexadecimal, and room.
const (
	contactLocks    = 1024
	contactLockBase = 0x636f6e74610000
)

// lockKeys makes those wait who want the same emails, uids or names of lists at the same time.
func (all contactBatches) lockKeys(ctx context.Context, q querier) error {
	if q.prepared != nil { // SQLite has one writer, and nothing to wait for
		return nil
	}
	var locks []int64
	for _, b := range all {
		for _, c := range b.contacts {
			if c.email != "" {
				locks = append(locks, contactLock(b.workspace, emailKey(c.email)))
			}
			if c.uid != "" {
				locks = append(locks, contactLock(b.workspace, uidKey(c.uid)))
			}
		}
		for _, list := range b.lists {
			for _, key := range listKeys(list.List) {
				locks = append(locks, contactLock(b.workspace, key))
			}
		}
	}
	return takeContactLocks(ctx, q, locks)
}

func emailKey(folded string) string { return "email " + folded }
func uidKey(uid string) string      { return "uid " + uid }

// lockKeys locks keys of a workspace until the transaction ends.
func lockKeys(ctx context.Context, q querier, workspace postroom.WorkspaceID, keys []string) error {
	locks := make([]int64, len(keys))
	for i, key := range keys {
		locks[i] = contactLock(workspace, key)
	}
	return takeContactLocks(ctx, q, locks)
}

// contactLock is the lock of a key.
func contactLock(workspace postroom.WorkspaceID, key string) int64 {
	h := fnv.New64a()
	_, _ = h.Write(workspace[:]) // it never fails
	_, _ = h.Write([]byte(key))
	return contactLockBase + int64(h.Sum64()%contactLocks)
}

// takeContactLocks waits for locks, in their order.
func takeContactLocks(ctx context.Context, q querier, locks []int64) error {
	if len(locks) == 0 || q.prepared != nil {
		return nil
	}
	slices.Sort(locks)
	return q.each(ctx, "contact_lock_keys", func(func(...any) error) error { return nil }, jsonList(slices.Compact(locks)))
}

// fence reads what is stored of the contacts, and compares versions.
func (b *contactBatch) fence(ctx context.Context, q querier) error {
	if len(b.contacts) == 0 {
		return nil
	}
	ids := b.ids()
	if err := q.each(ctx, "contact_stored", func(row func(...any) error) error {
		var id postroom.ContactID
		var email, uid *string
		c := &storedContact{lists: map[postroom.ListID]postroom.MembershipStatus{}}
		if err := row(&id, &c.version, &email, &uid); err != nil {
			return err
		}
		c.email, c.uid = textOf(email), textOf(uid)
		b.stored[id] = c
		return nil
	}, b.workspace, ids); err != nil {
		return err
	}
	for _, c := range b.contacts {
		there := b.stored[c.to.Contact.ID]
		if (c.was == 0) != (there == nil) || there != nil && there.version != c.was {
			c.to.Stale = true
		}
	}
	if len(b.stored) == 0 {
		return nil
	}
	if err := eachTag(ctx, q, b.workspace, ids, func(id postroom.ContactID, tag string) {
		if c := b.stored[id]; c != nil {
			c.tags = append(c.tags, tag)
		}
	}); err != nil {
		return err
	}
	return q.each(ctx, "membership_stored", func(row func(...any) error) error {
		var id postroom.ContactID
		var list postroom.ListID
		var status postroom.MembershipStatus
		err := row(&id, &list, &status)
		if c := b.stored[id]; c != nil {
			c.lists[list] = status
		}
		return err
	}, b.workspace, ids)
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// fenceKeys looks whether the emails and uids that contacts get are free, or are given up in the same transaction.
func (b *contactBatch) fenceKeys(ctx context.Context, q querier) error {
	emails, uids := map[string]*contactWrite{}, map[string]*contactWrite{}
	claim := func(claimed map[string]*contactWrite, key, former string, c *contactWrite) {
		switch {
		case key == "", key == former:
		case claimed[key] != nil: // by another one of the batch
			c.to.Stale = true
		default:
			claimed[key] = c
		}
	}
	for _, c := range b.contacts {
		var former storedContact
		if there := b.stored[c.to.Contact.ID]; there != nil {
			former = *there
		}
		claim(emails, c.email, former.email, c)
		claim(uids, c.uid, former.uid, c)
	}
	if len(emails) == 0 && len(uids) == 0 {
		return nil
	}
	return q.each(ctx, "contact_taken", func(row func(...any) error) error {
		var id postroom.ContactID
		var email, uid *string
		if err := row(&id, &email, &uid); err != nil {
			return err
		}
		holder := b.byID[id]
		for _, k := range []struct {
			claimed map[string]*contactWrite
			key     string
			kept    bool // by who has it
		}{{emails, textOf(email), holder == nil || holder.email == textOf(email)}, {uids, textOf(uid), holder == nil || holder.uid == textOf(uid)}} {
			if by := k.claimed[k.key]; by != nil && k.kept {
				by.to.Stale = true
			} else if by != nil {
				b.release = append(b.release, id)
			}
		}
		return nil
	}, b.workspace, jsonList(slices.Sorted(maps.Keys(emails))), jsonList(slices.Sorted(maps.Keys(uids))))
}

// fenceLists looks whether the names of new lists are free, and whether the lists that are joined are still there.
func (b *contactBatch) fenceLists(ctx context.Context, q querier) error {
	made := map[postroom.ListID]bool{}
	if len(b.lists) > 0 {
		byKey := map[string]*postroom.ContactWrite{}
		for _, list := range b.lists {
			made[list.ID] = true
			for _, key := range listKeys(list.List) {
				if byKey[key] != nil {
					list.of.Stale = true
				}
				byKey[key] = list.of
			}
		}
		if err := eachListOf(ctx, q, b.workspace, slices.Collect(maps.Keys(byKey)), func(other postroom.List) {
			for _, key := range listKeys(other) {
				if by := byKey[key]; by != nil {
					by.Stale = true
				}
			}
		}); err != nil {
			return err
		}
	}
	joins := map[postroom.ListID][]*contactWrite{}
	for _, c := range b.contacts {
		for _, m := range c.to.Contact.Lists {
			if !c.to.Deleted && !made[m.ID] && b.statusOf(c, m.ID) == "" {
				joins[m.ID] = append(joins[m.ID], c)
			}
		}
	}
	if len(joins) == 0 {
		return nil
	}
	if err := q.each(ctx, "list_lock_there", func(row func(...any) error) error {
		var id postroom.ListID
		err := row(&id)
		delete(joins, id)
		return err
	}, b.workspace, hexList(slices.Collect(maps.Keys(joins)))); err != nil {
		return err
	}
	for _, gone := range joins {
		for _, c := range gone {
			c.to.Stale = true
		}
	}
	return nil
}

// statusOf is what is stored of a membership; empty for none.
func (b *contactBatch) statusOf(c *contactWrite, list postroom.ListID) postroom.MembershipStatus {
	if there := b.stored[c.to.Contact.ID]; there != nil {
		return there.lists[list]
	}
	return ""
}
