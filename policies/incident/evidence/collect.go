package evidence

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/policies/incident"
)

// Options say what is collected.
type Options struct {
	Target incident.Target
	// Now is the time that the archive says.
	Now time.Time
	// Reason says what the archive is for.
	Reason string
	// AuditLogs are files of the API server's audit log, an event a line.
	AuditLogs []string
	// NodeState has, in a directory by the name of each node, files that tell its
	// state; empty where there is none.
	NodeState string
	// LogBytes bounds the log of a container, and each file of a node; 10 MiB by
	// default.
	LogBytes int64
}

// Case is what an archive says about itself, in case.json.
type Case struct {
	Target    string    `json:"target"`
	Reason    string    `json:"reason"`
	Collected time.Time `json:"collected"`
	// By is who collected it, as the API server knows him.
	By string `json:"by"`
	// Cluster is the UID of the namespace kube-system, which a cluster has for
	// life; Server is its version.
	Cluster string   `json:"cluster"`
	Server  string   `json:"server"`
	Nodes   []string `json:"nodes"`
	// Removed counts what looked like a credential, by file.
	Removed map[string]int `json:"removed"`
	// Missing says what could not be collected, and why.
	Missing []string `json:"missing"`
}

// collector has what is being put together.
type collector struct {
	Options
	client kubernetes.Interface
	any    dynamic.Interface
	files  map[string][]byte
	about  Case
	// subjects are whose lines of the audit log are of interest.
	pods  map[string]*corev1.Pod // by namespace/name
	nodes map[string]bool
	said  map[string]bool // objects that are in it
}

// Collect puts together what there is. It fails where the target is not there, or
// the cluster does not answer; what is forbidden or gone is in Case.Missing.
func Collect(ctx context.Context, config *rest.Config, o Options) (map[string][]byte, Case, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, Case{}, err
	}
	any, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, Case{}, err
	}
	if o.LogBytes == 0 {
		o.LogBytes = 10 << 20
	}
	c := &collector{Options: o, client: client, any: any, files: map[string][]byte{}, pods: map[string]*corev1.Pod{}, nodes: map[string]bool{}, said: map[string]bool{},
		about: Case{Target: o.Target.String(), Reason: o.Reason, Collected: o.Now.UTC(), Removed: map[string]int{}, Missing: []string{"Secrets are left out on purpose"}}}
	if err := c.identify(ctx); err != nil {
		return nil, Case{}, err
	}
	switch o.Target.Kind {
	case incident.Pod:
		err = c.pod(ctx)
	case incident.Namespace:
		err = c.namespace(ctx)
	default:
		err = c.node(ctx, o.Target.Name)
	}
	if err != nil {
		return nil, Case{}, err
	}
	c.logs(ctx)
	c.events(ctx)
	c.auditLines()
	c.nodeState()
	c.about.Nodes = slices.Sorted(maps.Keys(c.nodes))
	maps.DeleteFunc(c.about.Removed, func(_ string, count int) bool { return count == 0 })
	text, err := json.MarshalIndent(c.about, "", "  ")
	c.files["case.json"] = append(text, '\n')
	return c.files, c.about, err
}

// identify asks who is asking, and which cluster this is.
func (c *collector) identify(ctx context.Context) error {
	self, err := c.who(ctx)
	if err != nil {
		return fmt.Errorf("the cluster does not answer: %w", err)
	}
	c.about.By = self
	if version, err := c.client.Discovery().ServerVersion(); err == nil {
		c.about.Server = version.GitVersion
	}
	system, err := c.client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		c.miss("the identity of the cluster", err)
		return nil
	}
	c.about.Cluster = string(system.UID)
	return nil
}

func (c *collector) miss(what string, err error) {
	c.about.Missing = append(c.about.Missing, fmt.Sprintf("%s: %v", what, err))
}

// add puts a file in, without what looks like a credential.
func (c *collector) add(name string, content []byte) {
	clean, count := redact(content)
	if count > 0 {
		c.about.Removed[name] += count
	}
	c.files[name] = clean
}

// object puts an object in, once.
func (c *collector) object(o *unstructured.Unstructured) {
	kind := o.GroupVersionKind()
	if kind.Group == "" && kind.Kind == "Secret" {
		return
	}
	name := "objects/" + strings.ToLower(kind.Kind)
	if kind.Group != "" {
		name += "." + kind.Group
	}
	if o.GetNamespace() != "" {
		name += "/" + o.GetNamespace()
	}
	name += "/" + strings.ReplaceAll(o.GetName(), ":", "_") + ".yaml"
	if c.said[name] {
		return
	}
	c.said[name] = true
	o = o.DeepCopy()
	count := redactObject(o.Object)
	text, err := yaml.Marshal(o.Object)
	if err != nil {
		c.miss(name, err)
		return
	}
	if count > 0 {
		c.about.Removed[name] += count
	}
	c.add(name, text)
}

// remember keeps a pod, whose logs are read, with the node that it is on.
func (c *collector) remember(pod *corev1.Pod) {
	c.pods[pod.Namespace+"/"+pod.Name] = pod
	if pod.Spec.NodeName != "" {
		c.nodes[pod.Spec.NodeName] = true
	}
}
