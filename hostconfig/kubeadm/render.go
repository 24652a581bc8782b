package kubeadm

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// ControlPlaneTaint keeps workloads from control planes.
const ControlPlaneTaint = "node-role.kubernetes.io/control-plane"

// Render gives the file for "kubeadm init --config" or "kubeadm join --config".
// What does not validate is not rendered.
func (s Spec) Render(action Action, now time.Time) (hostconfig.File, error) {
	s = s.WithDefaults()
	if err := s.Validate(action, now); err != nil {
		return hostconfig.File{}, err
	}
	registration, err := s.registration(action)
	if err != nil {
		return hostconfig.File{}, err
	}
	var documents []any
	switch action {
	case Init:
		kubelet, err := s.kubelet()
		if err != nil {
			return hostconfig.File{}, err
		}
		documents = []any{s.init(registration), s.cluster(), kubelet}
		if !s.SkipKubeProxy {
			proxy := map[string]any{}
			contents, err := s.kubeProxy().Configuration()
			if err == nil {
				err = yaml.Unmarshal([]byte(contents), &proxy)
			}
			if err != nil {
				return hostconfig.File{}, fmt.Errorf("kube-proxy: %w", err)
			}
			documents = append(documents, proxy)
		}
	default:
		documents = []any{s.join(action, registration)}
	}
	var rendered []string
	for _, document := range documents {
		text, err := yaml.Marshal(document)
		if err != nil {
			return hostconfig.File{}, fmt.Errorf("kubeadm: %w", err)
		}
		rendered = append(rendered, string(text))
	}
	return hostconfig.File{
		Path: path.Join(s.worker().Paths.KubernetesDir(), "kubeadm.yaml"), Mode: 0o600, Owner: "root",
		Contents: strings.Join(rendered, "---\n"),
	}, nil
}

func (s Spec) init(registration nodeRegistration) initConfiguration {
	// Without the first phase no token and no public cluster-info object is made.
	// The last one would print a join command with a token that does not exist.
	skip := []string{"bootstrap-token", "show-join-command"}
	if s.SkipKubeProxy {
		skip = append(skip, "addon/kube-proxy")
	}
	slices.Sort(skip)
	return initConfiguration{
		typeMeta: typeMeta{apiVersion, "InitConfiguration"}, NodeRegistration: registration,
		LocalAPIEndpoint: s.localEndpoint(), BootstrapTokens: []struct{}{}, SkipPhases: skip,
	}
}

func (s Spec) join(action Action, registration nodeRegistration) joinConfiguration {
	document := joinConfiguration{
		typeMeta: typeMeta{apiVersion, "JoinConfiguration"}, NodeRegistration: registration,
		CACertPath: s.worker().Paths.ClusterCA(), Discovery: discovery{File: fileDiscovery{KubeConfigPath: s.DiscoveryFile}},
	}
	if action == JoinControlPlane {
		document.ControlPlane = &joinControlPlane{LocalAPIEndpoint: s.localEndpoint()}
	}
	return document
}

// localEndpoint leaves an address that the machine learns to kubeadm, which takes
// that of the interface with the default route.
func (s Spec) localEndpoint() apiEndpoint {
	return apiEndpoint{AdvertiseAddress: s.Node.Address, BindPort: int32(s.plane().Ports.APIServer)}
}

func (s Spec) cluster() clusterConfiguration {
	c := s.plane()
	component := func(name string) controlPlaneComponent {
		return controlPlaneComponent{ExtraArgs: s.arguments(name), ExtraVolumes: s.volumes(name)}
	}
	return clusterConfiguration{
		typeMeta:    typeMeta{apiVersion, "ClusterConfiguration"},
		ClusterName: c.ClusterName, KubernetesVersion: c.KubernetesVersion, ControlPlaneEndpoint: s.endpoint(),
		CertificatesDir:             c.Paths.PKI(),
		CertificateValidityPeriod:   metav1.Duration{Duration: s.leafValidity()},
		CACertificateValidityPeriod: s.CAValidity,
		EncryptionAlgorithm:         s.EncryptionAlgorithm, FeatureGates: s.FeatureGates,
		Networking:        networking{ServiceSubnet: c.ServiceCIDR, PodSubnet: c.PodCIDR, DNSDomain: c.ClusterDomain},
		Etcd:              etcd{Local: localEtcd{DataDir: c.Paths.EtcdData(), ExtraArgs: s.arguments(hostconfig.ComponentEtcd)}},
		APIServer:         apiServer{component(hostconfig.ComponentAPIServer), s.certificateNames()},
		ControllerManager: component(hostconfig.ComponentControllerManager),
		Scheduler:         component(hostconfig.ComponentScheduler),
		Proxy:             disabled{s.SkipKubeProxy},
	}
}

// certificateNames are those of the API server's certificate, less what differs
// between machines: kubeadm adds each machine's own name and address.
func (s Spec) certificateNames() []string {
	var names []string
	c := s.plane()
	for _, leaf := range c.LeafCertificates() {
		if leaf.Name == "apiserver" {
			names = slices.Concat(leaf.DNSNames, leaf.IPAddresses)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return name == c.Name || name == c.AdvertiseAddress
	})
}

// nodeFlags are the kubelet's flags that differ between machines. The others of
// [hostconfig.Worker.KubeletArgs] are set by kubeadm's own unit.
var nodeFlags = []string{"node-ip", "node-labels"}

func (s Spec) registration(action Action) (nodeRegistration, error) {
	configuration, err := s.worker().KubeletConfiguration()
	if err != nil {
		return nodeRegistration{}, err
	}
	taints := slices.Clone(configuration.RegisterWithTaints)
	if action != JoinWorker && !slices.ContainsFunc(taints, func(t corev1.Taint) bool { return t.Key == ControlPlaneTaint }) {
		taints = append(taints, corev1.Taint{Key: ControlPlaneTaint, Effect: corev1.TaintEffectNoSchedule})
	}
	if taints == nil {
		taints = []corev1.Taint{}
	}
	// The address is a field of the kubelet's configuration, which kubeadm keeps
	// once for the whole cluster: so it is a flag here.
	arguments := []argument{}
	if !s.Node.LearnsAddress() {
		arguments = append(arguments, argument{Name: "address", Value: configuration.Address})
	}
	for _, each := range parse(s.worker().KubeletArgs()) {
		if slices.Contains(nodeFlags, each.Name) && !(each.Name == "node-ip" && s.Node.LearnsAddress()) {
			arguments = append(arguments, each)
		}
	}
	return nodeRegistration{
		Name: s.Node.Name, CRISocket: configuration.ContainerRuntimeEndpoint, Taints: taints,
		KubeletExtraArgs: arguments, ImagePullPolicy: corev1.PullIfNotPresent,
	}, nil
}

// kubelet gives the cluster's KubeletConfiguration: that of the node as
// hostconfig renders it, less the fields that differ between machines, and with
// the directory from which kubeadm's control plane starts.
func (s Spec) kubelet() (map[string]any, error) {
	files, err := s.worker().Files()
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if file.Path != s.worker().Paths.KubeletConfig() {
			continue
		}
		fields := map[string]any{}
		if err := yaml.Unmarshal([]byte(file.Contents), &fields); err != nil {
			return nil, fmt.Errorf("kubelet configuration: %w", err)
		}
		delete(fields, "address")
		delete(fields, "registerWithTaints")
		fields["staticPodPath"] = path.Join(s.worker().Paths.KubernetesDir(), "manifests")
		return fields, nil
	}
	return nil, fmt.Errorf("kubelet configuration: %s is not rendered", s.worker().Paths.KubeletConfig())
}

// kubeProxy gives kube-proxy's specification. Its credentials are kubeadm's.
func (s Spec) kubeProxy() hostconfig.KubeProxy {
	return hostconfig.KubeProxy{
		KubernetesVersion: s.Node.KubernetesVersion, PodCIDR: s.plane().PodCIDR,
		Extra: s.ExtraKubeProxy, Exceptions: s.Node.Exceptions,
	}
}
