//go:build linux

package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

const (
	clientSigner  = certificatesv1.KubeAPIServerClientKubeletSignerName
	servingSigner = certificatesv1.KubeletServingSignerName
)

// request asks for a node's certificate as the kubelet does, with names if any,
// and waits for the answer: the certificate with its key, or the reason of a denial.
func (l *lab) request(t *testing.T, as *rest.Config, signer, node string, names ...string) (certificate, key []byte, reason string) {
	t.Helper()
	csr, key, err := l.ask(t, as, signer, node, names...)
	require.NoError(t, err)
	eventually(t, "an answer", func() error {
		now, err := l.admin.CertificatesV1().CertificateSigningRequests().Get(t.Context(), csr.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range now.Status.Conditions {
			if condition.Type == certificatesv1.CertificateDenied {
				reason = condition.Reason
				return nil
			}
		}
		if len(now.Status.Certificate) == 0 {
			return fmt.Errorf("no answer to %s for %s", signer, node)
		}
		certificate = now.Status.Certificate
		return nil
	})
	return certificate, key, reason
}

// ask makes a key and a request.
func (l *lab) ask(t *testing.T, as *rest.Config, signer, node string, names ...string) (*certificatesv1.CertificateSigningRequest, []byte, error) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}}}
	for _, name := range names {
		if address := net.ParseIP(name); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, private)
	require.NoError(t, err)
	usage := certificatesv1.UsageClientAuth
	if signer == servingSigner {
		usage = certificatesv1.UsageServerAuth
	}
	csr, err := kubernetes.NewForConfigOrDie(as).CertificatesV1().CertificateSigningRequests().Create(t.Context(), &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: signer, Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, usage}},
	}, metav1.CreateOptions{})
	encoded, keyErr := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, keyErr)
	return csr, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), err
}

func (l *lab) forbidden(t *testing.T, as *rest.Config, signer, node string, names ...string) {
	t.Helper()
	_, _, err := l.ask(t, as, signer, node, names...)
	assert.True(t, apierrors.IsForbidden(err), "%s for %s: %v", signer, node, err)
}

func (l *lab) denied(t *testing.T, reason string, as *rest.Config, signer, node string, names ...string) {
	t.Helper()
	_, _, have := l.request(t, as, signer, node, names...)
	assert.Equal(t, reason, have, "%s for %s, %v", signer, node, names)
}

// issued gives the client with the certificate.
func (l *lab) issued(t *testing.T, as *rest.Config, signer, node string, names ...string) *rest.Config {
	t.Helper()
	certificate, key, reason := l.request(t, as, signer, node, names...)
	require.Empty(t, reason, "%s for %s, %v", signer, node, names)
	return l.with(certificate, key)
}

// register makes the Node as its kubelet does.
func (l *lab) register(t *testing.T, as *rest.Config, name string, taints ...corev1.Taint) {
	t.Helper()
	_, err := kubernetes.NewForConfigOrDie(as).CoreV1().Nodes().Create(t.Context(),
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{Taints: taints}}, metav1.CreateOptions{})
	require.NoError(t, err)
	l.report(t, as, name, corev1.ConditionTrue)
}

// report sets the Node's Ready condition as its kubelet does, or as the
// node-lifecycle controller does when the kubelet is silent.
func (l *lab) report(t *testing.T, as *rest.Config, name string, status corev1.ConditionStatus) {
	t.Helper()
	nodes := kubernetes.NewForConfigOrDie(as).CoreV1().Nodes()
	eventually(t, "a report of "+name, func() error {
		node, err := nodes.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}}
		_, err = nodes.UpdateStatus(t.Context(), node, metav1.UpdateOptions{})
		return err
	})
}

// labelled waits until redoubt-node knows a Node's instance.
func (l *lab) labelled(t *testing.T, name, instance string) {
	t.Helper()
	eventually(t, "the label of "+name, func() error {
		node, err := l.admin.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		if err == nil && node.Labels[nodeconfig.LabelInstance] != instance {
			err = fmt.Errorf("it is %q", node.Labels[nodeconfig.LabelInstance])
		}
		return err
	})
}

// testJoining joins as machines do, and tries what a thief of a token would.
func testJoining(t *testing.T, l *lab) {
	foreign := map[string]string{nodeconfig.TagCluster: "test"}
	for _, each := range []fakecloud.Instance{
		{ID: l.id("b"), Role: roleGeneral, Group: "prod-general", Addresses: []string{"10.0.1.11"}, Launched: time.Now().Add(-61 * time.Minute)},
		{ID: l.id("c"), Role: roleGeneral, Group: "prod-general", Addresses: []string{"10.0.1.12"}, Tags: foreign},
		{ID: l.id("d"), Role: roleGeneral, Group: "prod-isolated", Addresses: []string{"10.0.1.13"}}, // the role of one pool, the group of another
		{ID: l.id("e"), Role: roleGeneral, Group: "prod-general", Addresses: []string{"10.0.1.14"}, State: "terminated"},
		{ID: l.id("f"), Role: roleGeneral, Addresses: []string{"10.0.1.15"}}, // by hand, in no group
	} {
		l.instance(t, each)
	}
	general, isolated := l.holding(l.joinToken(t, "general")), l.holding(l.joinToken(t, "isolated"))

	// What a stolen token is not good for.
	for node, why := range map[string]string{
		"ip-10-0-2-6":     "TokenIsNotForThisNode",   // of another pool
		"control-plane-1": "TokenIsNotForThisNode",   // not a worker at all
		"control-plane-9": "NodeIsNotInTheInventory", // nobody
		"ip-10-0-1-11":    "MachineIsTooOldToJoin",   // launched more than an hour ago
		"ip-10-0-1-12":    "NodeIsNotInTheInventory", // of another cluster
		"ip-10-0-1-13":    "NodeIsNotInTheInventory", // of no pool
		"ip-10-0-1-14":    "NodeIsNotInTheInventory", // replayed: it is gone
		"ip-10-0-1-15":    "NodeIsNotInTheInventory", // nobody's group made it
		"ip-10-0-1-99":    "NodeIsNotInTheInventory", // never was
		"10.0.1.5":        "NodeIsNotInTheInventory", // an address is no name
		"ip-10-0-1-5.eu":  "NodeIsNotInTheInventory", // a longer name
	} {
		if node == "control-plane-1" {
			why = "RequesterIsNotABootstrapToken" // it joins by a certificate of its own
		}
		l.denied(t, why, general, clientSigner, node)
	}
	l.denied(t, "TokenIsNotForThisNode", isolated, clientSigner, "ip-10-0-1-5")
	l.denied(t, "ExtensionIsNotAllowed", general, clientSigner, "ip-10-0-1-5", "ip-10-0-1-5")
	l.denied(t, "RequesterIsNotThisNode", general, servingSigner, "ip-10-0-1-5", "ip-10-0-1-5")

	// What it is good for, and what the node may do then.
	worker := l.issued(t, general, clientSigner, "ip-10-0-1-5")
	l.issued(t, worker, servingSigner, "ip-10-0-1-5", "ip-10-0-1-5", "10.0.1.5")
	l.denied(t, "IPAddressIsNotOfThisNode", worker, servingSigner, "ip-10-0-1-5", "ip-10-0-1-5", "10.0.2.6")
	l.denied(t, "IPAddressIsNotOfThisNode", worker, servingSigner, "ip-10-0-1-5", "127.77.0.1")
	l.denied(t, "DNSNameIsNotOfThisNode", worker, servingSigner, "ip-10-0-1-5", "kubernetes")
	// The API server's own NodeRestriction refuses these before anybody is asked.
	l.forbidden(t, worker, servingSigner, "ip-10-0-2-6", "ip-10-0-2-6")
	l.forbidden(t, worker, clientSigner, "control-plane-1")
	l.issued(t, worker, clientSigner, "ip-10-0-1-5")

	// A Node that works is nobody else's, whoever holds the token.
	l.issued(t, general, clientSigner, "ip-10-0-1-5") // it never reported: kubeadm may try again
	l.register(t, worker, "ip-10-0-1-5")
	l.labelled(t, "ip-10-0-1-5", l.id("2"))
	l.denied(t, "NodeBelongsToAnotherMachine", general, clientSigner, "ip-10-0-1-5")
	_, err := kubernetes.NewForConfigOrDie(worker).CoreV1().Nodes().Patch(t.Context(), "ip-10-0-1-5", "application/merge-patch+json",
		[]byte(`{"metadata":{"labels":{"`+nodeconfig.LabelInstance+`":"i-mine"}}}`), metav1.PatchOptions{})
	assert.ErrorContains(t, err, "is not allowed to modify labels", "a node says of itself which instance it is")

	// The cloud is not to be asked: nothing is decided, neither way.
	l.Fail("ec2", fakecloud.Fault{Status: 503, Times: 9})
	l.issued(t, isolated, clientSigner, "ip-10-0-2-6")

	testControlPlaneJoins(t, l)
}

// testControlPlaneJoins joins as a control plane does: by a credential that it
// issues itself.
func testControlPlaneJoins(t *testing.T, l *lab) {
	config := l.config
	config.Node = "control-plane-2"
	second := l.on(t, l.id("8"), config, nil)
	out := filepath.Join(t.TempDir(), "join.conf")
	require.NoError(t, second.IssueJoin(t.Context(), "", out))
	joining, err := clientcmd.BuildConfigFromFlags("", out)
	require.NoError(t, err)
	node := l.issued(t, joining, clientSigner, "control-plane-2")
	l.issued(t, node, servingSigner, "control-plane-2", "control-plane-2", "127.77.0.2")
	l.denied(t, "IPAddressIsNotOfThisNode", node, servingSigner, "control-plane-2", "127.77.0.1")
	l.denied(t, "RequesterIsNotABootstrapToken", joining, clientSigner, "control-plane-1")
	l.denied(t, "RequesterIsNotABootstrapToken", joining, clientSigner, "ip-10-0-1-5")
	core := kubernetes.NewForConfigOrDie(joining).CoreV1()
	_, err = core.Secrets("kube-system").List(t.Context(), metav1.ListOptions{})
	assert.ErrorContains(t, err, "forbidden", "it reads no Secret")
	_, err = core.Nodes().Get(t.Context(), "ip-10-0-1-5", metav1.GetOptions{})
	assert.NoError(t, err, "kubeadm asks whether a name is taken")

	kubelet := filepath.Join(t.TempDir(), "kubelet.conf")
	require.NoError(t, second.IssueKubelet("", kubelet))
	own, err := clientcmd.BuildConfigFromFlags("", kubelet)
	require.NoError(t, err)
	l.issued(t, own, clientSigner, "control-plane-2")

	// An instance with the address and without the role is not the control plane.
	l.ChangeInstance(l.id("8"), func(i *fakecloud.Instance) { i.Role = roleGeneral })
	l.denied(t, "NodeIsNotInTheInventory", own, clientSigner, "control-plane-2")
	l.ChangeInstance(l.id("8"), func(i *fakecloud.Instance) { i.Role = roleControlPlane })
	worker := l.on(t, l.id("2"), l.worker("general"), nil)
	assert.True(t, strings.Contains(worker.IssueKubelet("", kubelet).Error(), "for control planes"))
}
