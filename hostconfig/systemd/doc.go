// Package systemd renders service units whose sandbox is closed unless a field
// opens it.
//
// The package is pure: a [Service] in, the text of a unit file out. It runs
// nothing and knows no machine. Each directive has the form that systemd 252 and
// later read:
//
//   - https://www.freedesktop.org/software/systemd/man/252/systemd.unit.html
//   - https://www.freedesktop.org/software/systemd/man/252/systemd.service.html
//   - https://www.freedesktop.org/software/systemd/man/252/systemd.exec.html
//
// The zero value of [Sandbox] is the tightest one. What a program needs is
// opened by name, so that a reader sees in the specification of a service
// exactly what it may do, and a new service starts with nothing.
package systemd
