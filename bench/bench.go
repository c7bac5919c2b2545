package bench

import (
	"context"
	"errors"
	"fmt"
)

// Run measures what cfg asks for, and writes a report to cfg.Output. The report is written even when something fails,
// of what was measured until then. The error says what could not be measured, and what was refused or lost.
func Run(ctx context.Context, cfg Config) (err error) {
	cfg, err = cfg.complete()
	if err != nil {
		return err
	}
	s, err := openSession(ctx, cfg)
	if err != nil {
		return err
	}
	report := Report{Version: cfg.Version, Machine: machineOf(s.dir), Settings: settingsOf(cfg)}
	err = errors.Join(report.measure(ctx, s), s.close())
	if len(report.Comparisons) > 0 {
		err = errors.Join(err, report.write(cfg.Output, cfg.Format))
	}
	return err
}

// measure runs the scenarios on each database. One that fails does not keep the rest from being measured.
func (r *Report) measure(ctx context.Context, s *session) error {
	var errs []error
	for _, name := range s.cfg.Databases {
		db, err := parseDatabase(name)
		if err != nil {
			return err
		}
		for _, sc := range s.chosen() {
			if ctx.Err() != nil {
				return errors.Join(append(errs, ctx.Err())...)
			}
			comparisons, err := sc.run(s, ctx, db)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s on %s: %w", sc.name, db.kind, err))
			}
			for _, c := range comparisons {
				c.Database = string(db.kind)
				c.summarise()
				r.Comparisons = append(r.Comparisons, c)
				errs = append(errs, c.losses()...)
			}
		}
	}
	return errors.Join(errs...)
}

// chosen are the scenarios that were asked for, in the order in which they run.
func (s *session) chosen() (chosen []scenario) {
	for _, sc := range scenarioTable() {
		for _, name := range s.cfg.Scenarios {
			if sc.name == name {
				chosen = append(chosen, sc)
				break
			}
		}
	}
	return chosen
}

// tell writes a line of progress about a measurement.
func (s *session) tell(scenario string, db database, m Measurement) {
	does := "delivers"
	if m.Calls {
		does = "answers"
	}
	_, _ = fmt.Fprintf(s.cfg.Progress, "%s, %s: %s %s %s/s, p99 %s ms\n",
		scenario, db.kind, m.Target, does, rounded(m.PerSecond), ms(m.Latency.P99)) // progress that cannot be shown is no failure
}
