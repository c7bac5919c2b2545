package payload_test

import "testing"

// The examples of the HTTP binding of CloudEvents 1.0, section 3.1.3.2, and what must not be encoded.
func TestPercent(t *testing.T) {
	tmpl := compile(t, `"{percent(data['s'])}"`)
	for in, want := range map[string]string{
		`Euro € 😀`: `Euro%20%E2%82%AC%20%F0%9F%98%80`, `100%`: `100%25`, `a \"b\"`: `a%20%22b%22`, "\\n\\u007f": `%0A%7F`, `!#$&'()*+,-./:;<=>?@[]^_{|}~`: `!#$&'()*+,-./:;<=>?@[]^_{|}~`, ``: ``,
	} {
		if got, notes := render(t, tmpl, opened(`{"s":"`+in+`"}`)); got != `"`+want+`"` || notes != nil {
			t.Errorf("%s: %s, %v, want %s", in, got, notes, want)
		}
	}
}
