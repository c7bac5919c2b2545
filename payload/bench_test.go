package payload_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/postroom/postroom/payload"
)

// eventData is the data of an opened mail, 1 KiB of it, in the form that JavaScript writes.
const eventData = `{"contact":{"id":"con_01j9z3k8m5t7v2x4y6a8b0c1d3","uid":"crm-48213","email":"renée.martin@example.com","phone":"+33612345678",` +
	`"first_name":"Renée","last_name":"Martin","status":"subscribed","lists":["Newsletter","Product updates","VIP customers"],` +
	`"tags":["vip","lead","spring-2026"],"custom_fields":{"company":"Atelier Martin & Fils","plan":"pro","seats":25,"score":87.5,` +
	`"renewal":"2026-11-30","notify":true,"referrer":null},"source":"src_01j9z3k8m5t7v2x4y6a8b0c1d4",` +
	`"created_at":"2025-03-14T09:26:53.589Z","updated_at":"2026-02-01T17:03:11.002Z"},"campaign":{"id":790,` +
	`"name":"February newsletter","subject":"What is new in <February>","sent_at":"2026-02-02T08:00:00.000Z"},` +
	`"message":{"id":"msg_5b1f0c9e7d","thread_id":null,"from":"news@example.com","to":["renée.martin@example.com"]},` +
	`"client":{"ip_address":"203.0.113.57","user_agent":"Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15",` +
	`"device_type":"mobile","email_client":"Apple Mail"},"counts":{"opens":3,"clicks":1},"opened_at":1769990591}`

func BenchmarkAppendJS(b *testing.B) {
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(eventData), "", "  "); err != nil {
		b.Fatal(err)
	}
	escaped := bytes.ReplaceAll([]byte(eventData), []byte("é"), []byte(`\u00e9`))
	escaped = bytes.ReplaceAll(escaped, []byte("/"), []byte(`\/`))
	for _, bench := range []struct {
		name string
		src  []byte
	}{
		{"normal", []byte(eventData)},
		{"indented", indented.Bytes()},
		{"escaped", escaped},
		{"index keys last", []byte(`{"a":` + eventData + `,"0":` + eventData + `}`)},
		{"40 keys", object(40)},
		{"100000 keys", object(100_000)},
		{"decimals", []byte(`[48.85661400,2.3522219,1e3,1.10,123456789012345678,-0.25,99.90,3.14159]`)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			dst := make([]byte, 0, 2*len(bench.src))
			b.SetBytes(int64(len(bench.src)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := payload.AppendJS(dst, bench.src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMembers(b *testing.B) {
	src := []byte(`{"type":"email.opened","id":"order-48213-opened","data":` + eventData + `}`)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		err := payload.Members(src, func(key, raw []byte) error {
			size += len(raw)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendString(b *testing.B) {
	for name, s := range map[string]string{
		"plain":   "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)",
		"escapes": "<p class=\"lead\">Hello Renée,</p>\n<p>Here is <a href=\"https://example.com/news\">the news</a>.</p>\n",
	} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 200)
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				dst = payload.AppendString(dst[:0], s)
			}
		})
	}
}

// object is a JSON object of n members with different keys.
func object(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `,"custom_field_%s":%d`, strconv.FormatInt(int64(i)*7919, 36), i)
	}
	b.WriteByte('}')
	b.Bytes()[0] = '{'
	return b.Bytes()
}
