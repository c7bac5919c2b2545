package testenv

import (
	"testing"
	"time"
)

// Eventually calls check until it returns nil, and fails the test with check's last error when that has not happened
// within the timeout. It tries at least twice, at once and at the end, and between them after pauses that grow from
// one to fifty milliseconds. In a [testing/synctest] bubble the pauses take no time.
//
//	testenv.Eventually(t, 10*time.Second, func() error {
//		if n := receiver.Count(); n != 3 {
//			return fmt.Errorf("the receiver has %d of 3 deliveries", n)
//		}
//		return nil
//	})
func Eventually(t testing.TB, timeout time.Duration, check func() error) {
	t.Helper()
	const longest = 50 * time.Millisecond
	start := time.Now()
	deadline := start.Add(timeout)
	for tries, pause := 1, time.Millisecond; ; tries, pause = tries+1, min(2*pause, longest) {
		err := check()
		if err == nil {
			return
		}
		left := time.Until(deadline)
		if left <= 0 && tries > 1 {
			t.Fatalf("not so within %v (tried %d times in %v): %v", timeout, tries, time.Since(start).Round(time.Millisecond), err)
		}
		time.Sleep(max(0, min(pause, left)))
	}
}
