// Package reencrypt finds out under which key etcd holds each object of the encrypted
// resources, and has the API server write anew what is under another key than the one
// that writes now (M18).
//
// It reads etcd itself, because the API server tells nobody what a value is stored
// under, and writes through the API server alone, by a patch that changes nothing: the
// API server stores an object anew when the key that it finds is not the one that
// writes. The answer to that patch is asked for without the object, so that no value
// ever comes to this program in the clear; what it reads from etcd it keeps for as long
// as it takes to read the key's name before it.
// https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/#ensure-all-secrets-are-encrypted
package reencrypt
