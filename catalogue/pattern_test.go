package catalogue

import (
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"email.opened", "email.opened", true},
		{"email.opened", "email.clicked", false},
		{"email.opened", "email.opened.twice", false},
		{"email.*", "email.opened", true},
		{"email.*", "email.opened.twice", true},
		{"email.*", "email", false},
		{"email.*", "email.", false},
		{"email.*", "emails.opened", false},
		{"email.*", "campaign.email.sent", false},
		{"postroom.*", "postroom.webhook.disabled", true},
		{"postroom.webhook.*", "postroom.webhook.disabled", true},
		{"postroom.webhook.*", "postroom.delivery.failed", false},
		{"*", "email.opened", true},
		{"*", "order_paid", true},
		{"order_paid", "order_paid", true},
		{"email*", "email.opened", false},
		{"email.o*", "email.opened", false},
		{".*", "email.opened", false},
		{"**", "email.opened", false},
		{"*.opened", "email.opened", false},
		{"", "email.opened", false},
		{"Email.*", "email.opened", false},
	} {
		if got := Match(test.pattern, test.name); got != test.want {
			t.Errorf("Match(%q, %q) is %t, want %t", test.pattern, test.name, got, test.want)
		}
	}
}

func TestCheckPattern(t *testing.T) {
	longest := strings.Repeat("a", postroom.MaxEventType)
	for _, pattern := range []string{
		"*", "email.*", "email.opened", "postroom.webhook.*", "order_paid", "Order-2.line.added", "x", longest, longest[2:] + ".*",
	} {
		if err := CheckPattern(pattern); err != nil {
			t.Errorf("CheckPattern(%q) refuses: %v", pattern, err)
		}
	}
	for _, pattern := range []string{
		"", "email.ö", "email.\xff", "email*", "*.opened", "email.**", "**", "*.*", "email opened", ".*", ".opened", "email.",
		"email..*", "email..sent", "email.opened\n", longest + "a", longest + "a.*",
	} {
		err := CheckPattern(pattern)
		if err == nil {
			t.Errorf("CheckPattern(%q) accepts it", pattern)
			continue
		}
		if postroom.CodeOf(err) != postroom.CodeInvalid {
			t.Errorf("CheckPattern(%q) has the code %q", pattern, postroom.CodeOf(err))
		}
		if !strings.HasSuffix(err.Error(), "to a type such as email.opened, to a group such as email.*, or to * for all") {
			t.Errorf("CheckPattern(%q) does not say what is allowed: %v", pattern, err)
		}
		if len(err.Error()) > 500 {
			t.Errorf("CheckPattern(%q) repeats too much of it: %v", pattern, err)
		}
	}
}

func TestNearest(t *testing.T) {
	c := mustLoad(t)
	for _, test := range []struct{ name, want string }{
		{"email.opened", "email.opened"},
		{"email.opend", "email.opened"},
		{"email.open", "email.opened"},
		{"Email.Opened", "email.opened"},
		{"email_opened", "email.opened"},
		{"emial.opened", "email.opened"},
		{"email.bounce", "email.bounced"},
		{"emails.sent", "email.sent"},
		{"campaign.canceled", "campaign.cancelled"},
		{"contact_status_changed", "contact.status_changed"},
		{"contacts.create", "contact.created"},
		{"whatsap.message_receivde", "whatsapp.message_received"},
		{"postroom.webhooks.disabled", "postroom.webhook.disabled"},
		{"email", "email.*"},
		{"email.", "email.*"},
		{"email*", "email.*"},
		{"email.**", "email.*"},
		{"emails.*", "email.*"},
		{"mail", "email.*"},
		{"whatsapp", "whatsapp.*"},
		{"email.spam_complaint", "email.*"},
		{"contact.added", "contact.*"},
		{"campaign.started", "campaign.*"},
		{"message.read", "message.*"},
		{"order.paid", ""},
		{"subscriber_added", ""},
		{"", ""},
		{"*", ""},
		{"....", ""},
		{strings.Repeat("email.", 1000), ""},
		{"\xff\x00", ""},
	} {
		if got := c.Nearest(test.name); got != test.want {
			t.Errorf("Nearest(%.40q) is %q, want %q", test.name, got, test.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"abc", "", 3},
		{"", "abc", 3},
		{"abc", "abc", 0},
		{"abc", "acb", 1},
		{"abc", "abd", 1},
		{"abc", "abcd", 1},
		{"abc", "bc", 1},
		{"ca", "abc", 3}, // a swapped pair is not changed again
		{"kitten", "sitting", 3},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("distance(%q, %q) is %d, want %d", test.a, test.b, got, test.want)
		}
		if got := distance(test.b, test.a); got != test.want {
			t.Errorf("distance(%q, %q) is %d, want %d", test.b, test.a, got, test.want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	c := mustLoad(f)
	for _, seed := range [][2]string{
		{"email.*", "email.opened"},
		{"*", "x"},
		{"", ""},
		{".*", "."},
		{"email.opened", "email.opened"},
		{"a..*", "a..b"},
		{"\xff.*", "\xff.é"},
		{"postroom.webhook.*", "postroom.webhook.disabled"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		patternErr, nameErr := CheckPattern(pattern), postroom.CheckEventTypeName(name)
		matches := Match(pattern, name)
		if nameErr == nil {
			if patternErr != nil && matches {
				t.Errorf("the refused pattern %q matches %q", pattern, name)
			}
			if !Match("*", name) || !Match(name, name) || CheckPattern(name) != nil {
				t.Errorf("%q is not matched by itself or by *", name)
			}
			if group, rest, ok := strings.Cut(name, "."); ok && (rest == "" || !Match(group+".*", name)) {
				t.Errorf("%q is not matched by its group", name)
			}
		}
		if matches && pattern != "*" && !strings.HasPrefix(name, strings.TrimSuffix(pattern, "*")) {
			t.Errorf("%q matches %q", pattern, name)
		}
		if near := c.Nearest(name); near != "" {
			found := false
			for _, typ := range c.Types() {
				found = found || Match(near, typ.Name)
			}
			if !found || CheckPattern(near) != nil {
				t.Errorf("Nearest(%q) is %q, which matches no type", name, near)
			}
		}
	})
}
