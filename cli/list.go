package cli

import (
	"context"

	"github.com/postroom/postroom"
)

// listFlags are what every list has.
type listFlags struct {
	Limit int `default:"50" placeholder:"N" help:"How many to show at most; 0 for all."`
}

// collect asks for pages until it has as many things as are wanted. more tells whether there are others.
func collect[T any](ctx context.Context, limit int, fetch func(context.Context, postroom.PageQuery) (postroom.Page[T], error)) (found []T, more bool, err error) {
	found = []T{} // so that none is [] in JSON
	q := postroom.PageQuery{}
	for {
		q.Limit = postroom.MaxPageLimit
		if limit > 0 {
			q.Limit = min(q.Limit, limit-len(found))
		}
		page, err := fetch(ctx, q)
		if err != nil {
			return nil, false, err
		}
		found = append(found, page.Data...)
		more = page.NextCursor != nil
		if !more || limit > 0 && len(found) >= limit {
			return found, more, nil
		}
		q.Cursor = *page.NextCursor
	}
}

// showList writes a list: as JSON or YAML, or as a table that row fills.
func showList[T any](s *session, list []T, more bool, none string, t *table, row func(*screen, T)) error {
	return s.show(list, func(p *screen) {
		if len(list) == 0 {
			p.printf("%s\n", none)
			return
		}
		for _, v := range list {
			row(p, v)
		}
		p.table(t)
		if more {
			p.printf("%s\n", p.paint(dim, "There are more: --limit 0 shows all."))
		}
	})
}

// check refuses what cannot be a limit.
func (f listFlags) check() error {
	if f.Limit < 0 {
		return usagef("--limit is %d, but must be 0 or more", f.Limit)
	}
	return nil
}
