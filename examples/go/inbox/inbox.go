// Package inbox stores calls before they are answered, and does their work afterwards.
package inbox

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Inbox is a folder with a file for each call, which is named after the call's id: a repeat finds it there. An empty file is a call
// whose work is done; delete those that are older than the sender's last retry.
type Inbox struct {
	dir  string
	work func(body []byte) error

	mu      sync.Mutex
	waiting []string // files
	wake    chan struct{}
}

// Open opens an inbox and does, in a goroutine, what an earlier process left undone, and then what arrives, one call after the other. An
// error of work leaves the call for the next start.
func Open(dir string, work func(body []byte) error) (*Inbox, error) {
	in := &Inbox{dir: dir, work: work, wake: make(chan struct{}, 1)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "part") {
			in.later(filepath.Join(dir, e.Name()))
		}
	}
	go in.run()
	return in, nil
}

// Keep stores a call, unless it is there. It is on the disk when Keep returns.
func (in *Inbox) Keep(id string, body []byte) error {
	if id == "" {
		return errors.New("a call without an id cannot be told from its repeat")
	}
	part, err := os.CreateTemp(in.dir, "part")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(part.Name()) }()
	_, err = part.Write(body)
	if err = errors.Join(err, part.Sync(), part.Close()); err != nil {
		return err
	}
	name := filepath.Join(in.dir, fmt.Sprintf("%x", sha256.Sum256([]byte(id))))
	err = os.Link(part.Name(), name) // whole, or not at all; fails if it is there
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		in.later(name)
	}
	return err
}

func (in *Inbox) later(name string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.waiting = append(in.waiting, name)
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

func (in *Inbox) run() {
	for range in.wake {
		in.mu.Lock()
		names := in.waiting
		in.waiting = nil
		in.mu.Unlock()
		for _, name := range names {
			if err := in.do(name); err != nil {
				log.Printf("%s is left for the next start: %v", name, err)
			}
		}
	}
}

func (in *Inbox) do(name string) error {
	body, err := os.ReadFile(name)
	if err != nil || len(body) == 0 {
		return err
	}
	if err := in.work(body); err != nil {
		return err
	}
	return os.Truncate(name, 0)
}
