package store

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testenv"
)

// BenchmarkPublishFinish stores an event of 1 KiB with one leased delivery, and then the end of its attempt, from as many
// callers at once as a busy server has. Commits wait for the disk.
//
//	go test -run '^$' -bench PublishFinish ./store
func BenchmarkPublishFinish(b *testing.B) {
	b.Run(string(sqlite), func(b *testing.B) { benchmarkPublishFinish(b, newSQLite(b)) })
	b.Run(string(postgres), func(b *testing.B) { benchmarkPublishFinish(b, database{b, testenv.Postgres(b)}) })
}

func benchmarkPublishFinish(b *testing.B, db database) {
	f := newFixture(b, db.open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	data := append(append([]byte(`{"text":"`), make([]byte, 1000)...), `"}`...)
	for i := range data {
		if data[i] == 0 {
			data[i] = 'x'
		}
	}
	commits, ops := f.commits()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		ids, at := &postroom.IDs{}, noon()
		for pb.Next() {
			at = at.Add(time.Millisecond)
			e := &postroom.Event{ID: postroom.Next[postroom.EventKind](ids, at), WorkspaceID: workspace, Type: "email.opened", Time: at, Data: data}
			p := &postroom.Publication{Event: e, Deliveries: []postroom.NewDelivery{
				{ID: postroom.Next[postroom.DeliveryKind](ids, at), WebhookID: webhook, State: postroom.StateLeased, DueAt: at.Add(time.Minute)}}}
			if err := f.s.Publish(b.Context(), []*postroom.Publication{p}); err != nil {
				b.Error(err)
				return
			}
			fin := finishOf(jobsOf(p)[0], at, 200, postroom.Outcome{State: postroom.StateSucceeded})
			if err := f.s.Finish(b.Context(), []*postroom.Finish{fin}); err != nil || fin.Lost {
				b.Error(err, fin.Lost)
				return
			}
		}
	})
	b.StopTimer()
	nowCommits, nowOps := f.commits()
	b.ReportMetric(float64(nowOps-ops)/float64(max(nowCommits-commits, 1)), "writes/commit")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	if n := f.number("SELECT count(*) FROM deliveries WHERE state = 10"); n != int64(b.N) {
		b.Errorf("%d of %d deliveries have succeeded", n, b.N)
	}
}
