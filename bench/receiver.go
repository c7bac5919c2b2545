package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The paths of a receiver. Each webhook has a lane of its own to post to, so that the copies of one event are told apart.
//
//	POST /in/{lane}   204
//	POST /fail        500
//	POST /slow?ms=…   204 after so many milliseconds, by default 100
//	POST /hang        no answer for as long as the caller waits
//	POST /expect      a new measurement: the expectation is the body, and all that was counted is forgotten
//	GET  /stats       Stats; with ?latency=1 also how long events took
const (
	lanePath  = "/in/"
	hangPath  = "/hang"
	failPath  = "/fail"
	slowPath  = "/slow"
	wantPath  = "/expect"
	statsPath = "/stats"
)

// maxRead is how much of a body is looked at; both markers stand near its front.
const maxRead = 4 << 10

// expectation says which arrivals belong to a measurement: those of the events numbered from First on, in lanes 0 and up.
type expectation struct {
	First  int64 `json:"first"`
	Events int   `json:"events"`
	Lanes  int   `json:"lanes"`
}

// arrivals is what a receiver tells about a measurement.
type arrivals struct {
	Expected   int   `json:"expected"` // deliveries: events times lanes
	Arrived    int   `json:"arrived"`  // each counted once
	Duplicates int   `json:"duplicates"`
	Stray      int   `json:"stray"` // of another measurement, or to another lane
	Unreadable int   `json:"unreadable"`
	FirstUS    int64 `json:"first_us"` // when the first one that counts arrived; 0 before that
	LastUS     int64 `json:"last_us"`  // when the last one that counts arrived, in µs since 1970
	// Latency is from sent_us in the event to its arrival.
	Latency Percentiles `json:"latency_ms"`
}

// receiver counts what is posted to it.
type receiver struct {
	mux     *http.ServeMux
	current atomic.Pointer[tally]
	buffers sync.Pool // of *[maxRead]byte
}

// tally is one measurement.
type tally struct {
	want expectation
	took []atomic.Int64 // by lane and event: its latency in µs plus one, 0 until it arrives

	arrived, duplicates, stray, unreadable atomic.Int64
	first, last                            atomic.Int64
}

func newReceiver() *receiver {
	r := &receiver{mux: http.NewServeMux()}
	r.buffers.New = func() any { return new([maxRead]byte) }
	r.current.Store(&tally{})
	r.mux.HandleFunc("POST "+lanePath+"{lane}", r.arrive)
	r.mux.HandleFunc("POST "+failPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	r.mux.HandleFunc("POST "+slowPath, slow)
	r.mux.HandleFunc("POST "+hangPath, hang)
	r.mux.HandleFunc("POST "+wantPath, r.expect)
	r.mux.HandleFunc("GET "+statsPath, r.stats)
	return r
}

// ServeHTTP answers on the paths above.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.mux.ServeHTTP(w, req) }

func (r *receiver) arrive(w http.ResponseWriter, req *http.Request) {
	buffer := r.buffers.Get().(*[maxRead]byte)
	defer r.buffers.Put(buffer)
	n, err := io.ReadFull(req.Body, buffer[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		http.Error(w, "the body broke off", http.StatusBadRequest)
		return
	}
	now := time.Now().UnixMicro() // before the work of counting
	t := r.current.Load()
	lane, err := strconv.Atoi(req.PathValue("lane"))
	seq, sentUS, unreadable := findMarkers(buffer[:n])
	switch {
	case err != nil || unreadable != nil:
		t.unreadable.Add(1)
	default:
		t.count(lane, seq, sentUS, now)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (t *tally) count(lane int, seq, sentUS, nowUS int64) {
	index := seq - t.want.First
	if lane < 0 || lane >= t.want.Lanes || index < 0 || index >= int64(t.want.Events) {
		t.stray.Add(1)
		return
	}
	latency := max(nowUS-sentUS, 0)
	if !t.took[lane*t.want.Events+int(index)].CompareAndSwap(0, latency+1) {
		t.duplicates.Add(1)
		return
	}
	t.first.CompareAndSwap(0, nowUS)
	for {
		last := t.last.Load()
		if nowUS <= last || t.last.CompareAndSwap(last, nowUS) {
			break
		}
	}
	t.arrived.Add(1) // last, so that whoever sees it also sees the rest
}

func (r *receiver) expect(w http.ResponseWriter, req *http.Request) {
	var want expectation
	if err := json.NewDecoder(req.Body).Decode(&want); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if want.Events < 0 || want.Lanes < 0 || want.Events > maxEvents || want.Lanes > 1000 {
		http.Error(w, fmt.Sprintf("%d events in %d lanes cannot be counted", want.Events, want.Lanes), http.StatusBadRequest)
		return
	}
	r.current.Store(&tally{want: want, took: make([]atomic.Int64, want.Events*want.Lanes)})
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) stats(w http.ResponseWriter, req *http.Request) {
	t := r.current.Load()
	arrived := int(t.arrived.Load()) // first, so that the rest is at least as new
	a := arrivals{
		Expected:   len(t.took),
		Arrived:    arrived,
		Duplicates: int(t.duplicates.Load()),
		Stray:      int(t.stray.Load()),
		Unreadable: int(t.unreadable.Load()),
		FirstUS:    t.first.Load(),
		LastUS:     t.last.Load(),
	}
	if req.URL.Query().Has("latency") {
		a.Latency = t.latency()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a) // the caller is gone, and nobody is left to tell
}

func (t *tally) latency() Percentiles {
	var took []int64
	for i := range t.took {
		if v := t.took[i].Load(); v > 0 {
			took = append(took, v-1)
		}
	}
	return percentilesOf(took)
}

// slow answers late, and not at all when the caller has gone.
func slow(w http.ResponseWriter, req *http.Request) {
	ms, err := strconv.Atoi(req.URL.Query().Get("ms"))
	if err != nil || ms < 0 {
		ms = 100
	}
	drain(req.Body)
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		w.WriteHeader(http.StatusNoContent)
	case <-req.Context().Done():
	}
}

// hang reads the body, as net/http notices that a caller has gone only after that, and waits for it to go.
func hang(_ http.ResponseWriter, req *http.Request) {
	drain(req.Body)
	<-req.Context().Done()
}

// drain reads what is left, so that a connection can be used again. If it cannot be, the next call will tell.
func drain(body io.Reader) { _, _ = io.Copy(io.Discard, body) }
