package api

import (
	"net/url"

	"github.com/postroom/postroom"
)

// PageParams are the parameters of a list. The type is exported for huma, which looks into exported fields only.
type PageParams struct {
	Limit  limitParam  `query:"limit" doc:"How many things the page holds at most."`
	Cursor cursorParam `query:"cursor" doc:"The next_cursor or prev_cursor of another page; left out for the first page. The other parameters must be the same as they were for that page."`
}

func (p PageParams) query() postroom.PageQuery {
	return postroom.PageQuery{Limit: p.Limit.n, Cursor: p.Cursor.s}
}

// page is the answer of a list.
type page[T any] struct {
	Link string `header:"Link" doc:"The pages before and after this one (RFC 8288), with rel=\"prev\" and rel=\"next\"."`
	Body postroom.Page[T]
}

// newPage makes the answer of a list from what App found, showing each thing by show.
func newPage[In, Out any](at *url.URL, found postroom.Page[In], show func(In) Out) *page[Out] {
	p := &page[Out]{Link: links(at, found.NextCursor, found.PrevCursor)}
	p.Body = postroom.Page[Out]{Data: showAll(found.Data, show), NextCursor: found.NextCursor, PrevCursor: found.PrevCursor}
	return p
}

func showAll[In, Out any](list []In, show func(In) Out) []Out {
	out := make([]Out, len(list))
	for i, v := range list {
		out[i] = show(v)
	}
	return out
}

// links is the value of the header Link, with references relative to the server's root.
func links(at *url.URL, next, prev *string) string {
	s := ""
	for _, l := range []struct {
		rel    string
		cursor *string
	}{{"next", next}, {"prev", prev}} {
		if l.cursor == nil {
			continue
		}
		query := at.Query()
		query.Set("cursor", *l.cursor)
		if s != "" {
			s += ", "
		}
		s += "<" + at.EscapedPath() + "?" + query.Encode() + `>; rel="` + l.rel + `"`
	}
	return s
}

// all is the answer of a list that is short enough to have one page only.
type all[T any] struct {
	Body postroom.Page[T]
}

func newAll[T any](list []T) *all[T] {
	if list == nil {
		list = []T{}
	}
	return &all[T]{Body: postroom.Page[T]{Data: list}}
}

// answer is an answer with a body and nothing else.
type answer[T any] struct{ Body T }

// created is the answer to a call that made something.
type created[T any] struct {
	Location string `header:"Location" doc:"The path of what was made."`
	Body     T
}

// done is an answer without a body.
type done struct{}

// ID is the parameter of a path that ends in a thing's id. It is exported for huma.
type ID struct {
	ID string `path:"id"`
}
