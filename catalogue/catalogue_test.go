package catalogue

import (
	"encoding/json"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/google/go-cmp/cmp"
)

// wantTypes is the catalogue that is promised to users. A name may be added here, and never removed.
var wantTypes = map[string][]string{
	"contact": {
		"contact.created", "contact.updated", "contact.deleted", "contact.status_changed", "contact.tagged", "contact.untagged",
		"contact.subscribed", "contact.unsubscribed",
	},
	"email": {
		"email.sent", "email.delivered", "email.deferred", "email.opened", "email.clicked", "email.bounced", "email.complained",
		"email.subscribed", "email.unsubscribed", "email.rejected",
	},
	"campaign": {
		"campaign.created", "campaign.scheduled", "campaign.sent", "campaign.completed", "campaign.failed", "campaign.cancelled",
	},
	"whatsapp": {
		"whatsapp.sent", "whatsapp.delivered", "whatsapp.read", "whatsapp.failed", "whatsapp.engaged", "whatsapp.subscribed",
		"whatsapp.unsubscribed", "whatsapp.message_received", "whatsapp.message_sent",
	},
	"inbox": {"inbox.created", "inbox.updated", "inbox.deleted"},
	"message": {
		"message.sent", "message.received", "message.delivered", "message.bounced", "message.complained", "message.rejected",
	},
	"postroom": {
		"postroom.webhook.disabled", "postroom.webhook.recovered", "postroom.delivery.failed", "postroom.source.failing",
		"postroom.action.called", "postroom.test",
	},
}

var wantGroups = []string{"contact", "email", "campaign", "whatsapp", "inbox", "message", "postroom"}

func mustLoad(t testing.TB) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCatalogueHasExactlyThePromisedTypes(t *testing.T) {
	c := mustLoad(t)
	var groups, names, want []string
	for _, g := range c.Groups() {
		groups = append(groups, g.Name)
		if diff := cmp.Diff(wantTypes[g.Name], g.Types); diff != "" {
			t.Errorf("types of group %s (-want +got):\n%s", g.Name, diff)
		}
		if g.Title == "" || !isSentence(g.Description) {
			t.Errorf("group %s needs a title and a sentence, and has %q and %q", g.Name, g.Title, g.Description)
		}
	}
	if diff := cmp.Diff(wantGroups, groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	for _, g := range wantGroups {
		want = append(want, wantTypes[g]...)
	}
	for _, typ := range c.Types() {
		names = append(names, typ.Name)
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("types in catalogue order (-want +got):\n%s", diff)
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(names))); len(unique) != len(names) {
		t.Errorf("%d names, and only %d are different", len(names), len(unique))
	}
}

func TestTypesAreDescribed(t *testing.T) {
	c := mustLoad(t)
	titles := map[string]string{}
	for _, typ := range c.Types() {
		if typ.Title == "" || strings.HasSuffix(typ.Title, ".") {
			t.Errorf("%s: title %q", typ.Name, typ.Title)
		}
		if other, twice := titles[typ.Title]; twice {
			t.Errorf("%s and %s have the same title %q", typ.Name, other, typ.Title)
		}
		titles[typ.Title] = typ.Name
		if !isSentence(typ.Description) {
			t.Errorf("%s: description %q is not one sentence", typ.Name, typ.Description)
		}
		if !regexp.MustCompile(`^[a-z]+(\.[a-z_]+)+$`).MatchString(typ.Name) {
			t.Errorf("%s: a name is subject.happened in lower case", typ.Name)
		}
	}
}

// isSentence tells whether s begins like a sentence, ends like one and is a single one.
func isSentence(s string) bool {
	return regexp.MustCompile(`^[A-Z][^.]*\.$`).MatchString(s)
}

func TestLookup(t *testing.T) {
	c := mustLoad(t)
	for _, want := range c.Types() {
		got, ok := c.Lookup(want.Name)
		if !ok {
			t.Errorf("Lookup(%q) finds nothing", want.Name)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("Lookup(%q) gives another type: %q, %q", want.Name, got.Name, got.Title)
		}
	}
	for _, name := range []string{"", "email", "email.*", "*", "Email.opened", "email.opened ", "order.paid"} {
		if got, ok := c.Lookup(name); ok {
			t.Errorf("Lookup(%q) finds %q", name, got.Name)
		}
	}
}

func TestCallersCannotChangeTheCatalogue(t *testing.T) {
	c := mustLoad(t)
	c.Types()[0].Name = "changed"
	c.Groups()[0].Name = "changed"
	if got := c.Types()[0].Name; got != "contact.created" {
		t.Errorf("the first type is now %q", got)
	}
	if got := c.Groups()[0].Name; got != "contact" {
		t.Errorf("the first group is now %q", got)
	}
}

// TestSamplesAreWhatJavaScriptWouldWrite runs JavaScript's own JSON over each sample and schema, since receivers check
// signatures over a body that they wrote again.
func TestSamplesAreWhatJavaScriptWouldWrite(t *testing.T) {
	vm := goja.New()
	again, err := vm.RunString(`(s) => JSON.stringify(JSON.parse(s))`)
	if err != nil {
		t.Fatal(err)
	}
	call, ok := goja.AssertFunction(again)
	if !ok {
		t.Fatal("not a function")
	}
	for _, typ := range mustLoad(t).Types() {
		for _, written := range []json.RawMessage{typ.Sample, typ.Schema} {
			got, err := call(goja.Undefined(), vm.ToValue(string(written)))
			if err != nil {
				t.Fatalf("%s: %v", typ.Name, err)
			}
			if diff := cmp.Diff(string(written), got.String()); diff != "" {
				t.Errorf("%s (-ours +JavaScript's):\n%s", typ.Name, diff)
			}
		}
	}
}

// TestSampleKeysAreInTheOrderOfTheFile reads the keys of a contact from the lines of samples.yaml, without YAML.
func TestSampleKeysAreInTheOrderOfTheFile(t *testing.T) {
	file, err := os.ReadFile("samples.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(file), "\n  zoe:\n")
	block, _, _ = strings.Cut(block, "\n  huong:\n")
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^    (\w+):`).FindAllStringSubmatch(block, -1) {
		want = append(want, m[1])
	}
	if len(want) != 13 || slices.IsSorted(want) {
		t.Fatalf("the keys of contact.zoe are read wrongly: %q", want)
	}

	c := mustLoad(t)
	for _, name := range []string{"contact.created", "contact.status_changed", "email.unsubscribed"} {
		typ, _ := c.Lookup(name)
		var data struct{ Contact json.RawMessage }
		if err := json.Unmarshal(typ.Sample, &data); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, keysInOrder(t, data.Contact)); diff != "" {
			t.Errorf("%s: keys of contact (-file +sample):\n%s", name, diff)
		}
	}
}

// keysInOrder gives the keys of a JSON object as they are written.
func keysInOrder(t *testing.T, object json.RawMessage) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.(string))
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			t.Fatal(err)
		}
	}
	return keys
}

// TestSamplesNameNobody allows only hosts, telephone numbers and addresses that are set aside for documentation.
func TestSamplesNameNobody(t *testing.T) {
	email := regexp.MustCompile(`[\p{L}\p{N}._%+-]+@([\p{L}\p{N}.-]+)`)
	link := regexp.MustCompile(`https?://[^"\s<>\\]+`)
	phone := regexp.MustCompile(`\+[0-9]{7,}`)
	documentationPhone := regexp.MustCompile(`^\+(120255501\d\d|447700900\d{3}|46701740\d{3})$`)
	exampleHost := regexp.MustCompile(`^([a-z0-9-]+\.)*example\.(com|org)$`)
	found := map[string]int{}
	for _, typ := range mustLoad(t).Types() {
		s := string(typ.Sample)
		for _, m := range email.FindAllStringSubmatch(s, -1) {
			found["email"]++
			if !exampleHost.MatchString(m[1]) && m[1] != "c.us" && m[1] != "g.us" { // the latter two are WhatsApp chats
				t.Errorf("%s: address %q", typ.Name, m[0])
			}
		}
		for _, m := range link.FindAllString(s, -1) {
			found["link"]++
			if u, err := url.Parse(m); err != nil || !exampleHost.MatchString(u.Host) {
				t.Errorf("%s: link %q (%v)", typ.Name, m, err)
			}
		}
		for _, m := range phone.FindAllString(s, -1) {
			found["phone"]++
			if !documentationPhone.MatchString(m) {
				t.Errorf("%s: telephone number %q", typ.Name, m)
			}
		}
		var data struct {
			Client struct {
				IPAddress string `json:"ip_address"`
			}
		}
		if err := json.Unmarshal(typ.Sample, &data); err != nil {
			t.Fatal(err)
		}
		if ip := data.Client.IPAddress; ip != "" {
			found["ip"]++
			if !isDocumentationIP(t, ip) {
				t.Errorf("%s: IP address %q", typ.Name, ip)
			}
		}
	}
	for _, kind := range []string{"email", "link", "phone", "ip"} {
		if found[kind] == 0 {
			t.Errorf("no sample has a single %s, so nothing was checked", kind)
		}
	}
}

func isDocumentationIP(t *testing.T, s string) bool {
	t.Helper()
	ip, err := netip.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"} {
		if netip.MustParsePrefix(set).Contains(ip) {
			return true
		}
	}
	return false
}

// TestSamplesAgree compares what never changes about a contact across all samples that have it.
func TestSamplesAgree(t *testing.T) {
	type person struct {
		UID       any
		Email     any
		Phone     any
		FirstName any `json:"first_name"`
		LastName  any `json:"last_name"`
		CreatedAt any `json:"created_at"`
	}
	seen := map[string]person{}
	for _, typ := range mustLoad(t).Types() {
		var data struct {
			Contact json.RawMessage
		}
		if err := json.Unmarshal(typ.Sample, &data); err != nil {
			t.Fatal(err)
		}
		if data.Contact == nil {
			continue
		}
		var id struct{ ID json.RawMessage }
		var p person
		if err := json.Unmarshal(data.Contact, &id); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data.Contact, &p); err != nil {
			t.Fatal(err)
		}
		if first, again := seen[string(id.ID)]; again {
			if diff := cmp.Diff(first, p); diff != "" {
				t.Errorf("%s: contact %s differs (-before +here):\n%s", typ.Name, id.ID, diff)
			}
		}
		seen[string(id.ID)] = p
	}
	if len(seen) < 3 {
		t.Errorf("the samples have only the contacts %v", slices.Sorted(maps.Keys(seen)))
	}
}

func TestSamplesHaveWhatIsHardToHandle(t *testing.T) {
	var all strings.Builder
	for _, typ := range mustLoad(t).Types() {
		all.Write(typ.Sample)
	}
	for what, like := range map[string]string{
		"an emoji beyond the basic plane":    `[\x{1F300}-\x{1FAFF}]`,
		"an emoji with a skin tone":          `\x{1F64F}\x{1F3FD}`,
		"letters beyond Latin-1":             `[ĀěŁưễ]`,
		"a fraction":                         `[:,\[]\d+\.\d+[,}\]]`,
		"the largest safe whole number":      `:9007199254740991[,}]`,
		"a character that HTML would escape": `filter <light>`,
		"an ampersand":                       ` & `,
		"a quote within a string":            `\\"`,
		"a line break":                       `\\n`,
		"a number as an id":                  `"id":501`,
		"a string as an id":                  `"id":"con_`,
		"an empty list":                      `"lists":\[\]`,
		"null":                               `:null`,
	} {
		if !regexp.MustCompile(like).MatchString(all.String()) {
			t.Errorf("no sample has %s", what)
		}
	}
}
