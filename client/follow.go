package client

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

var errEnough = errors.New("the loop has ended")

// following is the reading of server-sent events, over as many connections as it takes.
type following struct {
	client    *Client
	lost      func(err error) // may be nil
	connected func()          // may be nil
	got       bool            // something came over the present connection
}

// run connects again and again. It is nil when the loop has had enough.
func (f *following) run(ctx context.Context, connect func(ctx context.Context, f *following, again bool) error) error {
	wait := tailWait
	for again := false; ; again = true {
		f.got = false
		err := connect(ctx, f, again)
		var refused *Error
		switch {
		case errors.Is(err, errEnough):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError && refused.Status != http.StatusTooManyRequests:
			return err
		case !again && !f.got:
			return err // it never worked
		}
		if f.got {
			wait = tailWait
		}
		if f.lost != nil {
			f.lost(err)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, tailLongWait)
	}
}

// read follows one connection until it is lost: begun is told of its beginning, and take of each message's data.
func (f *following) read(ctx context.Context, r request, begun func(context.Context, *http.Response) error, take func(data []byte) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.method, r.accept, r.stream = http.MethodGet, "text/event-stream", true
	resp, err := f.client.do(ctx, r, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if f.connected != nil {
		f.connected()
	}
	idle := time.AfterFunc(tailIdle, func() { stop(fmt.Errorf("nothing came for %v", tailIdle)) })
	defer idle.Stop()
	if err := begun(ctx, resp); err != nil {
		return err
	}
	in := bufio.NewReader(resp.Body)
	for {
		data, err := nextMessage(in, func() {
			f.got = true
			idle.Reset(tailIdle)
		})
		if errors.Is(err, io.EOF) {
			return errors.New("the server ended the connection")
		} else if err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		if err := take(data); err != nil {
			return err
		}
	}
}

// nextMessage reads the data of the next message of an event stream (HTML, 9.2), and calls alive for each line. Comments
// and fields other than data are left out.
func nextMessage(in *bufio.Reader, alive func()) ([]byte, error) {
	var data []byte
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil, err // what was not ended by an empty line is not a message
		}
		alive()
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			if data != nil {
				return bytes.TrimSuffix(data, []byte("\n")), nil
			}
			continue
		}
		if value, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = append(append(data, bytes.TrimPrefix(value, []byte(" "))...), '\n')
		}
	}
}

// seen are the ids of the latest things, to know them again.
type seen []string

const mostSeen = 1024

// fresh tells whether an id is seen for the first time.
func (s *seen) fresh(id string) bool {
	if slices.Contains(*s, id) {
		return false
	}
	if len(*s) >= mostSeen {
		*s = slices.Delete(*s, 0, mostSeen/2)
	}
	*s = append(*s, id)
	return true
}
