// Package schedule measures how well a run used the time that its cloud took: from what was done and when, and from what
// depends on what, it tells the longest chain, below which no order and no number of hands can get, and how far the run
// stayed behind it. It drives nothing and has no clock.
package schedule
