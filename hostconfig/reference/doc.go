// Package reference renders docs/hostconfig.md, the list of everything that
// hostconfig sets: each setting, its default, the control that it upholds, and
// whether and how it can be changed. It reads the same tables by which
// specifications are judged, so that the page cannot say anything else; a test
// fails when the file is stale.
//
// The package is pure, and nothing but that test uses it.
package reference
