package bench

import "slices"

// Percentiles describe a set of durations, in milliseconds to the microsecond.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// percentilesOf sorts the durations (µs) and describes them. Each percentile is one of them, by nearest rank: the
// smallest that at least so many per cent do not exceed. All are zero when there are none.
func percentilesOf(us []int64) Percentiles {
	if len(us) == 0 {
		return Percentiles{}
	}
	slices.Sort(us)
	at := func(percent int) float64 {
		rank := (percent*len(us) + 99) / 100
		return float64(us[rank-1]) / 1000
	}
	return Percentiles{P50: at(50), P95: at(95), P99: at(99), Max: at(100)}
}

// median is the middle one of the values, or the mean of the two in the middle; 0 when there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
