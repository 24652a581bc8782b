package controls

// rows are the rows of the mission, in a few words.
var rows = map[string]string{
	"M01": "Bottlerocket nodes with every hardening setting", "M02": "Flatcar nodes",
	"M03": "no needless host process, no SSH, no package manager, read-only root", "M04": "host firewall",
	"M05": "nodes are replaced, never patched", "M06": "private AWS network", "M07": "private GCP network",
	"M08": "minimal firewall rules, each with a reason", "M09": "operators come without public endpoints or SSH keys",
	"M10": "hardened EKS", "M11": "hardened GKE", "M12": "hardened control plane of our own", "M13": "etcd behind mutual TLS",
	"M14": "API server locked down", "M15": "controller-manager and scheduler locked down", "M16": "kubelet locked down",
	"M17": "audit logs, kept and protected", "M18": "secrets encrypted at rest", "M19": "volumes encrypted with keys of the customer",
	"M20": "least privilege for named people", "M21": "default deny between workloads", "M22": "Pod Security Standards",
	"M23": "quotas and limits for every tenant", "M24": "isolation of namespaces and node pools", "M25": "admission policies in the API server",
	"M26": "image trust", "M27": "vulnerability scanning", "M28": "sandboxed runtimes", "M29": "threat detection at run time",
	"M30": "external secret stores", "M31": "ingress by TLS only", "M32": "encrypted traffic inside", "M33": "traffic is visible",
	"M34": "short-lived credentials", "M35": "supported versions of Kubernetes", "M36": "CIS benchmark", "M37": "compliance evidence",
	"M38": "an audit archive that an intruder cannot alter", "M39": "alerts on what is suspicious", "M40": "incident response",
	"M41": "just-in-time access with a second factor", "M42": "our own supply chain", "M43": "one up per environment",
	"M44": "components for every stack", "M45": "integration tests", "M46": "guardrails at preview", "M47": "a real cluster on one machine",
}
