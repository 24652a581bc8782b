package baseline

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// except writes exceptions into the parameters, as a run of the baseline does.
func (a *api) except(t *testing.T, exceptions ...admission.Exception) {
	t.Helper()
	s := settings
	s.Exceptions = exceptions
	_, parameters, err := admission.Render(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.client.CoreV1().ConfigMaps(parameters.Namespace).Update(context.Background(), parameters, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func exception(id, until string, namespaces, names []string) admission.Exception {
	return admission.Exception{Exception: hostconfig.Exception{Control: "M25/" + id, Reason: "the vendor mends it in spring", Expires: until}, Namespaces: namespaces, Names: names}
}

// eventually waits for the API server to have learnt of its parameters.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// An exception lets off whom it names until its day, on the API server's clock, and each use is in the audit log.
func TestExceptions(t *testing.T) {
	a := server(t)
	config := a.asManager(t)
	weak := func(namespace string) m {
		o := podIn(namespace, set(podSpec(), "hostPID", true))
		// Whoever makes it may write what he wants here.
		o["metadata"].(m)["creationTimestamp"] = "2001-01-01T00:00:00Z"
		return o
	}
	wild := role("ClusterRole", rule([]string{""}, []string{"*"}, []string{"get"}))
	soon := time.Now().UTC().Add(time.Hour).Format(time.RFC3339)
	a.except(t, exception("host-namespaces", soon, []string{"closed", "team"}, nil), exception("role-rules", soon, nil, []string{"x"}))
	t.Cleanup(func() { a.except(t) })
	eventually(t, "the exception lets nobody off", func() bool { return a.create(a.dynamic, weak("team"), true) == nil })
	eventually(t, "the exception lets no role off", func() bool { return a.ask(config, wild).err == nil })
	refusedBy(t, a.everything(weak("relaxed")), "host-namespaces")
	refusedBy(t, a.everything(podIn("team", set(set(podSpec(), "hostPID", true), "securityContext.runAsNonRoot", false))), "run-as-non-root")
	other := set(role("ClusterRole", rule([]string{""}, []string{"*"}, []string{"get"})), "metadata.name", "y")
	refusedBy(t, a.ask(config, other), "role-rules")
	eventually(t, "the use is not in the audit log", func() bool {
		log, err := os.ReadFile(a.Path("kube-apiserver.log"))
		return err == nil && strings.Contains(string(log), `/exception":"host-namespaces `+soon+` the vendor mends it in spring"`)
	})

	past := time.Now().UTC().Add(-time.Second).Format(time.RFC3339)
	a.except(t, exception("host-namespaces", past, []string{"closed", "team"}, nil), exception("role-rules", past, nil, []string{"x"}))
	eventually(t, "an exception of yesterday lets somebody off", func() bool { return a.create(a.dynamic, weak("team"), true) != nil })
	refusedBy(t, a.everything(weak("team")), "host-namespaces")
	eventually(t, "an exception of yesterday lets a role off", func() bool { return a.ask(config, wild).err != nil })
}

// What only audits or warns lets everything in, and says so where the mode says.
func TestModes(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a server of its own")
	}
	a := server(t)
	for mode, want := range map[admission.Mode]string{admission.Audit: "Audit", admission.Warn: "Warn Audit", admission.Deny: "Deny Audit"} {
		s := settings
		s.Modes = map[string]admission.Mode{"host-namespaces": mode}
		again, _, err := admission.Render(s, []admission.Policy{policy(t, "host-namespaces")})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, action := range again[0].Bindings[0].Spec.ValidationActions {
			got = append(got, string(action))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v", mode, got)
		}
	}
	// In force: the binding of one policy is changed in place, and back.
	bindings := a.client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	for mode, holds := range map[admission.Mode]func(v verdict) bool{
		admission.Warn:  func(v verdict) bool { return v.err == nil && strings.Contains(v.String(), "M25/service-exposure") },
		admission.Audit: func(v verdict) bool { return v.err == nil },
	} {
		s := settings
		s.Modes = map[string]admission.Mode{"service-exposure": mode}
		changed, _, err := admission.Render(s, []admission.Policy{policy(t, "service-exposure")})
		if err != nil {
			t.Fatal(err)
		}
		live, err := bindings.Get(context.Background(), changed[0].Policy.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		was := live.Spec.ValidationActions
		live.Spec.ValidationActions = changed[0].Bindings[0].Spec.ValidationActions
		if live, err = bindings.Update(context.Background(), live, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, string(mode)+" does not take effect", func() bool { return holds(a.everything(service(m{"type": "NodePort"}, nil))) })
		live.Spec.ValidationActions = was
		if _, err := bindings.Update(context.Background(), live, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "deny does not take effect again", func() bool { return a.everything(service(m{"type": "NodePort"}, nil)).err != nil })
	}
}

// Without its parameters, or a part of them, a policy refuses everything that it looks at: it fails closed, and so does a
// question that cannot be answered.
func TestWithoutParameters(t *testing.T) {
	a := server(t)
	maps := a.client.CoreV1().ConfigMaps("kube-system")
	kept, err := maps.Get(context.Background(), admission.ParametersName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := maps.Delete(context.Background(), kept.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a pod is let in by policies without parameters", func() bool { return a.create(a.dynamic, podIn("team", podSpec()), true) != nil })
	kept.ResourceVersion, kept.UID = "", ""
	partial := kept.DeepCopy()
	delete(partial.Data, "registries")
	if partial, err = maps.Create(context.Background(), partial, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no pod is refused for want of registries", func() bool {
		err := a.create(a.dynamic, podIn("team", podSpec()), true)
		return err != nil && strings.Contains(err.Error(), "no such key: registries")
	})
	partial.Data = kept.Data
	if _, err := maps.Update(context.Background(), partial, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is let in again", func() bool { return a.create(a.dynamic, podIn("team", podSpec()), true) == nil })
}

// What controllers make is judged like everything else.
func TestControllersMakeNoWeakPods(t *testing.T) {
	a := server(t)
	for _, c := range templates("team", func() m { return set(podSpec(), "hostPID", true) }) {
		if kind := c["kind"]; kind == "Job" || kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet" || kind == "ReplicationController" {
			set(c, "metadata.name", "weak-"+strings.ToLower(kind.(string)))
			if err := a.create(a.dynamic, c, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	strong := templates("team", podSpec)[0]
	set(strong, "metadata.name", "strong")
	set(strong, "spec.template.metadata.labels.made", "by-a-controller")
	if err := a.create(a.dynamic, strong, false); err != nil {
		t.Fatal(err)
	}
	pods := a.client.CoreV1().Pods("team")
	eventually(t, "the pod of a deployment that is in order is not made", func() bool {
		list, err := pods.List(context.Background(), metav1.ListOptions{LabelSelector: "made=by-a-controller"})
		return err == nil && len(list.Items) == 1
	})
	eventually(t, "no controller says that it was refused", func() bool {
		events, err := a.client.CoreV1().Events("team").List(context.Background(), metav1.ListOptions{})
		said := map[string]bool{}
		for _, event := range events.Items {
			if strings.Contains(event.Message, "M25/host-namespaces") {
				said[event.InvolvedObject.Kind] = true
			}
		}
		return err == nil && said["ReplicaSet"] && said["Job"] && said["StatefulSet"] && said["ReplicationController"]
	})
	list, err := pods.List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range list.Items {
		if pod.Spec.HostPID {
			t.Errorf("%s was made", pod.Name)
		}
	}
}
