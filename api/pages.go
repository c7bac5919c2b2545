package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
)

//go:embed pages
var pageFiles embed.FS

// pages are what people read: the OpenAPI document, and the pages that are made of it. Each is made when it is first asked for.
type pages struct {
	openAPI, reference, errors func() []byte
}

// newPages makes the pages. ids are the operations in the order in which they are shown.
func newPages(doc *huma.OpenAPI, ids []string, version string) pages {
	return pages{
		openAPI: sync.OnceValue(func() []byte {
			text, err := json.Marshal(doc)
			if err != nil { // a test makes the document
				panic(err)
			}
			return append(text, '\n')
		}),
		reference: sync.OnceValue(func() []byte { return render("reference.html", newReference(doc, ids, version)) }),
		errors: sync.OnceValue(func() []byte {
			return render("errors.html", struct {
				Title, Version string
				Kinds          []errorView
				Failures       []postroom.FailureKind
			}{"Errors", version, errorViews(), failureViews()})
		}),
	}
}

// errorView is an error code as the page of errors shows it.
type errorView struct {
	Code, Title, Help string
	Status            int
}

func errorViews() []errorView {
	var views []errorView
	for _, kind := range problemKinds() {
		views = append(views, errorView{string(kind.code), kind.title, kind.help, kind.status})
	}
	return views
}

// failureViews are the kinds of failure, for a page that has no Markdown.
func failureViews() []postroom.FailureKind {
	views := postroom.FailureKinds()
	for i := range views {
		views[i].Meaning, views[i].Remedy = strings.ReplaceAll(views[i].Meaning, "`", ""), strings.ReplaceAll(views[i].Remedy, "`", "")
	}
	return views
}

// render makes a page of a template.
func render(name string, data any) []byte {
	t, err := template.ParseFS(pageFiles, "pages/layout.html", "pages/"+name)
	if err != nil { // a test renders every page
		panic(err)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", data); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// pagePolicy lets a page load its stylesheet, and nothing else: there are no scripts.
const pagePolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (a *api) routePages() {
	a.routePage("/openapi.json", "application/openapi+json", func() []byte { return a.pages.openAPI() })
	a.routePage("/docs", "text/html; charset=utf-8", func() []byte { return a.pages.reference() })
	a.routePage(errorsPath, "text/html; charset=utf-8", func() []byte { return a.pages.errors() })
	a.routePage("/docs/style.css", "text/css; charset=utf-8", func() []byte {
		style, err := pageFiles.ReadFile("pages/style.css")
		if err != nil { // it is embedded
			panic(err)
		}
		return style
	})
}

func (a *api) routePage(path, contentType string, text func() []byte) {
	a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		if x, ok := w.(*exchange); ok {
			x.route = path
		}
		body := text()
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		_, _ = w.Write(body) // the caller may be gone
	})
}
