package bench

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// eventBytes is the length of every event as it is published, whole: {"type":…,"data":…}.
const eventBytes = 1024

// The types of events. Webhooks under measurement subscribe to the first; the backlog is made of the second.
const (
	measuredType = "email.opened"
	backlogType  = "email.clicked"
)

// The receiver finds these in what arrives, in whatever envelope, and reads the number that follows.
const (
	seqMarker  = `"seq":`
	sentMarker = `"sent_us":`
)

// firstSeq is the number of the first event. From it on numbers have one width, as times in microseconds have until the
// year 2286, so an event is made by writing digits over those of the one before. Both are small enough for a
// JavaScript number, so they survive being parsed and written again.
const firstSeq = 1_000_000_000

// sentPlace holds as many digits as a time in microseconds has.
const sentPlace = "1000000000000000"

// An event is the bytes of one published event, to be written over with the next.
type event struct {
	bytes []byte
	seq   [2]int // where the number is: in seq, and in the contact's address, since events come from many contacts
	sent  int    // where the time is
}

func newEvent(eventType string) event {
	number := strconv.Itoa(firstSeq)
	head := `{"type":"` + eventType + `","data":{` + seqMarker + number + `,` + sentMarker + sentPlace +
		`,"contact":{"id":50181,"uid":"6f1d2c9e-8a54-4c1b-9d0e-3b7a5f2e1c48","email":"reader-` + number + `@example.com",` +
		`"phone":"+46701740605","first_name":"Zoë","last_name":"Lindström","status":"subscribed",` +
		`"lists":[{"id":12,"name":"Newsletter"},{"id":31,"name":"Offers & news"}],"tags":["vip","early-access"],` +
		`"custom_fields":{"company":"Example Roasters","language":"sv","lifetime_value":18249.75,"wholesale":true},` +
		`"source":"signup_form","created_at":"2025-11-03T08:15:30.250Z","updated_at":"2026-03-15T10:30:00.000Z"},` +
		`"campaign":{"id":790,"name":"Spring launch","subject":"Your spring roast is here","sent_at":"2026-03-15T10:30:00.000Z"},` +
		`"message":{"id":"m-0197f2","subject":"Your spring roast is here"},` +
		`"client":{"ip_address":"192.0.2.44","device_type":"desktop","email_client":"Example Mail","user_agent":"Mozilla/5.0 (`
	const tail = `)"},"counts":{"opens":2,"clicks":0}}}`
	text := head + strings.Repeat("x", eventBytes-len(head)-len(tail)) + tail
	return event{
		bytes: []byte(text),
		seq:   [2]int{strings.Index(text, seqMarker) + len(seqMarker), strings.Index(text, `reader-`) + len(`reader-`)},
		sent:  strings.Index(text, sentMarker) + len(sentMarker),
	}
}

// set makes e the event seq, sent at the time sentUS (µs since 1970).
func (e *event) set(seq, sentUS int64) {
	for _, at := range e.seq {
		writeDigits(e.bytes[at:at+len("1000000000")], seq)
	}
	writeDigits(e.bytes[e.sent:e.sent+len(sentPlace)], sentUS)
}

// writeDigits fills dst with the last digits of n.
func writeDigits(dst []byte, n int64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
}

// findMarkers returns the number of the event that a body carries and when it was sent.
func findMarkers(body []byte) (seq, sentUS int64, err error) {
	if seq, err = numberAfter(body, seqMarker); err != nil {
		return 0, 0, err
	}
	sentUS, err = numberAfter(body, sentMarker)
	return seq, sentUS, err
}

func numberAfter(body []byte, marker string) (n int64, err error) {
	at := bytes.Index(body, []byte(marker))
	if at < 0 {
		return 0, fmt.Errorf("the body has no %s", marker)
	}
	digits := 0
	for _, c := range body[at+len(marker):] {
		if c < '0' || c > '9' || digits == 18 {
			break
		}
		n = n*10 + int64(c-'0')
		digits++
	}
	if digits == 0 {
		return 0, fmt.Errorf("no number follows %s in the body", marker)
	}
	return n, nil
}
