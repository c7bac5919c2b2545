package store

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/postroom/postroom"
)

// contactCounts are by how much the numbers of contacts of tags and lists change.
type contactCounts map[countKey]int64

type countKey struct {
	list postroom.ListID // zero for a tag
	tag  string
	part int64
}

// countParts is in how many parts a number is kept, by the contact, so that writers rarely wait for each other's.
const countParts = 8

func partOf(id postroom.ContactID) int64 { return int64(id[len(id)-1] % countParts) }

func (c contactCounts) tag(name string, part, by int64) { c[countKey{tag: name, part: part}] += by }

func (c contactCounts) list(id postroom.ListID, part, by int64) {
	c[countKey{list: id, part: part}] += by
}

// add adds to the numbers, in the same order as every other transaction.
func (c contactCounts) add(ctx context.Context, q querier, workspace postroom.WorkspaceID) error {
	keys := slices.SortedFunc(maps.Keys(c), func(a, b countKey) int {
		return cmp.Or(bytes.Compare(a.list[:], b.list[:]), cmp.Compare(a.tag, b.tag), cmp.Compare(a.part, b.part))
	})
	var tags, lists [][]any
	for _, k := range keys {
		switch {
		case c[k] == 0:
		case k.list.IsZero():
			tags = append(tags, []any{workspace, k.tag, k.part, c[k]})
		default:
			lists = append(lists, []any{workspace, k.list, k.part, c[k]})
		}
	}
	if _, err := q.execRows(ctx, "tag_count_add", tags); err != nil {
		return err
	}
	_, err := q.execRows(ctx, "list_count_add", lists)
	return err
}
