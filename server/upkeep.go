package server

import (
	"context"
	"log/slog"
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

// upkeep watches the clock, deletes what is older than what is kept, moves statistics to where they are kept, and does what the
// database needs from time to time, until ctx ends.
func (p *parts) upkeep(ctx context.Context, cfg config.Config, log *slog.Logger) {
	newest, err := p.store.Newest(ctx)
	if err != nil && ctx.Err() == nil {
		log.Error("the newest event cannot be looked up; the clock is trusted", "error", err)
	}
	clock := newClockWatch(log, newest, cfg.Retention, time.Now())
	ticker := time.NewTicker(clockEvery)
	defer ticker.Stop()
	compacting := time.Now().Add(upkeepDelay)
	expiring := compacting
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		clock.look(now)
		if !now.Before(compacting) {
			compacting = now.Add(compactEvery)
			p.compact(ctx, log, now)
		}
		if !now.Before(expiring) {
			expiring = now.Add(expireEvery)
			p.expire(ctx, cfg, log, now, clock.trusted(now))
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

func (p *parts) compact(ctx context.Context, log *slog.Logger, now time.Time) {
	switch _, err := p.store.Compact(ctx, now); {
	case err == nil:
		p.upkeepDone.WithLabelValues(taskCompact).SetToCurrentTime()
	case ctx.Err() == nil:
		log.Error("statistics could not be moved into hours and days; trying again later", "error", err)
	}
}

// expire does what the database needs, and deletes what is older than what is kept, if the clock can be trusted to say so.
func (p *parts) expire(ctx context.Context, cfg config.Config, log *slog.Logger, now time.Time, trusted bool) {
	maintaining := p.store.Maintain(ctx, now)
	if maintaining != nil && ctx.Err() == nil {
		log.Error("maintenance of the database failed; trying again later", "error", maintaining)
	}
	if !trusted {
		return
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
