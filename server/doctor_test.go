package server

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/internal/testenv"
	"github.com/postroom/postroom/store"
)

// expect checks a finding's verdict and words.
func expect(t *testing.T, what string, f Finding, status Verdict, words ...string) {
	t.Helper()
	text := f.Finding + " " + f.Advice
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%s: %q does not hold %q", what, text, word)
		}
	}
	if f.Status != status || f.Check == "" || !strings.HasSuffix(f.Finding, ".") || f.Status == Trouble && f.Advice == "" {
		t.Errorf("%s: %+v, want %s, a sentence and advice", what, f, status)
	}
}

// TestJudgements has each look of the doctor see what is well and what is not.
func TestJudgements(t *testing.T) {
	now := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	id, month := postroom.NewID[postroom.WebhookKind](now), 720*time.Hour
	past := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }

	expect(t, "many files", judgeFiles(65536), Well, "65536")
	expect(t, "few files", judgeFiles(1024), Warning, "1024", "LimitNOFILE")
	expect(t, "room on the disk", judgeDisk("/data", 5<<30), Well, "5.0 GiB", "/data")
	expect(t, "a full disk", judgeDisk("/data", 100<<20), Trouble, "100.0 MiB", "--retention")
	expect(t, "a small log", judgeWAL(4096), Well, "4096 bytes")
	expect(t, "a large log", judgeWAL(2<<30), Warning, "2.0 GiB", "backup")
	expect(t, "a database", judgeDatabase(store.Info{Kind: "sqlite", Version: "3.50", SizeBytes: 3 << 20, Detail: "./postroom.db"}), Well, "sqlite 3.50, 3.0 MiB")
	expect(t, "an empty database", judgeDatabase(store.Info{Empty: true}), Well, "first start")
	expect(t, "an old schema", judgeDatabase(store.Info{Pending: []string{"0002_more"}}), Warning, "0002_more", "postroom migrate")
	expect(t, "a new schema", judgeDatabase(store.Info{Unknown: []string{"0009_next"}}), Trouble, "0009_next", "newer")
	expect(t, "a damaged file", judgeDatabase(store.Info{Damage: "page 7 is lost"}), Trouble, "page 7", "backup")
	expect(t, "a clock", judgeClock(store.Info{ClockAhead: 300 * time.Millisecond, Newest: now}, now), Well)
	expect(t, "a clock that is off", judgeClock(store.Info{ClockAhead: 3 * time.Second}, now), Warning, "3s ahead of", "NTP")
	expect(t, "a clock that is far off", judgeClock(store.Info{ClockAhead: -time.Minute}, now), Trouble, "1m0s behind", "NTP")
	expect(t, "events of the future", judgeClock(store.Info{Newest: now.Add(time.Hour)}, now), Trouble, "1h0m0s from now", "set back")
	expect(t, "secrets", judgeSecrets(3, nil), Well, "3")
	expect(t, "some secrets", judgeSecrets(3, []postroom.WebhookID{id, id}), Trouble, "2 of 3", id.String(), "Rotate")
	expect(t, "another key", judgeSecrets(1, []postroom.WebhookID{id}), Trouble, "another key", "Restore")
	expect(t, "leases", judgeLeases(0), Well)
	expect(t, "stuck leases", judgeLeases(7), Trouble, "7", "Is one running")
	expect(t, "retention", judgeRetention(now.Add(-month-30*time.Minute), now, month, time.Hour), Well, "720h", "30 days")
	expect(t, "late retention", judgeRetention(now.Add(-month-2*time.Hour), now, month, time.Hour), Warning, "720h", "log")
	expect(t, "the retention of whole days", judgeRetention(now.Add(-month-24*time.Hour), now, month, late(config.Postgres)), Well)

	fine := map[string]string{"fsync": "on", "full_page_writes": "on", "synchronous_commit": "remote_apply"}
	for _, f := range judgeServer(&store.Server{Settings: fine}) {
		expect(t, "PostgreSQL", f, Well)
	}
	for name := range fine {
		expect(t, name, judgeServer(&store.Server{Settings: map[string]string{name: "off"}})[0], Trouble, name+" is off", name+" = on")
	}
	expect(t, "a standby", judgeServer(&store.Server{Recovery: true})[0], Trouble, "standby", "primary")

	waiting := func(change func(a *store.Ailing)) Finding {
		a := store.Ailing{WebhookID: id, Name: "CRM sync", Status: "active", Waiting: 12}
		change(&a)
		return judgeBacklog(a, now, month)
	}
	expect(t, "what is about to go", waiting(func(a *store.Ailing) { a.Due = past(time.Second) }), Well, "CRM sync", id.String(), "12 deliveries wait")
	expect(t, "what waits for its time", waiting(func(a *store.Ailing) { a.Due, a.Waiting = past(-time.Hour), 1 }), Well, "1 delivery waits")
	expect(t, "what a slow receiver keeps waiting", waiting(func(a *store.Ailing) { a.Due = past(time.Hour) }), Warning, "2026-01-31T08:30:00.000Z", "concurrency")
	expect(t, "what a limit keeps waiting", waiting(func(a *store.Ailing) {
		a.Due, a.RateLimit = past(time.Hour), &postroom.RateLimit{Limit: 3, Period: postroom.Duration(time.Second)}
	}), Warning, "3 attempts", "1s")
	expect(t, "what a breaker keeps waiting", waiting(func(a *store.Ailing) { a.Due, a.OpenUntil = past(time.Hour), past(-time.Minute) }), Warning,
		"2026-01-31T09:31:00.000Z", "deliveries list --webhook "+id.String())
	expect(t, "what is held", waiting(func(a *store.Ailing) { a.Due, a.Status = past(time.Hour), "paused" }), Well, "postroom webhooks resume "+id.String())
	expect(t, "what is held for long", waiting(func(a *store.Ailing) { a.Due, a.Status = past(month*4/5), "paused" }), Warning, "deleted")
	expect(t, "what is held for a disabled webhook", waiting(func(a *store.Ailing) { a.Status = "disabled" }), Warning, "disabled by failures", "resume")
	expect(t, "what a deleted webhook left", waiting(func(a *store.Ailing) { a.Name, a.Status = "", "deleted" }), Well, "cancels")

	if f, long := judgeFailing(store.Ailing{FailingSince: past(time.Minute)}, now); long {
		t.Errorf("a receiver that has just failed: %+v", f)
	}
	f, _ := judgeFailing(store.Ailing{WebhookID: id, Status: "active", Failures: 31, FailingSince: past(50 * time.Hour)}, now)
	expect(t, "a receiver that fails", f, Warning, "2 days", "31 attempts", id.String())
}

// doctor runs it and gives its findings by check and verdict.
func doctor(t *testing.T, cfg config.Config) (Checkup, map[string][]Finding) {
	t.Helper()
	c, err := Doctor(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	found, ok := map[string][]Finding{}, true
	for _, f := range c.Findings {
		found[f.Check+" "+string(f.Status)] = append(found[f.Check+" "+string(f.Status)], f)
		ok = ok && f.Status != Trouble
	}
	if c.OK != ok {
		t.Errorf("ok is %v, and the findings are %+v", c.OK, c.Findings)
	}
	return c, found
}

func missing(t *testing.T, found map[string][]Finding, want ...string) {
	t.Helper()
	for _, check := range want {
		if len(found[check]) == 0 {
			t.Errorf("there is no finding %q among %+v", check, found)
		}
	}
}

// installation makes a workspace with a webhook in a new database, and lets change do the rest.
func installation(t *testing.T, cfg config.Config, change func(ctx context.Context, p *parts, who app.Caller, w postroom.Webhook)) {
	t.Helper()
	p := openParts(t, cfg)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	shown, err := p.app.Bootstrap(ctx, "")
	must(err)
	who, err := p.app.Authenticate(ctx, shown.Key)
	must(err)
	settings := p.app.DefaultSettings("standard")
	settings.URL, settings.Events, settings.Name = "https://example.com/hook", []string{"*"}, "CRM sync"
	settings.Auth = &postroom.Auth{Type: postroom.AuthBearer, Token: "t0ken"}
	w, _, err := p.app.CreateWebhook(ctx, who, settings, postroom.WebhookActive, "")
	must(err)
	change(ctx, p, who, w)
	must(p.store.Close())
}

// publish stores an event of a time with a delivery that waits in a state.
func publish(t *testing.T, p *parts, w postroom.Webhook, at time.Time, state postroom.DeliveryState, due time.Time) {
	t.Helper()
	e := &postroom.Event{ID: postroom.NewID[postroom.EventKind](at), WorkspaceID: w.WorkspaceID, Type: "email.opened", Time: at, Data: []byte("{}")}
	if err := p.store.Publish(t.Context(), []*postroom.Publication{{Event: e, Deliveries: []postroom.NewDelivery{
		{ID: postroom.NewID[postroom.DeliveryKind](at), WebhookID: w.ID, State: state, DueAt: due}}}}); err != nil {
		t.Fatal(err)
	}
}

func TestDoctorOfAHealthyInstallation(t *testing.T) {
	for name, cfg := range map[string]config.Config{"sqlite": testConfig(t), "postgres": postgresConfig(t, testenv.Postgres(t))} {
		t.Run(name, func(t *testing.T) {
			installation(t, cfg, func(_ context.Context, p *parts, _ app.Caller, w postroom.Webhook) {
				publish(t, p, w, time.Now(), postroom.StateFresh, time.Now())
			})
			c, found := doctor(t, cfg)
			if !c.OK {
				t.Errorf("a healthy installation: %+v", c.Findings)
			}
			missing(t, found, "server ok", "database ok", "clock ok", "secret key ok", "leases ok", "queue ok", "receivers ok", "retention ok", "statistics ok")
		})
	}
}

func TestDoctorOfAnAilingInstallation(t *testing.T) {
	relaxed := postgresConfig(t, testenv.PostgresFast(t))
	for name, cfg := range map[string]config.Config{"sqlite": testConfig(t), "postgres": relaxed} {
		t.Run(name, func(t *testing.T) {
			cfg.Retention = 30 * time.Hour
			now := time.Now()
			installation(t, cfg, func(ctx context.Context, p *parts, who app.Caller, w postroom.Webhook) {
				publish(t, p, w, now.Add(-time.Hour), postroom.StateLeased, now.Add(-10*time.Minute))
				publish(t, p, w, now.Add(-time.Hour), postroom.StateFresh, now.Add(-time.Hour))
				publish(t, p, w, now.Add(time.Hour), postroom.StateFresh, now.Add(time.Hour))
				fail(t, p, w, now.Add(-2*time.Hour))
				if err := p.store.Expire(ctx, now.Add(-30*24*time.Hour), now, nil); err != nil {
					t.Fatal(err)
				}
			})
			_, found := doctor(t, cfg)
			missing(t, found, "leases trouble", "clock trouble", "queue warning", "receivers warning", "statistics warning")
			if name == "postgres" {
				missing(t, found, "postgresql trouble")
				if n := len(found["postgresql trouble"]); n == 0 {
					t.Errorf("there are %d findings about PostgreSQL's settings", n)
				}
			}
			cfg.Retention = time.Hour / 2 // less than may be set, so that an event of two hours ago is old on SQLite
			if _, found = doctor(t, cfg); name == "sqlite" {
				missing(t, found, "retention warning")
			}
			cfg.SecretKey = config.Secret(strings.Repeat("x", 32))
			if _, found = doctor(t, cfg); len(found["secret key trouble"]) == 0 || !strings.Contains(found["secret key trouble"][0].Finding, "not the one") {
				t.Errorf("with another key: %+v", found["secret key trouble"])
			}
		})
	}
}

// fail stores that an attempt failed, and that its receiver has been failing since then.
func fail(t *testing.T, p *parts, w postroom.Webhook, at time.Time) {
	t.Helper()
	e := &postroom.Event{ID: postroom.NewID[postroom.EventKind](at), WorkspaceID: w.WorkspaceID, Type: "email.opened", Time: at, Data: []byte("{}")}
	d := postroom.NewDelivery{ID: postroom.NewID[postroom.DeliveryKind](at), WebhookID: w.ID, State: postroom.StateLeased, DueAt: at.Add(time.Minute)}
	if err := p.store.Publish(t.Context(), []*postroom.Publication{{Event: e, Deliveries: []postroom.NewDelivery{d}}}); err != nil {
		t.Fatal(err)
	}
	f := &postroom.Finish{Job: &postroom.Job{DeliveryID: d.ID, WebhookID: w.ID, Event: e, Claim: 1}, Attempt: &postroom.Attempt{At: at, StatusCode: 500},
		Outcome: postroom.Outcome{State: postroom.StateFailed}, Health: &postroom.Health{Failures: 12, FailingSince: at, Opens: 1, OpenUntil: at.Add(time.Hour)}}
	if err := p.store.Finish(t.Context(), []*postroom.Finish{f}); err != nil {
		t.Fatal(err)
	}
}

func TestDoctorWithoutDatabase(t *testing.T) {
	cfg := testConfig(t)
	c, found := doctor(t, cfg)
	if missing(t, found, "database trouble"); c.OK {
		t.Error("an installation that is not there is well")
	}
	cfg = testConfig(t)
	if err := os.WriteFile(cfg.Database.Path, nil, 0o600); err != nil { // a database without tables
		t.Fatal(err)
	}
	_, found = doctor(t, cfg)
	missing(t, found, "database ok")
}

func TestDoctorFindsAnOpenKeyFile(t *testing.T) {
	cfg := testConfig(t)
	installation(t, cfg, func(context.Context, *parts, app.Caller, postroom.Webhook) {})
	if err := os.Chmod(filepath.Join(cfg.Database.Dir(), keyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	_, found := doctor(t, cfg)
	missing(t, found, "files trouble", "files ok", "secret key ok")
}

func postgresConfig(t *testing.T, url string) config.Config {
	t.Helper()
	cfg, err := config.Load(config.Given{Flags: map[string][]string{"database": {url}, "listen": {"127.0.0.1:0"}},
		Environ: []string{"POSTROOM_SECRET_KEY=" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
