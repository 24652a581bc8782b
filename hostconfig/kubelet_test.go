package hostconfig

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// kubeletFileOf gives the configuration as the kubelet reads it, strictly.
func kubeletFileOf(t *testing.T, w Worker) kubeletv1beta1.KubeletConfiguration {
	t.Helper()
	file, err := w.kubeletFile()
	if err != nil {
		t.Fatal(err)
	}
	var configuration kubeletv1beta1.KubeletConfiguration
	decode(t, file.Contents, &configuration)
	return configuration
}

// TestCISKubelet states CIS Kubernetes 4.2 once more, independently of the code.
func TestCISKubelet(t *testing.T) {
	k := kubeletFileOf(t, worker(t))
	for control, holds := range map[string]bool{
		"4.2.1":            !*k.Authentication.Anonymous.Enabled && *k.Authentication.Webhook.Enabled,
		"4.2.2":            k.Authorization.Mode == "Webhook",
		"4.2.3":            k.Authentication.X509.ClientCAFile == "/etc/kubernetes/pki/ca.crt",
		"4.2.4":            k.ReadOnlyPort == 0,
		"4.2.5":            k.StreamingConnectionIdleTimeout.Duration > 0,
		"4.2.6":            *k.MakeIPTablesUtilChains,
		"4.2.8":            *k.EventRecordQPS > 0,
		"4.2.9":            k.ServerTLSBootstrap && k.TLSCertFile == "",
		"4.2.10":           k.RotateCertificates,
		"4.2.11":           k.FeatureGates["RotateKubeletServerCertificate"],
		"4.2.12":           k.TLSMinVersion == "VersionTLS12" && slices.Equal(k.TLSCipherSuites, CipherSuites()),
		"4.2.13":           *k.PodPidsLimit > 0,
		"4.2.14":           *k.SeccompDefault,
		"kernel defaults":  k.ProtectKernelDefaults,
		"health":           k.HealthzBindAddress == "127.0.0.1" && *k.HealthzPort == 10248,
		"own address":      k.Address == "10.80.0.11",
		"profiling":        !*k.EnableProfilingHandler && !k.EnableContentionProfiling,
		"flags page":       !*k.EnableDebugFlagsHandler,
		"host logs":        !*k.EnableSystemLogHandler && !*k.EnableSystemLogQuery,
		"static pods":      k.StaticPodPath == "" && k.StaticPodURL == "",
		"swap":             *k.FailSwapOn && k.MemorySwap.SwapBehavior == "NoSwap",
		"cgroup v1":        k.FailCgroupV1 == nil,
		"runtime":          k.ContainerRuntimeEndpoint == "unix:///run/containerd/containerd.sock",
		"no resolver":      k.ResolverConfig != nil && *k.ResolverConfig == "",
		"taints":           len(k.RegisterWithTaints) == 1,
		"logs and exec":    *k.EnableDebuggingHandlers,
		"unsafe sysctls":   len(k.AllowedUnsafeSysctls) == 0,
		"plugins off /usr": k.VolumePluginDir == "/var/lib/kubelet/volume-plugins",
	} {
		if !holds {
			t.Errorf("%s does not hold", control)
		}
	}
	w := worker(t)
	w.CgroupV1 = true
	if k := kubeletFileOf(t, w); k.FailCgroupV1 == nil || *k.FailCgroupV1 {
		t.Error("the kubelet would refuse cgroup v1")
	}
}

// TestEveryKubeletFieldHasARule walks the upstream type: a field that nobody
// judged, or a rule for a field that is gone, fails.
func TestEveryKubeletFieldHasARule(t *testing.T) {
	fields := map[string]bool{}
	for _, upstream := range []reflect.Type{reflect.TypeFor[kubeletv1beta1.KubeletConfiguration](), reflect.TypeFor[kubeletConfiguration]()} {
		for i := range upstream.NumField() {
			name, _, _ := strings.Cut(upstream.Field(i).Tag.Get("json"), ",")
			if name != "" {
				fields[name] = true
			}
		}
	}
	if len(fields) < 100 {
		t.Fatalf("found only %d fields", len(fields))
	}
	for name := range fields {
		if _, known := kubeletRules[name]; !known {
			t.Errorf("%s has no rule", name)
		}
	}
	for name := range kubeletRules {
		if !fields[name] {
			t.Errorf("%s has a rule but is no field", name)
		}
	}
}

// weakKubelet are attempts to weaken each field that a control locks or bounds.
var weakKubelet = map[string][]any{
	"authentication":                         {map[string]any{"anonymous": map[string]any{"enabled": true}}},
	"authorization":                          {map[string]any{"mode": "AlwaysAllow"}},
	"readOnlyPort":                           {10255},
	"streamingConnectionIdleTimeout":         {"0s", "24h"},
	"makeIPTablesUtilChains":                 {false},
	"eventRecordQPS":                         {0, 100000},
	"serverTLSBootstrap":                     {false},
	"tlsCertFile":                            {"/tmp/own.crt"},
	"tlsPrivateKeyFile":                      {"/tmp/own.key"},
	"rotateCertificates":                     {false},
	"tlsCipherSuites":                        {[]string{"TLS_RSA_WITH_AES_128_CBC_SHA"}, []string{}},
	"tlsMinVersion":                          {"VersionTLS10", ""},
	"podPidsLimit":                           {-1, 0, 10000000},
	"seccompDefault":                         {false},
	"featureGates":                           {map[string]bool{"RotateKubeletServerCertificate": false}, map[string]bool{"AllAlpha": true}, map[string]bool{"KubeletFineGrainedAuthz": false}},
	"enableServer":                           {false},
	"staticPodPath":                          {"/etc/kubernetes/manifests"},
	"staticPodURL":                           {"http://example.org/pod.yaml"},
	"staticPodURLHeader":                     {map[string][]string{"a": {"b"}}},
	"healthzBindAddress":                     {"0.0.0.0"},
	"enableProfilingHandler":                 {true},
	"enableDebugFlagsHandler":                {true},
	"enableSystemLogHandler":                 {true},
	"enableSystemLogQuery":                   {true},
	"enableContentionProfiling":              {true},
	"protectKernelDefaults":                  {false},
	"runOnce":                                {true},
	"allowedUnsafeSysctls":                   {[]string{"kernel.msg*"}},
	"failCgroupV1":                           {true},
	"registerNode":                           {false},
	"imageServiceEndpoint":                   {"unix:///tmp/x.sock"},
	"cgroupsPerQOS":                          {false},
	"volumePluginDir":                        {"/tmp"},
	"podLogsDir":                             {"/tmp"},
	"showHiddenMetricsForVersion":            {"1.34"},
	"memorySwap":                             {map[string]any{"swapBehavior": "LimitedSwap"}},
	"imagePullCredentialsVerificationPolicy": {"NeverVerify"},
	"tlsCurvePreferences":                    {[]int{1}, []int{29, 1}, []int{}, "29"},
	"defaultPodSysctls":                      {map[string]string{"kernel.msgmax": "1"}},
	"logging":                                {map[string]any{"verbosity": 8}, map[string]any{"verbosity": "x"}, map[string]any{"vmodule": []any{map[string]any{"filePattern": "*", "verbosity": 9}}}},
	"evictionHard":                           {map[string]string{"memory.available": "0%"}, map[string]string{"memory.available": "0"}, map[string]string{"memory.available": "100%"}},
	"evictionSoft":                           {map[string]string{"memory.available": "0"}},
	"evictionSoftGracePeriod":                {map[string]string{"memory.available": "-1s"}},
	"evictionMinimumReclaim":                 {map[string]string{"memory.available": "-1"}},
	"systemReserved":                         {map[string]string{"memory": "1e9"}, map[string]string{"cpu": "-1"}},
	"kubeReserved":                           {map[string]string{"memory": "x"}},
}

func TestKubeletCannotBeWeakened(t *testing.T) {
	before, err := worker(t).kubeletFile()
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range KubeletRules() {
		attempts := weakKubelet[rule.Name]
		if rule.Field != "" {
			attempts = []any{"weaker"}
		}
		if len(attempts) == 0 && (rule.Merge == Locked || rule.accepts != nil) {
			t.Errorf("no test tries to weaken %s", rule.Name)
		}
		for _, attempt := range attempts {
			w := worker(t)
			w.KubernetesVersion = versionOf(rule)
			hardened := w.hardenedKubelet()
			w.ExtraKubelet = map[string]any{rule.Name: attempt}
			names := rule.Control + rule.Field
			field := "extraKubelet[" + quote(rule.Name) + "]"
			refused(t, w.Validate(now), field, names)
			if _, err := w.Files(); err == nil {
				t.Errorf("%s=%v was rendered", rule.Name, attempt)
			}
			if merged, _ := w.mergeKubelet(); !reflect.DeepEqual(*merged, kubeletConfiguration{KubeletConfiguration: hardened}) {
				t.Errorf("%s=%v changed the configuration", rule.Name, attempt)
			}
			w.Exceptions = []Exception{accept("M99")}
			refused(t, w.Validate(now), field, names)
		}
	}
	if after, _ := worker(t).kubeletFile(); after != before {
		t.Error("one worker's changes reached another")
	}
}

func TestKubeletExceptions(t *testing.T) {
	w := worker(t)
	w.ExtraKubelet = map[string]any{"readOnlyPort": 10255}
	w.Exceptions = []Exception{accept("CIS-4.2.4")}
	accepted(t, w.Validate(now))
	if got := kubeletFileOf(t, w).ReadOnlyPort; got != 10255 {
		t.Errorf("the exception changed nothing: %d", got)
	}
	w.Exceptions[0].Expires = "2026-01-01"
	refused(t, w.Validate(now), "exceptions[0].expires", "expired")
}

func TestKubeletUsersExtend(t *testing.T) {
	w := worker(t)
	w.ExtraKubelet = map[string]any{
		"maxPods":                 40,
		"evictionHard":            map[string]any{"nodefs.available": "2%"},
		"featureGates":            map[string]bool{"WatchListClient": false},
		"tlsMinVersion":           "VersionTLS13",
		"podPidsLimit":            100,
		"protectKernelDefaults":   true, // what is already so may be said again
		"enableDebuggingHandlers": false,
	}
	accepted(t, w.Validate(now))
	k := kubeletFileOf(t, w)
	if k.MaxPods != 40 || k.TLSMinVersion != "VersionTLS13" || *k.PodPidsLimit != 100 || *k.EnableDebuggingHandlers {
		t.Errorf("%+v", k)
	}
	if k.EvictionHard["nodefs.available"] != "2%" || k.EvictionHard["memory.available"] != "100Mi" {
		t.Errorf("thresholds: %v", k.EvictionHard)
	}
	if !k.FeatureGates["RotateKubeletServerCertificate"] || len(k.FeatureGates) != 2 {
		t.Errorf("gates: %v", k.FeatureGates)
	}
	for name, bad := range map[string]any{"maxPods": "many", "nonsense": 1, "evictionHard": []int{1}, "systemReserved": func() {}} {
		w := worker(t)
		w.ExtraKubelet = map[string]any{name: bad}
		refused(t, w.Validate(now), "extraKubelet["+quote(name)+"]", "")
	}
}

func FuzzKubeletMerge(f *testing.F) {
	f.Add("readOnlyPort", "10255")
	f.Add("featureGates", `{"AllAlpha":true}`)
	f.Add("evictionHard", `{"nodefs.available":"1%"}`)
	f.Add("authentication", `{"anonymous":{"enabled":true}}`)
	f.Add("tlsCipherSuites", `[]`)
	f.Add("podPidsLimit", `1e9`)
	f.Fuzz(func(t *testing.T, name, document string) {
		var extra any
		if json.Unmarshal([]byte(document), &extra) != nil {
			return
		}
		w := worker(t)
		w.ExtraKubelet = map[string]any{name: extra}
		_ = w.Validate(now)
		k, _ := w.mergeKubelet()
		if *k.Authentication.Anonymous.Enabled || k.Authorization.Mode != "Webhook" || k.ReadOnlyPort != 0 || !k.ServerTLSBootstrap ||
			!k.RotateCertificates || !k.ProtectKernelDefaults || !*k.SeccompDefault || *k.PodPidsLimit < 1 || len(k.TLSCipherSuites) == 0 ||
			!k.FeatureGates["RotateKubeletServerCertificate"] || k.FeatureGates["AllAlpha"] {
			t.Fatalf("%s=%s weakened the kubelet: %+v", name, document, k)
		}
	})
}
