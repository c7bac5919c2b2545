package cli

import (
	"github.com/alecthomas/kong"
)

// globals are the flags that every command has.
type globals struct {
	URL    string  `name:"url" placeholder:"URL" group:"global" help:"Postroom's own address; by default http://127.0.0.1:8080 ($$POSTROOM_URL)."`
	APIKey string  `name:"api-key" placeholder:"KEY" group:"global" help:"API key ($$POSTROOM_API_KEY)."`
	Output *string `name:"output-format" short:"o" enum:"table,json,yaml" placeholder:"FORMAT" group:"global" help:"How results look: table, json or yaml; by default a table on a terminal, else JSON."`
}

// grammar is the whole command line.
type grammar struct {
	globals

	Serve   serveCmd   `cmd:"" group:"server" help:"Start the server."`
	Migrate migrateCmd `cmd:"" group:"server" help:"Bring the database to this version's schema."`
	Doctor  doctorCmd  `cmd:"" group:"server" help:"Find trouble, and explain it."`
	Demo    demoCmd    `cmd:"" group:"try" help:"See it work: a server, calls that come in, a hundred events and a receiver."`
	Bench   benchCmd   `cmd:"" group:"try" help:"Measure this machine against a bare forwarder and a bare handler."`

	BenchRole benchRoleCmd `cmd:"" hidden:"" name:"bench-role" help:"What bench starts."`

	Events     eventsCmd     `cmd:"" group:"use" help:"Publish events, find them, follow them."`
	EventTypes eventTypesCmd `cmd:"" name:"event-types" group:"use" help:"The catalogue of event types, and your own."`
	Webhooks   webhooksCmd   `cmd:"" group:"use" help:"Where events are delivered to."`
	Sources    sourcesCmd    `cmd:"" group:"use" help:"Where events come in from: URLs for other systems to post to."`
	Listen     listenCmd     `cmd:"" group:"use" help:"Bring events, or a source's requests, to this machine."`
	Deliveries deliveriesCmd `cmd:"" group:"use" help:"What was delivered, and what was not."`
	Stats      statsCmd      `cmd:"" group:"use" help:"What happened to all deliveries."`
	Attempts   attemptsCmd   `cmd:"" group:"use" help:"The calls that were made for deliveries."`
	Replays    replaysCmd    `cmd:"" group:"use" help:"Deliver again what was delivered, or was not."`
	Contacts   contactsCmd   `cmd:"" group:"audience" help:"The people of the audience."`
	Lists      listsCmd      `cmd:"" group:"audience" help:"Named parts of the audience."`
	Tags       tagsCmd       `cmd:"" group:"audience" help:"The tags that contacts have."`
	Fields     fieldsCmd     `cmd:"" group:"audience" help:"The types of contacts' custom fields."`

	Dialect dialectCmd `cmd:"" group:"use" help:"Vendors' ways of sending webhooks, and your own."`

	Keys       keysCmd       `cmd:"" group:"access" help:"API keys of the workspace."`
	Portal     portalCmd     `cmd:"" group:"access" help:"Where your own customers manage their own webhooks."`
	Members    membersCmd    `cmd:"" group:"access" help:"People of the workspace, who sign in to the dashboard."`
	Workspaces workspacesCmd `cmd:"" group:"access" help:"Tenants, for the operator."`
	Audit      auditCmd      `cmd:"" group:"access" help:"Who did what."`

	Completion completionCmd `cmd:"" group:"other" help:"Print a script that completes commands in a shell."`
	Version    versionCmd    `cmd:"" group:"other" help:"Print the version."`
}

// Help is shown by `postroom --help`.
func (grammar) Help() string {
	return `Events come in over the API, and go out to every webhook that subscribes to them.

    postroom serve --dev
    export POSTROOM_API_KEY=prk_…
    postroom webhooks create -u https://example.com/hooks -e 'email.*' -n "CRM sync"
    postroom events send --type email.opened --data '{"contact":{"email":"ada@example.com"}}'
    postroom deliveries list`
}

func newParser(g *grammar, c Config, exit func(int)) (*kong.Kong, error) {
	return kong.New(g,
		kong.Name("postroom"),
		kong.Description("A webhook gateway for messaging teams."),
		kong.Writers(c.Stdout, c.Stderr),
		kong.Exit(exit),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.Help(printHelp),
		kong.ExplicitGroups([]kong.Group{
			{Key: "server", Title: "Server:"},
			{Key: "try", Title: "Try it:"},
			{Key: "use", Title: "Events and webhooks:"},
			{Key: "audience", Title: "Contacts:"},
			{Key: "access", Title: "Access:"},
			{Key: "other", Title: "Other:"},
			{Key: "settings", Title: "Settings:"},
			{Key: "proof", Title: "Proof (@FILE reads a secret from a file, env:NAME from the environment):"},
			{Key: "auth", Title: "Authentication (@FILE reads a value from a file, env:NAME from the environment):"},
			{Key: "global", Title: "Global flags:"},
		}),
		kong.PostBuild(addSettings),
	)
}

// printHelp is kong's, but leaves out what does not concern the command: the flags for calling a server from those that
// run one, and the heading that groups a command among others.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if node := ctx.Selected(); node != nil {
		for _, flag := range ctx.Model.Flags {
			flag.Hidden = flag.Hidden || foreign(flag, node)
		}
		node.Group = nil
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

// runsServer tells whether a command runs a server, or works on one's database, rather than to call one.
func runsServer(node *kong.Node) bool { return node.Group != nil && node.Group.Key == "server" }

// foreign tells whether one of the flags that every command takes means nothing to this one.
func foreign(flag *kong.Flag, node *kong.Node) bool {
	switch {
	case flag.Name == "help" || node.Group == nil:
		return false
	case node.Group.Key == "try":
		return flag.Name != "output-format"
	}
	return runsServer(node) && (flag.Name != "output-format" || node.Name != "doctor")
}
