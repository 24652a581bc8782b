package provider

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"

	"github.com/redoubt-dev/redoubt/components/local/machine"
	"github.com/redoubt-dev/redoubt/components/local/netns"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Join says how a worker becomes a node: by a bootstrap token of its own, which
// is good for its own name only, and for minutes only (M34).
type Join struct {
	ClusterName string `pulumi:"clusterName"`
	// APIServer is the URL that nodes use.
	APIServer string `pulumi:"apiServer"`
	// CACertificate is the cluster authority in PEM.
	CACertificate string `pulumi:"caCertificate"`
	// Kubeconfig is the administrator's, on the host; it makes the token.
	Kubeconfig string `pulumi:"kubeconfig"`
	// Kubelet is the host:port on which the kubelet serves the API server.
	Kubelet string `pulumi:"kubelet,optional"`
}

const (
	// tokenLifetime is long enough for a slow first start, and no longer.
	tokenLifetime = 10 * time.Minute
	// readyTimeout bounds the wait for a node: the sandbox image is local, so
	// most of it is the kubelet's first start.
	readyTimeout = 3 * time.Minute
)

// needed says why the node has to join (again), or "".
func (j Join) needed(m Machine) string {
	pemFile := filepath.Join(hostconfig.Paths{}.KubeletPKI(), "kubelet-client-current.pem")
	data, err := os.ReadFile(m.hostPath(pemFile))
	if err != nil {
		// The link is absolute inside the machine; resolve it by hand.
		target, linkErr := os.Readlink(m.hostPath(pemFile))
		if linkErr != nil {
			return "the node has not joined"
		}
		if data, err = os.ReadFile(m.hostPath(target)); err != nil {
			return "the node has not joined"
		}
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "the node's client certificate cannot be read"
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(j.CACertificate))
		if _, err := certificate.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			return fmt.Sprintf("the node's client certificate does not hold any more: %v", err)
		}
		return ""
	}
	return "the node has not joined"
}

// prepare makes a token for this node, and the kubeconfig that carries it.
func (j Join) prepare(ctx context.Context, m Machine) error {
	// A certificate of an earlier authority would be tried before the token.
	for _, path := range []string{hostconfig.Paths{}.KubeletPKI(), hostconfig.Paths{}.KubeletKubeconfig()} {
		if err := os.RemoveAll(m.hostPath(path)); err != nil {
			return err
		}
	}
	client, err := coreClient(j.Kubeconfig)
	if err != nil {
		return err
	}
	id, err := randomToken(6)
	if err != nil {
		return err
	}
	secret, err := randomToken(16)
	if err != nil {
		return err
	}
	token := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: bootstrapapi.BootstrapTokenSecretPrefix + id, Namespace: metav1.NamespaceSystem},
		Type:       corev1.SecretTypeBootstrapToken,
		StringData: map[string]string{
			bootstrapapi.BootstrapTokenDescriptionKey:      "join of " + m.Name,
			bootstrapapi.BootstrapTokenIDKey:               id,
			bootstrapapi.BootstrapTokenSecretKey:           secret,
			bootstrapapi.BootstrapTokenExpirationKey:       time.Now().Add(tokenLifetime).UTC().Format(time.RFC3339),
			bootstrapapi.BootstrapTokenUsageAuthentication: "true",
			bootstrapapi.BootstrapTokenExtraGroupsKey:      hostconfig.GroupNodeBootstrappers + "," + hostconfig.GroupNodeBootstrapper(m.Name),
		},
	}
	if _, err := client.Secrets(metav1.NamespaceSystem).Create(ctx, token, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("making a bootstrap token for %s: %w", m.Name, err)
	}
	worker := hostconfig.Worker{ClusterName: j.ClusterName, Name: m.Name, APIServer: j.APIServer}
	file, err := worker.BootstrapKubeconfig(id + "." + secret)
	if err != nil {
		return err
	}
	return writeFile(m.hostPath(file.Path), file.Contents, os.FileMode(file.Mode), os.Getuid())
}

// complete waits until the node is Ready and then removes what it joined with.
func (j Join) complete(ctx context.Context, m Machine) error {
	client, err := coreClient(j.Kubeconfig)
	if err != nil {
		return err
	}
	last := "it has not registered"
	err = wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, readyTimeout, true, func(ctx context.Context) (bool, error) {
		if last = j.needed(m); last != "" {
			return false, nil
		}
		node, err := client.Nodes().Get(ctx, m.Name, metav1.GetOptions{})
		if err != nil {
			last = err.Error()
			return false, nil
		}
		// A node under pressure takes no pods, although it is Ready.
		if last = pressures(node.Status.Conditions); last != "" {
			return false, nil
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady {
				last = condition.Message
				reported := !condition.LastHeartbeatTime.Time.Before(kubeletStart(m))
				if condition.Status != corev1.ConditionTrue || !reported {
					return false, nil
				}
				if err := j.served(ctx, m); err != nil {
					last = err.Error()
					return false, nil
				}
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("node %s is not Ready after %s: %s; its logs are in %s", m.Name, readyTimeout, last, m.LogDirectory)
	}
	return j.forgetToken(ctx, m)
}

// pressures says what the node has too little of, and what to do about it.
func pressures(conditions []corev1.NodeCondition) string {
	remedies := map[corev1.NodeConditionType]string{
		corev1.NodeDiskPressure:   "free some of this machine's disk",
		corev1.NodeMemoryPressure: "free some of this machine's memory",
		corev1.NodePIDPressure:    "stop some of this machine's processes",
	}
	var found []string
	for _, condition := range conditions {
		if remedy := remedies[condition.Type]; remedy != "" && condition.Status == corev1.ConditionTrue {
			found = append(found, fmt.Sprintf("%s (%s): %s", condition.Type, condition.Message, remedy))
		}
	}
	return strings.Join(found, "; ")
}

// served tells whether the kubelet has a serving certificate of the cluster's
// authority: before that, logs and exec fail on a node that is Ready.
func (j Join) served(ctx context.Context, m Machine) error {
	if j.Kubelet == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	raw, err := netns.DialContext(ctx, deref(m.NetworkNamespace), "tcp", j.Kubelet)
	if err != nil {
		return err
	}
	defer raw.Close()
	host, _, err := net.SplitHostPort(j.Kubelet)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(j.CACertificate))
	connection := tls.Client(raw, &tls.Config{RootCAs: pool, ServerName: host, MinVersion: tls.VersionTLS12})
	if err := connection.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("its kubelet has no serving certificate yet: %w", err)
	}
	return nil
}

// kubeletStart is when the machine's kubelet started, to the second: after a
// restart the node still says Ready from before, until the kubelet reports.
func kubeletStart(m Machine) time.Time {
	status, err := machine.Inspect(m.Directory)
	if err != nil {
		return time.Now()
	}
	for _, service := range status.Services {
		if service.Name == "kubelet" {
			return service.Since.Truncate(time.Second)
		}
	}
	return time.Now()
}

// forgetToken deletes the token and its kubeconfig: from now on the node has a
// certificate of its own.
func (j Join) forgetToken(ctx context.Context, m Machine) error {
	path := m.hostPath(hostconfig.Paths{}.KubeletBootstrapKubeconfig())
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	client, err := coreClient(j.Kubeconfig)
	if err != nil {
		return err
	}
	tokens, err := client.Secrets(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{FieldSelector: "type=" + string(corev1.SecretTypeBootstrapToken)})
	if err != nil {
		return err
	}
	for _, token := range tokens.Items {
		if bytes.Equal(token.Data[bootstrapapi.BootstrapTokenDescriptionKey], []byte("join of "+m.Name)) {
			err := client.Secrets(metav1.NamespaceSystem).Delete(ctx, token.Name, metav1.DeleteOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				return err
			}
		}
	}
	return nil
}

// leave deletes the node object. A control plane that does not answer any more
// is no reason to keep the machine.
func (j Join) leave(ctx context.Context, node string) error {
	client, err := coreClient(j.Kubeconfig)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err = client.Nodes().Delete(ctx, node, metav1.DeleteOptions{})
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("removing node %s: %w", node, err)
	}
	return nil
}

// randomToken draws a string of the alphabet that bootstrap tokens allow.
func randomToken(length int) (string, error) {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	token := make([]byte, length)
	for i := range token {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			return "", err
		}
		token[i] = alphabet[n.Int64()]
	}
	return string(token), nil
}
