package hostconfig

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// now is the time of every test that is not about time.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// isolated is a control plane behind a host firewall.
func isolated() ControlPlane {
	return ControlPlane{
		ClusterName:      "local",
		Name:             "control-plane",
		AdvertiseAddress: "10.80.0.10",
		SANs:             []string{"10.83.0.2"},
		ServiceCIDR:      "10.82.0.0/20",
		PodCIDR:          "10.81.0.0/16",
		EtcdUser:         "etcd",
	}.WithDefaults()
}

// plain is a control plane without isolation, below a directory.
func plain() ControlPlane {
	c := isolated()
	c.Paths.Root = "/srv/cluster/machines/control-plane"
	c.AdvertiseAddress, c.BindAddress, c.SANs, c.EtcdUser = "127.0.0.1", "127.0.0.1", nil, ""
	return c
}

// several is one of three control planes.
func several() ControlPlane {
	c := isolated()
	c.EtcdMembers = []EtcdMember{
		{Name: "control-plane", Address: "10.80.0.10"},
		{Name: "control-plane-2", Address: "10.80.0.20"},
		{Name: "control-plane-3", Address: "10.80.0.30"},
	}
	return c
}

func worker(t testing.TB) Worker {
	t.Helper()
	ca, err := os.ReadFile("testdata/ca.crt")
	if err != nil {
		t.Fatal(err)
	}
	return Worker{
		ClusterName:    "local",
		Name:           "worker-1",
		NodeIP:         "10.80.0.11",
		APIServer:      "https://10.80.0.10:6443",
		CACertificate:  string(ca),
		PodCIDR:        "10.81.1.0/24",
		ClusterPodCIDR: "10.81.0.0/16",
		ClusterDNS:     []string{"10.82.0.10"},
		SharedDisk:     true,
		Labels:         map[string]string{"example.org/pool": "general", "node.kubernetes.io/pool": "general"},
		Taints:         []string{"example.org/dedicated=tenant:NoSchedule"},
		SandboxImage:   "redoubt.local/pause:1",
		Registries:     Registries{Endpoint: "http://127.0.0.1:5000"},
	}.WithDefaults()
}

// accept is an exception that holds at now.
func accept(control string) Exception {
	return Exception{Control: control, Reason: "accepted by the owner for a test", Expires: "2026-12-31"}
}

// refused fails unless exactly this field has a problem that mentions the text.
func refused(t *testing.T, err error, field, text string) {
	t.Helper()
	for _, problem := range fieldErrors(err) {
		if problem.Field == field && strings.Contains(problem.Error(), text) {
			if problem.Remedy == "" {
				t.Errorf("%s is refused without a remedy", field)
			}
			return
		}
	}
	t.Errorf("%s: want a refusal with %q, got: %v", field, text, err)
}

func accepted(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("refused: %v", err)
	}
}

// fieldErrors takes joined errors apart.
func fieldErrors(err error) []*FieldError {
	var found []*FieldError
	var one *FieldError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			found = append(found, fieldErrors(each)...)
		}
	} else if errors.As(err, &one) {
		found = append(found, one)
	}
	return found
}

// value gives the value of a flag among rendered arguments.
func value(arguments []string, flag string) (string, bool) {
	for _, argument := range arguments {
		if rest, found := strings.CutPrefix(argument, "--"+flag+"="); found {
			return rest, true
		}
	}
	return "", false
}
