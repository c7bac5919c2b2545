package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/internal/seal"
	"github.com/postroom/postroom/outbound"
	"github.com/postroom/postroom/store"
)

// databaseFindings are what the doctor finds in the database, which is opened only to look at it.
func databaseFindings(ctx context.Context, cfg config.Config, now time.Time) []Finding {
	db, err := store.Open(ctx, store.Config{URL: databaseURL(cfg), ReadOnly: true})
	if err != nil {
		return []Finding{bad(Trouble, "database", sentence(err), "Check --database, and what it names.")}
	}
	defer func() { _ = db.Close() }() // nothing was changed
	info, err := db.Info(ctx)
	if err != nil {
		return []Finding{bad(Trouble, "database", sentence(err), "Check --database, and what it names.")}
	}
	found := []Finding{judgeDatabase(info)}
	if info.Empty || found[0].Status == Trouble {
		return found
	}
	found = append(found, judgeClock(info, now))
	looks := []func(context.Context, config.Config, *store.Store, time.Time) []Finding{serverFindings, secretFindings, leaseFindings,
		queueFindings, failingFindings, retentionFindings, statisticsFindings}
	if len(info.Pending) > 0 {
		looks = looks[:2] // the others need this version's tables
	}
	for _, look := range looks {
		found = append(found, look(ctx, cfg, db, now)...)
	}
	return found
}

func judgeDatabase(info store.Info) Finding {
	switch {
	case info.Empty:
		return Finding{"database", Well, "It is empty.", "The first start prepares it."}
	case len(info.Unknown) > 0:
		return bad(Trouble, "database", fmt.Sprintf("It was used by a newer version of Postroom, which has migrated it to %s.", info.Unknown[len(info.Unknown)-1]),
			"Run that version, or restore a backup that is older.")
	case info.Damage != "":
		return bad(Trouble, "database", fmt.Sprintf("The file is damaged: %s.", strings.TrimSuffix(info.Damage, ".")), "Stop the server and restore a backup, or try `sqlite3 FILE .recover`.")
	case len(info.Pending) > 0:
		return bad(Warning, "database", fmt.Sprintf("It lacks the migrations %s.", strings.Join(info.Pending, ", ")), "The next start makes them, and so does `postroom migrate`.")
	}
	return well("database", "%s %s, %s, %s.", info.Kind, info.Version, size(info.SizeBytes), info.Detail)
}

// serverFindings look for settings of PostgreSQL with which an event may be lost that was acknowledged.
func serverFindings(ctx context.Context, _ config.Config, db *store.Store, _ time.Time) []Finding {
	s, err := db.Server(ctx)
	switch {
	case err != nil:
		return []Finding{broken("postgresql", err)}
	case s == nil:
		return nil
	}
	return judgeServer(s)
}

func judgeServer(s *store.Server) (found []Finding) {
	risks := map[string]string{
		"fsync":              "a crash of its machine can destroy the whole database",
		"full_page_writes":   "a crash of its machine can destroy pages of the database",
		"synchronous_commit": "a crash can lose events that were acknowledged",
	}
	for _, name := range slices.Sorted(maps.Keys(risks)) {
		if s.Settings[name] == "off" {
			found = append(found, bad(Trouble, "postgresql", fmt.Sprintf("%s is off: %s.", name, risks[name]), "Set "+name+" = on in postgresql.conf, and for the database and the role of Postroom."))
		}
	}
	if s.Recovery {
		found = append(found, bad(Trouble, "postgresql", "It is a standby, which cannot be written.", "Point --database at the primary."))
	}
	if len(found) == 0 {
		found = append(found, well("postgresql", "Its settings keep what was acknowledged."))
	}
	return found
}

// Bounds of how far clocks may be apart.
const (
	clocksApart    = 2 * time.Second
	clocksFarApart = 10 * time.Second // a sixth of a lease
)

// judgeClock holds the clock of this machine against what it wrote itself, and against that of the database.
func judgeClock(info store.Info, now time.Time) Finding {
	const advice = "Keep the clocks of all machines in step with NTP: leases and ids depend on them."
	if ahead := info.Newest.Sub(now); ahead > clocksApart {
		return bad(Trouble, "clock", fmt.Sprintf("The newest event was published at %s, which is %s from now: the clock was set back since, or was wrong then.",
			moment(info.Newest), ahead.Round(time.Second)), "What is due by that clock waits until this one gets there. "+advice)
	}
	way := "ahead of"
	if info.ClockAhead < 0 {
		way = "behind"
	}
	said := fmt.Sprintf("The database's clock is %s %s this machine's.", info.ClockAhead.Abs().Round(time.Second), way)
	switch apart := info.ClockAhead.Abs(); {
	case apart > clocksFarApart:
		return bad(Trouble, "clock", said, advice)
	case apart > clocksApart:
		return bad(Warning, "clock", said, advice)
	}
	return well("clock", "It agrees with what was stored.")
}

func secretFindings(ctx context.Context, cfg config.Config, db *store.Store, _ time.Time) []Finding {
	key, err := secretKey(cfg, false)
	if err != nil {
		return []Finding{bad(Trouble, "secret key", sentence(err), "Restore the key that the database was made with.")}
	}
	sealer, err := seal.New(key)
	if err != nil {
		return []Finding{broken("secret key", err)}
	}
	if err := app.CheckSecretKey(sealer, func(key string) ([]byte, error) { return db.Meta(ctx, key) }); err != nil {
		return []Finding{bad(Trouble, "secret key", sentence(err), "Restore the key that the database was made with.")}
	}
	n, closed, err := checkSecrets(ctx, db, sealer)
	if err != nil {
		return []Finding{broken("secret key", err)}
	}
	return []Finding{judgeSecrets(n, closed)}
}

func judgeSecrets(n int, closed []postroom.WebhookID) Finding {
	switch {
	case n > 0 && len(closed) == n:
		return bad(Trouble, "secret key", fmt.Sprintf("It opens none of the %d secrets and credentials: they were sealed with another key.", n),
			"Restore the key that the database was made with.")
	case len(closed) > 0:
		return bad(Trouble, "secret key", fmt.Sprintf("%d of %d secrets and credentials cannot be opened, of %s.", len(closed), n, some(closed)),
			"Nothing is delivered to these webhooks. Rotate their secrets and set their auth again.")
	}
	return well("secret key", "It opens all %d secrets and credentials.", n)
}

// some names the first few webhooks, each once.
func some(ids []postroom.WebhookID) string {
	const few = 5
	var names []string
	for _, id := range ids {
		if name := id.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > few {
		return strings.Join(names[:few], ", ") + fmt.Sprintf(" and %d more", len(names)-few)
	}
	return strings.Join(names, ", ")
}

// checkSecrets tries to open every secret and every webhook's credentials.
func checkSecrets(ctx context.Context, db *store.Store, sealer *seal.Sealer) (n int, closed []postroom.WebhookID, err error) {
	const page = 500
	try := func(all []store.Sealed, purpose func(postroom.WebhookID) string) {
		for _, s := range all {
			n++
			if _, err := sealer.Open(purpose(s.WebhookID), s.Sealed); err != nil {
				closed = append(closed, s.WebhookID)
			}
		}
	}
	var secret postroom.SecretID
	for {
		all, err := db.SealedSecrets(ctx, secret, page)
		if err != nil {
			return n, closed, err
		}
		if try(all, outbound.SecretContext); len(all) < page {
			break
		}
		secret = all[len(all)-1].ID
	}
	var webhook postroom.WebhookID
	for {
		all, err := db.SealedAuths(ctx, webhook, page)
		if err != nil {
			return n, closed, err
		}
		if try(all, outbound.AuthContext); len(all) < page {
			return n, closed, nil
		}
		webhook = all[len(all)-1].WebhookID
	}
}

// late is how much later than it should the retention may be: it runs four times an hour, and on PostgreSQL drops whole days.
func late(kind config.DatabaseKind) time.Duration {
	if kind == config.Postgres {
		return 25 * time.Hour
	}
	return time.Hour
}

func retentionFindings(ctx context.Context, cfg config.Config, db *store.Store, now time.Time) []Finding {
	oldest, err := db.Oldest(ctx)
	if err != nil {
		return []Finding{broken("retention", err)}
	}
	if oldest.IsZero() {
		oldest = now
	}
	return []Finding{judgeRetention(oldest, now, cfg.Retention, late(cfg.Database.Kind))}
}

func judgeRetention(oldest, now time.Time, retention, late time.Duration) Finding {
	age := now.Sub(oldest)
	if age > retention+late {
		return bad(Warning, "retention", fmt.Sprintf("The oldest event is %s old, and --retention is %s.", ago(age), postroom.Duration(retention)),
			"Old data is deleted while a server runs. If one does, its log says why it cannot.")
	}
	return well("retention", "Events are kept for %s, and the oldest is %s old.", postroom.Duration(retention), ago(age))
}

// statisticsLate is when statistics should have been moved, which happens every few minutes.
const statisticsLate = time.Hour

func statisticsFindings(ctx context.Context, _ config.Config, db *store.Store, now time.Time) []Finding {
	since, some, err := db.OpenSince(ctx)
	if err != nil {
		return []Finding{broken("statistics", err)}
	}
	if some && now.Sub(since) > statisticsLate {
		return []Finding{bad(Warning, "statistics", fmt.Sprintf("Statistics have not been moved into hours and days since %s.", moment(since)),
			"This is done while a server runs. If one does, its log says why it cannot.")}
	}
	return []Finding{well("statistics", "Statistics are moved into hours and days.")}
}

// ago writes a span of time for people.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	default:
		return fmt.Sprintf("%d seconds", max(0, d/time.Second))
	}
}

func moment(t time.Time) string { return t.UTC().Format(postroom.TimestampFormat) }

// sentence makes one of an error.
func sentence(err error) string {
	text := strings.TrimSuffix(strings.Join(strings.Fields(err.Error()), " "), ".") // errors that were joined have lines
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
