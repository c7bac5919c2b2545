package cli

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown by `postroom completion --help`.
func (completionCmd) Help() string {
	return `Make the shell read the script when it starts:

    bash:  echo 'source <(postroom completion bash)' >> ~/.bashrc
    zsh:   postroom completion zsh > "${fpath[1]}/_postroom"
    fish:  postroom completion fish > ~/.config/fish/completions/postroom.fish`
}

// Run prints the script.
func (cmd completionCmd) Run(s *session) error {
	script := map[string]func([]place) string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[cmd.Shell]
	return s.write([]byte(script(places(s.kong.Model.Node, "postroom"))), nil)
}

// place is a command, with what may follow it.
type place struct {
	path  string // "postroom webhooks create"
	words []word // commands, or the values of an argument
	flags []option
}

type word struct{ name, help string }

// option is a flag.
type option struct {
	long, short string // without dashes
	help        string
	takesValue  bool
	values      []string // the only ones that are allowed; nil for any
}

// names are how the flag can be written.
func (o option) names() []string {
	names := []string{"--" + o.long}
	if o.short != "" {
		names = append(names, "-"+o.short)
	}
	return names
}

// places lists a command and all below it.
func places(node *kong.Node, path string) []place {
	at := place{path: path, flags: options(node)}
	var below []place
	for _, child := range node.Children {
		if !child.Hidden {
			at.words = append(at.words, word{child.Name, child.Help})
			below = append(below, places(child, path+" "+child.Name)...)
		}
	}
	for _, arg := range node.Positional {
		for _, value := range enum(arg) {
			at.words = append(at.words, word{value, ""})
		}
	}
	return append([]place{at}, below...)
}

// options are the flags that a command takes, its own first.
func options(node *kong.Node) []option {
	var all []option
	for at := node; at != nil; at = at.Parent {
		for _, flag := range at.Flags {
			if flag.Hidden || at != node && foreign(flag, node) {
				continue
			}
			o := option{long: flag.Name, help: flag.Help, takesValue: !flag.IsBool(), values: enum(flag.Value)}
			if flag.Short != 0 {
				o.short = string(flag.Short)
			}
			all = append(all, o)
			if flag.Tag.Negatable != "" {
				all = append(all, option{long: "no-" + flag.Name, help: "The opposite of --" + flag.Name + "."})
			}
		}
	}
	return all
}

// enum are the values that are allowed, but for the empty one, which stands for none.
func enum(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	var values []string
	for _, value := range v.EnumSlice() {
		if value != "" {
			values = append(values, value)
		}
	}
	return values
}

// pathPattern matches, in a shell's case, each path that has a command above it.
func pathPattern(places []place, quote string) string {
	var paths []string
	for _, p := range places[1:] {
		paths = append(paths, quote+p.path+quote)
	}
	if quote == "'" {
		return strings.Join(paths, " ")
	}
	return strings.Join(paths, "|")
}

func bashScript(places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# bash completion for postroom
_postroom() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at=postroom words= flags= i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$at ${COMP_WORDS[i]}" in
        %s)
            at="$at ${COMP_WORDS[i]}" ;;
        esac
    done
    # --flag=value comes as three words
    if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
    case "$at:$prev" in
`, pathPattern(places, `"`))
	for _, p := range places {
		var any []string
		for _, o := range p.flags {
			var patterns []string
			for _, name := range o.names() {
				patterns = append(patterns, `"`+p.path+":"+name+`"`)
			}
			switch {
			case o.values != nil:
				fmt.Fprintf(&b, "    %s)\n        COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", strings.Join(patterns, "|"), strings.Join(o.values, " "))
			case o.takesValue:
				any = append(any, patterns...)
			}
		}
		if any != nil {
			fmt.Fprintf(&b, "    %s)\n        COMPREPLY=(); return ;; # any value; the shell offers files\n", strings.Join(any, "|"))
		}
	}
	b.WriteString("    esac\n    case \"$at\" in\n")
	for _, p := range places {
		var words, flags []string
		for _, w := range p.words {
			words = append(words, w.name)
		}
		for _, o := range p.flags {
			flags = append(flags, "--"+o.long)
		}
		fmt.Fprintf(&b, "    %q)\n        words=%q\n        flags=%q ;;\n", p.path, strings.Join(words, " "), strings.Join(flags, " "))
	}
	b.WriteString(`    esac
    if [[ $cur == -* ]]; then words=$flags; fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _postroom postroom
`)
	return b.String()
}

func zshScript(places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `#compdef postroom
# zsh completion for postroom
_postroom() {
    local at=postroom word
    local -a commands flags values
    for word in "${(@)words[2,CURRENT-1]}"; do
        case "$at $word" in
        %s)
            at="$at $word" ;;
        esac
    done
    case "$at:${words[CURRENT-1]}" in
`, pathPattern(places, `"`))
	for _, p := range places {
		for _, o := range p.flags {
			for _, name := range o.names() {
				if o.values != nil {
					fmt.Fprintf(&b, "    %q) values=(%s); _describe value values; return ;;\n", p.path+":"+name, strings.Join(o.values, " "))
				} else if o.takesValue {
					fmt.Fprintf(&b, "    %q) _files; return ;;\n", p.path+":"+name)
				}
			}
		}
	}
	b.WriteString("    esac\n    case \"$at\" in\n")
	quoted := func(name, help string) string {
		return "'" + strings.NewReplacer("'", `'\''`).Replace(strings.ReplaceAll(name, ":", `\:`)+":"+help) + "'"
	}
	for _, p := range places {
		fmt.Fprintf(&b, "    %q)\n", p.path)
		for _, w := range p.words {
			fmt.Fprintf(&b, "        commands+=(%s)\n", quoted(w.name, w.help))
		}
		for _, o := range p.flags {
			for _, name := range o.names() {
				fmt.Fprintf(&b, "        flags+=(%s)\n", quoted(name, o.help))
			}
		}
		b.WriteString("        ;;\n")
	}
	b.WriteString(`    esac
    if [[ ${words[CURRENT]} == -* ]]; then
        _describe -o flag flags
    elif (( ${#commands} )); then
        _describe command commands
    else
        _files
    fi
}
if [[ ${funcstack[1]} == _postroom ]]; then _postroom "$@"; else compdef _postroom postroom; fi
`)
	return b.String()
}

func fishScript(places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# fish completion for postroom
function __postroom_at
    set -l at postroom
    for word in (commandline -opc)[2..]
        switch "$at $word"
            case %s
                set at "$at $word"
        end
    end
    test "$at" = "$argv"
end
complete -c postroom -f
`, pathPattern(places, "'"))
	quoted := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'" }
	for _, p := range places {
		at := "complete -c postroom -n '__postroom_at " + p.path + "'"
		for _, w := range p.words {
			fmt.Fprintf(&b, "%s -a %s -d %s\n", at, w.name, quoted(w.help))
		}
		for _, o := range p.flags {
			fmt.Fprintf(&b, "%s -l %s", at, o.long)
			if o.short != "" {
				fmt.Fprintf(&b, " -s %s", o.short)
			}
			switch {
			case o.values != nil:
				fmt.Fprintf(&b, " -x -a %s", quoted(strings.Join(o.values, " ")))
			case o.takesValue:
				b.WriteString(" -r -F")
			}
			fmt.Fprintf(&b, " -d %s\n", quoted(o.help))
		}
	}
	return b.String()
}
