package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom/client"
)

// bulk is a server that publishes lines: it refuses a line with "bad" in it, and a body that is larger than limit.
type bulk struct {
	limit   int
	batches []int // how many lines each call had
}

// ServeHTTP answers a line for a line.
func (b *bulk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Header.Get("Content-Type") != "application/x-ndjson" || b.limit > 0 && len(body) > b.limit {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	b.batches = append(b.batches, len(lines))
	var results []string
	for _, line := range lines {
		var e struct{ ID string }
		if json.Unmarshal([]byte(line), &e) != nil || e.ID == "bad" {
			results = append(results, `{"error":`+problem(422, "invalid", "The input was refused.", `[{"pointer":"/id","detail":"is bad"}]`).body+`}`)
			continue
		}
		results = append(results, fmt.Sprintf(`{"id":%q,"duplicate":false,"webhooks":[]}`, e.ID))
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"data":[`+strings.Join(results, ",")+`]}`)
}

func bulkClient(t *testing.T, b *bulk) *client.Client {
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return newClient(t, client.Config{URL: server.URL, Key: "k"})
}

// outcome is a result in a few words.
func outcome(r client.PublishResult) string {
	if r.Err != nil {
		return fmt.Sprintf("%d refused: %v", r.Line, r.Err)
	}
	return fmt.Sprintf("%d %s", r.Line, r.Event.ID)
}

func TestPublishNDJSON(t *testing.T) {
	b := &bulk{}
	var got []string
	in := "{\"id\":\"a\"}\n\n  \r\n{\"id\":\"bad\"}\r\nnot JSON\n{\"id\":\"c\"}" // the last line has no end
	for r, err := range bulkClient(t, b).PublishNDJSON(t.Context(), strings.NewReader(in)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, outcome(r))
	}
	want := []string{"1 a", "4 refused: The input was refused: id: is bad", "5 refused: The input was refused: id: is bad", "6 c"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]int{4}, b.batches); diff != "" {
		t.Errorf("lines of each call: -want +got:\n%s", diff)
	}
}

func TestPublishManyInSeveralCalls(t *testing.T) {
	const n = 2500
	b := &bulk{}
	events := func(yield func(client.NewEvent) bool) {
		for i := range n {
			if !yield(client.NewEvent{Type: "order.paid", ID: fmt.Sprint(i)}) {
				return
			}
		}
	}
	seen := 0
	for r, err := range bulkClient(t, b).PublishMany(t.Context(), events) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Line != seen+1 || r.Event.ID != fmt.Sprint(seen) {
			t.Fatalf("result %d is %+v", seen, r)
		}
		seen++
	}
	if seen != n || !slices.Equal(b.batches, []int{1000, 1000, 500}) {
		t.Errorf("%d results of calls with %v lines", seen, b.batches)
	}
}

func TestPublishManyStopsWithTheLoop(t *testing.T) {
	b := &bulk{}
	events := func(yield func(client.NewEvent) bool) {
		for yield(client.NewEvent{Type: "order.paid"}) { // without end
		}
	}
	for r, err := range bulkClient(t, b).PublishMany(t.Context(), events) {
		if err != nil || r.Line != 1 {
			t.Errorf("result %+v, error %v", r, err)
		}
		break
	}
	if len(b.batches) != 1 {
		t.Errorf("%d calls were made", len(b.batches))
	}
}

func TestPublishManyInSmallerCallsWhereLargeOnesAreRefused(t *testing.T) {
	b := &bulk{limit: 100}
	lines := strings.Repeat(`{"id":"0123456789"}`+"\n", 20)
	seen := 0
	for r, err := range bulkClient(t, b).PublishNDJSON(t.Context(), strings.NewReader(lines)) {
		if err != nil || r.Err != nil || r.Line != seen+1 {
			t.Fatalf("result %+v, error %v", r, err)
		}
		seen++
	}
	if seen != 20 {
		t.Errorf("%d results of calls with %v lines", seen, b.batches)
	}
	last := errors.New("none")
	long := `{"id":"` + strings.Repeat("x", 200) + `"}`
	for _, err := range bulkClient(t, b).PublishNDJSON(t.Context(), strings.NewReader(long)) {
		last = err
	}
	var e *client.Error
	if !errors.As(last, &e) || e.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a line that is too long gives %v", last)
	}
}

func TestPublishManyErrors(t *testing.T) {
	b := &bulk{}
	broken := io.MultiReader(strings.NewReader("{\"id\":\"a\"}\n"), iotest.ErrReader(errors.New("the disk is gone")))
	var got []string
	for r, err := range bulkClient(t, b).PublishNDJSON(t.Context(), broken) {
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, outcome(r))
	}
	if diff := cmp.Diff([]string{"1 a", "the disk is gone"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	unwritable := slices.Values([]client.NewEvent{{Data: map[string]any{"f": func() {}}}})
	for _, err := range bulkClient(t, b).PublishMany(t.Context(), unwritable) {
		if err == nil || !strings.HasPrefix(err.Error(), "event 1: the input cannot be written as JSON") {
			t.Errorf("the error is %v", err)
		}
	}
	short := newFake(t, answer{status: 202, body: `{"data":[]}`})
	for _, err := range short.client(t).PublishNDJSON(t.Context(), strings.NewReader("{}")) {
		if err == nil || err.Error() != "the server answered 1 events with 0 results" {
			t.Errorf("the error is %v", err)
		}
	}
}

// TestPublishManyAgainWhereSomeCouldNotBeStored sees to it that what was stored at the first try is not told to be a
// duplicate, and that the second try has the key of the first.
func TestPublishManyAgainWhereSomeCouldNotBeStored(t *testing.T) {
	unavailable := `{"error":` + problem(503, "unavailable", "Not now.", "").body + `}`
	synctest.Test(t, func(t *testing.T) {
		c, at, keys := tries(t,
			says(202, "application/json", `{"data":[{"id":"a","duplicate":false},`+unavailable+`,{"error":`+problem(422, "invalid", "No.", "").body+`}]}`),
			says(202, "application/json", `{"data":[{"id":"a","duplicate":true},{"id":"b","duplicate":false},{"error":`+problem(422, "invalid", "No.", "").body+`}]}`))
		var got []string
		for r, err := range c.PublishNDJSON(t.Context(), strings.NewReader("{}\n{}\n{}\n")) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(outcome(r), r.Event.Duplicate))
		}
		if diff := cmp.Diff([]string{"1 afalse", "2 bfalse", "3 refused: No.false"}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if len(*at) != 2 || (*keys)[0] != (*keys)[1] {
			t.Errorf("the keys are %v", *keys)
		}
	})
}

func TestPublishManyGivesUp(t *testing.T) {
	unavailable := `{"error":` + problem(503, "unavailable", "Not now.", "").body + `}`
	synctest.Test(t, func(t *testing.T) {
		c, at, _ := tries(t, says(202, "application/json", `{"data":[`+unavailable+`]}`))
		for r, err := range c.PublishNDJSON(t.Context(), strings.NewReader("{}\n")) {
			if err != nil || r.Err == nil || r.Err.Status != 503 {
				t.Errorf("result %+v, error %v", r, err)
			}
		}
		if len(*at) != 1+client.DefaultRetries {
			t.Errorf("%d tries", len(*at))
		}
	})
}
