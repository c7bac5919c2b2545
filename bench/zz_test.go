package bench
import ("testing";"os";"context")
func TestZZ(t *testing.T) {
	exe,_ := os.Executable()
	cfg,_ := Config{Executable: exe, Scenarios: []string{"one"}, Databases: []string{"sqlite"}}.complete()
	s, err := openSession(context.Background(), cfg)
	if err != nil { t.Fatal(err) }
	defer s.close()
	r := &Report{Machine: machineOf(s.dir), Settings: settingsOf(cfg)}
	c := Comparison{What:"x", Metric: Throughput, Base: "a", Subject: "b"}
	for range 3 {
		a, err := s.withForwarder(context.Background(), s.single())
		if err != nil { t.Fatal(err) }
		b, err := s.withForwarder(context.Background(), s.single())
		if err != nil { t.Fatal(err) }
		c.Pairs = append(c.Pairs, Pair{a,b})
	}
	p, err := s.withForwarder(context.Background(), s.pacedLoad(1))
	if err != nil { t.Fatal(err) }
	c.summarise()
	d := Comparison{What:"paced", Metric: P99, Base: "a", Subject: "b", Pairs: []Pair{{p,p}}}
	d.summarise()
	r.Comparisons = append(r.Comparisons, c, d)
	r.write(os.Stdout, Table)
}
