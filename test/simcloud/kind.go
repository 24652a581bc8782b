package simcloud

import "time"

// ResourceType is one type of resource a cloud knows.
type ResourceType struct {
	// Token is the Pulumi type, such as "aws:ec2/vpc:Vpc".
	Token string
	// Inputs and Outputs are the SDK's properties.
	Inputs, Outputs *Type
	// Global types exist once for the account, not once for a region.
	Global bool
	// Naming says which property is the name; nil for types that have none.
	Naming *Naming
	// Replace are the properties whose change makes a new resource: a path covers what is below it, "[]" is any item.
	Replace []string
	// Renews are the outputs that an update computes anew, by the input whose change does it; "" is any input. A preview
	// does not know them.
	Renews map[string][]string
	// ReplaceIf names further properties whose change makes a new resource, where that depends on the values.
	ReplaceIf func(olds, news Values) []string
	// References are the properties that lead to other resources.
	References []Reference
	// Defaults are the values of properties that a program leaves out.
	Defaults Values
	// Lag is how long after its creation other services may not see the object.
	Lag time.Duration
	// DeletePatience is how long the provider tries again to delete what others still refer to.
	DeletePatience time.Duration
	// InUse is the refusal to delete what another object refers to; a plain dependency error when nil.
	InUse func(o, by *Object) *Error

	// Check judges the properties before anything is made, as the provider does at plan time: some may be unknown.
	Check func(p *Plan)
	// Create judges as the API does and sets the id and what is computed. It may be called again after an error.
	Create func(c *Change) error
	// Update is the same for a change; without it every change that does not replace is accepted.
	Update func(c *Change) error
	// Delete judges whether the object may go; references have been judged already.
	Delete func(c *Change) error
}

// Naming is how a type is named.
type Naming struct {
	// Property holds the name.
	Property string
	// Automatic names are made from the resource's when the program gives none, at most Max characters long.
	Automatic bool
	Max       int
	// Prefix is the property that asks for a name of the API's making, "" where there is none.
	Prefix string
	// Make turns an automatic name into one of the type's form; nil leaves it.
	Make func(name string) string
}

// Reference is a property that leads to another resource.
type Reference struct {
	// Path is the property, with "[]" for the items of lists.
	Path string
	// To are the types it may lead to.
	To []string
	// By is the property of the target that holds the value, "" for its id.
	By string
	// Normal turns a value into the id of its target, where one thing may be named in several ways; of is the object
	// that refers, scope where the caller works ("" for what exists once for the account).
	Normal func(scope string, of Values, value string) string
	// Ignore tells that a value leads to nothing that this simulation keeps, such as a policy that the cloud manages.
	Ignore func(value string) bool
	// Missing is the answer when the target does not exist; a plain not-found error when nil.
	Missing func(value string) *Error
	// Holds means that the target cannot be deleted while this object refers to it.
	Holds bool
	// Patience is how long the provider waits for a target to become visible.
	Patience time.Duration
}

// Plan is what a check sees.
type Plan struct {
	Cloud    *Cloud
	Scope    string
	Values   Values
	Findings []Finding
}

// Add records a finding.
func (p *Plan) Add(path, problem string) {
	p.Findings = append(p.Findings, Finding{Path: path, Problem: problem})
}

// Change is what an operation of the API sees. The cloud is locked while it is judged.
type Change struct {
	Cloud *Cloud
	Scope string
	// Name is the resource's logical name.
	Name string
	// New are the properties with the type's defaults; Old those before an update, and of what is deleted.
	New, Old Values
	// Object is what is updated or deleted; nil at a creation.
	Object *Object
	// ID and Out are the answer of a creation; Out also that of an update: what is computed.
	ID  string
	Out Values
	// Beside are objects that come with this one and go with it, such as network interfaces.
	Beside []*Object
	// Extra is what the operation takes on top of its type's time.
	Extra time.Duration
	// Fails is what the operation ends with after its time: the object exists then and is not ready.
	Fails *Error
}

// Function is one function a cloud's provider offers.
type Function struct {
	// Args are its arguments and Result what it gives, from the SDK's structs.
	Args, Result *Type
	Call         func(q *Query) (Values, error)
}

// Query is one call of a function.
type Query struct {
	Cloud *Cloud
	Scope string
	Args  Values
}
