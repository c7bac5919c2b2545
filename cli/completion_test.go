package cli

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func script(t *testing.T, shell string) string {
	t.Helper()
	r := run(t, newFakeServer(t), given{}, "completion", shell)
	if r.exit != exitOK || r.stderr != "" {
		t.Fatalf("exit %d, %s", r.exit, r.stderr)
	}
	return r.stdout
}

// bash runs lines after the script was read.
func bash(t *testing.T, lines string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eu")
	cmd.Stdin = strings.NewReader(script(t, "bash") + "\n" + lines)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("bash: %v\n%s", err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

func TestBashKnowsTheCompletion(t *testing.T) {
	if got, want := bash(t, "complete -p postroom"), "complete -o default -F _postroom postroom"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBashCompletes(t *testing.T) {
	for line, want := range map[string]string{
		"postroom web":                              "webhooks",
		"postroom webhooks re":                      "resume replay",
		"postroom completion ":                      "bash zsh fish",
		"postroom webhooks create --disable":        "--disable-after-failures --disable-after",
		"postroom webhooks create -n x --end":       "--endpoint",
		"postroom webhooks create --ordering ":      "none webhook key",
		"postroom webhooks create --ordering = w":   "webhook", // bash takes --ordering=w apart
		"postroom webhooks create --ordering =":     "none webhook key",
		"postroom -o json keys create --role ":      "viewer publisher admin",
		"postroom keys list -o ":                    "table json yaml",
		"postroom keys list --no-such ":             "",
		"postroom events send --ndjson ":            "", // a file, which bash offers itself
		"postroom webhooks rotate-secret x --kind ": "hmac ed25519",
		"postroom webhooks update x --no-":          "--no-expect-json --no-auth --no-tls",
		"postroom serve --retent":                   "--retention",
		"postroom serve --api":                      "",
		"postroom bench-":                           "",
	} {
		words := strings.Split(line, " ")
		quoted := "'" + strings.Join(words, "' '") + "'"
		got := bash(t, "COMP_WORDS=("+quoted+"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _postroom || true; echo \"${COMPREPLY[*]-}\"")
		gotWords, wantWords := strings.Fields(got), strings.Fields(want)
		slices.Sort(gotWords)
		slices.Sort(wantWords)
		if !slices.Equal(gotWords, wantWords) {
			t.Errorf("%q completes to %q, want %q", line, got, want)
		}
	}
}

// TestScripts shows the scripts that no shell runs here: what they say of one command.
func TestScripts(t *testing.T) {
	for shell, marks := range map[string][2]string{
		"zsh":  {"    \"postroom webhooks resume\")\n", ";;\n"},
		"fish": {"complete -c postroom -n '__postroom_at postroom webhooks resume'", "complete -c postroom -n '__postroom_at postroom webhooks delete'"},
	} {
		text := script(t, shell)
		_, part, found := strings.Cut(text, marks[0])
		if !found {
			t.Fatalf("%s has nothing on webhooks resume", shell)
		}
		part, _, _ = strings.Cut(part, marks[1])
		golden(t, "completion-"+shell+".txt", marks[0]+part)
	}
}
