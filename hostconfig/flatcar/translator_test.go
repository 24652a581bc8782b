package flatcar

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

func TestTranslatorChangesNothing(t *testing.T) {
	translator := NewTranslator(3)
	var all sync.WaitGroup
	for range 2 {
		for name, s := range specs() {
			all.Add(1)
			go func() {
				defer all.Done()
				want, err := s.Ignition(now)
				for range 2 {
					got, failed := translator.Ignition(s, now)
					if err != nil || failed != nil || !bytes.Equal(got, want) {
						t.Errorf("%s differs: %v, %v", name, err, failed)
					}
					clear(got) // what a caller does with its bytes is its own affair
				}
			}()
		}
	}
	all.Wait()
	if translator.order.Len() != 3 || len(translator.known) != 3 {
		t.Errorf("%d and %d documents are remembered, want 3", translator.order.Len(), len(translator.known))
	}
}

func TestTranslatorRefuses(t *testing.T) {
	translator := NewTranslator(3)
	bad := []byte("variant: flatcar\nversion: 1.1.0\nunknown: 1\n")
	for range 2 {
		if ignition, err := translator.Translate(bad); err == nil || ignition != nil {
			t.Error("a document that Butane warns about is translated")
		}
	}
	s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
	s.Node.Sysctls, s.Node.Exceptions = map[string]string{"kernel.sysrq": "1"}, []hostconfig.Exception{accept(hostconfig.ControlSysctls)}
	must[[]byte](t)(translator.Ignition(s, now))
	if _, err := translator.Ignition(s, now.AddDate(1, 0, 0)); err == nil {
		t.Error("an expired exception is rendered from memory")
	}
	var zero Translator
	must[[]byte](t)(zero.Translate([]byte("variant: flatcar\nversion: 1.1.0\n")))
}

// BenchmarkRender measures a machine from its specification to its bytes: alone,
// with everything new, and as one of a group.
func BenchmarkRender(b *testing.B) {
	for _, role := range []hostconfig.Role{hostconfig.RoleControlPlane, hostconfig.RoleWorker} {
		s := spec(role, hostconfig.PlatformMetal)
		b.Run(string(role)+"/butane", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must[[]byte](b)(s.Butane(now))
			}
		})
		b.Run(string(role)+"/ignition", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must[[]byte](b)(s.Ignition(now))
			}
		})
		b.Run(string(role)+"/group", func(b *testing.B) {
			translator := NewTranslator(8)
			b.ReportAllocs()
			for b.Loop() {
				must[[]byte](b)(translator.Ignition(s, now))
			}
		})
	}
}

// BenchmarkNodes renders many machines that all differ: time and memory of each
// do not grow with their number.
func BenchmarkNodes(b *testing.B) {
	for _, count := range []int{100, 1000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			b.ReportAllocs()
			translator := NewTranslator(8)
			for b.Loop() {
				for i := range count {
					s := spec(hostconfig.RoleWorker, hostconfig.PlatformMetal)
					s.Node.Name, s.Node.Cluster.Workers = fmt.Sprintf("node-%d", i+4), nil
					must[[]byte](b)(translator.Ignition(s, now))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*count), "µs/node")
		})
	}
}

// A group of machines is translated once.
func ExampleTranslator() {
	translator := NewTranslator(16)
	first, _ := translator.Translate([]byte("variant: flatcar\nversion: 1.1.0\n"))
	second, _ := translator.Translate([]byte("variant: flatcar\nversion: 1.1.0\n"))
	fmt.Println(bytes.Equal(first, second))
	// Output: true
}
