// Package controls holds what an environment shows against the controls it must uphold, and renders the evidence: a
// catalogue of controls, what was looked at for each, and a state for every one of them, the ones that nobody looked at
// included.
//
// The package is pure. It makes no observation of its own: whoever has looked says what was looked at, how near to the
// running thing, and what was wrong.
package controls
