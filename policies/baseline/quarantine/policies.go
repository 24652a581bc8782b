package quarantine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// policy is one of them.
type policy struct {
	id, title string
	rules     []admissionv1.NamedRuleWithOperations
	// namespaces select where it holds; nil for everywhere.
	namespaces *metav1.LabelSelector
	// parameter is the kind whose labelled objects it is asked about, one by one.
	parameter  string
	conditions []admissionv1.MatchCondition
	variables  []admissionv1.Variable
	// validations are pairs: an expression that must hold, and what is said otherwise.
	validations [][2]string
}

const (
	pods       = "pods"
	connectAPI = "pods/exec pods/attach pods/portforward pods/proxy"
	// may asks the authorizer for a verb on the virtual resource.
	mayForensics = `authorizer.group('` + admission.Group + `').resource('` + admission.ResourceQuarantines + `').check('forensics').allowed()`
	mayImpose    = `authorizer.group('` + admission.Group + `').resource('` + admission.ResourceQuarantines + `').check('impose').allowed()`
	mayRelease   = `authorizer.group('` + admission.Group + `').resource('` + admission.ResourceQuarantines + `').check('release').allowed()`
)

// has tells in CEL whether an object, which may be null, has the label.
func has(object string) string {
	return `(` + object + ` != null && '` + Label + `' in dyn(` + object + `).metadata.?labels.orValue({}))`
}

func rule(group, operations, resources string) admissionv1.NamedRuleWithOperations {
	var out admissionv1.NamedRuleWithOperations
	for _, operation := range strings.Fields(operations) {
		out.Operations = append(out.Operations, admissionv1.OperationType(operation))
	}
	out.APIGroups, out.APIVersions, out.Resources = []string{group}, []string{"*"}, strings.Fields(resources)
	return out
}

// inNamespaces holds rules to objects that are in a namespace: a selector of
// namespaces lets every object through that is in none.
func inNamespaces(rules ...admissionv1.NamedRuleWithOperations) []admissionv1.NamedRuleWithOperations {
	for i := range rules {
		rules[i].Scope = ptr.To(admissionv1.NamespacedScope)
	}
	return rules
}

// controllers keep an object's status and what belongs to it; they make no
// decision of their own. The API server itself and the kubelets are with them.
const controllers = `request.userInfo.?groups.orValue([]).exists(g, g in ['system:nodes', 'system:serviceaccounts:kube-system']) || request.userInfo.username in ['system:kube-controller-manager', 'system:apiserver']`

// isolated are namespaces with the label: nobody else can write it.
var isolated = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: Label, Operator: metav1.LabelSelectorOpExists}}}

// policies are all of them.
func policies() []policy {
	return []policy{
		{
			id: "label", title: "who may impose quarantine writes its label, who may release removes it",
			// Status and finalizers are here too: labels can be changed through them.
			rules: []admissionv1.NamedRuleWithOperations{rule("", "CREATE UPDATE", "pods pods/status pods/resize pods/ephemeralcontainers namespaces namespaces/status namespaces/finalize nodes nodes/status")},
			variables: []admissionv1.Variable{
				{Name: "was", Expression: has("oldObject")}, {Name: "becomes", Expression: has("object")},
			},
			validations: [][2]string{
				{`!variables.becomes || variables.was || ` + mayImpose, "metadata.labels[" + Label + "]: it is the label of quarantine (M40): ask an incident responder, who may impose it"},
				{`!variables.was || variables.becomes || ` + mayRelease, "metadata.labels[" + Label + "]: it is under quarantine (M40): ask an incident responder, who may release it"},
				{`request.kind.kind != 'Namespace' || !variables.becomes || !(request.name in ['kube-system', 'kube-public', 'kube-node-lease', 'default'])`,
					"metadata.labels[" + Label + "]: the cluster itself would stand still (M40): isolate pods or nodes of it"},
			},
		},
		{
			id: "narrow", title: "who may patch but not update changes nothing but quarantine",
			rules: []admissionv1.NamedRuleWithOperations{rule("", "UPDATE", "pods namespaces nodes")},
			// What looks after the nodes of a self-managed cluster patches them too: labels, taints, whether pods are scheduled there.
			conditions: []admissionv1.MatchCondition{{Name: "not-of-the-cluster", Expression: `!(` + controllers + ` || request.userInfo.username == '` + nodeconfig.UserNodes + `')`}},
			variables: []admissionv1.Variable{
				// Kubernetes asks update of whoever replaces an object, and patch of whoever changes a part: responders have the second.
				{Name: "narrow", Expression: `!authorizer.group('').resource(request.resource.resource).namespace(request.?namespace.orValue('')).name(request.name).check('update').allowed()`},
				{Name: "labels", Expression: admission.OnlyQuarantineChanges("labels")}, {Name: "annotations", Expression: admission.OnlyQuarantineChanges("annotations")},
				{Name: "spec", Expression: `request.kind.kind == 'Node' || dyn(object).?spec == dyn(oldObject).?spec`},
			},
			validations: [][2]string{
				{`!variables.narrow || (variables.labels && variables.annotations)`, "metadata: you may change what begins with " + Label + " alone (M40)"},
				{`!variables.narrow || variables.spec`, "spec: you may change labels and annotations that begin with " + Label + " alone (M40)"},
			},
		},
		{
			id: "frozen-namespace", title: "nothing changes in a namespace under quarantine", namespaces: isolated,
			rules: inNamespaces(rule("*", "CREATE UPDATE DELETE", "*")),
			conditions: []admissionv1.MatchCondition{
				{Name: "not-of-the-cluster", Expression: `(request.resource.resource == 'pods' && request.operation in ['CREATE', 'DELETE'] && !('system:nodes' in request.userInfo.?groups.orValue([]))) || !(` + controllers + `)`},
				// What only tells of the cluster goes on.
				{Name: "no-record", Expression: `!(request.resource.resource in ['events', 'leases', 'endpointslices', 'endpoints'])`},
				admission.NotRewritten,
			},
			validations: [][2]string{{mayForensics, "the namespace is under quarantine (M40): nothing in it is made, changed or deleted until an incident responder releases it"}},
		},
		{
			id: "sealed-namespace", title: "nobody but forensics gets into a namespace under quarantine", namespaces: isolated,
			rules:       inNamespaces(rule("", "CONNECT", connectAPI+" services/proxy"), rule("", "UPDATE", "pods/ephemeralcontainers"), rule("", "CREATE", "pods/eviction")),
			validations: [][2]string{{mayForensics, "the namespace is under quarantine (M40): no session, no eviction, but for forensics"}},
		},
		{
			id: "sealed-pod", title: "nobody but forensics gets into a pod under quarantine", parameter: "Pod",
			rules:       []admissionv1.NamedRuleWithOperations{rule("", "CONNECT", connectAPI), rule("", "UPDATE", "pods/ephemeralcontainers"), rule("", "CREATE", "pods/eviction")},
			validations: [][2]string{{`request.name != params.metadata.name || ` + mayForensics, "the pod is under quarantine (M40): no session, no eviction, but for forensics"}},
		},
		{
			id: "kept", title: "what is under quarantine is not deleted",
			rules: []admissionv1.NamedRuleWithOperations{rule("", "DELETE", "pods namespaces nodes")},
			// A kubelet confirms the deletion of a pod that has ended; others asked for it.
			conditions:  []admissionv1.MatchCondition{{Name: "not-a-kubelet", Expression: `!('system:nodes' in request.userInfo.?groups.orValue([]))`}},
			validations: [][2]string{{`!` + has("oldObject") + ` || ` + mayRelease, "it is under quarantine (M40) and kept as evidence: an incident responder releases or deletes it"}},
		},
		{
			id: "frozen-node", title: "nothing new runs on a node under quarantine", parameter: "Node",
			rules: []admissionv1.NamedRuleWithOperations{rule("", "CREATE", "pods/binding bindings"), rule("", "CREATE", pods)},
			validations: [][2]string{
				{`request.kind.kind != 'Binding' || dyn(object).target.name != params.metadata.name`, "target.name: the node is under quarantine (M40): nothing is scheduled to it"},
				{`request.kind.kind != 'Pod' || dyn(object).spec.?nodeName.orValue('') != params.metadata.name`, "spec.nodeName: the node is under quarantine (M40): nothing new runs there"},
			},
		},
		{
			id: "network", title: "network policies of tenants leave out pods under quarantine",
			namespaces: &metav1.LabelSelector{MatchLabels: map[string]string{admission.LabelManagedBy: admission.ManagedBy}},
			rules:      inNamespaces(rule("networking.k8s.io", "CREATE UPDATE", "networkpolicies")),
			variables: []admissionv1.Variable{
				{Name: "allows", Expression: `size(object.spec.?ingress.orValue([])) + size(object.spec.?egress.orValue([])) > 0`},
				{Name: "leavesOut", Expression: `object.spec.?podSelector.?matchExpressions.orValue([]).exists(e, e.key == '` + Label + `' && e.operator == 'DoesNotExist')`},
			},
			validations: [][2]string{{`!variables.allows || variables.leavesOut`,
				"spec.podSelector: it would let a pod under quarantine (M40) send or receive: add matchExpressions: [{key: " + Label + ", operator: DoesNotExist}]"}},
		},
	}
}

const apiVersion = "admissionregistration.k8s.io/v1"

// Pair is a policy with the binding that puts it into force.
type Pair struct {
	Policy  *admissionv1.ValidatingAdmissionPolicy
	Binding *admissionv1.ValidatingAdmissionPolicyBinding
}

// Objects gives the policies and their bindings. A policy's name has a digest of
// what it says: another version is another object, in force before the old one
// goes.
func Objects() []Pair {
	var out []Pair
	for _, p := range policies() {
		made, binding := p.render()
		out = append(out, Pair{made, binding})
	}
	return out
}

func (p policy) render() (*admissionv1.ValidatingAdmissionPolicy, *admissionv1.ValidatingAdmissionPolicyBinding) {
	spec := admissionv1.ValidatingAdmissionPolicySpec{
		FailurePolicy:    ptr.To(admissionv1.Fail),
		MatchConstraints: &admissionv1.MatchResources{MatchPolicy: ptr.To(admissionv1.Equivalent), ResourceRules: p.rules, NamespaceSelector: p.namespaces},
		MatchConditions:  p.conditions, Variables: p.variables,
	}
	for _, v := range p.validations {
		spec.Validations = append(spec.Validations, admissionv1.Validation{Expression: v[0], Message: v[1], Reason: ptr.To(metav1.StatusReasonForbidden)})
	}
	binding := admissionv1.ValidatingAdmissionPolicyBindingSpec{ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny, admissionv1.Audit}}
	if p.parameter != "" {
		spec.ParamKind = &admissionv1.ParamKind{APIVersion: "v1", Kind: p.parameter}
		// Of the pods, those of the request's own namespace; without any, there is nothing to hold.
		binding.ParamRef = &admissionv1.ParamRef{Selector: isolated, ParameterNotFoundAction: ptr.To(admissionv1.AllowAction)}
	}
	text, err := json.Marshal(spec)
	if err != nil {
		panic(err) // plain data
	}
	digest := sha256.Sum256(text)
	name := "redoubt-quarantine-" + p.id + "-" + hex.EncodeToString(digest[:4])
	binding.PolicyName = name
	meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{admission.LabelManagedBy: admission.ManagedBy},
		Annotations: map[string]string{admission.Group + "/title": p.title, admission.Group + "/controls": "M40"}}
	return &admissionv1.ValidatingAdmissionPolicy{TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "ValidatingAdmissionPolicy"}, ObjectMeta: meta, Spec: spec},
		&admissionv1.ValidatingAdmissionPolicyBinding{TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "ValidatingAdmissionPolicyBinding"}, ObjectMeta: meta, Spec: binding}
}
