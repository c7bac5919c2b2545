package cli

import "github.com/postroom/postroom/demo"

type demoCmd struct {
	Exit   bool   `help:"End when everything has arrived, instead of leaving the server running."`
	Listen string `placeholder:"HOST:PORT" default:"127.0.0.1:8080" help:"Address of the server; any free port when it is taken."`
	Events int    `placeholder:"N" default:"100" help:"How many events are published."`
}

// Help is shown by `postroom demo --help`.
func (demoCmd) Help() string {
	return `It starts a server on a fresh embedded database and a receiver that verifies signatures, and shows both directions. Signed
calls come in at a source: contacts are made, tagged and put on a list, and the events of that go out. Then events are
published, and it tells what arrives. The receiver fails some calls at first, so that retries are seen. Nothing is left behind.`
}

// Run runs the demo.
func (c demoCmd) Run(s *session) error {
	if c.Events < 1 || c.Events > 100_000 {
		return usagef("--events must be 1 to 100000")
	}
	return demo.Run(s.ctx, demo.Config{Version: s.Version, Out: s.Stdout, Colour: s.Terminal.Stdout && s.env("NO_COLOR") == "",
		Listen: c.Listen, Exit: c.Exit, Events: c.Events})
}
