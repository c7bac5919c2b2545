package payload_test

import (
	"fmt"
	"time"

	"github.com/postroom/postroom/payload"
)

func ExampleAppendJS() {
	out, err := payload.AppendJS(nil, []byte(`{"name": "Ren\u00e9e", "score": 10.0, "2": "b", "1": "a"}`))
	fmt.Println(string(out), err)
	// Output: {"1":"a","2":"b","name":"Renée","score":10} <nil>
}

// An event is enveloped around its data.
func ExampleAppendKey() {
	body := []byte{'{'}
	body = payload.AppendString(payload.AppendKey(body, "type"), "email.opened")
	body = payload.AppendTime(payload.AppendKey(body, "timestamp"), time.UnixMilli(1769990591250))
	body, err := payload.AppendJS(payload.AppendKey(body, "data"), []byte(`{ "contact": { "email": "renee@example.com" } }`))
	if err != nil {
		fmt.Println(err)
		return
	}
	body = append(body, '}')
	fmt.Println(string(body))
	// Output: {"type":"email.opened","timestamp":"2026-02-02T00:03:11.250Z","data":{"contact":{"email":"renee@example.com"}}}
}

// What is published is taken apart, and its data is kept as it came.
func ExampleMembers() {
	body := []byte(`{"type": "email.opened", "data": {"campaign": {"id": 12345678901234567890}}}`)
	var eventType string
	var data []byte
	err := payload.Members(body, func(key, raw []byte) (err error) {
		switch string(key) {
		case "type":
			eventType, err = payload.String(raw)
		case "data":
			data = raw
		}
		return err
	})
	fmt.Println(eventType, string(data), err)
	// Output: email.opened {"campaign": {"id": 12345678901234567890}} <nil>
}
