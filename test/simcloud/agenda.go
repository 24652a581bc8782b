package simcloud

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// An answer of the cloud sets the engine and its program to work, and what they do next cannot be seen until they ask
// for it: only that they do nothing tells that they wait for the cloud. Time that passes too early puts what they were
// about to ask for after operations beside which it would have run. So it passes when no request has begun or ended
// during some looks in a row, and each of them found the engine and its program idle: the pause is short on an idle
// machine, and as long as need be on one that is busy with something else. Where one cannot look, the pause is long.
const (
	lookEvery  = 3 * time.Millisecond
	looks      = 5  // more than one: a look is not one moment, and the work may pass from one program to another meanwhile
	blindLooks = 60 // where nobody can tell whether they are idle
	// longestBusy is when time passes although the program is busy: with something that has nothing to do with the cloud.
	longestBusy = 3 * time.Second
)

// agenda is the time of a virtual clock: it goes from one wake-up to the next as a simulation of discrete events does,
// at moments when nothing is under way but waiting.
type agenda struct {
	mu       sync.Mutex
	now      time.Duration
	sleepers []*sleeper
	working  int       // requests under way that do not sleep
	stirred  time.Time // when a request last began, ended or was woken
	events   int       // how many of these there have been
	watched  bool      // somebody waits for the idle moment
}

// sleeper waits until a time. A request that sleeps is not under way until it is woken.
type sleeper struct {
	until   time.Duration
	request bool
	woken   chan struct{}
}

// requestKey marks the contexts of requests.
type requestKey struct{}

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
	a.working += requests
	a.stir()
}

// stir begins the pause anew. The agenda is locked.
func (a *agenda) stir() {
	a.stirred = time.Now()
	a.events++
	if len(a.sleepers) > 0 && !a.watched {
		a.watched = true
		go a.watch()
	}
}

// watch lets time pass at each idle moment, as long as anybody sleeps.
func (a *agenda) watch() {
	quiet, seen := 0, -1
	var around surroundings
	for {
		time.Sleep(lookEvery)
		a.mu.Lock()
		if len(a.sleepers) == 0 {
			a.watched = false
			a.mu.Unlock()
			return
		}
		events, working, since := a.events, a.working, time.Since(a.stirred)
		a.mu.Unlock()
		if working > 0 || events != seen {
			quiet, seen, around = 0, events, surroundings{}
			continue
		}
		if around.busy() && since < longestBusy { // not locked: a request must be able to begin
			quiet = 0
			continue
		}
		if quiet++; quiet < looks || around.blind && quiet < blindLooks {
			continue
		}
		a.mu.Lock()
		if a.events == seen {
			a.pass()
		}
		a.mu.Unlock()
	}
}

// pass lets time pass to the earliest wake-up. All whose time has come wake together. The agenda is locked.
func (a *agenda) pass() {
	if len(a.sleepers) == 0 {
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
