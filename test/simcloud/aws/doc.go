// Package aws is a simulated AWS account behind the Pulumi AWS provider's own types: it accepts what pulumi-aws v6.83.2
// would send and refuses what AWS would refuse, with AWS's codes and words where they are known. One account, any
// region; an account begins fresh, without service-linked roles.
//
// Rules whose source is AWS's documentation name it. What is not modelled is not there: a type or function that is
// missing here is refused by name.
package aws
