package bench

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// sampleReport has every kind of comparison, and one in which something was lost.
func sampleReport() *Report {
	measured := func(target string, perSecond, p99 float64, processes ...Usage) Measurement {
		return Measurement{
			Target: target, Events: 20000, Deliveries: 20000, Arrived: 20000,
			Seconds: 20000 / perSecond, PublishSeconds: 0.8, PerSecond: perSecond,
			Latency:   Percentiles{P50: p99 / 4, P95: p99 / 2, P99: p99, Max: 2 * p99},
			Publish:   Percentiles{P50: 2.125, P95: 4.5, P99: 9.75, Max: 31.5},
			Processes: processes,
		}
	}
	publisher := Usage{Process: "publisher", CPUSeconds: 0.41, CPUPerEvent: 20.5, PeakBytes: 30 << 20}
	receiver := Usage{Process: "receiver", CPUSeconds: 0.3, CPUPerEvent: 15, PeakBytes: 20 << 20}
	base := func(perSecond float64) Measurement {
		return measured(bareForwarder, perSecond, 48.2, publisher, Usage{Process: "forwarder", CPUSeconds: 0.8, CPUPerEvent: 40, PeakBytes: 24 << 20}, receiver)
	}
	subject := func(perSecond, p99 float64) Measurement {
		return measured("Postroom", perSecond, p99, publisher, Usage{Process: "postroom", CPUSeconds: 1.5, CPUPerEvent: 75, PeakBytes: 61 << 20}, receiver)
	}
	lossy := subject(9000, 900)
	lossy.Arrived, lossy.Missing, lossy.Duplicates = 19998, 2, 1
	lossy.Refused, lossy.Refusal = 3, `503 {"code":"a|b"}`

	calls := func(m Measurement) Measurement {
		m.Calls, m.Latency, m.Processes = true, m.Publish, m.Processes[:2]
		return m
	}
	forgetful := subject(13000, 9)
	forgetful.Arrived, forgetful.Missing = 19993, 7

	r := &Report{
		Version: "1.2.3",
		Machine: Machine{Cores: 2, CPU: "Example CPU @ 2.50GHz", Kernel: "Linux 6.1.0 amd64", Go: "1.26.0", FileSystem: "ext4", SyncMS: 1.234, Load: "0.42"},
		Settings: settingsOf(Config{
			Events: 20000, Publishers: 64, Runs: 3, Warmup: 1000, Rate: 200, Paced: 10 * time.Second,
		}),
		Comparisons: []Comparison{
			{
				Scenario: "one", What: "SQLite, one webhook: delivered events per second, whole way", Metric: Throughput, Base: bareForwarder, Subject: "Postroom",
				Goal:  forwarderGoal(0.45, 0.7),
				Pairs: []Pair{{base(22700), subject(11800, 120)}, {base(22000), subject(12000, 110)}, {base(23000), subject(11500, 130)}},
			},
			{
				Scenario: "bulk", What: "PostgreSQL, bulk publish (NDJSON), one webhook", Metric: Throughput, Base: bareForwarder, Subject: "Postroom, 100 events a request",
				Pairs: []Pair{{base(22700), lossy}},
			},
			{
				Scenario: "paced", What: "SQLite, 200 events/s: publish to arrival, p99", Metric: P99, Base: bareForwarder, Subject: "Postroom",
				Goal:  &Goal{Must: 5, Aim: 2.5, MustText: "5 ms", AimText: "2.5 ms"},
				Pairs: []Pair{{base(200), subject(200, 2.04)}, {base(200), subject(200, 1.95)}},
			},
			{
				Scenario: "hang", What: "SQLite, one of 10 webhooks hangs: the others' p99", Metric: P99Ratio, Base: "Postroom, 10 webhooks answer", Subject: "Postroom, one of them hangs",
				Goal:  &Goal{Must: 1.2, Aim: 1.05, MustText: "within 20 % of none hanging", AimText: "no difference"},
				Pairs: []Pair{{subject(1800, 10), subject(1800, 13)}},
			},
			{
				Scenario: "start", What: "SQLite, start with 1,000,000 waiting deliveries, to first delivery", Metric: Seconds, Subject: "Postroom",
				Goal: &Goal{Must: 2, Aim: 0.5, MustText: "2 s", AimText: "0.5 s"}, Values: []float64{0.41, 0.38, 0.52},
			},
			{
				Scenario: "memory", What: "SQLite, 100,000 webhooks configured, 1,000,000 waiting: resident memory", Metric: MiB, Subject: "Postroom",
				Goal: &Goal{Must: 400, Aim: 200, MustText: "400 MiB", AimText: "200 MiB"}, Values: []float64{312.4}, Details: []Detail{{What: "in the end", Value: 288}},
			},
			{
				Scenario: "logs", What: "SQLite, log query (any filter, first page), 1,000,000 attempts", Metric: Slowest, Subject: "Postroom",
				Goal: &Goal{Must: 50, Aim: 10, MustText: "50 ms", AimText: "10 ms"}, Values: []float64{1.5, 12.5},
				Details: []Detail{{What: "events?", Value: 1.5, First: 4, Max: 2, Found: "50, and a cursor"}, {What: "events?q=needle", Value: 12.5, First: 30, Max: 20, Found: "20"}},
			},
			{
				Scenario: "intake", What: "SQLite, intake: verified, stored, answered", Metric: Answers, Base: bareHandler, Subject: "Postroom",
				Goal:  &Goal{Must: 0.5, Aim: 0.7, MustText: "0.5 of a bare net/http handler that answers", AimText: "0.7"},
				Pairs: []Pair{{calls(base(24000)), calls(subject(14000, 9))}, {calls(base(24000)), calls(forgetful)}},
			},
		},
	}
	r.Comparisons[1].Pairs[0].Base.Processes = nil
	for i := range r.Comparisons {
		r.Comparisons[i].Database = "SQLite"
		r.Comparisons[i].summarise()
	}
	return r
}

func TestReportFormats(t *testing.T) {
	for format, golden := range map[Format]string{Table: "report.txt", JSON: "report.json", Markdown: "report.md"} {
		var got bytes.Buffer
		if err := sampleReport().write(&got, format); err != nil {
			t.Fatal(err)
		}
		path := "testdata/" + golden
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s differs (go test ./bench -update writes it): -want +got:\n%s", path, diff)
		}
	}
}

func TestReportJSON(t *testing.T) {
	var b bytes.Buffer
	want := sampleReport()
	if err := want.write(&b, JSON); err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*want, got); diff != "" {
		t.Errorf("a report that is read back differs: -want +got:\n%s", diff)
	}
}

func TestComparison(t *testing.T) {
	pair := func(base, subject, baseP99, subjectP99 float64) Pair {
		return Pair{Measurement{PerSecond: base, Latency: Percentiles{P99: baseP99}}, Measurement{PerSecond: subject, Latency: Percentiles{P99: subjectP99}}}
	}
	pairs := []Pair{pair(100, 50, 2, 3), pair(200, 120, 4, 4), pair(100, 40, 2, 5)}
	for _, test := range []struct {
		metric                       Metric
		median, lowest, highest      float64
		must, aim, missed            float64 // goals that are reached in each way
		typicalPerSecond, typicalP99 float64 // of the subject
	}{
		{Throughput, 0.5, 0.4, 0.6, 0.45, 0.5, 0.51, 50, 3},
		{Answers, 0.5, 0.4, 0.6, 0.45, 0.5, 0.51, 50, 3},
		{P99, 4, 3, 5, 4.5, 4, 3.9, 120, 4},
		{P99Ratio, 1.5, 1, 2.5, 1.6, 1.5, 1.4, 50, 3},
	} {
		c := Comparison{Metric: test.metric, Pairs: pairs}
		c.summarise()
		if c.Median != test.median || c.Lowest != test.lowest || c.Highest != test.highest {
			t.Errorf("%s: %v, from %v to %v", test.metric, c.Median, c.Lowest, c.Highest)
		}
		if p := c.typical(); p.Subject.PerSecond != test.typicalPerSecond || p.Subject.Latency.P99 != test.typicalP99 {
			t.Errorf("%s: the typical pair is %+v", test.metric, p)
		}
		for _, g := range []struct {
			goal *Goal
			want string
		}{
			{nil, ""},
			{&Goal{Must: test.must, Aim: test.aim}, "reached, and what it aims at too"},
			{&Goal{Must: test.must, Aim: test.missed}, "reached"},
			{&Goal{Must: test.missed, Aim: test.missed}, "not reached"},
		} {
			c.Goal = g.goal
			if got := c.verdict(); got != g.want {
				t.Errorf("%s, goal %+v: %s, want %s", test.metric, g.goal, got, g.want)
			}
		}
	}
	worked := func(cpu float64, arrived int) Measurement {
		return Measurement{Arrived: arrived, Processes: []Usage{{CPUSeconds: cpu / 4}, {CPUSeconds: cpu * 3 / 4}}}
	}
	cpu := Comparison{Metric: Throughput, Pairs: []Pair{{worked(1, 100), worked(4, 200)}}}
	if cpu.summarise(); cpu.CPURatio != 0.5 {
		t.Errorf("10 ms a delivery beside 20 ms is a ratio of %v", cpu.CPURatio)
	}
	nothing := Comparison{Metric: Throughput, Pairs: []Pair{pair(0, 5, 0, 0)}, Goal: &Goal{}}
	nothing.Pairs[0].Base.Missing = 9
	nothing.summarise()
	if nothing.Median != 0 || nothing.CPURatio != 0 || nothing.verdict() != "events were lost" {
		t.Errorf("beside nothing: %v, %s", nothing.Median, nothing.verdict())
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[float64]string{0: "0.00", 0.004: "0.00", 9.994: "9.99", 12.345: "12.3", 123.45: "123"} {
		if got := ms(in); got != want {
			t.Errorf("%v ms is written %s, want %s", in, got, want)
		}
	}
	for in, want := range map[float64]string{0: "0", 199.6: "200", 1234: "1,230", 22649: "22,600", 1234567: "1,234,600"} {
		if got := rounded(in); got != want {
			t.Errorf("%v is written %s, want %s", in, got, want)
		}
	}
	if got := count(-1234567); got != "-1,234,567" {
		t.Errorf("got %s", got)
	}
}

func TestMachine(t *testing.T) {
	const cpuinfo = "processor\t: 0\nmodel name\t: Example  CPU @ 2.50GHz\nmodel name\t: other\n"
	if got := cpuModel(cpuinfo); got != "Example CPU @ 2.50GHz" {
		t.Errorf("the CPU is %q", got)
	}
	if got := cpuModel("processor : 0\n"); got != "" {
		t.Errorf("a CPU without a name is %q", got)
	}
	const mounts = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /there/tmp rw - tmpfs tmpfs rw
24 22 0:22 / /there/tmp\040two rw shared:2 master:1 - xfs /dev/sdb rw
25 22 0:23 / /there rw - overlay overlay rw
26 22 0:24 / /there rw - btrfs /dev/sdc rw
nonsense
`
	for dir, want := range map[string]string{
		"/": "ext4", "/there": "btrfs", "/thereabouts": "ext4", "/there/x/y": "btrfs", "/there/tmp": "tmpfs", "/there/tmp/x": "tmpfs",
		"/there/tmp two/x": "xfs", "/there/tmpx": "btrfs",
	} {
		if got := fileSystem(mounts, dir); got != want {
			t.Errorf("%s is on %q, want %q", dir, got, want)
		}
	}
	m := machineOf(t.TempDir())
	if m.Cores < 1 || m.Kernel == "" || m.Go == "" || m.SyncMS <= 0 {
		t.Errorf("this machine is %+v", m)
	}
	if got := (Machine{Cores: 1, Kernel: "x", FileSystem: "tmpfs"}).words(); !strings.HasPrefix(got, "1 core; x") || !strings.Contains(got, "nothing there is durable") {
		t.Errorf("got %s", got)
	}
}
