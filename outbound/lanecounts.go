package outbound

// LaneCounts is a reading of the lanes. Each lane is in one state only, the first of these that is true of it.
type LaneCounts struct {
	Stopped int // its webhook is paused, disabled or gone
	Open    int // its breaker is open
	Active  int // attempts are under way
	Limited int // what it holds waits for the rate limit
	Crowded int // what it holds waits until its workspace has a worker left
	Ready   int // what it holds waits for a worker
	Idle    int // it holds nothing, and remembers when to look into the database

	Workspaces  int // that have lanes
	IdleWorkers int // wait for work
}

// LaneCounts looks at all lanes. It holds up the engine for some ten nanoseconds a lane.
func (e *Engine) LaneCounts() LaneCounts { return e.lanes.counts() }

func (s *lanes) counts() LaneCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := LaneCounts{Workspaces: len(s.tenants), IdleWorkers: s.idleWorkers}
	now := s.now()
	for _, l := range s.byID {
		_, open := s.open(l)
		switch {
		case l.stopped:
			c.Stopped++
		case open:
			c.Open++
		case l.active > 0:
			c.Active++
		case l.queued() == 0:
			c.Idle++
		case l.pace.ready(now).After(now):
			c.Limited++
		case l.crowded:
			c.Crowded++
		default:
			c.Ready++
		}
	}
	return c
}
