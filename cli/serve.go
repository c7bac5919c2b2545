package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/server"
)

type serveCmd struct{}

// Help is shown by `postroom serve --help`.
func (serveCmd) Help() string {
	return `The first start creates a workspace and an administrator, and prints an API key and a link to sign in with, once. Everything is kept in ./postroom-data. A setting can also be given in the environment, or in the YAML file that --config names; a flag
wins over the environment, the environment over the file.` + "\n\n" + hiddenSettings() + `
A first signal (Ctrl-C) stops the server when what is under way has ended; a second one stops it at once.

    postroom serve --dev
    postroom serve --listen :8080 --public-url https://hooks.example.com
    POSTROOM_DATABASE=postgres://postroom@db.example.com/postroom postroom serve --config /etc/postroom.yaml`
}

// hiddenSettings lists the settings that no flag has.
func hiddenSettings() string {
	var b strings.Builder
	b.WriteString("Without a flag, since other users can read a command line:\n\n")
	for _, s := range config.Settings() {
		if s.Flag == "" {
			fmt.Fprintf(&b, "    %s\n        %s\n        default: %s\n", s.Env, s.Meaning, s.DefaultText())
		}
	}
	return b.String()
}

// Run starts the server.
func (serveCmd) Run(s *session) error {
	cfg, err := s.settings()
	if err != nil {
		return err
	}
	if s.Serve == nil {
		return errors.New("this build has no server")
	}
	return s.Serve(s.ctx, cfg)
}

type migrateCmd struct{}

// Help is shown by `postroom migrate --help`.
func (migrateCmd) Help() string {
	return `"serve" does so too when it starts; this is for those who want it done before. It takes the same settings.`
}

// Run migrates the database.
func (migrateCmd) Run(s *session) error { return s.withSettings(s.Migrate) }

type doctorCmd struct{}

// Help is shown by `postroom doctor --help`.
func (doctorCmd) Help() string {
	return `It looks at the disk, the database and its settings, the clock, the secret key, leases, what waits and why, and receivers that fail. It changes nothing, takes the same settings as "serve",
and may be run beside a server. Its exit status is 1 if there is trouble, and 0 if there are only warnings.`
}

// Run examines the installation.
func (doctorCmd) Run(s *session) error {
	cfg, err := s.settings()
	if err != nil {
		return err
	}
	if s.Doctor == nil {
		return errors.New("this build has no server")
	}
	c, err := s.Doctor(s.ctx, cfg)
	if err != nil {
		return err
	}
	if err := s.show(c, func(p *screen) { p.checkup(c) }); err != nil || c.OK {
		return err
	}
	return errFailed
}

func (p *screen) checkup(c server.Checkup) {
	for _, f := range c.Findings {
		mark := p.paint(green, "✓")
		switch f.Status {
		case server.Warning:
			mark = p.paint(yellow, "!")
		case server.Trouble:
			mark = p.paint(red, "✗")
		}
		p.printf("%s %-15s  %s\n", mark, f.Check, clean(f.Finding))
		if f.Advice != "" {
			p.printf("%19s%s\n", "", p.paint(dim, clean(f.Advice)))
		}
	}
}

func (s *session) withSettings(do func(context.Context, config.Config, io.Writer) error) error {
	cfg, err := s.settings()
	if err != nil {
		return err
	}
	if do == nil {
		return errors.New("this build has no server")
	}
	return do(s.ctx, cfg, s.Stdout)
}

// addSettings gives the commands that run the server a flag for each setting of package config, which has the one table
// of them.
func addSettings(k *kong.Kong) error {
	registry := kong.NewRegistry().RegisterDefaults()
	for _, node := range k.Model.Children {
		if !runsServer(node) {
			continue
		}
		for _, setting := range config.Settings() {
			if setting.Flag != "" {
				node.Flags = append(node.Flags, settingFlag(setting, registry))
			}
		}
	}
	return nil
}

func settingFlag(setting config.Setting, registry *kong.Registry) *kong.Flag {
	var target reflect.Value
	switch setting.Kind {
	case config.Bool:
		target = reflect.New(reflect.TypeFor[bool]()).Elem()
	case config.List:
		target = reflect.New(reflect.TypeFor[[]string]()).Elem()
	default:
		target = reflect.New(reflect.TypeFor[string]()).Elem()
	}
	flag := &kong.Flag{
		PlaceHolder: setting.Holder,
		Group:       &kong.Group{Key: "settings", Title: "Settings:"},
		Value: &kong.Value{
			Name:         setting.Flag,
			Help:         strings.ReplaceAll(setting.Help(), "$", "$$"),
			Target:       target,
			DefaultValue: reflect.New(target.Type()).Elem(),
			Mapper:       registry.ForValue(target),
			Tag:          &kong.Tag{Sep: -1}, // config splits lists itself
		},
	}
	flag.Flag = flag
	return flag
}

// settings reads the server's settings from the flags of the command, the environment and the file.
func (s *session) settings() (config.Config, error) {
	flags := map[string][]string{}
	for _, flag := range s.kong.Selected().Flags {
		if !flag.Set {
			continue
		}
		switch v := flag.Target.Interface().(type) {
		case []string:
			flags[flag.Name] = v
		default:
			flags[flag.Name] = []string{fmt.Sprint(v)}
		}
	}
	return config.Load(config.Given{Flags: flags, Environ: s.Environ})
}
