package controls

// Control is something that an environment must uphold.
type Control struct {
	// ID is the control's, such as CIS-GKE-5.4.1 or M18.
	ID string `json:"id"`
	// Title says in a few words what it demands.
	Title string `json:"title"`
	// Answer is who upholds it when nothing was looked at; Untested when nobody has said.
	Answer Answer `json:"answer,omitempty"`
	// Reason says why, for every answer but Untested.
	Reason string `json:"reason,omitempty"`
}

// Answer is who upholds a control that no check of ours looks at.
type Answer string

// Answers.
const (
	// Untested: a check is possible, and there is none.
	Untested Answer = ""
	// Provider: the cloud's own business, which its customer neither sets nor sees.
	Provider Answer = "provider"
	// People: it depends on what people do, or on what they run.
	People Answer = "people"
	// Nobody: it is not upheld.
	Nobody Answer = "nobody"
	// Unused: the environment has nothing that it is about.
	Unused Answer = "unused"
)

// CISGKE are the recommendations of the CIS benchmark for GKE. Titles are our own.
func CISGKE() []Control {
	return join("CIS-GKE-", gke)
}

// CISEKS are the recommendations of the CIS benchmark for EKS. Titles are our own.
func CISEKS() []Control {
	return join("CIS-EKS-", eks)
}

func join(prefix string, list []Control) []Control {
	out := make([]Control, len(list))
	for i, c := range list {
		c.ID = prefix + c.ID
		out[i] = c
	}
	return out
}

// Reasons that several recommendations share.
const (
	googleKubelet = "Google sets the kubelet of its nodes, and pulumi-gcp v7 has no field for it"
	ofTenants     = "it depends on what tenants run and on the roles that they are given"
)
