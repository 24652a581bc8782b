package simcloud

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// How long, in real time, a cloud must hear nothing before its time passes. An answer of the cloud sets the engine and
// its program to work, and what they do next cannot be seen until they ask for it: only silence tells that they wait
// for the cloud. Too short a silence would put what they were about to ask for after operations beside which it would
// have run, so the silence is several of the longest times the engine lately took to ask again: it grows on a machine
// that is busy with something else.
const (
	leastSilence = 20 * time.Millisecond
	mostSilence  = 400 * time.Millisecond
	reactions    = 4 // of the engine make a silence
)

// agenda is the time of a virtual clock: it goes from one wake-up to the next as a simulation of discrete events does,
// at moments when nothing is under way but waiting.
type agenda struct {
	mu       sync.Mutex
	now      time.Duration
	sleepers []*sleeper
	working  int           // requests under way that do not sleep
	stirred  time.Time     // when a request last began, ended or was woken
	reaction time.Duration // how long the engine lately takes to ask again
	timer    *time.Timer
}

// sleeper waits until a time. A request that sleeps is not under way until it is woken.
type sleeper struct {
	until   time.Duration
	request bool
	woken   chan struct{}
}

// requestKey marks the contexts of requests.
type requestKey struct{}

func newAgenda() *agenda {
	a := &agenda{stirred: time.Now()}
	a.timer = time.AfterFunc(time.Hour, a.pass)
	a.timer.Stop()
	return a
}

func (a *agenda) time() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

func (a *agenda) advance(by time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now += by
	a.stir()
}

// work counts requests that begin and end.
func (a *agenda) work(requests int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if requests > 0 && a.working == 0 && len(a.sleepers) > 0 {
		a.reaction = max(time.Since(a.stirred), a.reaction-a.reaction/16)
	}
	a.working += requests
	a.stir()
}

// stir begins the silence anew. The agenda is locked.
func (a *agenda) stir() {
	a.stirred = time.Now()
	if a.working == 0 && len(a.sleepers) > 0 {
		a.timer.Reset(a.silence())
	}
}

func (a *agenda) silence() time.Duration {
	return min(max(leastSilence, reactions*a.reaction), mostSilence)
}

// pass lets time pass to the earliest wake-up if it is silent. All whose time has come wake together.
func (a *agenda) pass() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.working > 0 || len(a.sleepers) == 0 {
		return // who ends it stirs
	}
	if left := a.silence() - time.Since(a.stirred); left > 0 {
		a.timer.Reset(left)
		return
	}
	earliest := slices.MinFunc(a.sleepers, func(x, y *sleeper) int { return cmp.Compare(x.until, y.until) })
	a.now = max(a.now, earliest.until)
	a.sleepers = slices.DeleteFunc(a.sleepers, func(s *sleeper) bool {
		if s.until > a.now {
			return false
		}
		if s.request { // from now on, and not only when its turn comes
			a.working++
		}
		close(s.woken)
		return true
	})
	a.stir()
}

func (a *agenda) sleep(ctx context.Context, d time.Duration) error {
	a.mu.Lock()
	s := &sleeper{until: a.now + d, request: ctx.Value(requestKey{}) != nil, woken: make(chan struct{})}
	a.sleepers = append(a.sleepers, s)
	if s.request {
		a.working--
	}
	a.stir()
	a.mu.Unlock()
	select {
	case <-s.woken:
		return nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.sleepers, s); i >= 0 {
		a.sleepers = slices.Delete(a.sleepers, i, i+1)
		if s.request {
			a.working++
		}
		a.stir()
	}
	return ctx.Err()
}
