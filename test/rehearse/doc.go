// Package rehearse drives the real Pulumi engine over an environment: the CLI from bin/, the Automation API, file state
// under .state/pulumi. Providers that are not installed on this machine are attached from this process, so a program
// meets the same engine, the same state and the same provider protocol as under `pulumi up`.
//
// Nothing of an environment lives here: the program, the providers and the settings file are given. A stack made with
// this package can be taken over by the ordinary CLI (same project, same state, same passphrase) and the other way
// round. The package never changes a settings file and never writes outside the state directory.
package rehearse
