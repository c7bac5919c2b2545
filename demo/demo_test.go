package demo_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/demo"
)

func TestEverythingArrives(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	if err := demo.Run(ctx, demo.Config{Version: "test", Out: &out, Listen: "127.0.0.1:0", Exit: true, Events: 30}); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{"30 events published", "answered 503 on purpose", "signature verified, attempt 2", "44 deliveries arrived",
		"comes in", "200: signature verified, contact made, tagged signed-up, put on Newsletter", "200: it came before", "401: the signature does not verify",
		"6 calls were taken, each stored before it was answered; 3 people are on the list Newsletter, each of them once", "contact.subscribed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the account does not say %q:\n%s", want, &out)
		}
	}
}

func TestEndsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &notice{for_: "Ctrl-C ends the demo", found: cancel}
	if err := demo.Run(ctx, demo.Config{Version: "test", Out: out, Listen: "127.0.0.1:0", Events: 10}); err != nil {
		t.Fatal(err)
	}
}

// notice calls found when a text is written.
type notice struct {
	for_  string
	found func()
}

func (n *notice) Write(p []byte) (int, error) {
	if strings.Contains(string(p), n.for_) {
		n.found()
	}
	return len(p), nil
}
