package api

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPages(t *testing.T) {
	s := newServer(t)
	ids := map[string]map[string]bool{} // of each page
	links := map[string][]string{}
	for _, path := range []string{"/docs", "/docs/errors"} {
		w := s.call("GET", path, "", "Authorization", "")
		page := w.Body.String()
		h := w.Header()
		if w.Code != 200 || h.Get("Content-Type") != "text/html; charset=utf-8" || h.Get("Content-Security-Policy") != pagePolicy || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: status %d, headers %v", path, w.Code, h)
		}
		if regexp.MustCompile(`(?i)<script|<style|style=|\son[a-z]+=|https?://[^ ]*\.(js|css)|ZgotmplZ|%!`).MatchString(page) {
			t.Errorf("%s has scripts, inline styles or a fault of its template", path)
		}
		ids[path] = map[string]bool{}
		for _, id := range regexp.MustCompile(`\sid="([^"]+)"`).FindAllStringSubmatch(page, -1) {
			if ids[path][id[1]] {
				t.Errorf("%s: the id %s is there twice", path, id[1])
			}
			ids[path][id[1]] = true
		}
		for _, link := range regexp.MustCompile(`\shref="([^"]+)"`).FindAllStringSubmatch(page, -1) {
			links[path] = append(links[path], link[1])
		}
	}
	for from, to := range links {
		for _, link := range to {
			path, id, _ := strings.Cut(link, "#")
			if path == "" {
				path = from
			}
			if ids[path] == nil {
				if w := s.call("GET", path, "", "Authorization", ""); w.Code != 200 {
					t.Errorf("%s links to %s: status %d", from, link, w.Code)
				}
			} else if id != "" && !ids[path][id] {
				t.Errorf("%s links to %s, where nothing is", from, link)
			}
		}
	}
	for _, op := range operationsOf(s.api.document) {
		if !ids["/docs"][op.OperationID] {
			t.Errorf("%s is not on the page", op.OperationID)
		}
	}
	for _, kind := range problemKinds() {
		if !ids["/docs/errors"][string(kind.code)] {
			t.Errorf("%s is not on the page of errors", kind.code)
		}
	}
	if w := s.call("GET", "/docs/style.css", ""); w.Header().Get("Content-Type") != "text/css; charset=utf-8" || w.Body.Len() < 1000 {
		t.Errorf("headers %v", w.Header())
	}
}

func TestProse(t *testing.T) {
	got := blocks("One **bold** and `a*b**` word.\n\n* first\n* second `x`\n\nEnd.")
	want := []block{
		{Items: [][]span{{{Text: "One "}, {Text: "bold", Bold: true}, {Text: " and "}, {Text: "a*b**", Code: true}, {Text: " word."}}}},
		{IsList: true, Items: [][]span{{{Text: "first"}}, {{Text: "second "}, {Text: "x", Code: true}}}},
		{Items: [][]span{{{Text: "End."}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
