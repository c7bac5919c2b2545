package store

import (
	"context"

	"github.com/postroom/postroom"
)

// WebhookHealth says how a webhook's receiver has been doing since its last success.
func (s *Store) WebhookHealth(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID) (h postroom.Health, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "webhook_health_get", func(row func(...any) error) error {
			h, err = scanHealth(row)
			return err
		}, workspace, webhook)
	})
	return h, err
}

// Failing calls visit for each webhook of any workspace that is failing, for a node that starts.
func (s *Store) Failing(ctx context.Context, visit func(webhook postroom.WebhookID, h postroom.Health)) error {
	const page = 1000
	var after postroom.WebhookID
	for {
		n := 0
		err := s.read(ctx, func(q querier) error {
			return q.each(ctx, "webhook_health_list", func(row func(...any) error) error {
				n++
				h, err := scanHealth(func(dest ...any) error { return row(append([]any{&after}, dest...)...) })
				if err == nil {
					visit(after, h)
				}
				return err
			}, after[:], page)
		})
		if err != nil || n < page {
			return err
		}
	}
}

func scanHealth(row func(...any) error) (h postroom.Health, err error) {
	var since int64
	var until *int64
	err = row(&h.Failures, &h.FailedDeliveries, &since, &h.Opens, &until)
	h.FailingSince = fromMicros(since)
	if until != nil {
		h.OpenUntil = fromMicros(*until)
	}
	return h, err
}
