package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// TestScripts runs the scripts in testdata/script against one server, each in a workspace and with a receiver of its own.
//
// Beside the commands of testscript, a script has
//
//	postroom ARGS...             run the program; it must end with status 0, or with 1 after a "!"
//	misused ARGS...              run the program; it must end with status 2
//	remember NAME REGEXP         set $NAME to what the expression's group matches in the last stdout
//	answer PATH STATUS           let the receiver answer calls to a path with a status
//	arrived PATH N               wait until the receiver got N calls to a path
//	settled WEBHOOK STATUS...    wait until the deliveries to a webhook have these states, newest first
//
// and $RECEIVER, the receiver's URL; $POSTROOM_URL and $POSTROOM_API_KEY; and $OPERATOR_KEY.
func TestScripts(t *testing.T) {
	t.Parallel()
	s := startServer(t, settings{flags: devFlags()})
	scripts := must(filepath.Glob(filepath.Join("testdata", "script", "*.txtar")))(t)
	if len(scripts) == 0 {
		t.Fatal("there are no scripts")
	}
	for _, file := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			c := scriptCommands{x: newTenant(t, s), binary: testenv.Binary(t)}
			testscript.Run(t, testscript.Params{Files: []string{file}, Setup: c.setup, RequireExplicitExec: true, RequireUniqueNames: true,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"postroom": c.postroom, "misused": c.misused, "remember": remember, "answer": c.answer, "arrived": c.arrived, "settled": c.settled,
				}})
		})
	}
}

// scriptCommands are the commands of one script.
type scriptCommands struct {
	x      *tenant
	binary string
}

func (c scriptCommands) setup(env *testscript.Env) error {
	for name, value := range map[string]string{
		"POSTROOM_URL": c.x.s.address(), "POSTROOM_API_KEY": c.x.key, "OPERATOR_KEY": operatorKey, "RECEIVER": c.x.r.server.URL, "TZ": "UTC",
	} {
		env.Setenv(name, value)
	}
	name, value, _ := strings.Cut(raceDetector, "=")
	env.Setenv(name, value)
	return nil
}

// run runs the program, and checks its status and that it says why it failed.
func (c scriptCommands) run(ts *testscript.TestScript, want int, args []string) {
	err := ts.Exec(c.binary, args...)
	got := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		got = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("postroom: %v", err)
	}
	if got != want {
		ts.Fatalf("postroom %s ends with status %d, want %d", strings.Join(args, " "), got, want)
	}
	if strings.Contains(ts.ReadFile("stderr"), "panic") {
		ts.Fatalf("postroom %s panics", strings.Join(args, " "))
	}
}

func (c scriptCommands) postroom(ts *testscript.TestScript, neg bool, args []string) {
	want := 0
	if neg {
		want = 1
	}
	c.run(ts, want, args)
}

func (c scriptCommands) misused(ts *testscript.TestScript, _ bool, args []string) { c.run(ts, 2, args) }

func remember(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: remember NAME REGEXP")
	}
	m := regexp.MustCompile(`(?m)` + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) != 2 {
		ts.Fatalf("%q does not match with one group", args[1])
	}
	ts.Setenv(args[0], m[1])
}

func (c scriptCommands) answer(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: answer PATH STATUS")
	}
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	c.x.r.answer(args[0], always(reply{status: status, body: "the answer is " + http.StatusText(status)}))
}

// Webhooks of scripts are made by the program, so the receiver does not know their secrets: arrived checks them against
// $SECRET, if it is set.
func (c scriptCommands) arrived(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: arrived PATH N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	got := c.x.r.wait(c.x.t, args[0], n)
	secret := ts.Getenv("SECRET")
	if secret == "" {
		return
	}
	for _, a := range got {
		ts.Check(verifies(c.x.t, a, secret))
	}
}

func (c scriptCommands) settled(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: settled WEBHOOK STATUS...")
	}
	w, err := c.x.api.Webhook(c.x.t.Context(), args[0])
	ts.Check(err)
	testenv.Eventually(c.x.t, arrivalTimeout, func() error {
		var got []string
		for d, err := range c.x.api.Deliveries(c.x.t.Context(), client.DeliveryFilter{Webhook: w.ID.String()}) {
			if err != nil {
				return err
			}
			got = append(got, string(d.Status))
		}
		if strings.Join(got, " ") != strings.Join(args[1:], " ") {
			return fmt.Errorf("the deliveries are %v, want %v", got, args[1:])
		}
		return nil
	})
}
