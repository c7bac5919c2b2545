package payload_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// opened is an event like those that tests render.
func opened(data string) *postroom.Event {
	return &postroom.Event{UID: "order-1", Type: "email.opened", Time: time.Date(2024, 3, 15, 11, 45, 0, 250_000_000, time.UTC),
		Actor: "shop", Data: []byte(data)}
}

func compile(t testing.TB, source string, variables ...string) *payload.Template {
	t.Helper()
	tmpl, err := payload.Compile([]byte(source), payload.Options{Variables: variables})
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return tmpl
}

func render(t testing.TB, tmpl *payload.Template, e *postroom.Event, variables ...string) (string, []payload.Note) {
	t.Helper()
	in := &payload.Input{Event: e}
	for _, v := range variables {
		in.Variables = append(in.Variables, []byte(v))
	}
	out, notes, err := tmpl.Render([]byte("before"), in)
	if err != nil {
		t.Fatal(err)
	}
	got, appended := strings.CutPrefix(string(out), "before")
	if !appended {
		t.Fatalf("what stood before is gone: %s", out)
	}
	return got, notes
}

const person = `{"contact":{"id":501,"email":"user@example.com","first_name":"Ada","last_name":null,"tags":["vip","a\"b"],` +
	`"lists":[{"id":1,"name":"News"},{"id":2},{"id":3,"name":"Offers"}],"custom_fields":{"company":"A & B","10":1,"2":2,"shoe-size":38.50,"größe":1}},` +
	`"campaign":{"id":790},"big":9007199254740993,"huge":123456789012345678901,"price":1.10,"ok":true,"items":[[{"n":1},{"n":2}],[{"n":3}],{}],` +
	`"counts":{"opens":2},"odd key":{"x y":7},"at":"2026-03-15T10:30:00.123+01:00","nested":{"a":{"b":{"c":1}},"l":[{"z":1}],"e":{}}}`

func TestRender(t *testing.T) {
	for _, c := range []struct{ name, template, want string }{
		{"no placeholder", ` { "a" : [ 1.0 , "x" , null ] } `, `{"a":[1,"x",null]}`},
		{"number stays a number", `{"id":"{subscriber_id}","c":"{campaign_id}"}`, `{"id":501,"c":790}`},
		{"text", `{"e":"{subscriber_email}"}`, `{"e":"user@example.com"}`},
		{"contact for subscriber", `["{contact_email}","{contact_first_name}"]`, `["user@example.com","Ada"]`},
		{"of the event", `["{event_id}","{event_type}","{timestamp}","{event.time}","{event.actor}","{event.ordering_key}"]`,
			`["order-1","email.opened","2024-03-15T11:45:00.250Z","2024-03-15T11:45:00.250Z","shop",null]`},
		{"list and object", `{"t":"{subscriber_tags}","c":"{data.campaign}"}`, `{"t":["vip","a\"b"],"c":{"id":790}}`},
		{"missing is null", `{"a":"{subscriber_phone}","b":"{data.none.at.all}","c":"{subscriber_last_name}"}`, `{"a":null,"b":null,"c":null}`},
		{"goes with its key", `{"a":"{subscriber_phone?}","b":1,"c":"{subscriber_last_name?}","d":["{data.no?}",1,"{data.no?}"]}`, `{"b":1,"d":[1]}`},
		{"stays", `{"a":"{subscriber_email?}"}`, `{"a":"user@example.com"}`},
		{"alone at the top", `"{data.campaign}"`, `{"id":790}`},
		{"nothing at the top", `"{data.none?}"`, `null`},
		{"a list of one", `[{"id":"{campaign_id}"}]`, `[{"id":790}]`},
		{"in a text", `"Hi {subscriber_first_name}, no. {campaign_id}{data.none}: {data.ok} {data.price} {data.big}!"`, `"Hi Ada, no. 790: true 1.10 9007199254740993!"`},
		{"lists and objects in a text", `"{subscriber_tags} {data.campaign}"`, `"[\"vip\",\"a\\\"b\"] {\"id\":790}"`},
		{"a text that goes", `{"tel":"tel:{subscriber_phone?}","x":1}`, `{"x":1}`},
		{"braces", `"{{name}} {{{campaign_id}}} }"`, `"{name} {790} }"`},
		{"braces only", `["{{","}}","{{}}","}","a{{b"]`, `["{","}","{}","}","a{b"]`},
		{"defaults", `["{data.no|0}","{data.no|none}","{data.no|}","{data.no|\"0\"}","{data.no|[]}","{data.no|{\"a\":{}}}","{subscriber_last_name|null}","{campaign_id|1}","{data.no| a b }","{data.no|\"}\"}"]`,
			`[0,"none","","0",[],{"a":{}},null,790,"a b","}"]`},
		{"default in a text", `"Hi {subscriber_last_name|friend}, {data.no|5}"`, `"Hi friend, 5"`},
		{"own fields", `{"a":"{custom_field_company}","b":"{subscriber_custom_field_company}","c":"{custom_field_*}","d":"{custom_field_shoe-size}","e":"{custom_field_größe}"}`,
			`{"a":"A & B","b":"A & B","c":{"2":2,"10":1,"company":"A & B","shoe-size":38.5,"größe":1},"d":38.5,"e":1}`},
		{"large numbers", `["{data.big}","{string(data.big)}","{data.huge}","{string(data.huge)}","{string(data.price)}","{string(data.ok)}","{string(subscriber_email)}","{string(data.no)}"]`,
			`[9007199254740992,"9007199254740993",123456789012345680000,"123456789012345678901","1.10","true","user@example.com",null]`},
		{"each", `["{subscriber_lists.*.name}","{data.items.*.*.n}","{data.items.0.*.n}","{data.none.*.x}","{data.contact.custom_fields.*}","{data.ok.*}"]`,
			`[["News","Offers"],[1,2,3],[1,2],null,[2,1,"A & B",38.5,1],null]`},
		{"by index", `["{data.items[0][1].n}","{data.items.1.0.n}","{data.items[9]}","{subscriber_lists[2].name}"]`, `[2,3,null,"Offers"]`},
		{"names in brackets", `["{data['odd key']['x y']}","{data[\"odd key\"]}"]`, `[7,{"x y":7}]`},
		{"spaces", `"{ campaign_id }"`, `790`},
		{"indexes first", `{"b":"{campaign_id}","10":1,"2":"{data.ok}"}`, `{"2":true,"10":1,"b":790}`},
		{"spread", `{"first":1,"...":"{custom_field_*}","company":"mine","last":true}`, `{"2":2,"10":1,"first":1,"company":"mine","shoe-size":38.5,"größe":1,"last":true}`},
		{"spread of several", `{"...":["{data.campaign}","{data.counts}","{data.none}"],"z":0}`, `{"id":790,"opens":2,"z":0}`},
		{"spread of nothing", `{"...":"{data.none}"}`, `{}`},
		{"calculation", `["{data.counts.opens + 1}","{subscriber_first_name + \" \" + campaign_id}","{data.price > 1.0 ? 'dear' : 'cheap'}","{double(campaign_id) / 4.0}"]`,
			`[3,null,"dear",197.5]`},
		{"|| is no default", `["{data.ok || false}","{data.no == null || true|1}"]`, `[true,true]`},
		{"CEL's braces", `"{ {'b': campaign_id, 'a': [data.price]} }"`, `{"a":[1.1],"b":790}`},
		{"a brace in a text of CEL", `["{'}' + '{'}","{r'\\' + \"}\"}"]`, `["}{","\\}"]`},
		{"missing in an expression", `["{data.no.x + 1}","{data.no.x + 1|7}","{data.?campaign.?name.orValue('none')}","{has(data.no)}","{data.?no}","{subscriber_phone == null}"]`,
			`[null,7,"none",false,null,true]`},
		{"goes, by an expression", `{"a":"{data.?no.?x?}","b":"{data.no.x + 1?}","c":1}`, `{"c":1}`},
		{"times", `["{unix(timestamp)}","{string(unix(timestamp))}","{unix_ms(timestamp)}","{iso(timestamp)}","{iso(data.at)}","{date(data.at)}","{iso(0)}","{timestamp(data.at) + duration('1h')}"]`,
			`[1710503100,"1710503100",1710503100250,"2024-03-15T11:45:00Z","2026-03-15T09:30:00Z","2026-03-15","1970-01-01T00:00:00Z","2026-03-15T10:30:00.123Z"]`},
		{"texts", `["{lower('ÀB')}","{upper('ñandú')}","{join(subscriber_tags)}","{join(data.contact.lists.map(l, l.id), '-')}","{json(data.campaign)}","{text(data.counts)}","{text(1.5)}","{lower(subscriber_phone)}"]`,
			`["àb","ÑANDÚ","vip, a\"b","1-2-3","{\"id\":790}","{\"opens\":2}","1.5",null]`},
		{"flatten", `["{flatten(data.nested)}","{flatten(data.nested, '.')}"]`, `[{"a_b_c":1,"l":[{"z":1}]},{"a.b.c":1,"l":[{"z":1}]}]`},
		{"objects keep their order in expressions", `["{data.ok ? data.nested : 1}","{data.contact.custom_fields.map(k, k)}"]`,
			`[{"a":{"b":{"c":1}},"l":[{"z":1}],"e":{}},["2","10","company","shoe-size","größe"]]`},
		{"own fields in expressions", `["{custom_field_company + '!'}","{subscriber_custom_field_company.size()}","{contact_custom_field_company.size()}"]`, `["A & B!",5,5]`},
		{"the event in expressions", `["{event.type + event.id}","{event_id + event_type}","{event.data.counts.opens * 2}"]`, `["email.openedorder-1","order-1email.opened",4]`},
		{"halves meet", `["\ud83d{data.none}\ude00","{data.none|\"\\ud83d\"}\ude00x"]`, `["😀","😀x"]`},
		{"HTML stays", `"<b>{custom_field_company}</b>\u2028"`, "\"<b>A & B</b>\u2028\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, notes := render(t, compile(t, c.template), opened(person))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s\n%s\nnotes %v", c.template, diff, notes)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct{ name, template, want string }{
		{"unknown variable", `{"a":{"b":["x {subscriber_emial}"]}}`, `/a/b/0: character 4: subscriber_emial is not known here (did you mean subscriber_email?)`},
		{"the end of a name", `{"a":"{email}"}`, `did you mean subscriber_email?`},
		{"nothing like it", `{"a":"{zzzzzzzz}"}`, `/a: character 2: zzzzzzzz is not known here`},
		{"no end", `{"a":"é {event_id"}`, `/a: character 3: this brace opens a placeholder that has no end`},
		{"empty", `{"a":"{}"}`, `/a: character 1: there is nothing between these braces`},
		{"both", `{"a":"{event_id?|x}"}`, `cannot both be left out and have a default`},
		{"JSON in a text", `{"a":"{\"b\":1}"}`, `a brace that is meant as such is written {{`},
		{"twice", `{"a":1,"\u0061":2}`, `/a: this key is there twice`},
		{"placeholder in a key", `{"{event_id}":1}`, `/{event_id}: a key is taken as it is`},
		{"unknown field of the event", `"{event.tpye}"`, `event has no tpye (did you mean type?)`},
		{"into a text", `"{event_id.x}"`, `id is a text`},
		{"unknown in an expression", `"{1 + subscriber_emial}"`, `character 6: subscriber_emial is not known here (did you mean subscriber_email?)`},
		{"unknown function", `"{lowr('a')}"`, `lowr is not known here (did you mean lower?)`},
		{"broken expression", `"ab {1 +}"`, `character 8: this is neither a name nor an expression: it ends too early`},
		{"spread of a text", `{"...":"x"}`, `/...: the key ... takes a placeholder`},
		{"long", `"` + strings.Repeat("x", payload.MaxTemplate) + `"`, `a template is at most 65536 bytes long`},
		{"many expressions", `["` + strings.Repeat("{1+1}", payload.MaxExpressions+1) + `"]`, `more than 256 expressions`},
		{"long expression", `"{1 + ` + strings.Repeat("1", 5000) + `}"`, `at most 4096 bytes`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := payload.Compile([]byte(c.template), payload.Options{})
			var e *payload.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%.200s: %v, want %s", c.template, err, c.want)
			}
		})
	}
	_, err := payload.Compile([]byte("{\n  \"a\": }"), payload.Options{})
	var syntax *payload.SyntaxError
	if !errors.As(err, &syntax) || syntax.Line != 2 || syntax.Column != 8 {
		t.Errorf("not JSON: %v", err)
	}
}
