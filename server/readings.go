package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/store"
)

// The database is asked about its queue every readEvery at most, and less often when that takes long: it must not cost more than
// one part in readShare of the time. An answer that does not come in readTimeout is done without.
const (
	readEvery   = 15 * time.Second
	readShare   = 50
	readTimeout = 10 * time.Second
)

// queueReadings are metrics of which the database knows the value. They are kept for a while, whoever asks how often.
type queueReadings struct {
	store *store.Store
	dir   string // of SQLite; empty on PostgreSQL
	log   *slog.Logger
	now   func() time.Time

	mu    sync.Mutex
	again time.Time // when the database may be asked again
	queue []store.QueueReading
	bytes int64 // of the database
	// request is when the first request of a source is due that waits to be processed; zero for none.
	request time.Time
	ok      bool
}

var (
	queueDesc    = prometheus.NewDesc("postroom_queue_deliveries", "Deliveries in the database's queue, of all nodes.", []string{"queue"}, nil)
	oldestDesc   = prometheus.NewDesc("postroom_queue_oldest_seconds", "Age of the oldest delivery that waits, held ones too.", []string{"queue"}, nil)
	overdueDesc  = prometheus.NewDesc("postroom_queue_overdue_seconds", "How long the first delivery is overdue that nothing but Postroom keeps waiting.", []string{"queue"}, nil)
	requestDesc  = prometheus.NewDesc("postroom_intake_overdue_seconds", "How long the first request of a source is overdue that waits to be processed.", nil, nil)
	databaseDesc = prometheus.NewDesc("postroom_database_bytes", "Size of the database.", nil, nil)
	diskFreeDesc = prometheus.NewDesc("postroom_disk_free_bytes", "Space left on the disk of the SQLite database.", nil, nil)
)

// queueName is what a state of the queue is called in metrics and by the doctor.
func queueName(state postroom.DeliveryState) string {
	switch state {
	case postroom.StateLeased:
		return "leased"
	case postroom.StateFresh:
		return "fresh"
	case postroom.StateRetry:
		return "retry"
	case postroom.StateReplay:
		return "replay"
	case postroom.StateParked:
		return "parked"
	default:
		return "other"
	}
}

// collect reports what the database said last. When it could not be asked there is nothing to report.
func (r *queueReadings) collect(out chan<- prometheus.Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.now().Before(r.again) {
		r.read()
	}
	if r.dir != "" {
		if free, err := diskFree(r.dir); err == nil {
			out <- prometheus.MustNewConstMetric(diskFreeDesc, prometheus.GaugeValue, float64(free))
		}
	}
	if !r.ok {
		return
	}
	now := r.now()
	since := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return max(0, now.Sub(t).Seconds())
	}
	out <- prometheus.MustNewConstMetric(databaseDesc, prometheus.GaugeValue, float64(r.bytes))
	out <- prometheus.MustNewConstMetric(requestDesc, prometheus.GaugeValue, since(r.request))
	for _, q := range r.queue {
		out <- prometheus.MustNewConstMetric(queueDesc, prometheus.GaugeValue, float64(q.Count), queueName(q.State))
		if q.State == postroom.StateLeased {
			continue
		}
		out <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, since(q.Oldest), queueName(q.State))
		if q.State != postroom.StateParked {
			out <- prometheus.MustNewConstMetric(overdueDesc, prometheus.GaugeValue, since(q.Due), queueName(q.State))
		}
	}
}

func (r *queueReadings) read() {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	began := r.now()
	queue, err := r.store.ReadQueue(ctx)
	bytes, sizeErr := r.store.Size(ctx)
	if err == nil {
		err = sizeErr
	}
	request, some, nextErr := r.store.NextRequest(ctx)
	if !some {
		request = time.Time{}
	}
	if err == nil {
		err = nextErr
	}
	if r.ok = err == nil; !r.ok {
		r.log.Error("the database could not be asked about its queue for the metrics", "error", err)
	}
	r.queue, r.bytes, r.request = queue, bytes, request
	now := r.now()
	r.again = now.Add(max(readEvery, readShare*now.Sub(began)))
}
