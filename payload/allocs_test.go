//go:build !race

package payload_test

import (
	"testing"

	"github.com/postroom/postroom/payload"
)

// With the race detector, a sync.Pool forgets some of what it is given.
func TestRenderAllocatesLittle(t *testing.T) {
	tmpl := compile(t, `{"event_type":"{event_type}","timestamp":"{timestamp}","subscriber":{"id":"{subscriber_id}","email":"{subscriber_email}","name":"{subscriber_first_name} {subscriber_last_name|}",`+
		`"custom_field":"{custom_field_company}","phone":"{subscriber_phone?}"},"campaign":{"id":"{campaign_id}","name":"{campaign_name}"},"custom_data":{"your_field":"your_value"}}`)
	in := &payload.Input{Event: opened(eventData)}
	dst := make([]byte, 0, 4096)
	allocs := testing.AllocsPerRun(100, func() {
		if _, _, err := tmpl.Render(dst, in); err != nil {
			t.Error(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}
