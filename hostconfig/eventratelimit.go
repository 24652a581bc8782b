package hostconfig

import (
	"fmt"
)

// EventRateLimit bounds how many events the API server accepts (CIS 1.2.9), so
// that a workload that fails in a loop cannot fill etcd.
type EventRateLimit struct {
	// Server bounds all events together: 500 a second by default.
	Server RateLimit `json:"server"`
	// Namespace bounds each namespace: 50 a second by default.
	Namespace RateLimit `json:"namespace"`
	// User bounds each user: 50 a second by default, which is what one kubelet
	// may send (eventRecordQPS).
	User RateLimit `json:"user"`
}

// RateLimit is a token bucket.
type RateLimit struct {
	// QPS is how many events a second are accepted in the long run.
	QPS int `json:"qps,omitempty"`
	// Burst is how many are accepted at once.
	Burst int `json:"burst,omitempty"`
	// CacheSize is how many namespaces or users are remembered.
	CacheSize int `json:"cacheSize,omitempty"`
}

// eventRateLimitConfiguration is the plugin's v1alpha1 type. Upstream keeps it
// in k8s.io/kubernetes, which is no library.
type eventRateLimitConfiguration struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Limits     []eventRateLimit `json:"limits"`
}

type eventRateLimit struct {
	Type      string `json:"type"`
	QPS       int    `json:"qps"`
	Burst     int    `json:"burst"`
	CacheSize int    `json:"cacheSize,omitempty"`
}

// withDefaults gives limits that a small cluster never meets: the start of a
// hundred pods sends some 500 events within seconds.
func (e EventRateLimit) withDefaults() EventRateLimit {
	fill := func(limit *RateLimit, qps, burst, cache int) {
		setDefault(&limit.QPS, qps)
		setDefault(&limit.Burst, burst)
		setDefault(&limit.CacheSize, cache)
	}
	fill(&e.Server, 500, 5000, 0)
	fill(&e.Namespace, 50, 1000, 2000)
	fill(&e.User, 50, 1000, 2000)
	return e
}

func (c ControlPlane) eventRateLimitFile() (File, error) {
	limit := func(kind string, l RateLimit) eventRateLimit {
		return eventRateLimit{Type: kind, QPS: l.QPS, Burst: l.Burst, CacheSize: l.CacheSize}
	}
	contents, err := renderYAML(eventRateLimitConfiguration{
		APIVersion: "eventratelimit.admission.k8s.io/v1alpha1",
		Kind:       "Configuration",
		Limits: []eventRateLimit{
			limit("Server", c.EventRateLimit.Server),
			limit("Namespace", c.EventRateLimit.Namespace),
			limit("User", c.EventRateLimit.User),
		},
	})
	if err != nil {
		return File{}, fmt.Errorf("event rate limit: %w", err)
	}
	return File{Path: c.Paths.EventRateLimit(), Mode: modePrivate, Contents: contents}, nil
}

// mostEventsPerSecond is the rate above which a limit no longer limits: etcd
// with the disks of ordinary machines commits some thousand writes a second.
const mostEventsPerSecond = 1000

func (p *problems) eventRateLimit(field string, e EventRateLimit) {
	for _, each := range []struct {
		name  string
		limit RateLimit
	}{{"server", e.Server}, {"namespace", e.Namespace}, {"user", e.User}} {
		at := field + "." + each.name
		if each.limit.QPS < 1 || each.limit.QPS > mostEventsPerSecond {
			p.add(at+".qps", fmt.Sprintf("%d does not bound events (CIS-1.2.9)", each.limit.QPS),
				fmt.Sprintf("write 1 to %d", mostEventsPerSecond))
		}
		if each.limit.Burst < each.limit.QPS || each.limit.Burst > 100*mostEventsPerSecond {
			p.add(at+".burst", fmt.Sprintf("%d is not a burst for this rate", each.limit.Burst),
				fmt.Sprintf("write at least qps and at most %d", 100*mostEventsPerSecond))
		}
		if each.limit.CacheSize < 0 {
			p.add(at+".cacheSize", "is negative", "write 0 for the default, or a number of namespaces or users")
		}
	}
}
