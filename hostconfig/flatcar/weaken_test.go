package flatcar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

func unit(name string) systemd.Service {
	return systemd.Service{Name: name, Description: "A test", Start: []systemd.Command{{"/usr/bin/true"}}}
}

func file(path string) hostconfig.File {
	return hostconfig.File{Path: path, Mode: 0o644, Owner: "root", Contents: "x"}
}

// TestEverySysctlIsLocked tries to change each hardened setting.
func TestEverySysctlIsLocked(t *testing.T) {
	for name := range hostconfig.LockedSysctls() {
		s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
		s.Node.Sysctls = map[string]string{name: "7777"}
		refused(t, s.Validate(now), `node.sysctls["`+name+`"]`, hostconfig.ControlSysctls)
		s.Node.Exceptions = []hostconfig.Exception{accept(hostconfig.ControlSysctls)}
		if !strings.Contains(contents(t, s, sysctlPath), name+" = 7777\n") || s.Validate(now) != nil {
			t.Errorf("%s: an exception does not lift it: %v", name, s.Validate(now))
		}
	}
}

func TestEveryModuleIsLocked(t *testing.T) {
	for _, name := range hostconfig.DeniedModules() {
		s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
		s.Node.Modules.Load = []string{strings.ReplaceAll(name, "_", "-")}
		refused(t, s.Validate(now), "node.modules.load[0]", hostconfig.ControlModules)
		s.Node.Exceptions = []hostconfig.Exception{accept(hostconfig.ControlModules)}
		if err := s.Validate(now); err != nil || strings.Contains(contents(t, s, "/etc/modprobe.d/90-redoubt.conf"), "blacklist "+name+"\n") {
			t.Errorf("%s: an exception does not lift it: %v", name, err)
		}
	}
	for _, name := range neededModules {
		s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
		s.Node.Modules.Deny, s.Node.Exceptions = []string{name}, []hostconfig.Exception{accept(hostconfig.ControlModules)}
		refused(t, s.Validate(now), "node.modules.deny[0]", "needed")
	}
}

// opensOne tries the exceptions of all locks of a kind: each opens its own and no
// other, and the control as a whole opens none.
func opensOne(t *testing.T, kind string, locks []string, with func(lock string) Spec, field string) {
	t.Helper()
	for i, lock := range locks {
		s := with(lock)
		id := partOf(kind, lock)
		refused(t, s.Validate(now), field, id)
		other := partOf(kind, locks[(i+1)%len(locks)])
		if other != id {
			s.Node.Exceptions = []hostconfig.Exception{accept("M03"), accept(other)}
			refused(t, s.Validate(now), field, id)
		}
		s.Node.Exceptions = []hostconfig.Exception{accept(id)}
		for _, problem := range split(s.Validate(now)) {
			if strings.Contains(problem.Problem, id) {
				t.Errorf("an exception for %s does not open %s: %v", id, lock, problem)
			}
		}
	}
}

func TestEveryKernelArgumentIsLocked(t *testing.T) {
	weaker := []string{"flatcar.autologin", "init=/bin/sh", "systemd.unit=rescue.target", "mitigations=off", "nokaslr", "1", "single", "selinux=0",
		"sysrq_always_enabled", "sysrq-always-enabled", "clearcpuid=smap", "kpti=0", "arm64.nobti", "cgroup_disable=pids", "iommu=off", "ssbd=force-off"}
	for _, argument := range hardenedArguments {
		weaker = append(weaker, argumentName(argument)+"=off", strings.ReplaceAll(argumentName(argument), "_", "-")+"=0")
	}
	for _, argument := range weaker {
		s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
		s.KernelArguments = []string{argument}
		refused(t, s.Validate(now), "kernelArguments[0]", "M03/kernel-argument-")
	}
	opensOne(t, "kernel-argument", []string{"lockdown", "mitigations", "systemd.", "selinux"}, func(lock string) Spec {
		s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
		s.KernelArguments = []string{lock + map[bool]string{true: "x", false: ""}[strings.HasSuffix(lock, ".")] + "=0"}
		return s
	}, "kernelArguments[0]")
}

func TestEveryPathAndUnitIsLocked(t *testing.T) {
	opensOne(t, "file", protectedPaths, func(lock string) Spec {
		s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
		s.Node.Files = []hostconfig.File{file(lock + "/x")}
		return s
	}, "node.files[0].path")
	opensOne(t, "unit", protectedUnits, func(lock string) Spec {
		s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
		conflicting := unit("evil.service")
		conflicting.Conflicts = []string{strings.TrimRight(lock, ".-@") + map[bool]string{true: "@x", false: map[bool]string{true: "-x", false: ""}[strings.HasSuffix(lock, "-")]}[strings.HasSuffix(lock, "@")] + ".service"}
		s.Node.Units = []systemd.Service{conflicting}
		return s
	}, "node.units[0].conflicts")
	base := spec(hostconfig.RoleControlPlane, hostconfig.PlatformMetal)
	all := make([]hostconfig.Exception, len(protectedPaths))
	for i, lock := range protectedPaths {
		all[i] = accept(partOf("file", lock))
	}
	for _, each := range must[[]hostconfig.File](t)(base.WithDefaults().files(now)) {
		s := base
		// Not even with every exception: one path cannot hold two files.
		s.Node.Files, s.Node.Exceptions = []hostconfig.File{file(each.Path), file("/srv/other")}, all
		if each.Path != "/etc/motd" { // the fixture's own
			refused(t, s.Validate(now), "node.files[0].path", "is also")
		}
	}
	names := append(base.maskedUnits(), "sshd@x.service", "systemd-journald.service", "auditd.service", timerRenew)
	for _, service := range base.WithDefaults().Services() {
		names = append(names, service.Name)
	}
	for _, name := range names {
		if _, protected := protectedUnit(name); !protected {
			t.Errorf("%s is not protected", name)
		}
		s := base
		s.Node.Units = []systemd.Service{unit(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, ".timer"), ".service"), ".socket"), ".target") + ".service")}
		refused(t, s.Validate(now), "node.units[0].name", "unit of the machine")
	}
}

// TestRefusals is everything else that must not pass.
func extension(name string) Extension {
	return Extension{Name: name, Source: "https://extensions.example.org/" + name + ".raw", Hash: imageHash()}
}

func fetched(path, source string) Fetched {
	return Fetched{Path: path, Mode: 0o600, Source: source, Hash: imageHash()}
}

func TestRefusals(t *testing.T) {
	for name, each := range map[string]struct {
		change      func(*Spec)
		field, text string
	}{
		"no role":             {func(s *Spec) { s.Node.Role = "" }, "node.role", "not a role"},
		"no platform":         {func(s *Spec) { s.Node.Platform = "" }, "node.platform", "no platform"},
		"strategy":            {func(s *Spec) { s.Node.Updates.Strategy = "reboot" }, "node.updates.strategy", "no strategy"},
		"version":             {func(s *Spec) { s.ButaneVersion = "1.2.0-experimental" }, "butaneVersion", "not supported"},
		"no hash":             {func(s *Spec) { s.Kubernetes.Hash = "" }, "kubernetes.hash", "M26"},
		"short hash":          {func(s *Spec) { s.Kubernetes.Hash = "sha512-00" }, "kubernetes.hash", "M26"},
		"plain http":          {func(s *Spec) { s.Kubernetes.Source = strings.Replace(imageURL, "https", "http", 1) }, "kubernetes.source", "URL"},
		"another version":     {func(s *Spec) { s.Node.KubernetesVersion = "v1.35.3" }, "kubernetes.source", "v1.35.3"},
		"worker init":         {func(s *Spec) { s.Kubeadm.Init = true }, "kubeadm.init", "worker"},
		"another system":      {func(s *Spec) { s.Node.OS = hostconfig.OSBottlerocket }, "node.os", "not supported"},
		"short key":           {func(s *Spec) { s.Node.Role, s.Kubeadm.EncryptionAlgorithm = hostconfig.RoleControlPlane, "RSA-2048" }, "kubeadm.encryptionAlgorithm", "not offered"},
		"discovery":           {func(s *Spec) { s.Kubeadm.DiscoveryFile = "/etc/kubernetes/x;reboot" }, "kubeadm.discoveryFile", "quoting"},
		"no encryption":       {func(s *Spec) { s.Node.Role = hostconfig.RoleControlPlane }, "kubeadm.files", "M18"},
		"file elsewhere":      {func(s *Spec) { s.Kubeadm.Files = []hostconfig.File{file("/etc/passwd")} }, "kubeadm.files[0].path", "outside"},
		"kubelet file":        {func(s *Spec) { s.Kubeadm.Files = []hostconfig.File{file(kubeletConfigPath)} }, "kubeadm.files[0].path", "is also"},
		"dots":                {func(s *Spec) { s.Node.Files = []hostconfig.File{file("/srv/../etc/shadow")} }, "node.files[0].path", "clean"},
		"parent of protected": {func(s *Spec) { s.Node.Files = []hostconfig.File{file("/etc")} }, "node.files[0].path", "M03"},
		"set-user-id":         {func(s *Spec) { s.Node.Files = []hostconfig.File{{Path: "/srv/x", Mode: 0o4755}} }, "node.files[0].mode", "set-user-id"},
		"world-writable":      {func(s *Spec) { s.Node.Files = []hostconfig.File{{Path: "/srv/x", Mode: 0o666}} }, "node.files[0].mode", "everybody"},
		"open unit": {func(s *Spec) {
			u := unit("evil.service")
			u.Sandbox.Open = true
			s.Node.Units = []systemd.Service{u}
		}, "node.units[0].sandbox.open", "M03"},
		"slashes in a sysctl":  {func(s *Spec) { s.Node.Sysctls = map[string]string{"net/ipv4/tcp_syncookies": "0"} }, `node.sysctls["net/ipv4/tcp_syncookies"]`, "dotted"},
		"wildcard in a sysctl": {func(s *Spec) { s.Node.Sysctls = map[string]string{"net.ipv4.conf.*.rp_filter": "0"} }, `node.sysctls["net.ipv4.conf.*.rp_filter"]`, "dotted"},
		"one interface":        {func(s *Spec) { s.Node.Sysctls = map[string]string{"net.ipv4.conf.eth0.rp_filter": "0"} }, `node.sysctls["net.ipv4.conf.eth0.rp_filter"]`, "M03"},
		"two lines":            {func(s *Spec) { s.Node.Sysctls = map[string]string{"vm.swappiness": "1\nkernel.sysrq = 1"} }, `node.sysctls["vm.swappiness"]`, "one line"},
		"suppressing rule":     {func(s *Spec) { s.AuditRules = []string{"-a never,task"} }, "auditRules[0]", "M17"},
		"audit off":            {func(s *Spec) { s.AuditRules = []string{"-e 0"} }, "auditRules[0]", "M17"},
		"audit injection":      {func(s *Spec) { s.AuditRules = []string{"-w /srv -p wa\n-D"} }, "auditRules[0]", "M17"},
		"plaintext mirror":     {func(s *Spec) { s.Node.Registries.Allowed[0].Mirrors[0].URL = "http://10.0.0.1" }, "node.registries.allowed[0].mirrors[0].url", "M26"},
		"mirror path":          {func(s *Spec) { s.Node.Registries.Allowed[0].Name = "../x" }, "node.registries.allowed[0].name", "registry"},
		"time server":          {func(s *Spec) { s.Node.TimeServers = []string{"a\nb"} }, "node.timeServers[0]", "neither"},
		"kubelet":              {func(s *Spec) { s.Node.Kubelet.Extra = map[string]any{"readOnlyPort": 10255} }, `node.kubelet.extra["readOnlyPort"]`, "CIS-4.2.4"},
		"firewall":             {func(s *Spec) { s.Node.Cluster.Operators = []string{"0.0.0.0/0"} }, "node.cluster.operators[0]", "world"},
		"expired": {func(s *Spec) {
			s.Node.Exceptions = []hostconfig.Exception{{Control: "M03", Reason: "no longer accepted", Expires: "2026-05-31"}}
		}, "node.exceptions[0].expires", "expired"},
		"disk":                 {func(s *Spec) { s.Node.DataDisk = &hostconfig.DataDisk{Device: "/dev/../etc"} }, "node.dataDisk.device", "device"},
		"extension's name":     {func(s *Spec) { s.Extensions = []Extension{extension("kubernetes-2")} }, "extensions[0].name", "an image of the system"},
		"extension's path":     {func(s *Spec) { s.Extensions = []Extension{extension("../x")} }, "extensions[0].name", "not the name"},
		"extension twice":      {func(s *Spec) { s.Extensions = []Extension{extension("kata"), extension("kata")} }, "extensions[1].name", "twice"},
		"extension's hash":     {func(s *Spec) { s.Extensions = []Extension{{Name: "kata", Source: extension("kata").Source}} }, "extensions[0].hash", "M26"},
		"extension's source":   {func(s *Spec) { s.Extensions = []Extension{{Name: "kata", Source: imageURL, Hash: imageHash()}} }, "extensions[0].source", "kata.raw"},
		"fetched over http":    {func(s *Spec) { s.Fetched = []Fetched{fetched("/srv/x", "http://example.org/x")} }, "fetched[0].source", "not the URL"},
		"fetched with a query": {func(s *Spec) { s.Fetched = []Fetched{fetched("/srv/x", "s3://bucket/x?versionId=1")} }, "fetched[0].source", "not the URL"},
		"fetched unverified":   {func(s *Spec) { s.Fetched = []Fetched{{Path: "/srv/x", Mode: 0o600, Source: "s3://bucket/x"}} }, "fetched[0].hash", "M26"},
		"fetched program":      {func(s *Spec) { s.Fetched = []Fetched{fetched("/opt/bin/x", "s3://bucket/x")} }, "fetched[0].path", "M03/file-opt-bin"},
		"fetched static pod":   {func(s *Spec) { s.Fetched = []Fetched{fetched("/etc/kubernetes/manifests/x.yaml", "s3://bucket/x")} }, "fetched[0].path", "static pod"},
		"fetched twice": {func(s *Spec) {
			s.Fetched = []Fetched{fetched("/srv/x", "s3://bucket/x"), fetched("/srv/x", "s3://bucket/y")}
		}, "fetched[1].path", "is also"},
		"fetched in place": {func(s *Spec) { s.Fetched = []Fetched{fetched(nftablesPath, "s3://bucket/x")} }, "fetched[0].path", "is also"},
		"fetched mode": {func(s *Spec) {
			s.Fetched = []Fetched{{Path: "/srv/x", Mode: 0o4755, Source: "s3://bucket/x", Hash: imageHash()}}
		}, "fetched[0].mode", "not a mode"},
		"disk over the system": {func(s *Spec) { s.Node.DataDisk = &hostconfig.DataDisk{Device: "/dev/sdb", Path: "/etc"} }, "node.dataDisk.path", "no place"},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
			each.change(&s)
			refused(t, s.Validate(now), each.field, each.text)
			if rendered, err := s.Ignition(now); err == nil || rendered != nil {
				t.Error("it was rendered nevertheless")
			}
		})
	}
}

func TestUserData(t *testing.T) {
	s := spec(hostconfig.RoleControlPlane, hostconfig.PlatformAWS)
	_, err := s.UserData(now, "")
	refused(t, err, "source", "16384")
	for _, source := range []string{"https://a.example/x", "s3://bucket", "s3:///key", "s3://u:p@bucket/key", "x"} {
		if _, err := s.UserData(now, source); err == nil {
			t.Errorf("%s is taken", source)
		}
	}
	data := must[UserData](t)(s.UserData(now, "s3://bucket/key"))
	if len(data.Contents) > EC2Limit || !slices.Equal(data.Object, must[[]byte](t)(s.Ignition(now))) {
		t.Error("the object is not the configuration")
	}
}

// TestReportsEverything: all errors at once.
func TestReportsEverything(t *testing.T) {
	var one *hostconfig.FieldError
	err := Spec{}.Validate(now)
	if !errors.As(err, &one) || len(split(err)) < 10 {
		t.Errorf("too few problems: %v", err)
	}
}

// FuzzSpec: what validates renders, and a text of the user never becomes a
// second line anywhere.
func FuzzSpec(f *testing.F) {
	f.Add("/srv/file", "text", "vm.swappiness", "1", "ip_vs", "console=ttyS0", "-w /srv -p wa", "time.example.org")
	f.Add("/etc/../x", "\x00", "a/b", "\n", "usb-storage", "init=/x", "-D", "a b")
	f.Fuzz(func(t *testing.T, path, text, sysctl, value, module, argument, rule, server string) {
		s := spec(hostconfig.RoleWorker, hostconfig.PlatformGCP)
		s.Node.Files = []hostconfig.File{{Path: path, Mode: 0o600, Owner: "root", Contents: text}}
		s.Node.Sysctls = map[string]string{sysctl: value}
		s.Node.Modules.Load, s.KernelArguments = []string{module}, []string{argument}
		s.AuditRules, s.Node.TimeServers = []string{rule}, []string{server}
		u := unit("fuzz.service")
		u.Start[0] = append(u.Start[0], text)
		s.Node.Units = []systemd.Service{u}
		rendered, err := s.Ignition(now)
		if (s.Validate(now) == nil) != (err == nil) || (err == nil) != (rendered != nil) {
			t.Fatalf("validation and rendering disagree: %v, %v", s.Validate(now), err)
		}
		if err == nil && strings.Count(contents(t, s, sysctlPath), "\n") > len(hostconfig.HostSysctls())+1 {
			t.Fatal("a setting became two")
		}
	})
}

// TestOtherWaysToProtectedPlaces: links of the image, and tools that make accounts.
func TestOtherWaysToProtectedPlaces(t *testing.T) {
	for _, path := range []string{"/var/run/systemd/system/x.service", "/etc/sysusers.d/x.conf", "/etc/userdb/x.user", "/etc/binfmt.d/x.conf", "/etc/hosts", "/var/lib/systemd/linger/x"} {
		s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
		s.Node.Files = []hostconfig.File{file(path)}
		refused(t, s.Validate(now), "node.files[0].path", "protected")
	}
	for _, name := range []string{"chronyd.service", "ensure-sysext.service", "coreos-metadata.service", "user@0.service"} {
		s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
		s.Node.Units = []systemd.Service{unit(name)}
		refused(t, s.Validate(now), "node.units[0].name", "unit of the machine")
	}
	s := spec(hostconfig.RoleControlPlane, hostconfig.PlatformAWS)
	s.Kubeadm.Files = append(s.Kubeadm.Files, file("/etc/kubernetes/manifests/x.yaml"))
	refused(t, s.Validate(now), fmt.Sprintf("kubeadm.files[%d].path", len(s.Kubeadm.Files)-1), "static pod")
}

// TestManyFiles: the time grows with their number, not with its square, and a file
// in the place of a directory is found among them.
func TestManyFiles(t *testing.T) {
	s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
	for i := range 20000 {
		s.Node.Files = append(s.Node.Files, file(fmt.Sprintf("/srv/a/%d", i)))
	}
	s.Node.Files = append(s.Node.Files, file("/srv/a"), file("/srv/a/7/x"))
	begin := time.Now()
	err := s.Validate(now)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	refused(t, err, "node.files[20000].path", "cannot be one")
	refused(t, err, "node.files[20001].path", "cannot be one")
}
