// Package iampolicy reads AWS policy documents the way IAM and the services do, and says what they refuse. It is pure:
// a text in, findings out.
//
// The grammar is that of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html, sizes are
// those of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html. In one thing it is stricter than
// AWS: an action that no service of ours offers is refused, while AWS accepts it in silence and it grants nothing.
package iampolicy
