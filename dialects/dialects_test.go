package dialects_test

import (
	"errors"
	"flag"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/dialect/fixture"
	"github.com/postroom/postroom/dialects"
)

var update = flag.Bool("update", false, "write the fixtures")

func known(t *testing.T) dialect.Known {
	t.Helper()
	all, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	k := dialect.Known{Types: map[string]dialect.EventType{}}
	for _, e := range all.Types() {
		k.Types[e.Name] = dialect.EventType{Schema: e.Schema, Sample: e.Sample}
	}
	return k
}

func load(t *testing.T) dialect.Set {
	t.Helper()
	set, err := dialect.Load(dialects.Files, "dialects", known(t))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestEmbedded(t *testing.T) {
	want := []string{"standard", "cakemail", "cloudcusp", "cloudevents", "cloudevents-binary", "cocoonmail", "cooby", "sendook", "slack", "zapier"}
	if diff := cmp.Diff(want, load(t).Names()); diff != "" {
		t.Error(diff)
	}
}

// Every event type of every dialect has a fixture, and each is the call that the engine makes.
func TestFixtures(t *testing.T) {
	r, err := fixture.Run(".", known(t), *update)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Problems {
		t.Error(p)
	}
	tested := []string{}
	for _, d := range r.Dialects {
		tested = append(tested, d.Name)
		if d.Fixtures == 0 {
			t.Errorf("%s has no fixtures", d.Name)
		}
	}
	all := load(t).Names()
	slices.Sort(all)
	if diff := cmp.Diff(all, tested); diff != "" {
		t.Error(diff)
	}
}

func TestStandardStays(t *testing.T) {
	set := load(t)
	other := dialect.Set{"cakemail": {Name: "cakemail", Title: "Mine"}, "mine": {Name: "mine"}}
	all, err := set.With(other)
	if err != nil || all["cakemail"].Title != "Mine" || all["mine"] == nil || set["cakemail"].Title == "Mine" || len(all) != len(set)+1 {
		t.Errorf("%v, %v", all.Names(), err)
	}
	if _, err := set.With(dialect.Set{dialect.Standard: {Name: dialect.Standard}}); !errors.Is(err, dialect.ErrStandard) {
		t.Errorf("standard is replaced: %v", err)
	}
}
