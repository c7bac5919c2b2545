// Command postroom is the server and its command line, in one program.
//
//	main ──▶ cli.Run ──▶ a command ──▶ exit status
package main

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/postroom/postroom/cli"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3".
var version string

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := cli.WithSignals(context.Background())
	defer stop()
	return cli.Run(ctx, os.Args[1:], cli.Process(versionOf(version, debug.ReadBuildInfo)))
}

// versionOf is the version that was set, else that of the module, as `go install` knows it.
func versionOf(set string, build func() (*debug.BuildInfo, bool)) string {
	if set != "" {
		return set
	}
	if info, ok := build(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
