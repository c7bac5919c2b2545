package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/postroom/postroom/config"
)

// upkeepEvery is how often old data is deleted and partitions are made.
const upkeepEvery = 15 * time.Minute

// upkeep watches the clock, deletes what is older than what is kept, and does what the database needs from time to time, until ctx
// ends.
func (p *parts) upkeep(ctx context.Context, cfg config.Config, log *slog.Logger) {
	newest, err := p.store.Newest(ctx)
	if err != nil && ctx.Err() == nil {
		log.Error("the newest event cannot be looked up; the clock is trusted", "error", err)
	}
	clock := newClockWatch(log, newest, cfg.Retention, time.Now())
	ticker := time.NewTicker(clockEvery)
	defer ticker.Stop()
	next := time.Now().Add(time.Minute) // not during the start
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		clock.look(now)
		if now.Before(next) {
			continue
		}
		next = now.Add(upkeepEvery)
		if err := p.store.Maintain(ctx, now); err != nil && ctx.Err() == nil {
			log.Error("maintenance of the database failed; trying again later", "error", err)
		}
		if clock.trusted(now) {
			p.expire(ctx, cfg, log, now)
		}
	}
}

// expire deletes what is older than what is kept.
func (p *parts) expire(ctx context.Context, cfg config.Config, log *slog.Logger, now time.Time) {
	var rows int64
	if err := p.store.Expire(ctx, now.Add(-cfg.Retention), now, func(n int64) { rows += n }); err != nil && ctx.Err() == nil {
		log.Error("deleting old data failed; trying again later", "error", err)
	}
	if rows > 0 {
		log.Info("old data deleted", "rows_or_partitions", rows)
	}
}
