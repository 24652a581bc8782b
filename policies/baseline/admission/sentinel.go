package admission

// Sentinel is a request that the API server refuses as soon as a version of a
// policy is in force there, and that changes nothing: a dry run, or a request
// to a pod that does not exist.
type Sentinel struct {
	// Kind of object that is created in a dry run, such as Pod; or the subresource
	// of a pod that is connected to, such as exec.
	Kind string
	// Connect tells which of the two it is.
	Connect bool
}
