package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/postroom/postroom/internal/testenv"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	codeBlock   = regexp.MustCompile("(?s)\n```(\\w*)\n(.*?\n)```\n")
	exampleLink = regexp.MustCompile(`\(\.\./examples/(\S+?)\)`)
	create      = regexp.MustCompile(`(?m)^postroom webhooks create (?:.*\\\n)*.*$`)
)

// TestSnippets checks that the code in docs/verifying.md is cut from the example that is named before it.
func TestSnippets(t *testing.T) {
	text := read(t, "../docs/verifying.md")
	found := map[string]int{}
	for _, at := range codeBlock.FindAllStringSubmatchIndex(text, -1) {
		language, code := text[at[2]:at[3]], text[at[4]:at[5]]
		links := exampleLink.FindAllStringSubmatch(text[:at[0]], -1)
		file := links[len(links)-1][1]
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			file += "/main.go"
		}
		if !strings.Contains(read(t, file), code) {
			t.Errorf("this is not in %s:\n%s", file, code)
		}
		found[language]++
	}
	for _, language := range []string{"js", "python", "php", "go"} {
		if found[language] != 2 {
			t.Errorf("there are %d snippets in %q, want one for each kind of signature", found[language], language)
		}
	}
}

// TestCommands runs the commands that make webhooks, as the README of each language has them.
func TestCommands(t *testing.T) {
	url := startPostroom(t)
	dir := t.TempDir()
	if err := os.Symlink(testenv.Binary(t), filepath.Join(dir, "postroom")); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"node-express", "python-flask", "php", "go"} {
		t.Run(folder, func(t *testing.T) {
			_, key := newWorkspace(t, url)
			text := read(t, folder+"/README.md")
			commands := create.FindAllString(text, -1)
			if len(commands) != strings.Count(text, "postroom webhooks create") {
				t.Errorf("not all commands are found: %q", commands)
			}
			for _, command := range commands {
				sh := exec.Command("sh", "-c", command)
				sh.Dir = dir
				sh.Env = []string{"PATH=" + dir, "HOME=" + dir, "POSTROOM_URL=" + url, "POSTROOM_API_KEY=" + key,
					"WEBHOOK_SECRET=" + textSecret, "WEBHOOK_KEY=" + token, "WEBHOOK_TOKEN=" + token}
				if out, err := sh.CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", command, err, out)
				}
			}
		})
	}
}

// TestListed checks that the list of receivers has all that are tested.
func TestListed(t *testing.T) {
	text := read(t, "README.md")
	for _, e := range examples {
		if file := strings.TrimSuffix(e.name, "/"); !strings.Contains(text, "("+file) {
			t.Errorf("README.md does not list %s", file)
		}
	}
}
