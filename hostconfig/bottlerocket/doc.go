// Package bottlerocket turns a [hostconfig.Node] and what only Bottlerocket has
// into the user data that Bottlerocket reads at its first boot on EC2: a TOML
// document below "settings", for the variants aws-k8s-1.35 to aws-k8s-1.37, plain,
// FIPS and NVIDIA.
//
// [Settings] models the documented settings of those variants, so a key that
// the operating system does not know cannot be written. That matters: one
// unknown key or wrong type, and the node never joins
// (https://github.com/bottlerocket-os/bottlerocket/issues/1346).
//
// The order of use is that of hostconfig: fill a [Spec], call Validate, then
// Render. The hardened settings come first. What a user adds in [Spec.Settings]
// or a field is judged leaf by leaf: additive, overwritable within bounds, or
// locked unless an exception names the control. An exception opens one thing:
// "M03/admin-container" starts the SSH server and nothing else, and "M03" alone
// opens nothing. What is refused is left out and reported, so the result is never
// weaker than the default. What one field decides no other place may say.
//
// The package is pure: it reads no file, clock, environment or network, and the
// same specification gives the same bytes. It never runs on the node, and it
// renders no secret: tokens, keys and registry passwords in user data can be
// read by everything on the node, so they are refused (M34).
//
// Sources: https://bottlerocket.dev/en/os/ (settings reference, to OS 1.66), the
// release notes to OS 1.69, and the models in
// https://github.com/bottlerocket-os/bottlerocket-settings-sdk, to 0.27.
// Left out are settings of other variants (ECS, VMware), and those whose form no
// source states: memory-reservation-policy and memory-throttling-factor of
// Kubernetes 1.37, the size of zram, the capabilities of a registry mirror, and
// time servers with options of their own, which no release announces.
package bottlerocket
