package dialects_test

import (
	"encoding/json"
	"errors"
	"flag"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/dialect/fixture"
	"github.com/postroom/postroom/dialects"
	"github.com/postroom/postroom/inbound"
)

var update = flag.Bool("update", false, "write the fixtures")

func known(t *testing.T) dialect.Known {
	t.Helper()
	all, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	k := dialect.Known{Types: map[string]dialect.EventType{}, Check: inbound.CheckKind}
	for _, e := range all.Types() {
		k.Types[e.Name] = dialect.EventType{Schema: e.Schema, Sample: e.Sample}
	}
	return k
}

func load(t *testing.T) dialect.Set {
	t.Helper()
	loading.Do(func() { loaded, errLoad = dialect.Load(dialects.Files, "dialects", known(t)) })
	if errLoad != nil {
		t.Fatal(errLoad)
	}
	return loaded
}

// The dialects are compiled once, for all tests.
var (
	loading sync.Once
	loaded  dialect.Set
	errLoad error
)

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

// What each dialect's webhooks have unless their owners say otherwise.
func TestDefaults(t *testing.T) {
	const standard = `"schedule":["5s","5m","30m","2h","5h","10h","14h","20h","24h"],"jitter":0.1`
	const all = "none api_key bearer basic header query oauth2"
	for name, want := range map[string]struct {
		retry, timeout, auth, test string
		rate                       *postroom.RateLimit
		failures                   int
	}{
		"standard":           {standard, "15s", all, "postroom.test", nil, 0},
		"cloudevents":        {standard, "15s", all, "postroom.test", nil, 0},
		"cloudevents-binary": {standard, "15s", all, "postroom.test", nil, 0},
		"cakemail":           {`"schedule":["10s","1m","6m","36m","3h36m","21h36m"],"jitter":0.1`, "15s", all, "email.opened", &postroom.RateLimit{Limit: 50, Period: postroom.Duration(time.Second)}, 0},
		"cloudcusp":          {`"schedule":["5m","30m","2h"],"jitter":0`, "30s", "none api_key bearer header query", "contact.created", nil, 0},
		"cocoonmail":         {standard, "15s", "none bearer basic header", "contact.created", nil, 0},
		"cooby":              {standard, "15s", all, "whatsapp.message_received", nil, 0},
		"sendook":            {`"schedule":["5s","25s","2m5s"],"jitter":0`, "15s", all, "message.received", nil, 20},
		"zapier":             {standard, "15s", all, "contact.created", nil, 0},
		"slack":              {standard, "15s", all, "postroom.test", &postroom.RateLimit{Limit: 1, Period: postroom.Duration(time.Second)}, 0},
	} {
		o := load(t)[name].Out
		d := o.Defaults
		retry, err := json.Marshal(d.Retry)
		if err != nil || string(retry) != "{"+want.retry+"}" {
			t.Errorf("%s retries %s, want %s", name, retry, want.retry)
		}
		auth := ""
		for _, kind := range o.Auth {
			auth += " " + string(kind)
		}
		if d.Timeout.String() != want.timeout || auth != " "+want.auth || o.Test.Type != want.test || d.Method != "POST" || d.ExpectJSON || d.DisableAfter.Failures != want.failures ||
			time.Duration(d.DisableAfter.For) != 120*time.Hour {
			t.Errorf("%s has the timeout %s, the auth%s, the test %s, %+v", name, d.Timeout, auth, o.Test.Type, d)
		}
		if diff := cmp.Diff(want.rate, d.RateLimit); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
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
