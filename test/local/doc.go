// Package local proves that a local environment is hardened.
//
// TestVerify attacks a running cluster: every check is a real attempt (a
// connection, a request, a forged credential, a read of the stored bytes), made
// from the place in the network that an attacker would hold. No check reads a
// setting and believes it. Each one is named by the row of the mission that it
// proves, so that `-run 'TestVerify/M16'` runs one row.
//
// TestLifecycle brings environments up under names of their own, breaks them,
// and proves that they come back and that nothing is left behind. TestMutations
// removes one control at a time and demands that the check which guards it
// turns red.
//
// Waiting and HTTP go through terratest; Kubernetes is asked with client-go,
// because terratest's k8s module compiles the SDKs of 25 AWS services, and the
// local path compiles no cloud's SDK.
//
// The package only reads the environment that it verifies, apart from objects
// that carry the label redoubt.dev/verify, which it deletes.
package local
