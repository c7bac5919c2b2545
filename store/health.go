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

// WebhookHealths says what people see of the health of a workspace's webhooks whose ids are from first to last.
func (s *Store) WebhookHealths(ctx context.Context, workspace postroom.WorkspaceID, first, last postroom.WebhookID) (map[postroom.WebhookID]postroom.WebhookHealth, error) {
	all := map[postroom.WebhookID]postroom.WebhookHealth{}
	err := s.read(ctx, func(q querier) error {
		return q.each(ctx, "webhook_health_page", func(row func(...any) error) error {
			var id postroom.WebhookID
			var failures, failed, since, until, lastOpen, lastDay *int64
			if err := row(&id, &failures, &failed, &since, &until, &lastOpen, &lastDay); err != nil {
				return err
			}
			var h postroom.WebhookHealth
			if failures != nil {
				h.Failures, h.FailedDeliveries, h.FailingSince, h.OpenUntil = int(*failures), int(*failed), timestamp(since), timestamp(until)
			}
			if lastOpen == nil || lastDay != nil && *lastDay > *lastOpen {
				lastOpen = lastDay
			}
			if lastOpen != nil {
				at := *lastOpen / 1000
				h.LastStatus, h.LastAt = int(*lastOpen%1000), timestamp(&at)
			}
			all[id] = h
			return nil
		}, workspace, first, last)
	})
	return all, err
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
