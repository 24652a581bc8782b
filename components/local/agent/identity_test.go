//go:build linux

package agent

import (
	"context"
	"encoding/pem"
	"os"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	networkingclient "k8s.io/client-go/kubernetes/typed/networking/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/redoubt-dev/redoubt/components/local/agent/identity"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// testPolicyIdentity lets the node get the certificate of its policy agent, and
// uses it.
func testPolicyIdentity(t *testing.T, c *controlPlane, certPEM, keyPEM []byte) {
	kubeconfig, credential := c.path("node.conf"), c.path("policy-agent.pem")
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: c.server, CertificateAuthority: c.path("ca.crt")}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{ClientCertificateData: certPEM, ClientKeyData: keyPEM}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	// What an earlier authority signed must not pass for a sign of readiness.
	strangerPEM, strangerKey, err := pki.NewAuthority("kubernetes-ca", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := pki.ParseAuthority(strangerPEM, strangerKey)
	if err != nil {
		t.Fatal(err)
	}
	oldCert, oldKey, err := pki.Issue(stranger, pki.LeafRequest{CommonName: hostconfig.UserPolicyAgent("worker-1"),
		Organizations: []string{hostconfig.GroupPolicyAgents}, Client: true, Validity: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(credential, append(oldCert, oldKey...), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- identity.Run(ctx, identity.Options{Kubeconfig: kubeconfig, Node: "worker-1", CA: c.path("ca.crt"), File: credential}, discard)
	}()
	as := &rest.Config{Host: c.server, TLSClientConfig: rest.TLSClientConfig{CAFile: c.path("ca.crt"), CertFile: credential, KeyFile: credential}}
	eventually(t, "the policy agent's identity", func() error {
		client, err := networkingclient.NewForConfig(rest.CopyConfig(as))
		if err != nil {
			return err // there is no file yet
		}
		_, err = client.NetworkPolicies("").List(t.Context(), metav1.ListOptions{})
		return err
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	data, err := os.ReadFile(credential)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	certificate, err := pki.ParseCertificate(pem.EncodeToMemory(block))
	if err != nil || time.Until(certificate.NotAfter) > 24*time.Hour {
		t.Errorf("it is good until %v, %v", certificate.NotAfter, err)
	}
	if info, err := os.Stat(credential); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := coreclient.NewForConfigOrDie(as).Secrets("").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a policy agent lists secrets: %v", err)
	}
	if _, err := coreclient.NewForConfigOrDie(as).Pods("").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("a policy agent lists pods: %v", err)
	}
	err = networkingclient.NewForConfigOrDie(as).NetworkPolicies("default").Delete(t.Context(), "x", metav1.DeleteOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("a policy agent deletes policies: %v", err)
	}
}
