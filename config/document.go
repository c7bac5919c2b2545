package config

import (
	"fmt"
	"strings"
)

// Document writes the table of all settings in Markdown, for docs/configuration.md.
func Document() string {
	var b strings.Builder
	b.WriteString("| flag | environment | YAML | default | meaning |\n|---|---|---|---|---|\n")
	for _, s := range Settings() {
		flag := ""
		if s.Flag != "" {
			flag = "`--" + s.Flag + "`"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s |\n", flag, s.Env, code(s.Key), s.DefaultText(), s.Meaning)
	}
	return b.String()
}

// DefaultText says in Markdown what holds when a setting is not given.
func (s Setting) DefaultText() string {
	if s.Default != "" {
		return code(s.Default)
	}
	return s.Absent
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// Help says in one line of plain text what a setting means, what it is by default, and which variable sets it.
func (s Setting) Help() string {
	text := strings.ToUpper(s.Meaning[:1]) + s.Meaning[1:]
	switch {
	case s.Kind == Bool:
	case s.Default != "":
		text += "; by default " + s.Default
	case s.Absent != "none":
		text += "; by default " + s.Absent
	}
	return text + " ($" + s.Env + ")."
}
