package bench

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPercentiles(t *testing.T) {
	hundred := make([]int64, 0, 100)
	for i := range 100 {
		hundred = append(hundred, int64(100-i)*1000) // 100 ms down to 1 ms
	}
	for _, test := range []struct {
		name string
		us   []int64
		want Percentiles
	}{
		{"none", nil, Percentiles{}},
		{"one", []int64{1500}, Percentiles{P50: 1.5, P95: 1.5, P99: 1.5, Max: 1.5}},
		{"two", []int64{2000, 1000}, Percentiles{P50: 1, P95: 2, P99: 2, Max: 2}},
		{"three", []int64{3, 1, 2}, Percentiles{P50: 0.002, P95: 0.003, P99: 0.003, Max: 0.003}},
		{"hundred", hundred, Percentiles{P50: 50, P95: 95, P99: 99, Max: 100}},
	} {
		if got := percentilesOf(test.us); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

// TestPercentileRank holds them to their definition: the smallest value that at least so many per cent do not exceed.
func TestPercentileRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 1000), 1, 300).Draw(t, "values")
		got := percentilesOf(slices.Clone(values))
		for percent, ms := range map[int]float64{50: got.P50, 95: got.P95, 99: got.P99, 100: got.Max} {
			atMost, below := 0, 0
			for _, v := range values {
				if float64(v)/1000 <= ms {
					atMost++
				}
				if float64(v)/1000 < ms {
					below++
				}
			}
			if atMost*100 < percent*len(values) || below*100 >= percent*len(values) {
				t.Fatalf("p%d is %v: of %d values %d are at most that, %d below", percent, ms, len(values), atMost, below)
			}
		}
	})
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0}, {[]float64{4}, 4}, {[]float64{5, 1}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5},
	} {
		before := slices.Clone(test.values)
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v is %v, want %v", test.values, got, test.want)
		}
		if !slices.Equal(before, test.values) {
			t.Errorf("median has changed %v to %v", before, test.values)
		}
	}
}
