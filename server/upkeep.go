package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postroom/postroom/config"
)

// How often upkeep does what.
const (
	expireEvery  = 15 * time.Minute // old data is deleted, and partitions are made
	compactEvery = 5 * time.Minute  // statistics are moved into hours and days
	upkeepDelay  = time.Minute      // not during the start
)

// upkeep deletes what is older than what is kept, moves statistics to where they are kept, and does what the database needs from
// time to time, until ctx ends.
func (p *parts) upkeep(ctx context.Context, cfg config.Config, log *slog.Logger) {
	var both sync.WaitGroup
	both.Go(func() { again(ctx, compactEvery, func() { p.compact(ctx, log) }) })
	both.Go(func() { again(ctx, expireEvery, func() { p.expire(ctx, cfg, log) }) })
	both.Wait()
}

// again calls f after a while and then every so often, until ctx ends.
func again(ctx context.Context, every time.Duration, f func()) {
	timer := time.NewTimer(upkeepDelay)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			f()
			timer.Reset(every)
		}
	}
}

// The tasks of upkeep, as a label.
const (
	taskCompact = "compact"
	taskExpire  = "expire"
)

func newUpkeepDone() *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "postroom_upkeep_done_timestamp_seconds",
		Help: "When a task of upkeep was last done without an error; at first, when the server started."}, []string{"task"})
	for _, task := range []string{taskCompact, taskExpire} {
		g.WithLabelValues(task).SetToCurrentTime()
	}
	return g
}

func (p *parts) compact(ctx context.Context, log *slog.Logger) {
	switch _, err := p.store.Compact(ctx, time.Now()); {
	case err == nil:
		p.upkeepDone.WithLabelValues(taskCompact).SetToCurrentTime()
	case ctx.Err() == nil:
		log.Error("statistics could not be moved into hours and days; trying again later", "error", err)
	}
}

func (p *parts) expire(ctx context.Context, cfg config.Config, log *slog.Logger) {
	now := time.Now()
	maintaining := p.store.Maintain(ctx, now)
	if maintaining != nil && ctx.Err() == nil {
		log.Error("maintenance of the database failed; trying again later", "error", maintaining)
	}
	var rows int64
	expiring := p.store.Expire(ctx, now.Add(-cfg.Retention), now, func(n int64) { rows += n })
	if expiring != nil && ctx.Err() == nil {
		log.Error("deleting old data failed; trying again later", "error", expiring)
	}
	if maintaining == nil && expiring == nil {
		p.upkeepDone.WithLabelValues(taskExpire).SetToCurrentTime()
	}
	if rows > 0 {
		log.Info("old data deleted", "rows_or_partitions", rows)
	}
}
