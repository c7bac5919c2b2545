package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/postroom/postroom/config"
)

// upkeepEvery is how often old data is deleted and partitions are made.
const upkeepEvery = 15 * time.Minute

// upkeep deletes what is older than what is kept, and does what the database needs from time to time, until ctx ends.
func (p *parts) upkeep(ctx context.Context, cfg config.Config, log *slog.Logger) {
	timer := time.NewTimer(time.Minute) // not during the start
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now := time.Now()
		if err := p.store.Maintain(ctx, now); err != nil && ctx.Err() == nil {
			log.Error("maintenance of the database failed; trying again later", "error", err)
		}
		var rows int64
		if err := p.store.Expire(ctx, now.Add(-cfg.Retention), now, func(n int64) { rows += n }); err != nil && ctx.Err() == nil {
			log.Error("deleting old data failed; trying again later", "error", err)
		}
		if rows > 0 {
			log.Info("old data deleted", "rows_or_partitions", rows)
		}
		timer.Reset(upkeepEvery)
	}
}
