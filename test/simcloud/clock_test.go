package simcloud

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// after is a duration since the clock began.
func after(c *Clock) time.Duration { return c.Now().Sub(Epoch) }

func TestVirtualTimeIsThatOfTheLongestAndNotTheSum(t *testing.T) {
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
	all.Wait()
	for i, want := range []time.Duration{10 * time.Minute, 40 * time.Minute, 90 * time.Minute} {
		if ended[i] != want {
			t.Errorf("%d ended after %s, not %s", i, ended[i], want)
		}
	}
}

func TestVirtualTimeWaitsForWhatIsUnderWay(t *testing.T) {
	c := NewVirtualClock()
	ctx, end := c.Begin(context.Background())
	woken := make(chan struct{})
	go func() {
		_ = c.Sleep(ctx, time.Hour)
		close(woken)
		end()
	}()
	_, endOther := c.Begin(context.Background()) // a request that is being judged, and for a long time
	time.Sleep(4 * looks * lookEvery)
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

func TestVirtualSleepsEndWithTheirContext(t *testing.T) {
	c := NewVirtualClock()
	_, endOther := c.Begin(context.Background()) // nobody's time comes
	ctx, cancel := context.WithCancel(context.Background())
	request, end := c.Begin(ctx)
	time.AfterFunc(looks*lookEvery, cancel)
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
	if _, err := Open(Definition{}, Options{Factor: 60, VirtualTime: true}); err == nil {
		t.Error("a factor and virtual time")
	}
}

// The engine and the program do what they do between two requests: time must not have passed by then.
func TestVirtualTimeWaitsForThePrograms(t *testing.T) {
	const enough = 10 * looks * lookEvery
	for name, work := range map[string]func() (end func()){
		"this one": func() func() {
			ctx, cancel := context.WithCancel(context.Background())
			go func() {
				for ctx.Err() == nil {
				}
			}()
			return cancel
		},
		"one that was started": func() func() {
			busy := exec.Command("sh", "-c", "sh -c 'while :; do :; done'")
			busy.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := busy.Start(); err != nil {
				t.Fatal(err)
			}
			return func() { _ = syscall.Kill(-busy.Process.Pid, syscall.SIGKILL); _ = busy.Wait() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat("/proc/self/task"); err != nil {
				t.Skip("the system does not tell who is busy")
			}
			c, woken := NewVirtualClock(), make(chan struct{})
			end := work()
			go func() { _ = c.Sleep(context.Background(), time.Hour); close(woken) }()
			time.Sleep(enough)
			if after(c) != 0 {
				t.Errorf("%s passed", after(c))
			}
			end()
			select {
			case <-woken:
			case <-time.After(longestBusy):
				t.Error("time does not pass when all are idle")
			}
		})
	}
}
