package simcloud

import (
	"context"
	"sync"
	"testing"
	"time"
)

// after is a duration since the clock began.
func after(c *Clock) time.Duration { return c.Now().Sub(Epoch) }

func TestVirtualTimeIsThatOfTheLongestAndNotTheSum(t *testing.T) {
	t.Parallel()
	c := NewVirtualClock()
	var all sync.WaitGroup
	ended := make([]time.Duration, 3)
	for i := range ended {
		all.Go(func() {
			ctx, end := c.Begin(context.Background())
			defer end()
			for range i + 1 { // 10, 2 × 20 and 3 × 30 minutes
				if err := c.Sleep(ctx, time.Duration(i+1)*10*time.Minute); err != nil {
					t.Error(err)
				}
			}
			ended[i] = after(c)
		})
	}
	started := time.Now()
	all.Wait()
	for i, want := range []time.Duration{10 * time.Minute, 40 * time.Minute, 90 * time.Minute} {
		if ended[i] != want {
			t.Errorf("%d ended after %s, not %s", i, ended[i], want)
		}
	}
	// 10, 20, 30, 40, 60 and 90 minutes: six silences.
	if took := time.Since(started); took < 6*leastSilence || took > 6*mostSilence {
		t.Errorf("took %s", took)
	}
}

func TestVirtualTimeWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	c := NewVirtualClock()
	ctx, end := c.Begin(context.Background())
	woken := make(chan struct{})
	go func() {
		_ = c.Sleep(ctx, time.Hour)
		close(woken)
		end()
	}()
	_, endOther := c.Begin(context.Background()) // a request that is being judged, and for a long time
	time.Sleep(3 * leastSilence)
	select {
	case <-woken:
		t.Fatal("time passed while a request was under way")
	default:
	}
	if after(c) != 0 {
		t.Errorf("%s passed", after(c))
	}
	endOther()
	<-woken
	if after(c) != time.Hour {
		t.Errorf("%s passed", after(c))
	}
}

// The engine asks again some time after an answer: time must not have passed by then, or what it asks for begins late.
func TestVirtualTimeLearnsHowLongTheEngineTakes(t *testing.T) {
	t.Parallel()
	c := NewVirtualClock()
	long, endLong := c.Begin(context.Background())
	slept := make(chan struct{})
	go func() { _ = c.Sleep(long, time.Hour); endLong(); close(slept) }()
	for range 20 {
		time.Sleep(leastSilence / 2)
		_, end := c.Begin(context.Background())
		end()
	}
	if after(c) != 0 {
		t.Fatalf("%s passed while the engine asked", after(c))
	}
	c.agenda.mu.Lock()
	silence := c.agenda.silence()
	c.agenda.mu.Unlock()
	if silence < reactions*leastSilence/2 || silence > mostSilence {
		t.Errorf("an engine that takes %s is given %s", leastSilence/2, silence)
	}
	<-slept
}

func TestVirtualSleepsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	c := NewVirtualClock()
	_, endOther := c.Begin(context.Background()) // nobody's time comes
	ctx, cancel := context.WithCancel(context.Background())
	request, end := c.Begin(ctx)
	time.AfterFunc(leastSilence, cancel)
	if err := c.Sleep(request, time.Hour); err != context.Canceled {
		t.Errorf("slept: %v", err)
	}
	if err := c.Sleep(request, time.Hour); err != context.Canceled {
		t.Errorf("slept after the end: %v", err)
	}
	end()
	endOther()
	if c.agenda.mu.Lock(); c.agenda.working != 0 || len(c.agenda.sleepers) != 0 {
		t.Errorf("left: %d requests, %d sleepers", c.agenda.working, len(c.agenda.sleepers))
	}
	c.agenda.mu.Unlock()
	// The clock goes on after that, also for those who are no request.
	c.Advance(time.Minute)
	if err := c.Sleep(context.Background(), time.Minute); err != nil || after(c) != 2*time.Minute {
		t.Errorf("%v after %s", err, after(c))
	}
}

func TestAClockHasOnePace(t *testing.T) {
	t.Parallel()
	if _, err := Open(Definition{}, Options{Factor: 60, VirtualTime: true}); err == nil {
		t.Error("a factor and virtual time")
	}
}
