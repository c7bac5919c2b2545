package expr_test

import (
	"strings"
	"testing"

	"github.com/postroom/postroom/internal/expr"
)

func compiler(t testing.TB) *expr.Compiler {
	t.Helper()
	c, err := expr.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func event(t testing.TB, data string) map[string]any {
	t.Helper()
	v, err := expr.Decode([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"type": "email.opened", "data": v}
}

func TestMatch(t *testing.T) {
	const data = `{"campaign":{"id":790},"contact":{"email":"Ada@example.com","tags":["vip","lead"],"score":10.5},"big":9007199254740993,"none":null}`
	for text, want := range map[string]bool{
		`event.data.campaign.id == 790`:                                 true,
		`event.data.campaign.id == 790.0`:                               true,
		`event.data.campaign.id > 1000`:                                 false,
		`event.type.startsWith("email.")`:                               true,
		`"vip" in event.data.contact.tags`:                              true,
		`event.data.contact.tags.exists(t, t == "cold")`:                false,
		`event.data.contact.score > 10`:                                 true,
		`event.data.big == 9007199254740993`:                            true,
		`event.data.big == 9007199254740992`:                            false,
		`event.data.contact.email.lowerAscii() == "ada@example.com"`:    true,
		`event.data.missing == 1`:                                       false,
		`has(event.data.missing) && event.data.missing == 1`:            false,
		`event.data.none == null`:                                       true,
		`event.data.?campaign.?name.orValue("none") == "none"`:          true,
		`event.data.contact.email.matches("^[A-Z].*@example\\.com$")`:   true,
		`sets.intersects(event.data.contact.tags, ["vip", "customer"])`: true,
	} {
		p, err := compiler(t).Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := p.Match(event(t, data)); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`event.data.campaign.id = 790`: "line 1, column 24",
		`evnt.data.x == 1`:             `"evnt" is not known here (line 1, column 1)`,
		`event.type + "x"`:             "",
		`"text"`:                       "gives a string",
		`1 + 1`:                        "gives a int",
		``:                             "",
		strings.Repeat("(", 10000):     "at most 4096 bytes",
		`event.data.nosuch()`:          "",
	} {
		p, err := compiler(t).Compile(text)
		if text == `event.type + "x"` { // may be a text or not: it is seen when it runs
			if err == nil {
				if got, err := p.Match(event(t, `{}`)); err == nil || got {
					t.Errorf("%s matched", text)
				}
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %q", text, err, want)
		}
	}
}

func TestCostIsBounded(t *testing.T) {
	list := "[" + strings.Repeat("1,", 999) + "1]"
	p, err := compiler(t).Compile(`event.data.l.all(a, event.data.l.all(b, event.data.l.all(c, a + b + c > 0)))`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Match(event(t, `{"l":`+list+`}`)); err == nil || got {
		t.Errorf("a run of a thousand million steps ended with %v, %v", got, err)
	}
}

func FuzzCompile(f *testing.F) {
	for _, text := range []string{`event.data.a == 1`, `event.type in ["a"]`, `((`, `event.data.x.map(y, y * 2).size() > 3`, "\x00"} {
		f.Add(text)
	}
	c := compiler(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := c.Compile(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		_, _ = p.Match(event(t, `{"a":1,"x":[1,2,3]}`)) // must not panic or hang
	})
}

// Conditions speak of several variables, ask only for those that they need, and say how much they did.
func TestHolds(t *testing.T) {
	c, err := expr.NewCompilerOf([]string{"contact"}, "body")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct {
		holds bool
		err   error
		asked string
	}{
		`has(body.first)`:                               {true, nil, "body"},
		`body.score > 10`:                               {true, nil, "body"},
		`body.score > 10 || contact.email == "x"`:       {true, nil, "body"},
		`body.none > 10 || contact.email == "a@b"`:      {true, nil, "body contact"},
		`body.none > 10`:                                {false, nil, "body"},
		`has(body.none.deeper)`:                         {false, nil, "body"},
		`body.none0.x == 1 || body.list.x == 1`:         {false, nil, "body"},
		`body.list[7] == 1`:                             {false, nil, "body"},
		`contact.nothing == ""`:                         {false, nil, "contact"},
		`body.first > 10`:                               {false, expr.ErrKinds, "body"},
		`body.none0 > 10`:                               {false, expr.ErrKinds, "body"},
		`body.none0 == null && size(body.list) == 2`:    {true, nil, "body"},
		`body.big == 9007199254740993 && body.half < 1`: {true, nil, "body"},
		`true`: {true, nil, ""},
	} {
		p, err := c.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		asked := map[string]bool{}
		holds, work, err := p.Holds(func(name string) any {
			asked[name] = true
			raw := `{"first":"Ada","score":12,"none0":null,"list":[1,2],"big":9007199254740993,"half":0.5}`
			if name == "contact" {
				raw = `{"email":"a@b"}`
			}
			v, err := expr.Decode([]byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			return v
		})
		names := ""
		for _, name := range []string{"body", "contact"} {
			if asked[name] {
				names += " " + name
			}
		}
		if holds != want.holds || err != want.err || strings.TrimSpace(names) != want.asked || work == 0 && want.asked != "" {
			t.Errorf("%s: %v, %d, %v, asked for%s", text, holds, work, err, names)
		}
	}
	if _, err := c.Compile(`evnt.x == 1`); err == nil || !strings.Contains(err.Error(), "speaks of body, contact") {
		t.Error(err)
	}
	if _, err := c.Compile(`contact == 1`); err == nil {
		t.Error("an object is compared with a number")
	}
}
