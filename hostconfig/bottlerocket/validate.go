package bottlerocket

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, &hostconfig.FieldError{Field: field, Problem: problem, Remedy: remedy})
}

func (p *problems) join(err error) {
	if err != nil {
		*p = append(*p, err)
	}
}

// Validate reports everything that is wrong with the specification, as joined
// [hostconfig.FieldError] values. The time decides whether exceptions still
// hold. Defaults are filled in first.
func (s Spec) Validate(now time.Time) error {
	s = s.WithDefaults()
	var p problems
	p.variant(s)
	p.platform(s)
	for i, text := range s.Taints {
		if _, err := hostconfig.ParseTaint(text); err != nil {
			p.add(fmt.Sprintf("taints[%d]", i), err.Error(), "write key=value:NoSchedule, or key:NoExecute")
		}
	}
	p.join(hostconfig.CheckNodeLabels("labels", s.Labels))
	if s.AdminContainer && !hostconfig.Excepted(s.Exceptions, adminContainer) {
		p.add("adminContainer", "the SSH server is locked off by control "+adminContainer, hostconfig.AcceptRisk(adminContainer))
	}
	switch {
	case s.MaxUserNamespaces < 0 || s.MaxUserNamespaces > maxInt32:
		p.add("maxUserNamespaces", decimal(s.MaxUserNamespaces)+" is out of range", "write 0, or a number up to 2147483647")
	case s.MaxUserNamespaces > 0 && !hostconfig.Excepted(s.Exceptions, userNamespaces):
		p.add("maxUserNamespaces", "is locked to 0 by control "+userNamespaces, hostconfig.AcceptRisk(userNamespaces))
	}
	for _, name := range slices.Sorted(maps.Keys(s.TrustedCertificates)) {
		p.join(hostconfig.CheckCACertificate(fmt.Sprintf("trustedCertificates[%q]", name), s.TrustedCertificates[name]))
	}
	if len(s.NoProxy) > 0 && s.HTTPSProxy == "" {
		p.add("noProxy", "has no effect without httpsProxy", "set httpsProxy, or leave it out")
	}
	p.updates(s.Updates)
	p.verification(s.ImageVerification)
	if len(s.ImageVerifiers) > 0 && !s.installsVerifiers() {
		p.add("imageVerifiers", "need a program that the image does not have, and without it containerd pulls every image",
			"add an essential container with mode once or always to bootstrapContainers, which installs it into /opt/civ/bin")
	}
	p.join(hostconfig.CheckExceptions("exceptions", s.Exceptions, now))
	settings, refused := s.effective()
	p = append(p, refused...)
	p.image(s, settings)
	p.consistent(settings)
	p.mergeable(s, settings)
	if len(p) == 0 {
		_, err := s.Render()
		p.join(err)
	}
	return errors.Join(p...)
}

// platform wants what the node needs to reach the cluster, or its absence.
func (p *problems) platform(s Spec) {
	given := []struct {
		field    string
		isSet    bool
		required bool
	}{
		{"clusterName", s.ClusterName != "", true}, {"apiServer", s.APIServer != "", true},
		{"caCertificate", s.CACertificate != "", true}, {"clusterDNS", len(s.ClusterDNS) > 0, true},
		{"labels", len(s.Labels) > 0, false}, {"taints", len(s.Taints) > 0, false},
	}
	for _, each := range given {
		switch {
		case s.Platform == ManagedGroup && each.isSet && each.required:
			p.add(each.field, "is injected by EKS for a managed group", "leave it empty")
		case s.Platform == ManagedGroup && each.isSet:
			p.add(each.field, "belongs on the managed node group, which gives it to the node", "set it on the node group")
		case s.Platform == SelfManaged && !each.isSet && each.required:
			p.add(each.field, "is missing", "write it: nothing injects it into a self-managed node")
		}
	}
	switch s.Platform {
	case ManagedGroup:
	case SelfManaged:
		if s.CACertificate != "" {
			p.join(hostconfig.CheckCACertificate("caCertificate", s.CACertificate))
		}
	default:
		p.add("platform", strconv.Quote(string(s.Platform))+" is not a platform", "write managed-group or self-managed")
	}
}

func (p *problems) updates(u Updates) {
	switch u.Strategy {
	case UpdatesOff, UpdatesInWaves, UpdatesLocked:
	default:
		p.add("updates.strategy", strconv.Quote(string(u.Strategy))+" is not a strategy", "write off, waves or locked")
	}
	if u.Seed != nil && u.Strategy != UpdatesInWaves {
		p.add("updates.seed", "has no effect with strategy "+string(u.Strategy), "write strategy waves, or leave it out")
	}
	if (u.Version != "") != (u.Strategy == UpdatesLocked) {
		p.add("updates.version", "goes with strategy locked, and with no other", "write strategy locked and a version such as v1.54.0")
	} else if u.Version == "latest" {
		p.add("updates.version", "latest locks nothing", "write a version such as v1.54.0")
	}
}

// installsVerifiers tells whether a bootstrap container can, without which the
// node does not boot.
func (s Spec) installsVerifiers() bool {
	for _, container := range s.BootstrapContainers {
		if container.Essential != nil && *container.Essential && (is(container.Mode, "once") || is(container.Mode, "always")) {
			return true
		}
	}
	return false
}

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (p *problems) verification(v *ImageVerification) {
	if v == nil {
		return
	}
	if v.NotationTrustPolicy == "" && len(v.TrustedDigests) == 0 {
		p.add("imageVerification", "has no policy, so no image could be pulled", "write notationTrustPolicy or trustedDigests")
	}
	for i, text := range v.TrustedDigests {
		if !digest.MatchString(text) {
			p.add(fmt.Sprintf("imageVerification.trustedDigests[%d]", i), strconv.Quote(text)+" is not a digest", "write sha256: and 64 hexadecimal digits")
		}
	}
}
