package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type replaysCmd struct {
	Create replayCreateCmd `cmd:"" help:"Deliver again what all webhooks were sent, or were not."`
	List   replayListCmd   `cmd:"" help:"List replays."`
	Show   replayShowCmd   `cmd:"" help:"Show a replay."`
	Watch  replayWatchCmd  `cmd:"" help:"Follow a replay until it is over."`
	Cancel replayCancelCmd `cmd:"" help:"End a replay."`
}

// replayFlags choose what is replayed, and how.
type replayFlags struct {
	After   string   `placeholder:"TIME" help:"Only deliveries made at this time or later: a time, a date, or how long ago, such as 24h."`
	Before  string   `placeholder:"TIME" help:"Only deliveries made before this time."`
	Status  string   `enum:"all,succeeded,failed,cancelled" default:"all" placeholder:"STATUS" help:"Only deliveries in this state: succeeded, failed or cancelled; by default all of them."`
	Type    []string `placeholder:"TYPES" help:"Only these event types, such as email.*,order.paid."`
	Preview bool     `help:"Only say how many deliveries it would be."`
	Wait    bool     `help:"Wait until all of them have gone out."`
	Force   bool     `short:"f" help:"Replay without asking."`
}

type webhookReplayCmd struct {
	webhookArg
	replayFlags
}

// Help is shown by `postroom webhooks replay --help`.
func (webhookReplayCmd) Help() string {
	return `Each event keeps its id, so that the receiver can tell it from a new one. It says how many deliveries it is, and asks.

    postroom webhooks replay crm-sync --after 6h --status failed --preview
    postroom webhooks replay crm-sync --after 6h --status failed --force --wait`
}

// Run replays the deliveries.
func (cmd webhookReplayCmd) Run(s *session) error { return cmd.run(s, cmd.Webhook) }

type replayCreateCmd struct{ replayFlags }

// Help is shown by `postroom replays create --help`.
func (replayCreateCmd) Help() string {
	return `Each event keeps its id, so that receivers can tell it from a new one. It says how many deliveries it is, and asks.
For one webhook, use ` + "`postroom webhooks replay`" + `.

    postroom replays create --status failed --after 24h`
}

// Run replays the deliveries.
func (cmd replayCreateCmd) Run(s *session) error { return cmd.run(s, "") }

// run replays deliveries of one webhook, or of all if ref is empty.
func (f replayFlags) run(s *session, ref string) error {
	in := client.ReplayInput{Webhook: ref, Types: f.Type}
	if f.Status != "all" {
		in.Status = postroom.DeliveryStatus(f.Status)
	}
	var err error
	if in.After, err = s.moment("--after", f.After); err != nil {
		return err
	}
	if in.Before, err = s.moment("--before", f.Before); err != nil {
		return err
	}
	if err := s.askableTo(f.Force || f.Preview, "replaying", "replay"); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	if f.Preview || !f.Force {
		preview, err := c.PreviewReplay(s.ctx, in)
		if err != nil {
			return err
		}
		if f.Preview || preview.Total == 0 && !preview.AtLeast {
			return s.show(preview, func(p *screen) { p.replayPreview(preview) })
		}
		in.Before = preview.Before.Time // what is asked about is what is replayed
		if err := s.ask(false, "nothing was replayed", "Replay %s?", replayTotal(preview)); err != nil {
			return err
		}
	}
	r, err := c.CreateReplay(s.ctx, in)
	if err != nil {
		return err
	}
	if f.Wait && r.ID != nil {
		return s.watchReplay(c, r.ID.String())
	}
	return s.show(r, func(p *screen) { p.replayed(r) })
}

// replayTotal is what a preview found, in words.
func replayTotal(r postroom.ReplayResource) string {
	text := plural(r.Total, "delivery", "deliveries")
	if r.AtLeast {
		text = "at least " + text
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(r.ByStatus)) {
		parts = append(parts, count(r.ByStatus[status])+" "+string(status))
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text
}

func (p *screen) replayPreview(r postroom.ReplayResource) {
	if r.Total == 0 && !r.AtLeast {
		p.printf("There is nothing to replay.\n")
		return
	}
	p.printf("It would be %s.\n", replayTotal(r))
	for _, name := range slices.SortedFunc(maps.Keys(r.ByType), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.ByType[b], r.ByType[a]), strings.Compare(a, b))
	}) {
		p.printf("  %s  %s\n", clean(name), count(r.ByType[name]))
	}
}

// replayed shows a replay that has begun, or is over.
func (p *screen) replayed(r postroom.ReplayResource) {
	if r.State == postroom.ReplayDone {
		p.done("%s again", plural(r.Done, "delivery is made", "deliveries are made"))
	} else {
		p.done("The replay has begun; `postroom replays watch %s` follows it", replayID(r))
	}
	p.replay(r)
}

func replayID(r postroom.ReplayResource) string {
	if r.ID == nil {
		return ""
	}
	return r.ID.String()
}

// replay shows a replay.
func (p *screen) replay(r postroom.ReplayResource) {
	after, ended, waiting, webhook := "", "", "", "all"
	if r.After != nil {
		after = p.time(r.After.Time)
	}
	if r.EndedAt != nil {
		ended = p.time(r.EndedAt.Time)
	}
	if r.Waiting != nil {
		waiting = plural(*r.Waiting, "delivery", "deliveries")
	}
	if r.WebhookID != nil {
		webhook = r.WebhookID.String()
	}
	status := string(r.Status)
	if status == "" {
		status = "all"
	}
	p.fields(
		field{label: "ID", value: val(replayID(r))},
		field{label: "State", value: replayState(r.State), note: r.Reason},
		field{label: "Webhook", value: val(webhook)},
		field{label: "Status", value: val(status)},
		field{label: "Types", value: val(strings.Join(r.Types, ", "))},
		field{label: "After", value: val(after)},
		field{label: "Before", value: val(p.time(r.Before.Time))},
		field{label: "Done", value: val(replayDone(r)), note: replayNote(r)},
		field{label: "Waiting", value: val(waiting)},
		field{label: "Ended", value: val(ended)},
	)
}

func replayState(state postroom.ReplayState) cell {
	colors := map[postroom.ReplayState]color{postroom.ReplayRunning: yellow, postroom.ReplayDone: green, postroom.ReplayFailed: red, postroom.ReplayCancelled: dim}
	return cell{string(state), colors[state]}
}

// replayDone is how far a replay is.
func replayDone(r postroom.ReplayResource) string {
	of := count(r.Total)
	if r.AtLeast {
		of += " or more"
	}
	return count(r.Done) + " of " + of
}

// replayNote is what became of the others.
func replayNote(r postroom.ReplayResource) string {
	var parts []string
	if r.Skipped > 0 {
		parts = append(parts, count(r.Skipped)+" skipped")
	}
	if r.Withdrawn > 0 {
		parts = append(parts, count(r.Withdrawn)+" taken back")
	}
	return strings.Join(parts, ", ")
}

type replayListCmd struct{ listFlags }

// Run lists the replays.
func (cmd replayListCmd) Run(s *session) error {
	if err := cmd.check(); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	list, more, err := collect(s.ctx, cmd.Limit, c.ReplayPage)
	if err != nil {
		return err
	}
	t := newTable("ID", "CREATED", "STATE", "DONE", "STATUS", "WEBHOOK")
	return showList(s, list, more, "There are no replays.", t, func(p *screen, r postroom.ReplayResource) {
		created, status, webhook := "-", "all", "all"
		if r.CreatedAt != nil {
			created = p.time(r.CreatedAt.Time)
		}
		if r.Status != "" {
			status = string(r.Status)
		}
		if r.WebhookID != nil {
			webhook = r.WebhookID.String()
		}
		t.row(val(replayID(r)), val(created), replayState(r.State), val(replayDone(r)), val(status), val(webhook))
	})
}

// replayArg names a replay.
type replayArg struct {
	Replay string `arg:"" help:"The replay's id (rpl_…)."`
}

type replayShowCmd struct{ replayArg }

// Run shows a replay.
func (cmd replayShowCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	r, err := c.Replay(s.ctx, cmd.Replay)
	if err != nil {
		return err
	}
	return s.show(r, func(p *screen) { p.replay(r) })
}

type replayWatchCmd struct{ replayArg }

// Help is shown by `postroom replays watch --help`.
func (replayWatchCmd) Help() string {
	return `It ends when none of the replay's deliveries waits any more, with the exit status 1 if the replay was cancelled or has
failed. Ctrl-C ends only the watching; the replay goes on.`
}

// Run follows a replay.
func (cmd replayWatchCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	return s.watchReplay(c, cmd.Replay)
}

const watchEvery = 500 * time.Millisecond

// watchReplay follows a replay until it is over, and shows it then.
func (s *session) watchReplay(c *client.Client, id string) error {
	progress := s.progress()
	var r postroom.ReplayResource
	for now, err := range c.FollowReplay(s.ctx, id, watchEvery) {
		if err != nil {
			progress.end()
			return err
		}
		r = now
		waiting := ""
		if r.Waiting != nil {
			waiting = fmt.Sprintf(", %s to be sent", plural(*r.Waiting, "waits", "wait"))
		}
		progress.show("%s put into the queue%s", replayDone(r), waiting)
	}
	progress.end()
	if err := s.show(r, func(p *screen) { p.replay(r) }); err != nil {
		return err
	}
	if r.State != postroom.ReplayDone {
		return errFailed
	}
	return nil
}

type replayCancelCmd struct{ replayArg }

// Help is shown by `postroom replays cancel --help`.
func (replayCancelCmd) Help() string {
	return `Deliveries that were not put into the queue yet stay as they are; those that wait there and were not begun go back to how
they had ended before. What the server has in hand, a few hundred of each webhook at most, still goes out.`
}

// Run cancels a replay.
func (cmd replayCancelCmd) Run(s *session) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	r, err := c.CancelReplay(s.ctx, cmd.Replay)
	if err != nil {
		return err
	}
	return s.show(r, func(p *screen) {
		p.done("Replay cancelled")
		p.replay(r)
	})
}
