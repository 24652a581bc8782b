package kubeadm

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// apiVersion is the version of every document that kubeadm itself defines. The
// upstream types are in k8s.io/kubernetes, which is not made to be imported:
// these are the fields that are used here, under their upstream names.
const apiVersion = "kubeadm.k8s.io/v1beta4"

// typeMeta names a document's kind.
type typeMeta struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// initConfiguration is what differs between machines at init.
type initConfiguration struct {
	typeMeta         `json:",inline"`
	NodeRegistration nodeRegistration `json:"nodeRegistration"`
	LocalAPIEndpoint apiEndpoint      `json:"localAPIEndpoint"`
	// BootstrapTokens stays empty. kubeadm would fill it with a random token,
	// were the phase that creates it not among SkipPhases.
	BootstrapTokens []struct{} `json:"bootstrapTokens"`
	SkipPhases      []string   `json:"skipPhases,omitempty"`
}

// clusterConfiguration holds for every control plane: kubeadm stores it in the
// cluster, and reads it from there at each join.
type clusterConfiguration struct {
	typeMeta                    `json:",inline"`
	ClusterName                 string                `json:"clusterName"`
	KubernetesVersion           string                `json:"kubernetesVersion"`
	ControlPlaneEndpoint        string                `json:"controlPlaneEndpoint"`
	CertificatesDir             string                `json:"certificatesDir"`
	CertificateValidityPeriod   metav1.Duration       `json:"certificateValidityPeriod"`
	CACertificateValidityPeriod metav1.Duration       `json:"caCertificateValidityPeriod"`
	EncryptionAlgorithm         EncryptionAlgorithm   `json:"encryptionAlgorithm"`
	FeatureGates                map[string]bool       `json:"featureGates,omitempty"`
	Networking                  networking            `json:"networking"`
	Etcd                        etcd                  `json:"etcd"`
	APIServer                   apiServer             `json:"apiServer"`
	ControllerManager           controlPlaneComponent `json:"controllerManager"`
	Scheduler                   controlPlaneComponent `json:"scheduler"`
	Proxy                       disabled              `json:"proxy"`
}

// joinConfiguration adds a machine to a cluster.
type joinConfiguration struct {
	typeMeta         `json:",inline"`
	CACertPath       string            `json:"caCertPath"`
	Discovery        discovery         `json:"discovery"`
	NodeRegistration nodeRegistration  `json:"nodeRegistration"`
	ControlPlane     *joinControlPlane `json:"controlPlane,omitempty"`
}

type joinControlPlane struct {
	LocalAPIEndpoint apiEndpoint `json:"localAPIEndpoint"`
}

type apiEndpoint struct {
	AdvertiseAddress string `json:"advertiseAddress,omitempty"`
	BindPort         int32  `json:"bindPort"`
}

type nodeRegistration struct {
	// Name is empty where the machine's host name, which the platform gives, is
	// the node's name.
	Name      string `json:"name,omitempty"`
	CRISocket string `json:"criSocket"`
	// Taints is written even when it is empty: absent means the default taint
	// of a control plane.
	Taints           []corev1.Taint    `json:"taints"`
	KubeletExtraArgs []argument        `json:"kubeletExtraArgs"`
	ImagePullPolicy  corev1.PullPolicy `json:"imagePullPolicy"`
}

type discovery struct {
	File fileDiscovery `json:"file"`
}

type fileDiscovery struct {
	KubeConfigPath string `json:"kubeConfigPath"`
}

type networking struct {
	ServiceSubnet string `json:"serviceSubnet"`
	PodSubnet     string `json:"podSubnet"`
	DNSDomain     string `json:"dnsDomain"`
}

type etcd struct {
	Local localEtcd `json:"local"`
}

type localEtcd struct {
	DataDir   string     `json:"dataDir"`
	ExtraArgs []argument `json:"extraArgs"`
}

type apiServer struct {
	controlPlaneComponent `json:",inline"`
	CertSANs              []string `json:"certSANs,omitempty"`
}

type controlPlaneComponent struct {
	ExtraArgs    []argument `json:"extraArgs"`
	ExtraVolumes []volume   `json:"extraVolumes,omitempty"`
}

// argument is one flag; v1beta4 has lists of them where v1beta3 had maps.
type argument struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// volume is a file or directory of the host, at the same path in the static pod.
type volume struct {
	Name      string              `json:"name"`
	HostPath  string              `json:"hostPath"`
	MountPath string              `json:"mountPath"`
	ReadOnly  bool                `json:"readOnly,omitempty"`
	PathType  corev1.HostPathType `json:"pathType"`
}

type disabled struct {
	Disabled bool `json:"disabled"`
}
