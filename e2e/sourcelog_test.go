package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// sourceLog looks at what came: lists and filters, one whole, retry, resend, export, clear, statistics.
func sourceLog(x *tenant) {
	ctx, t := x.t.Context(), x.t
	made := must(x.api.CreateSource(ctx, signup("form")))(t)
	x.callSource(made.URL, `{"contact_email":"ada@example.com","first":"Ada"}`, nil).is(t, http.StatusOK)
	x.callSource(made.URL, `{"contact_email":"nonsense"}`, nil).is(t, http.StatusAccepted)
	x.callSource(strings.Split(made.URL, "?")[0]+"?token=wrong", `{"contact_email":"eve@example.com"}`, nil).is(t, http.StatusUnauthorized)
	list := func(f client.RequestFilter) (found []postroom.SourceRequest) {
		t.Helper()
		for r, err := range x.api.Requests(ctx, f) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, r)
		}
		return found
	}
	testenv.Eventually(t, arrivalTimeout, func() error { // a refusal is stored after its answer
		if n := len(list(client.RequestFilter{Source: "form"})); n != 3 {
			return fmt.Errorf("%d requests are listed", n)
		}
		return nil
	})
	for status, want := range map[postroom.RequestStatus]string{postroom.StatusProcessed: "ada@example.com", postroom.StatusRetrying: "nonsense", postroom.StatusRefused: "eve@example.com"} {
		found := list(client.RequestFilter{Source: "form", Status: status})
		if len(found) != 1 || found[0].Body != nil {
			t.Fatalf("%s: %+v", status, found)
		}
		whole := must(x.api.Request(ctx, found[0].ID.String()))(t)
		if !strings.Contains(*whole.Body, want) || whole.Method != "POST" || whole.Sender == "" || strings.Contains(whole.Path, made.URL[len(made.URL)-8:]) || whole.Answer == nil {
			t.Errorf("%s: %+v", status, whole)
		}
		if (whole.Error == nil) != (status == postroom.StatusProcessed) {
			t.Errorf("%s: the error is %+v", status, whole.Error)
		}
	}
	processed, failed := list(client.RequestFilter{Status: postroom.StatusProcessed})[0], list(client.RequestFilter{Status: postroom.StatusRetrying})[0]
	refused := list(client.RequestFilter{Status: postroom.StatusRefused})[0]
	if got := list(client.RequestFilter{EventType: "contact.created", Sender: processed.Sender, After: time.Now().Add(-time.Hour)}); len(got) < 2 {
		t.Errorf("of the type and the sender there are %d", len(got))
	}
	if got := list(client.RequestFilter{Sender: "203.0.113.1"}); len(got) != 0 {
		t.Errorf("of another sender there are %d", len(got))
	}

	// Mended, a request that failed is processed by a person's wish; one that was refused is not.
	mend := signup("form")["mapping"].([]any)
	mend[0].(map[string]any)["transform"] = []any{map[string]any{"lookup": map[string]any{"table": map[string]string{"nonsense": "bob@example.com", "ada@example.com": "ada@example.com"}}}}
	if _, err := x.api.UpdateSource(ctx, "form", 0, map[string]any{"mapping": mend}); err != nil {
		t.Fatal(err)
	}
	must(x.api.RetryRequest(ctx, failed.ID.String()))(t)
	testenv.Eventually(t, arrivalTimeout, func() error {
		if r := must(x.api.Request(ctx, failed.ID.String()))(t); r.Status != postroom.StatusProcessed {
			return fmt.Errorf("the request is %s: %+v", r.Status, r.Error)
		}
		return nil
	})
	if _, err := x.api.RetryRequest(ctx, refused.ID.String()); codeOf(err) != postroom.CodeConflict {
		t.Errorf("a retry of a refused request: %v", err)
	}
	again := must(x.api.ResendRequest(ctx, processed.ID.String()))(t)
	if again.ID == processed.ID || again.ResentFrom == nil || *again.ResentFrom != processed.ID || again.Status != postroom.StatusProcessed {
		t.Errorf("resent, it is %+v", again)
	}

	// Statistics, export and clearing agree.
	stats := must(x.api.SourceStats(ctx, "form", client.StatsQuery{By: "minute"}))(t)
	if stats.Requests != 4 || stats.Refused != 1 || stats.Processed != 3 || stats.Failed != 0 {
		t.Errorf("the statistics are %+v", stats)
	}
	if n := strings.Count(exported(x, client.ExportCSV), "\r\n"); n != 5 {
		t.Errorf("the CSV has %d lines", n)
	}
	for line := range strings.Lines(exported(x, client.ExportNDJSON)) {
		var r postroom.SourceRequest
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Body == nil || len(r.Headers) == 0 {
			t.Errorf("%v: %s", err, line)
		}
	}
	if n := must(x.api.ClearRequests(ctx, "form"))(t); n != 4 {
		t.Errorf("%d requests were cleared", n)
	}
	if left := list(client.RequestFilter{Source: "form"}); len(left) != 0 {
		t.Errorf("after clearing there are %+v", left)
	}
	if got := must(x.api.Source(ctx, "form", false))(t); got.Requests.Total != 4 {
		t.Errorf("after clearing it had %+v", got.Requests)
	}
}

func exported(x *tenant, format client.ExportFormat) string {
	x.t.Helper()
	from := must(x.api.ExportRequests(x.t.Context(), client.RequestFilter{Source: "form"}, format))(x.t)
	defer func() { _ = from.Close() }()
	var text strings.Builder
	if _, err := bufio.NewReader(from).WriteTo(&text); err != nil {
		x.t.Fatal(err)
	}
	return text.String()
}

// sourceDryRun tries calls, of which nothing is stored unless it is asked for.
func sourceDryRun(x *tenant) {
	ctx, t := x.t.Context(), x.t
	made := must(x.api.CreateSource(ctx, signup("form")))(t)
	before := x.do(http.MethodGet, "/v1/events", "").body
	test := must(x.api.TestSource(ctx, "form", client.SourceTestInput{Body: []byte(`[{"contact_email":"Ada@example.com","first":"Ada"},{"first":"nobody"}]`)}))(t)
	if test.Stored || len(test.Items) != 2 || test.Request.Body == nil || !strings.HasPrefix(*test.Request.Body, "[{") {
		t.Fatalf("%+v", test)
	}
	first, second := test.Items[0], test.Items[1]
	if first.Error != nil || string(first.Fields["email"]) != `"ada@example.com"` || first.Contact == nil || first.Contact.Email != "ada@example.com" || first.Contact.Tags[0] != "vip" ||
		first.Contact.Lists[0].Name != "Newsletter" || len(first.Actions) != 1 || first.Actions[0].Outcome != postroom.OutcomeDone || first.Events[0].Type != "contact.created" {
		t.Errorf("the first event: %+v", first)
	}
	if second.Error == nil || second.Number != 2 || second.Error.Message == "" {
		t.Errorf("the second event: %+v", second)
	}
	// Another mapping is tried on a form, and says what is wrong with it by its place.
	tried := must(x.api.TestSource(ctx, "form", client.SourceTestInput{Body: []byte("mail=bob%40example.com"), Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		Mapping: json.RawMessage(`[{"from":"mail","to":"email"}]`)}))(t)
	if len(tried.Items) != 1 || tried.Items[0].Contact == nil || tried.Items[0].Contact.Email != "bob@example.com" {
		t.Errorf("%+v", tried)
	}
	x.do(http.MethodPost, "/v1/sources/form/test", `{"mapping":[{"from":"mail","to":"emial"}]}`).refused(t, 422, postroom.CodeInvalid, "/mapping/0/to")
	if after := x.do(http.MethodGet, "/v1/events", "").body; string(after) != string(before) {
		t.Errorf("a dry run has published: %s", after)
	}
	if n := must(x.api.Source(ctx, "form", false))(t).Requests.Total; n != 0 {
		t.Errorf("dry runs count as %d requests", n)
	}

	stored := must(x.api.TestSource(ctx, "form", client.SourceTestInput{Body: []byte(`{"contact_email":"ada@example.com"}`), Store: true}))(t)
	if !stored.Stored || stored.Request.Status != postroom.StatusProcessed || stored.Request.ResentFrom != nil || len(stored.Request.Contacts) != 1 {
		t.Errorf("%+v", stored.Request)
	}
	x.do(http.MethodGet, "/v1/contacts/ada@example.com", "").is(t, http.StatusOK)
	again := must(x.api.TestSource(ctx, "form", client.SourceTestInput{Request: stored.Request.ID.String()}))(t)
	if again.Items[0].Actions[0].Outcome != postroom.OutcomeNothing {
		t.Errorf("%+v", again.Items[0].Actions)
	}
	other := must(x.api.CreateSource(ctx, signup("other")))(t)
	x.do(http.MethodPost, "/v1/sources/"+other.ID.String()+"/test", `{"request":"`+stored.Request.ID.String()+`"}`).refused(t, 422, postroom.CodeInvalid, "/request")
	_ = made
}

// sourceRefusals are settings that cannot be used, each with its place.
func sourceRefusals(x *tenant) {
	t := x.t
	x.do(http.MethodPost, "/v1/sources", `{"name":"taken","uid":"taken"}`).is(t, http.StatusCreated)
	for body, pointer := range map[string]string{
		`{}`:                           "/name",
		`{"name":"x","uid":"src_x"}`:   "/uid",
		`{"name":"x","kind":"shopfy"}`: "/kind",
		`{"name":"x","event_type":"email.opend"}`:                                 "/event_type",
		`{"name":"x","status":"paused"}`:                                          "/status",
		`{"name":"x","require_token":false}`:                                      "/require_token",
		`{"name":"x","ip_allow":["203.0.113.0/33"]}`:                              "/ip_allow/0",
		`{"name":"x","rate_limit":{"limit":0,"period":"1s"}}`:                     "/rate_limit/limit",
		`{"name":"x","dedupe":{"by":"magic"}}`:                                    "/dedupe/by",
		`{"name":"x","dedupe":{"by":"header"}}`:                                   "/dedupe/header",
		`{"name":"x","api_key":{"header":"a b"}}`:                                 "/api_key/header",
		`{"name":"x","basic_auth":{"username":"a:b","password":"c"}}`:             "/basic_auth/username",
		`{"name":"x","basic_auth":{"username":"a","password":"•••"}}`:             "/basic_auth/password",
		`{"name":"x","mapping":[{"from":"a","to":"emial"}]}`:                      "/mapping/0/to",
		`{"name":"x","mapping":[{"from":"a","to":"email","transform":["trin"]}]}`: "/mapping/0/transform/0",
		`{"name":"x","mapping":[{"from":"a","to":"email","when":"body."}]}`:       "/mapping/0/when",
		`{"name":"x","actions":[{"type":"add_subscribr"}]}`:                       "/actions/0/type",
		`{"name":"x","actions":[{"type":"trigger_automation"}]}`:                  "/actions/0/type",
		`{"name":"x","actions":[{"type":"apply_tag","lists":["a"]}]}`:             "/actions/0/lists",
		`{"name":"x","actions":[{"type":"apply_tag","tags":[""]}]}`:               "/actions/0/tags/0",
		`{"name":"x","actions":[{"type":"add_to_list","lists":[""]}]}`:            "/actions/0/lists/0",
		`{"name":"x","actions":[{"type":"change_status","status":"gone"}]}`:       "/actions/0/status",
		`{"name":"x","actions":[{"type":"call_api"}]}`:                            "/actions/0/call",
		`{"name":"x","actions":[{"type":"transform"}]}`:                           "/actions/0/mapping",
		`{"name":"x","actions":[{"type":"call_api","call":{"url":"https://example.com/","payload":{"template":{"a":"{subscriber_emial}"}}}}]}`: "/actions/0/call/payload/template/a",
		`{"name":"x","actions":[{"type":"call_api","call":{"url":"https://example.com/","auth":{"type":"bearer"}}}]}`:                          "/actions/0/call/auth/token",
	} {
		a := x.do(http.MethodPost, "/v1/sources", body)
		p := a.problem(t)
		if a.status != 422 || !slices.ContainsFunc(p.Errors, func(e postroom.FieldError) bool { return e.Pointer == pointer }) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	x.do(http.MethodPost, "/v1/sources", `{"name":"x","uid":"taken"}`).refused(t, 409, postroom.CodeConflict, "/uid")
	says(t, string(x.do(http.MethodPost, "/v1/sources", `{"name":"x","kind":"cloudcsp"}`).body), "did you mean cloudcusp?")
	if n := len(must(x.api.SourcePage(t.Context(), postroom.PageQuery{}))(t).Data); n != 1 {
		t.Errorf("there are %d sources", n)
	}
}
