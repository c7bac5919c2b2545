package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/postroom/postroom"
)

// addSource makes the source that the fake has.
func (f *fake) addSource(w http.ResponseWriter, r *http.Request) {
	var in intakeSource
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.EventType != measuredType || in.Signature == nil {
		http.Error(w, fmt.Sprintf("unexpected %+v (%v)", in, err), http.StatusUnprocessableEntity)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.source, f.calls = postroom.NewID[postroom.SourceKind](time.Now()), 0
	f.tellSource(w, r)
}

func (f *fake) showSource(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tellSource(w, r)
}

func (f *fake) tellSource(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(postroom.Source{ID: f.source, URL: "http://" + r.Host + "/in/" + f.source.String() + "?token=t",
		Requests: postroom.RequestCounts{Total: int64(f.calls)}})
}

// takeCall takes a call to the source: a loss is one that is answered and not counted.
func (f *fake) takeCall(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Query().Get("token") != "t" || r.Header.Get(signatureHeader) != newSigner([]byte(signatureSecret)).sign(body) {
		http.Error(w, "it is not proven", http.StatusUnauthorized)
		return
	}
	if !f.take(body) {
		http.Error(w, "the fake refuses", http.StatusServiceUnavailable)
		return
	}
	f.mu.Lock()
	if f.events%10 != 0 || f.events <= 20 || f.fault != "lose" {
		f.calls++
	}
	f.mu.Unlock()
	_, _ = io.WriteString(w, intakeAnswer)
}
