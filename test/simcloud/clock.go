package simcloud

import (
	"context"
	"sync"
	"time"
)

// Epoch is when every simulated cloud begins, so that a run's times do not depend on the day.
var Epoch = time.Date(2026, time.January, 5, 8, 0, 0, 0, time.UTC)

// Clock is simulated time. It runs Factor times as fast as real time; a Factor of 0 makes waiting free: the clock jumps
// ahead by what is waited for.
type Clock struct {
	factor  float64
	started time.Time

	mu     sync.Mutex
	jumped time.Duration
}

// NewClock starts a clock. With a factor of 600 a simulated minute takes a tenth of a second.
func NewClock(factor float64) *Clock { return &Clock{factor: factor, started: time.Now()} }

// Now is the simulated time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Epoch.Add(c.jumped + time.Duration(float64(time.Since(c.started))*c.factor))
}

// Advance moves the clock on, as when a run begins where the last one ended.
func (c *Clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jumped += by
}

// Sleep waits for a simulated duration or until ctx ends.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	pause := time.Duration(float64(d) / c.factor)
	if c.factor == 0 {
		c.Advance(d)
		pause = time.Millisecond // others must get their turn while somebody waits for them
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Latency is how long the operations on one resource type take.
type Latency struct{ Create, Update, Delete time.Duration }

// Latencies are by type token; those that are missing take no time.
type Latencies map[string]Latency
