package flatcar

import (
	"regexp"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// auditRules replace Flatcar's own, whose "never" rules suppress what auditd
// would record: https://www.flatcar.org/docs/latest/setup/security/audit/.
// They follow CIS Distribution Independent Linux 4.1. A watch of a path that is
// not there yet is taken all the same.
var auditRules = []string{
	"-w /etc/audit/ -p wa -k audit-config",
	"-w /etc/group -p wa -k identity",
	"-w /etc/gshadow -p wa -k identity",
	"-w /etc/passwd -p wa -k identity",
	"-w /etc/shadow -p wa -k identity",
	"-w /etc/ssh/ -p wa -k ssh",
	"-w /etc/sudoers -p wa -k privilege",
	"-w /etc/containerd/ -p wa -k containerd",
	"-w /etc/extensions/ -p wa -k extensions",
	"-w /etc/flatcar/ -p wa -k updates",
	"-w /etc/kubernetes/ -p wa -k kubernetes",
	"-w /etc/nftables/ -p wa -k firewall",
	"-w /etc/sysctl.d/ -p wa -k sysctl",
	"-w /etc/systemd/ -p wa -k systemd",
	"-w /opt/ -p wa -k programs",
	"-w /var/lib/kubelet/pki/ -p wa -k kubernetes",
	"-a always,exit -F arch=b64 -S init_module,finit_module,delete_module -k modules",
	"-a always,exit -F arch=b64 -S adjtimex,settimeofday,clock_settime -k time",
	"-a always,exit -F arch=b64 -S sethostname,setdomainname -k hostname",
	"-a always,exit -F arch=b64 -S kexec_load,kexec_file_load -k kexec",
	"-a always,exit -F arch=b64 -S bpf -F auid!=4294967295 -k bpf",
	"-a always,exit -F arch=b64 -S ptrace -k ptrace",
	// A person: processes of the system have no login user.
	"-a always,exit -F arch=b64 -S execve -F auid!=4294967295 -k session",
}

// auditRulePattern accepts what records and nothing that suppresses, deletes or
// changes the state of the audit system.
var auditRulePattern = regexp.MustCompile(`^(-w /[A-Za-z0-9_./-]+ -p [rwxa]{1,4}|-a always,exit( -F [a-z0-9]+(=|!=|>=|<=|>|<|&)[A-Za-z0-9_./-]+| -S [a-z0-9_,]+)+)( -k [A-Za-z0-9_-]{1,31})?$`)

// auditFile ends with -e 2: the rules cannot change until the next boot.
func (s Spec) auditFile() hostconfig.File {
	lines := []string{"-D", "-b 8192", "-f 1"}
	lines = append(lines, auditRules...)
	lines = append(lines, s.AuditRules...)
	lines = append(lines, "-e 2")
	return privateFile(auditRulesPath, strings.Join(lines, "\n")+"\n")
}
