package server

import (
	"os"

	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/dialects"
)

// loadDialects compiles the dialects that Postroom brings, and those of a folder, if it is not empty.
func loadDialects(types *catalogue.Catalogue, folder string) (dialect.Set, error) {
	known := knownTypes(types)
	set, err := dialect.Load(dialects.Files, "dialects", known)
	if err != nil || folder == "" {
		return set, err
	}
	own, err := dialect.Load(os.DirFS(folder), folder, known)
	if err != nil {
		return nil, err
	}
	return set.With(own)
}

func knownTypes(types *catalogue.Catalogue) dialect.Known {
	known := dialect.Known{Types: map[string]dialect.EventType{}}
	for _, t := range types.Types() {
		known.Types[t.Name] = dialect.EventType{Schema: t.Schema, Sample: t.Sample}
	}
	return known
}
