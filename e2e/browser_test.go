package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom/internal/testenv"
)

// chromium is the one browser that all tests of the package share; each has a profile of its own in it.
type chromium struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

// theBrowser is started by the first test that needs it, and stopped by TestMain.
var theBrowser chromium

func (b *chromium) start() {
	path := os.Getenv("POSTROOM_TEST_BROWSER")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		b.err = fmt.Errorf("there is no Chromium: `make test` installs it on Debian; POSTROOM_TEST_BROWSER may name another")
		return
	}
	profile, err := os.MkdirTemp("", "postroom-browser-")
	if err != nil {
		b.err = err
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(profile),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true),
		chromedp.DisableGPU)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	b.err = chromedp.Do(ctx)
	b.ctx = ctx
	b.stop = func() {
		cancel()
		stopAllocator()
		_ = os.RemoveAll(profile)
	}
}

// stopBrowser ends the browser, if a test has started it.
func stopBrowser() {
	if theBrowser.stop != nil {
		theBrowser.stop()
	}
}

// browserPatience is for how long a tab waits for what it expects.
const browserPatience = 20 * time.Second

// tab is a tab of the browser, with cookies of its own. A console error, an uncaught exception and what the content security policy
// refused fail the test.
type tab struct {
	t    *testing.T
	x    *server
	ctx  context.Context
	mu   sync.Mutex
	bad  []string
	okay []*regexp.Regexp // troubles that are expected
}

// openTab opens a tab for a server.
func openTab(t *testing.T, x *server) *tab {
	t.Helper()
	theBrowser.once.Do(theBrowser.start)
	if theBrowser.err != nil {
		t.Fatal(theBrowser.err)
	}
	ctx, cancel := chromedp.NewContext(theBrowser.ctx, chromedp.WithNewBrowserContext())
	b := &tab{t: t, x: x, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil { // with a context that has no timeout, as it opens the tab
		t.Fatal(err)
	}
	said := chromedp.Console(ctx)
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		for m, err := range said {
			if err != nil {
				return // the tab is closed
			}
			b.hear(m)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-listening
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, text := range b.bad {
			t.Errorf("the browser met trouble: %s", text)
		}
		if strings.Contains(x.log.String(), "content security policy") {
			t.Error("the browser reported that the content security policy refused something")
		}
	})
	return b
}

// hear notes what the browser says of a page that it should not have to say.
func (b *tab) hear(m chromedp.ConsoleMessage) {
	switch m.Type {
	case chromedp.ConsoleWarning, chromedp.ConsoleError, chromedp.ConsoleException:
	default:
		return
	}
	text := fmt.Sprintf("%s: %s (%s)", m.Type, m.Text, m.URL)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, known := range b.okay {
		if known.MatchString(text) {
			return
		}
	}
	b.bad = append(b.bad, text)
}

// expects lets troubles pass that a pattern matches, such as the 422 of a form that is wrong.
func (b *tab) expects(pattern string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.okay = append(b.okay, regexp.MustCompile(pattern))
}

func (b *tab) run(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%s: %v\nthe page is %s", what, err, b.text())
	}
}

// eval gives what a script makes of the page; a promise, when it is kept.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return result
}

// until waits until a script is true of the page, whichever page that is by then.
func (b *tab) until(what, script string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(browserPatience)))
		if err == nil {
			return
		}
		if ctx.Err() != nil { // an error before that is of a page that has just gone
			b.t.Fatalf("%s: %v\nthe page is %s", what, err, b.text())
		}
	}
}

// text is what a person reads on the page.
func (b *tab) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// open opens a page by its path or URL.
func (b *tab) open(path string) {
	b.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.x.address() + path
	}
	b.run("open "+path, chromedp.Navigate(path))
}

// sees waits until the page shows a text.
func (b *tab) sees(text string) {
	b.t.Helper()
	b.until("wait for "+text, fmt.Sprintf(`document.body && document.body.innerText.includes(%q)`, text))
}

// lacks checks that the page does not show a text now.
func (b *tab) lacks(text string) {
	b.t.Helper()
	if strings.Contains(b.text(), text) {
		b.t.Errorf("the page shows %q: %s", text, b.text())
	}
}

// visible finds elements that can be seen, so that of the two navigations, the one that is shown is used.
const visible = `Array.from(document.querySelectorAll(%q)).filter(e => e.checkVisibility({visibilityProperty: true}) && (%s))`

// element waits for the first element that can be seen, of a selector, for which an expression of e holds, and gives it a mark to select it by.
func (b *tab) element(what, selector, holds string) chromedp.CSS {
	b.t.Helper()
	mark := fmt.Sprintf("m%d", time.Now().UnixNano())
	b.until("find "+what, fmt.Sprintf(`(() => { const e = `+visible+`[0]; if (!e) return false; e.setAttribute("data-test", %q); return true; })()`, selector, holds, mark))
	return chromedp.CSS(`[data-test="` + mark + `"]`)
}

// click clicks the button, link or menu of a name.
func (b *tab) click(name string) {
	b.t.Helper()
	at := b.element("the button or link "+name, "a, button, summary", fmt.Sprintf(`(e.innerText.trim() === %q || e.getAttribute("aria-label") === %q)`, name, name))
	b.run("click "+name, chromedp.Click(at))
}

const labelled = `Array.from(e.labels || []).some(l => l.innerText.trim().startsWith(%q))`

// fill writes into the field of a label.
func (b *tab) fill(label, value string) {
	b.t.Helper()
	at := b.element("the field "+label, "input, textarea", fmt.Sprintf(labelled, label))
	eval[bool](b, fmt.Sprintf(`(document.querySelector(%q).value = "") === ""`, at))
	b.run("fill "+label, chromedp.SendKeys(at, value))
}

// choose chooses an option of a label's list, or the checkbox or radio button of a label.
func (b *tab) choose(label string, value ...string) {
	b.t.Helper()
	if len(value) > 0 {
		at := b.element("the list "+label, "select", fmt.Sprintf(labelled, label))
		set := `(() => { const e = document.querySelector(%q); e.value = %q; e.dispatchEvent(new Event("change", {bubbles: true})); return e.value; })()`
		if got := eval[string](b, fmt.Sprintf(set, at, value[0])); got != value[0] {
			b.t.Fatalf("the list %s has no option %q", label, value[0])
		}
		return
	}
	at := b.element("the choice "+label, "input[type=checkbox], input[type=radio]", fmt.Sprintf(labelled, label))
	b.run("choose "+label, chromedp.Click(at))
}

// secret is what the page shows once.
func (b *tab) secret() string {
	b.t.Helper()
	return eval[string](b, `document.querySelector("[data-secret]").innerText`)
}

// shoot takes pictures of the present page, at the sizes of a desktop and of a phone, into the test's artefacts; or, light and dark, into
// the folder POSTROOM_SCREENSHOTS. It also checks that nothing is wider than a phone.
func (b *tab) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("POSTROOM_SCREENSHOTS")
	dark := dir != ""
	if !dark {
		dir = b.t.ArtifactDir()
	}
	for _, shot := range []struct {
		what          string
		width, height int64
		scheme        string
	}{{"desktop", 1280, 800, "light"}, {"desktop-dark", 1280, 800, "dark"}, {"phone", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"}} {
		if shot.scheme == "dark" && !dark {
			continue
		}
		b.emulate(shot.scheme, shot.width, shot.height)
		// Two frames later, what changes with the size of the window is drawn.
		wide := eval[int64](b, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(document.documentElement.scrollWidth))))`)
		picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			b.t.Fatal(err)
		}
		if wide > shot.width {
			b.t.Errorf("%s is %d pixels wide on a screen of %d", name, wide, shot.width)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+"-"+shot.what+".png"), picture, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	b.emulate("light", 1280, 800)
}

// emulate is a screen of a size, for which the person has chosen colours.
func (b *tab) emulate(scheme string, width, height int64) {
	b.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatal(err)
	}
	b.run("be a screen", chromedp.EmulateViewport(width, height))
}

const browserPassword = "correct horse battery"

var signInLink = regexp.MustCompile(`(?m)^  Sign in: +(http\S+)`)

// signedIn is a tab in which the first administrator of a new server is signed in.
func signedIn(t *testing.T, x *server) *tab {
	t.Helper()
	b := openTab(t, x)
	b.open(firstLink(t, x))
	b.click("Sign in")
	b.fill("Your email address", "root@example.com")
	b.fill("New password", browserPassword)
	b.fill("New password, again", browserPassword)
	b.click("Set the password")
	b.sees("Your password is set.")
	return b
}

// firstLink is the link that the first start of a server has printed.
func firstLink(t *testing.T, x *server) (link string) {
	t.Helper()
	testenv.Eventually(t, browserPatience, func() error {
		m := signInLink.FindStringSubmatch(x.out.String())
		if m == nil {
			return fmt.Errorf("the server printed no link: %s", x.out.String())
		}
		link = m[1]
		return nil
	})
	return link
}
