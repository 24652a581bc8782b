package cloud

// Probes are those of every cluster, for tests that need no engine.
var Probes = probes
