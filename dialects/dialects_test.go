package dialects_test

import (
	"testing"

	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/dialects"
)

func TestLoad(t *testing.T) {
	cat, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	known := dialect.Known{Types: map[string]dialect.EventType{}}
	for _, e := range cat.Types() {
		known.Types[e.Name] = dialect.EventType{Schema: e.Schema, Sample: e.Sample}
	}
	set, err := dialect.Load(dialects.Files, "dialects", known)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(set.Names())
}
