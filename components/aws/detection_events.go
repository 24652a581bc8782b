package aws

import (
	"fmt"
	"strings"
)

// Log groups in which events are looked for.
const (
	inAudit = "audit" // of the control plane
	inTrail = "trail" // of the account
	inFlows = "flows" // of the network
)

// event is something that people should hear of.
type event struct {
	// name is that of the filter, the metric and, after the cluster's, the alarm.
	name string
	// in is inAudit, inTrail or inFlows.
	in string
	// pattern is a filter pattern of CloudWatch Logs, at most 1024 characters. It
	// uses != only on properties that all events of the kind have: what it says of one
	// that is missing is not documented.
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
	pattern string
	// threshold is how many within period seconds raise the alarm.
	threshold, period int
	// reason is why somebody should look; controls are the rows it stands for.
	reason, controls string
	// source is where the event is described.
	source string
}

const (
	cisFoundations = "CIS AWS Foundations Benchmark 3.0.0, section 4"
	nsaHardening   = "NSA/CISA Kubernetes Hardening Guide 1.2, threat detection"
	eksDetective   = "https://docs.aws.amazon.com/eks/latest/best-practices/auditing-and-logging.html"
	eksEvents      = "https://docs.aws.amazon.com/eks/latest/userguide/logging-using-cloudtrail.html"
	trailEvents    = "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudwatch-alarms-for-cloudtrail.html"
)

// oneOf is a condition on a property that has one of several values. It needs
// its parentheses: && binds closer than ||.
func oneOf(property string, values ...string) string {
	var out []string
	for _, value := range values {
		out = append(out, fmt.Sprintf("(%s = %q)", property, value))
	}
	return "(" + strings.Join(out, " || ") + ")"
}

// all joins conditions to a pattern.
func all(conditions ...string) string { return "{ " + strings.Join(conditions, " && ") + " }" }

// people excludes what Kubernetes and EKS do themselves. Nobody whom an access
// entry lets in has a name that begins so.
// https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
const people = `($.user.username != "system:*") && ($.user.username != "eks:*")`

// succeeded also holds for what goes on, as a shell does.
const succeeded = `($.responseStatus.code < 400)`

// auditEvents are seen in what the API server records. Fields are those of
// https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
var auditEvents = []event{
	{name: "anonymous-access", in: inAudit, threshold: 1, period: 60, controls: "M39 M20 CIS-EKS-3.2.1", source: eksDetective,
		reason: "somebody without a name was answered: a binding lets everybody in",
		pattern: all(`($.user.username = "system:anonymous")`, succeeded, `($.requestURI != "/healthz*")`, `($.requestURI != "/livez*")`,
			`($.requestURI != "/readyz*")`, `($.requestURI != "/version*")`)},
	{name: "pod-shell", in: inAudit, threshold: 1, period: 60, controls: "M39 M29", source: eksDetective,
		reason:  "somebody went into a running pod, or tried to",
		pattern: all(`($.objectRef.resource = "pods")`, oneOf("$.objectRef.subresource", "exec", "attach", "portforward", "ephemeralcontainers"))},
	{name: "node-proxy", in: inAudit, threshold: 1, period: 60, controls: "M39 M29", source: nsaHardening,
		reason:  "somebody went through the API server to a kubelet, which runs commands in pods without a record of its own",
		pattern: all(`($.objectRef.resource = "nodes")`, `($.objectRef.subresource = "proxy")`)},
	{name: "secrets-read", in: inAudit, threshold: 1, period: 60, controls: "M39 M18 CIS-EKS-4.1.2", source: eksDetective,
		reason:  "a person, or automation with a person's access, read secrets",
		pattern: all(`($.objectRef.resource = "secrets")`, oneOf("$.verb", "get", "list", "watch"), succeeded, people)},
	{name: "token-minted", in: inAudit, threshold: 1, period: 60, controls: "M39 M34", source: nsaHardening,
		reason:  "a person took a token of a service account, with which they look like it",
		pattern: all(`($.objectRef.resource = "serviceaccounts")`, `($.objectRef.subresource = "token")`, `($.verb = "create")`, succeeded, people)},
	{name: "impersonation", in: inAudit, threshold: 1, period: 60, controls: "M39 M20 M41", source: "https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation",
		reason:  "a person acts as somebody else, or tried to",
		pattern: all(`($.impersonatedUser.username = "*")`, people)},
	{name: "cluster-admin-granted", in: inAudit, threshold: 1, period: 60, controls: "M39 M20 CIS-EKS-4.1.1", source: nsaHardening,
		reason: "somebody was made the administrator of a cluster or a namespace, or a binding to that role was changed",
		pattern: all(oneOf("$.objectRef.resource", "clusterrolebindings", "rolebindings"), oneOf("$.verb", "create", "update", "patch"), succeeded,
			`(($.requestObject.roleRef.name = "cluster-admin") || ($.responseObject.roleRef.name = "cluster-admin"))`)},
	{name: "guardrail-deleted", in: inAudit, threshold: 1, period: 60, controls: "M39 M25 M21", source: nsaHardening,
		reason: "a policy that guards the cluster or its network was deleted",
		pattern: all(oneOf("$.objectRef.resource", "validatingadmissionpolicies", "validatingadmissionpolicybindings", "validatingwebhookconfigurations",
			"mutatingwebhookconfigurations", "networkpolicies"), oneOf("$.verb", "delete", "deletecollection"), succeeded,
			// A namespace that goes takes its policies along.
			`($.user.username != "system:serviceaccount:kube-system:namespace-controller")`)},
	{name: "many-refusals", in: inAudit, threshold: 50, period: 300, controls: "M39", source: eksDetective,
		reason:  "somebody tries what they may do, or something is set up wrong",
		pattern: all(`($.responseStatus.code = 403)`, `($.stage = "ResponseComplete")`)},
}

const (
	breakGlassAudit = "break-glass-in-cluster"
	breakGlassTrail = "break-glass-assumed"
	// patternLimit is that of CloudWatch Logs, in characters.
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
	patternLimit = 1024
)

// breakGlassEvents are the use of the roles that are for emergencies: taking one
// in AWS, and what is done in the cluster with it. Their patterns are made from
// the roles, see [breakGlassPattern].
var breakGlassEvents = []event{
	{name: breakGlassAudit, in: inAudit, threshold: 1, period: 60, controls: "M39 M41", source: eksDetective,
		reason: "a role for emergencies is used in the cluster"},
	{name: breakGlassTrail, in: inTrail, threshold: 1, period: 60, controls: "M39 M41", source: trailEvents,
		reason: "a role for emergencies was taken, or somebody tried to"},
}

// breakGlassPattern matches the use of roles.
//
// EKS gives the session of a role the name arn:…:sts::…:assumed-role/name/session
// and, where an access entry has a name of its own, still the role in user.extra.
// Neither has the role's path.
// https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
func breakGlassPattern(event string, arns []string) (string, error) {
	var uses []string
	for _, arn := range arns {
		if err := roleProblem(arn); err != nil {
			return "", fmt.Errorf("breakGlassArns: %w", err)
		}
		if event == breakGlassTrail {
			uses = append(uses, fmt.Sprintf("($.requestParameters.roleArn = %q)", arn))
			continue
		}
		prefix, path, _ := strings.Cut(arn, ":role/")
		name := path[strings.LastIndex(path, "/")+1:]
		uses = append(uses, fmt.Sprintf("($.user.username = %q)", strings.Replace(prefix, ":iam:", ":sts:", 1)+":assumed-role/"+name+"/*"),
			fmt.Sprintf("($.user.extra.canonicalArn[0] = %q)", prefix+":role/"+name))
	}
	if len(uses) == 0 {
		uses = []string{`($.userAgent = "there is no role for emergencies")`} // matches nothing
	}
	conditions := []string{"(" + strings.Join(uses, " || ") + ")"}
	if event == breakGlassTrail {
		conditions = append([]string{`($.eventSource = "sts.amazonaws.com")`}, conditions...)
	}
	pattern := all(conditions...)
	if len(pattern) > patternLimit {
		return "", fmt.Errorf("breakGlassArns: %d roles do not fit into one filter of CloudWatch Logs: have fewer roles for emergencies, with shorter names", len(arns))
	}
	return pattern, nil
}
