package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"

	"github.com/postroom/postroom"
)

// page asks for one page of a list.
func page[T any](ctx context.Context, c *Client, path string, query url.Values, q postroom.PageQuery) (postroom.Page[T], error) {
	if query == nil {
		query = url.Values{}
	}
	if q.Limit != 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Cursor != "" {
		query.Set("cursor", q.Cursor)
	}
	var found postroom.Page[T]
	err := c.get(ctx, path, query, &found)
	return found, err
}

// each goes through a list page by page, asking for a page when the loop gets to it.
func each[T any](fetch func(postroom.PageQuery) (postroom.Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q := postroom.PageQuery{Limit: postroom.MaxPageLimit}
		for {
			found, err := fetch(q)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, v := range found.Data {
				if !yield(v, nil) {
					return
				}
			}
			if found.NextCursor == nil {
				return
			}
			q.Cursor = *found.NextCursor
		}
	}
}

// all asks for a list that has no pages.
func all[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	found, err := page[T](ctx, c, path, nil, postroom.PageQuery{})
	return found.Data, err
}

// filter makes a query of what is set.
type filter url.Values

func (f filter) text(name, value string) {
	if value != "" {
		url.Values(f).Set(name, value)
	}
}

func (f filter) time(name string, t time.Time) {
	if !t.IsZero() {
		url.Values(f).Set(name, postroom.Timestamp{Time: t}.String())
	}
}
