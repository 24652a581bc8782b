package simcloud

import (
	"context"
	"sync"
	"time"
)

// Epoch is when every simulated cloud begins, so that a run's times do not depend on the day.
var Epoch = time.Date(2026, time.January, 5, 8, 0, 0, 0, time.UTC)

// Clock is simulated time. It runs Factor times as fast as real time; a Factor of 0 makes waiting free: the clock jumps
// ahead by what is waited for, once for everybody who waits, which is cheap and no measure. A virtual clock is free too
// and a measure: those who wait side by side wait once (see agenda).
type Clock struct {
	factor  float64
	started time.Time
	agenda  *agenda // of a virtual clock

	mu     sync.Mutex
	jumped time.Duration
}

// NewClock starts a clock. With a factor of 600 a simulated minute takes a tenth of a second.
func NewClock(factor float64) *Clock { return &Clock{factor: factor, started: time.Now()} }

// NewVirtualClock starts a clock whose time passes only while all that is under way waits for it.
func NewVirtualClock() *Clock {
	c := NewClock(0)
	c.agenda = &agenda{}
	return c
}

// Now is the simulated time.
func (c *Clock) Now() time.Time {
	if c.agenda != nil {
		return Epoch.Add(c.agenda.time())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return Epoch.Add(c.jumped + time.Duration(float64(time.Since(c.started))*c.factor))
}

// Advance moves the clock on, as when a run begins where the last one ended.
func (c *Clock) Advance(by time.Duration) {
	if c.agenda != nil {
		c.agenda.advance(by)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jumped += by
}

// Begin tells the clock of a request that is under way until end is called. While it sleeps, with the context it gets
// here, it is not: then it waits for the clock, and not the clock for it.
func (c *Clock) Begin(ctx context.Context) (request context.Context, end func()) {
	if c.agenda == nil {
		return ctx, func() {}
	}
	c.agenda.work(1)
	return context.WithValue(ctx, requestKey{}, true), func() { c.agenda.work(-1) }
}

// Sleep waits for a simulated duration or until ctx ends.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	if c.agenda != nil {
		return c.agenda.sleep(ctx, d)
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
