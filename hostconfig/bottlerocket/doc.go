// Package bottlerocket turns a typed description of a node into the user data
// that Bottlerocket reads at its first boot on EC2: a TOML document below
// "settings", for the variants aws-k8s-1.33 to aws-k8s-1.35.
//
// [Settings] models every documented setting of those variants, so a key that
// the operating system does not know cannot be written. That matters: one
// unknown key or wrong type, and the node never joins
// (https://github.com/bottlerocket-os/bottlerocket/issues/1346).
//
// The order of use is that of hostconfig: fill a [Spec], call Validate, then
// Render. The hardened settings come first. What a user adds in [Spec.Settings]
// or a shorter field is judged leaf by leaf: additive, overwritable within
// bounds, or locked unless an exception names the control. What is refused is
// left out and reported, so the result is never weaker than the default.
//
// The package is pure: it reads no file, clock, environment or network, and the
// same specification gives the same bytes. It never runs on the node, and it
// renders no secret: tokens, keys and registry passwords in user data can be
// read by everything on the node, so they are refused (M34).
//
// Sources: https://bottlerocket.dev/en/os/ (settings reference, to OS 1.63) and
// the models in https://github.com/bottlerocket-os/bottlerocket-settings-sdk.
// Left out are settings of other variants (ECS, NVIDIA, VMware), and
// custom image verifiers, which need a bootstrap container to install them.
package bottlerocket
