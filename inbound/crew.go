package inbound

import "time"

// crew runs functions in goroutines that stay for the next one. A new goroutine begins with a small stack, which grows on its way
// down to the database; that took 4 % of the server's CPU.
type crew struct {
	next chan func()
	stay time.Duration // how long a goroutine waits for its next function; 0 for not at all
}

// crewStays is longer than calls of a busy sender are apart.
const crewStays = time.Second

func newCrew() crew { return crew{make(chan func()), crewStays} }

// run begins with a function at once.
func (c crew) run(f func()) {
	select {
	case c.next <- f:
	default: // nobody is idle
		go c.work(f)
	}
}

func (c crew) work(f func()) {
	idle := time.NewTimer(c.stay)
	defer idle.Stop()
	for {
		if f(); c.stay == 0 {
			return
		}
		idle.Reset(c.stay)
		select {
		case f = <-c.next:
		case <-idle.C:
			return
		}
	}
}
