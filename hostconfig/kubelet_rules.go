package hostconfig

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"
)

// KubeletRules gives the rule of every field of the KubeletConfiguration in any
// supported minor, by JSON name; [Rule.In] tells in which.
func KubeletRules() []Rule {
	sorted := make([]Rule, 0, len(kubeletRules))
	for _, name := range slices.Sorted(maps.Keys(kubeletRules)) {
		sorted = append(sorted, kubeletRules[name])
	}
	return sorted
}

// The rules judge a field's value in its JSON form.
var kubeletRules = ruleSet{}.
	locked("CIS-4.2.1", "authentication").
	locked("CIS-4.2.2", "authorization").
	locked("CIS-4.2.4", "readOnlyPort").
	bounded("CIS-4.2.5", "streamingConnectionIdleTimeout", "1s to 4h", jsonString(durationBetween(time.Second, 4*time.Hour))).
	locked("CIS-4.2.6", "makeIPTablesUtilChains").
	bounded("CIS-4.2.8", "eventRecordQPS", "1 to 100", integerBetween(1, 100)).
	locked("CIS-4.2.9", "serverTLSBootstrap", "tlsCertFile", "tlsPrivateKeyFile").
	locked("CIS-4.2.10", "rotateCertificates").
	bounded("CIS-4.2.12", "tlsCipherSuites", "suites with authenticated encryption only", jsonList(aeadSuites)).
	bounded("CIS-4.2.12", "tlsMinVersion", "VersionTLS12 or VersionTLS13", jsonString(oneOf("VersionTLS12", "VersionTLS13"))).
	bounded("CIS-4.2.13", "podPidsLimit", "1 to 65536", integerBetween(1, 65536)).
	locked("CIS-4.2.14", "seccompDefault").
	gates("CIS-4.2.11", "featureGates", jsonGates).
	locked("M16", "enableServer", "staticPodPath", "staticPodURL", "staticPodURLHeader", "healthzBindAddress", "enableProfilingHandler",
		"enableDebugFlagsHandler", "enableSystemLogHandler", "enableSystemLogQuery", "enableContentionProfiling",
		"protectKernelDefaults", "runOnce", "allowedUnsafeSysctls", "failCgroupV1", "registerNode",
		"imageServiceEndpoint", "cgroupsPerQOS", "volumePluginDir", "podLogsDir", "showHiddenMetricsForVersion").
	locked("M18", "memorySwap").
	bounded("M26", "imagePullCredentialsVerificationPolicy", "any but NeverVerify",
		jsonString(oneOf("NeverVerifyPreloadedImages", "NeverVerifyAllowlistedImages", "AlwaysVerify"))).
	bounded("M17", "logging", "a verbosity of 0 to 7", jsonVerbosity).
	decidedBy("nodeIP", "address").
	decidedBy("ports.kubelet", "port").
	decidedBy("ports.kubeletHealth", "healthzPort").
	decidedBy("clusterDomain", "clusterDomain").
	decidedBy("clusterDNS", "clusterDNS").
	decidedBy("podCIDR", "podCIDR").
	decidedBy("resolvConf", "resolvConf").
	decidedBy("cgroupRoot", "cgroupRoot").
	decidedBy("cgroupDriver", "cgroupDriver").
	decidedBy("swap", "failSwapOn").
	decidedBy("taints", "registerWithTaints").
	decidedBy("paths", "containerRuntimeEndpoint").
	additive("M16", "evictionHard", thresholdsBound, jsonTexts(isThreshold)).
	additive("M16", "evictionSoft", thresholdsBound, jsonTexts(isThreshold)).
	additive("M16", "evictionSoftGracePeriod", "durations", jsonTexts(isGracePeriod)).
	additive("M16", "evictionMinimumReclaim", "quantities or shares", jsonTexts(isReclaim)).
	additive("M16", "systemReserved", quantityBound, jsonTexts(quantityPattern.MatchString)).
	additive("M16", "kubeReserved", quantityBound, jsonTexts(quantityPattern.MatchString)).
	overwritable("enableDebuggingHandlers", "syncFrequency", "fileCheckFrequency", "httpCheckFrequency", "registryPullQPS", "registryBurst",
		"preloadedImagesVerificationAllowlist", "eventBurst", "oomScoreAdj", "nodeStatusUpdateFrequency",
		"nodeStatusReportFrequency", "nodeLeaseDurationSeconds", "imageMinimumGCAge", "imageMaximumGCAge",
		"imageGCHighThresholdPercent", "imageGCLowThresholdPercent", "volumeStatsAggPeriod", "kubeletCgroups", "systemCgroups",
		"cpuManagerPolicy", "singleProcessOOMKill", "cpuManagerPolicyOptions", "cpuManagerReconcilePeriod",
		"memoryManagerPolicy", "topologyManagerPolicy", "topologyManagerScope", "topologyManagerPolicyOptions", "qosReserved",
		"runtimeRequestTimeout", "hairpinMode", "maxPods", "cpuCFSQuota", "cpuCFSQuotaPeriod", "nodeStatusMaxImages",
		"maxOpenFiles", "contentType", "kubeAPIQPS", "kubeAPIBurst", "serializeImagePulls", "maxParallelImagePulls",
		"evictionPressureTransitionPeriod", "evictionMaxPodGracePeriod", "mergeDefaultEvictionSettings", "podsPerCore",
		"enableControllerAttachDetach", "iptablesMasqueradeBit", "iptablesDropBit", "containerLogMaxSize",
		"containerLogMaxFiles", "containerLogMaxWorkers", "containerLogMonitorInterval",
		"configMapAndSecretChangeDetectionStrategy", "reservedSystemCPUs", "systemReservedCgroup", "kubeReservedCgroup",
		"enforceNodeAllocatable", "providerID", "kernelMemcgNotification", "shutdownGracePeriod",
		"shutdownGracePeriodCriticalPods", "shutdownGracePeriodByPodPriority", "crashLoopBackOff", "reservedMemory",
		"memoryThrottlingFactor", "tracing", "localStorageCapacityIsolation", "userNamespaces",
		"memoryReservationPolicy").
	bounded("CIS-4.2.12", "tlsCurvePreferences", curvesBound, jsonNumbers(curveIDs())).
	// It would give every pod sysctls that allowedUnsafeSysctls withholds.
	locked("M16", "defaultPodSysctls").
	since("v1.36", "memoryReservationPolicy", "tlsCurvePreferences").
	since("v1.37", "defaultPodSysctls")

// kubeletConfiguration is the upstream type of v1.35 with the fields that later
// minors added. https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/
type kubeletConfiguration struct {
	kubeletv1beta1.KubeletConfiguration `json:",inline"`

	TLSCurvePreferences     []int32           `json:"tlsCurvePreferences,omitempty"`
	MemoryReservationPolicy string            `json:"memoryReservationPolicy,omitempty"`
	DefaultPodSysctls       map[string]string `json:"defaultPodSysctls,omitempty"`
}

// mergeKubelet puts the user's fields over the hardened ones. What may not stand
// is left out and reported. It needs the defaults filled in.
func (w Worker) mergeKubelet() (*kubeletConfiguration, []error) {
	hardened := kubeletConfiguration{KubeletConfiguration: w.hardenedKubelet()}
	if len(w.ExtraKubelet) == 0 {
		return &hardened, nil
	}
	merged, refused := hardened, []error(nil)
	for _, name := range slices.Sorted(maps.Keys(w.ExtraKubelet)) {
		field := fmt.Sprintf("extraKubelet[%q]", name)
		changed, problem := w.mergeKubeletField(merged, hardened, name)
		if problem != nil {
			problem.Field = field
			refused = append(refused, problem)
			continue
		}
		merged = changed
	}
	refused = append(refused, kubeletNeedsOf(minor(w.KubernetesVersion), &merged)...)
	return &merged, refused
}

// mergeKubeletField gives the configuration with one of the user's fields.
func (w Worker) mergeKubeletField(current, hardened kubeletConfiguration, name string) (kubeletConfiguration, *FieldError) {
	rule, known := kubeletRules[name]
	if !known {
		return current, &FieldError{Problem: "the KubeletConfiguration has no such field whose effect on the controls is known",
			Remedy: "use a field of kubelet.config.k8s.io/v1beta1, spelled as in YAML"}
	}
	value, err := json.Marshal(w.ExtraKubelet[name])
	if err != nil {
		return current, &FieldError{Problem: "cannot be written as JSON", Remedy: "use numbers, strings, lists and maps"}
	}
	if number, found := endlessNumber(value); found {
		return current, &FieldError{Problem: quote(number) + " is a number that takes the parser of quantities minutes", Remedy: "write " + quantityBound}
	}
	before, err := jsonFields(hardened)
	if err != nil {
		return current, &FieldError{Problem: err.Error(), Remedy: "report this as a defect"}
	}
	hardenedValue, isSet := before[name]
	if problem := rule.judge(minor(w.KubernetesVersion), string(value), string(hardenedValue), isSet, w.Exceptions); problem != nil {
		return current, problem
	}
	fields, err := jsonFields(current)
	if err != nil {
		return current, &FieldError{Problem: err.Error(), Remedy: "report this as a defect"}
	}
	if rule.Merge == Additive {
		value, err = unionObjects(fields[name], value)
	}
	if err == nil {
		fields[name] = value
		var document []byte
		if document, err = json.Marshal(fields); err == nil {
			var changed kubeletConfiguration
			if err = yaml.UnmarshalStrict(document, &changed); err == nil {
				return changed, nil
			}
		}
	}
	return current, &FieldError{Problem: "has the wrong form: " + err.Error(), Remedy: "write it as in a KubeletConfiguration"}
}

func jsonFields(configuration kubeletConfiguration) (map[string]json.RawMessage, error) {
	document, err := json.Marshal(configuration)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	return fields, json.Unmarshal(document, &fields)
}

// unionObjects joins two JSON objects; the second wins.
func unionObjects(a, b json.RawMessage) (json.RawMessage, error) {
	union := map[string]json.RawMessage{}
	for _, object := range []json.RawMessage{a, b} {
		if len(object) == 0 {
			continue
		}
		if err := json.Unmarshal(object, &union); err != nil {
			return nil, err
		}
	}
	return json.Marshal(union)
}

// jsonString lets a rule of plain text judge a JSON string.
func jsonString(accepts func(string) bool) func(string) bool {
	return func(value string) bool {
		var text string
		return json.Unmarshal([]byte(value), &text) == nil && accepts(text)
	}
}

// jsonList accepts a list that is not empty and has no other items.
func jsonList(members []string) func(string) bool {
	return func(value string) bool {
		var items []string
		if json.Unmarshal([]byte(value), &items) != nil || len(items) == 0 {
			return false
		}
		return !slices.ContainsFunc(items, func(item string) bool { return !slices.Contains(members, item) })
	}
}

func jsonGates(minor, value string) bool {
	var gates map[string]bool
	if json.Unmarshal([]byte(value), &gates) != nil {
		return false
	}
	for name, on := range gates {
		if !acceptsGate(minor, name, on) {
			return false
		}
	}
	return true
}

// jsonNumbers accepts a list of numbers that is not empty and has no other items.
func jsonNumbers(members []string) func(string) bool {
	return func(value string) bool {
		var items []json.Number
		if json.Unmarshal([]byte(value), &items) != nil || len(items) == 0 {
			return false
		}
		return !slices.ContainsFunc(items, func(item json.Number) bool { return !slices.Contains(members, item.String()) })
	}
}

// jsonVerbosity refuses levels at which bodies of requests reach the log, for the
// component or for one of its source files.
func jsonVerbosity(value string) bool {
	var logging struct {
		Verbosity json.Number `json:"verbosity"`
		VModule   []struct {
			Verbosity json.Number `json:"verbosity"`
		} `json:"vmodule"`
	}
	if json.Unmarshal([]byte(value), &logging) != nil {
		return false
	}
	levels := []json.Number{logging.Verbosity}
	for _, each := range logging.VModule {
		levels = append(levels, each.Verbosity)
	}
	return !slices.ContainsFunc(levels, func(level json.Number) bool {
		n, err := strconv.Atoi(level.String())
		return level != "" && (err != nil || n < 0 || n > mostVerbose)
	})
}
