package inbound

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestCrew runs functions at once, however many there are, in goroutines that stay for the next one and end when there is none.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew()
		hold, done := make(chan struct{}), make(chan struct{}, 3)
		for range 2 {
			c.run(func() { <-hold; done <- struct{}{} })
		}
		c.run(func() { done <- struct{}{} })
		<-done // the third does not wait for the others
		close(hold)
		<-done
		<-done
		synctest.Wait()
		time.Sleep(crewStays / 2)
		c.run(func() { done <- struct{}{} }) // one of the three does it
		<-done
		time.Sleep(2 * crewStays) // all have ended, or the bubble would not
		synctest.Wait()
		select {
		case c.next <- func() {}:
			t.Error("somebody is still idle")
		default:
		}
	})
}
