package hostconfig

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// derivedFields names the fields of [Worker], [ControlPlane] and [Firewall] as
// [Node] does. What is not among them has the same name.
var derivedFields = map[string]string{
	"clusterName": "cluster.name", "nodeIP": "address", "advertiseAddress": "address",
	"apiServer": "cluster.endpoint", "caCertificate": "cluster.caCertificate", "clusterPodCIDR": "cluster.podCIDRs",
	"serviceCIDR": "cluster.serviceCIDRs", "clusterDNS": "cluster.dns", "clusterDomain": "cluster.domain", "ports": "cluster.ports",
	"etcdMembers": "cluster.controlPlanes", "workers": "cluster.workers", "operators": "cluster.operators",
	"resolvConf": "kubelet.resolvConf", "cgroupRoot": "kubelet.cgroupRoot", "cgroupDriver": "kubelet.cgroupDriver",
	"cgroupV1": "kubelet.cgroupV1", "swap": "kubelet.swap", "restrictOOMScoreAdj": "kubelet.restrictOOMScoreAdj",
	"extraKubelet": "kubelet.extra", "extraContainerd": "runtime.extra",
	"containerdVersion": "runtime.containerdVersion", "selinux": "runtime.selinux",
	"gVisorPlatform": "runtime.gVisorPlatform", "kataConfig": "runtime.kataConfig",
	"nodeInterface": "interfaces.node", "operatorInterface": "interfaces.operator", "podInterface": "interfaces.pod",
	"bindAddress": "controlPlane.bindAddress", "sans": "controlPlane.sans", "etcdUser": "controlPlane.etcdUser",
	"oidc": "controlPlane.oidc", "audit": "controlPlane.audit", "encryption": "controlPlane.encryption",
	"certificates": "controlPlane.certificates", "allowPrivileged": "controlPlane.allowPrivileged",
	"podSecurity": "controlPlane.podSecurity", "eventRateLimit": "controlPlane.eventRateLimit", "extraArgs": "controlPlane.extraArgs",
	"admissionPlugins": "controlPlane.admissionPlugins",
	"resolvers":        "surroundings.resolvers", "dhcpServers": "surroundings.dhcpServers", "loadBalancers": "surroundings.loadBalancers",
	"network": "surroundings.network", "services": "surroundings.services",
}

// The kinds of derived specifications: one name means different fields in them.
const (
	derivedWorker       = "worker"
	derivedControlPlane = "control plane"
	derivedFirewall     = "firewall"
)

// nodeFieldOf names a field of a derived specification as Node does.
func nodeFieldOf(kind, field string) string {
	root, rest := field, ""
	if end := strings.IndexAny(field, ".["); end >= 0 {
		root, rest = field[:end], field[end:]
	}
	if root == "podCIDR" && kind != derivedWorker {
		return "cluster.podCIDRs" + rest
	}
	if kind == derivedFirewall {
		switch root {
		case "podCIDRs":
			// The first range stands in podCIDR.
			if i, err := strconv.Atoi(strings.Trim(rest, "[]")); err == nil {
				return fmt.Sprintf("cluster.podCIDRs[%d]", i+1)
			}
		case "managed":
			return "cluster.managed"
		case "podInterfaces":
			return "interfaces.pod"
		}
	}
	if root == "timeServers" && kind == derivedFirewall {
		return "surroundings." + root + rest
	}
	if root == "controlPlane" && kind == derivedFirewall {
		root = "cluster.controlPlanes"
	}
	if root == "extraKubelet" {
		for _, own := range kubeletOwn {
			if suffix, found := strings.CutPrefix(rest, `["`+own+`"]`); found {
				return "kubelet." + own + suffix
			}
		}
	}
	if name, found := derivedFields[root]; found {
		root = name
	}
	if kind == derivedFirewall && strings.HasSuffix(rest, "]") && (root == "cluster.controlPlanes" || root == "cluster.workers") {
		rest += ".address"
	}
	return root + rest
}

// kubeletOwn are the fields of the KubeletConfiguration that [Kubelet] has.
var kubeletOwn = []string{"evictionHard", "kubeReserved", "maxPods", "systemReserved"}

var (
	// fieldInText finds names that can only be fields, in problems and remedies.
	fieldInText = regexp.MustCompile(`\b(clusterPodCIDR|podCIDR|serviceCIDR|advertiseAddress|nodeIP|apiServer|extraKubelet|etcdMembers)\b`)
	// fieldDecides finds the field that decides another.
	fieldDecides = regexp.MustCompile(`(is decided by the field |^set )([A-Za-z.]+)( instead)?$`)
)

func nodeText(kind, text string) string {
	if parts := fieldDecides.FindStringSubmatch(text); parts != nil {
		return parts[1] + nodeFieldOf(kind, parts[2]) + parts[3]
	}
	return fieldInText.ReplaceAllStringFunc(text, func(name string) string { return nodeFieldOf(kind, name) })
}

// derived takes over what a derived specification refuses, under Node's names.
func (p *problems) derived(kind string, err error) {
	for _, each := range separate(err) {
		p.add(nodeFieldOf(kind, each.Field), nodeText(kind, each.Problem), nodeText(kind, each.Remedy))
	}
}

// within takes over what a part refuses, with the part's name before the field.
func (p *problems) within(field string, err error) {
	for _, each := range separate(err) {
		p.add(field+"."+each.Field, each.Problem, each.Remedy)
	}
}

// separate takes joined errors apart.
func separate(err error) []*FieldError {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var found []*FieldError
		for _, each := range joined.Unwrap() {
			found = append(found, separate(each)...)
		}
		return found
	}
	var one *FieldError
	if errors.As(err, &one) {
		return []*FieldError{one}
	}
	return []*FieldError{{Problem: err.Error(), Remedy: "report this as a defect"}}
}
