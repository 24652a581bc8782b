package baseline

import (
	"fmt"
	"strings"
	"testing"
)

// inEvery are values of a container that a policy must find in every list of containers of a pod.
var inEvery = []struct {
	policy, field string
	value         any
	lists         string // "" for all three
}{
	{"image-registries", "image", "docker.io/library/nginx@sha256:" + zeros, ""},
	{"image-registries", "image", "nginx@sha256:" + zeros, ""},
	{"image-registries", "image", "team/nginx@sha256:" + zeros, ""},
	{"image-registries", "image", "registry.example.org.evil.test/app@sha256:" + zeros, ""},
	{"image-registries", "image", "registry.example.orgx/app@sha256:" + zeros, ""},
	{"image-registries", "image", "evil.test/registry.example.org/app@sha256:" + zeros, ""},
	{"image-registries", "image", "mirror.example.org:5000/teamster/app@sha256:" + zeros, ""},
	{"image-registries", "image", "mirror.example.org/team/app@sha256:" + zeros, ""},
	{"image-digests", "image", "registry.example.org/app:1.0", ""},
	{"image-digests", "image", "registry.example.org/app@sha256:abc", ""},
	{"image-tags", "image", "registry.example.org/app:latest", ""},
	{"image-tags", "image", "registry.example.org/app", ""},
	{"image-tags", "image", "mirror.example.org:5000/team/app", ""},
	{"run-as-non-root", "securityContext.runAsNonRoot", false, ""},
	{"run-as-non-root", "securityContext.runAsUser", 0, ""},
	{"read-only-root", "securityContext.readOnlyRootFilesystem", false, ""},
	{"read-only-root", "securityContext", m{"allowPrivilegeEscalation": false, "capabilities": m{"drop": []any{"ALL"}}}, ""},
	{"capabilities", "securityContext.capabilities", nil, ""},
	{"capabilities", "securityContext.capabilities", m{"drop": []any{"ALL"}, "add": []any{"NET_BIND_SERVICE", "SYS_ADMIN"}}, ""},
	{"seccomp", "securityContext.seccompProfile", m{"type": "Unconfined"}, ""},
	{"privileges", "securityContext.allowPrivilegeEscalation", true, ""},
	{"privileges", "securityContext.allowPrivilegeEscalation", nil, ""},
	{"privileges", "securityContext", m{"privileged": true, "readOnlyRootFilesystem": true, "capabilities": m{"drop": []any{"ALL"}}}, ""},
	{"kernel-settings", "securityContext.appArmorProfile", m{"type": "Unconfined"}, ""},
	{"kernel-settings", "securityContext.seLinuxOptions", m{"type": "spc_t"}, ""},
	{"kernel-settings", "securityContext.seLinuxOptions", m{"role": "system_r"}, ""},
	{"host-ports", "ports", []any{m{"containerPort": 80, "hostPort": 80}}, "containers initContainers"},
	{"host-ports", "lifecycle", m{"postStart": m{"httpGet": m{"host": "10.0.0.1", "port": 80}}}, "containers"},
	{"resources", "resources", m{"requests": m{"cpu": "1m", "memory": "1Mi"}, "limits": m{"cpu": "1m"}}, "containers initContainers"},
	{"resources", "resources", m{"requests": m{"cpu": "1m", "memory": "1Mi"}, "limits": m{"memory": "1Mi"}}, "containers initContainers"},
	{"resources", "resources", m{}, "containers initContainers"},
	{"secrets-in-env", "env", []any{m{"name": "PASSWORD", "valueFrom": m{"secretKeyRef": m{"name": "db", "key": "password"}}}}, ""},
	{"secrets-in-env", "envFrom", []any{m{"secretRef": m{"name": "db"}}}, ""},
}

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

// ephemeralContainer violates nothing; it may have no resources.
func ephemeralContainer(name string) m {
	c := container(name)
	delete(c, "resources")
	return c
}

func TestContainersOfEveryList(t *testing.T) {
	a := server(t)
	base := podIn("team", podSpec())
	base["metadata"].(m)["name"] = "debugged"
	if err := a.create(a.dynamic, base, false); err != nil {
		t.Fatal(err)
	}
	for _, c := range inEvery {
		for _, list := range []string{"containers", "initContainers", "ephemeralContainers"} {
			if c.lists != "" && !strings.Contains(c.lists, list) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s/%v", list, c.field, c.value), func(t *testing.T) {
				t.Parallel()
				if list == "ephemeralContainers" {
					// They come by the subresource of a running pod alone.
					refusedBy(t, a.debug("debugged", set(ephemeralContainer("debug"), c.field, c.value)), c.policy)
					return
				}
				spec := podSpec()
				changed := set(container("changed"), c.field, c.value)
				if list == "containers" {
					spec["containers"] = append(spec["containers"].([]any), changed)
				} else {
					spec["initContainers"] = []any{changed}
				}
				v := a.everything(podIn("team", spec))
				refusedBy(t, v, c.policy)
				if text := v.String(); !strings.Contains(text, "spec."+list+"[changed]."+strings.Split(c.field, ".")[0]) {
					t.Errorf("does not name the field: %s", text)
				}
				if strings.Contains(v.String(), "[app]") {
					t.Errorf("blames a container that is in order: %s", v)
				}
			})
		}
	}
	t.Run("a compliant ephemeral container", func(t *testing.T) {
		if v := a.debug("debugged", ephemeralContainer("debug")); v.err != nil {
			t.Error(v.err)
		}
	})
}

// inSpec are values of a pod's specification.
var inSpec = []struct {
	policy, field string
	value         any
}{
	{"run-as-non-root", "securityContext.runAsNonRoot", nil},
	{"run-as-non-root", "securityContext.runAsUser", 0},
	{"seccomp", "securityContext.seccompProfile", nil},
	{"kernel-settings", "securityContext.sysctls", []any{m{"name": "kernel.msgmax", "value": "1"}}},
	{"kernel-settings", "securityContext.appArmorProfile", m{"type": "Unconfined"}},
	{"host-namespaces", "hostNetwork", true},
	{"host-namespaces", "hostPID", true},
	{"host-namespaces", "hostIPC", true},
	{"volume-types", "volumes", []any{m{"name": "v", "hostPath": m{"path": "/var/run"}}}},
	{"volume-types", "volumes", []any{m{"name": "v", "nfs": m{"server": "s", "path": "/"}}}},
	{"image-registries", "volumes", []any{m{"name": "v", "image": m{"reference": "evil.test/x@sha256:" + zeros}}}},
	{"image-digests", "volumes", []any{m{"name": "v", "image": m{"reference": "registry.example.org/x:1"}}}},
	{"default-account", "automountServiceAccountToken", true},
	{"default-account", "automountServiceAccountToken", nil},
	{"default-account", "volumes", []any{m{"name": "v", "projected": m{"sources": []any{m{"serviceAccountToken": m{"path": "token"}}}}}}},
	{"scheduling", "nodeName", "node-1"},
	{"scheduling", "priorityClassName", "system-node-critical"},
	{"scheduling", "tolerations", []any{m{"operator": "Exists"}}},
	{"scheduling", "tolerations", []any{m{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}}},
	{"isolation-pool", "tolerations", []any{m{"key": "redoubt.dev/pool", "value": "cards", "effect": "NoSchedule"}}},
	{"isolation-pool", "tolerations", []any{m{"key": "redoubt.dev/pool", "operator": "Exists"}}},
	{"isolation-pool", "nodeSelector", m{"redoubt.dev/pool": "cards"}},
}

func TestPods(t *testing.T) {
	a := server(t)
	for _, c := range inSpec {
		t.Run(fmt.Sprintf("%s/%v", c.field, c.value), func(t *testing.T) {
			t.Parallel()
			refusedBy(t, a.everything(podIn("team", set(podSpec(), c.field, c.value))), c.policy)
		})
	}
	// What must be let in.
	for name, c := range map[string]struct {
		namespace, field string
		value            any
	}{
		"an image of a path of a registry":       {"team", "containers.0.image", "mirror.example.org:5000/team/sub/app:1@sha256:" + zeros},
		"a bind of low ports":                    {"team", "containers.0.securityContext.capabilities", m{"drop": []any{"ALL"}, "add": []any{"NET_BIND_SERVICE"}}},
		"a user of its own":                      {"team", "securityContext.runAsUser", 1000},
		"a toleration by name":                   {"team", "tolerations", []any{m{"key": "example.org/gpu", "value": "team", "effect": "NoSchedule"}}},
		"a volume of the standard":               {"team", "volumes", []any{m{"name": "v", "emptyDir": m{}}, m{"name": "s", "secret": m{"secretName": "x"}}}},
		"resources of the pod":                   {"team", "containers.0.resources", nil},
		"hostPath where the system is":           {"addon", "volumes", []any{m{"name": "v", "hostPath": m{"path": "/"}}}},
		"a tag where the class is baseline":      {"relaxed", "containers.0.image", "registry.example.org/app:1.0"},
		"a writable root where it is":            {"relaxed", "containers.0.securityContext.readOnlyRootFilesystem", nil},
		"an image of a namespace's own registry": {"narrow", "containers.0.image", "registry.example.org/narrow/app@sha256:" + zeros},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := podSpec()
			if name == "resources of the pod" {
				spec["resources"] = m{"limits": m{"cpu": "1", "memory": "1Gi"}, "requests": m{"cpu": "1", "memory": "1Gi"}}
			}
			if v := a.everything(podIn(c.namespace, set(spec, c.field, c.value))); v.err != nil {
				t.Error(v.err)
			}
		})
	}
	t.Run("a namespace with a pool", func(t *testing.T) {
		in := func(selector m, tolerations ...any) verdict {
			spec := set(set(podSpec(), "nodeSelector", selector), "tolerations", tolerations)
			return a.everything(podIn("pooled", spec))
		}
		own := m{"key": "redoubt.dev/pool", "value": "cards", "effect": "NoSchedule"}
		if v := in(m{"redoubt.dev/pool": "cards", "disk": "fast"}, own); v.err != nil {
			t.Error(v.err)
		}
		refusedBy(t, in(m{"disk": "fast"}, own), "isolation-pool")
		refusedBy(t, in(m{"redoubt.dev/pool": "other"}, own), "isolation-pool")
		refusedBy(t, in(m{"redoubt.dev/pool": "cards"}, m{"key": "redoubt.dev/pool", "operator": "Exists"}), "isolation-pool")
		refusedBy(t, in(m{"redoubt.dev/pool": "cards"}, m{"key": "redoubt.dev/pool", "value": "other"}), "isolation-pool")
	})
	t.Run("a namespace with user namespaces", func(t *testing.T) {
		for _, value := range []any{nil, true} {
			refusedBy(t, a.everything(podIn("mapped", set(podSpec(), "hostUsers", value))), "user-namespaces")
		}
		if v := a.everything(podIn("mapped", set(podSpec(), "hostUsers", false))); v.err != nil {
			t.Error(v.err)
		}
		if v := a.everything(podIn("team", set(podSpec(), "hostUsers", true))); v.err != nil {
			t.Errorf("where nobody demands it: %v", v.err)
		}
		for _, c := range templates("mapped", podSpec) {
			warnedBy(t, a.everything(c), "user-namespaces")
		}
	})
	t.Run("a name that the API server gives", func(t *testing.T) {
		for _, spec := range []m{podSpec(), set(podSpec(), "hostPID", true)} {
			o := podIn("team", spec)
			o["metadata"] = m{"namespace": "team", "generateName": "x-"}
			if v := a.everything(o); spec["hostPID"] == nil && v.err != nil {
				t.Error(v)
			} else if spec["hostPID"] != nil {
				refusedBy(t, v, "host-namespaces")
			}
		}
	})
	t.Run("warned of where the class is baseline", func(t *testing.T) {
		v := a.everything(podIn("relaxed", set(podSpec(), "containers.0.image", "registry.example.org/app:1.0")))
		warnedBy(t, v, "image-digests")
	})
	t.Run("not relaxed for baseline", func(t *testing.T) {
		refusedBy(t, a.everything(podIn("relaxed", set(podSpec(), "hostPID", true))), "host-namespaces")
	})
	t.Run("an image of another registry than the namespace's", func(t *testing.T) {
		refusedBy(t, a.everything(podIn("narrow", podSpec())), "image-registries")
	})
	t.Run("the namespace default", func(t *testing.T) {
		refusedBy(t, a.everything(podIn("default", podSpec())), "default-namespace")
	})
	t.Run("the name of a sentinel is no way into it", func(t *testing.T) {
		o := podIn("default", podSpec())
		o["metadata"].(m)["name"] = "redoubt-sentinel-x"
		if err := a.create(a.dynamic, o, false); err == nil {
			t.Error("let in")
		}
	})
	t.Run("annotations of AppArmor", func(t *testing.T) {
		o := podIn("team", podSpec())
		o["metadata"].(m)["annotations"] = m{"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}
		refusedBy(t, a.everything(o), "kernel-settings")
	})
}

// A resize changes what a container may take, by a subresource of its own.
func TestResize(t *testing.T) {
	a := server(t)
	o := podIn("team", podSpec())
	o["metadata"].(m)["name"] = "resized"
	if err := a.create(a.dynamic, o, false); err != nil {
		t.Fatal(err)
	}
	if v := a.change(t, o, "resize", func(live m) {
		set(live, "spec.containers.0.resources", m{"limits": m{"cpu": "20m", "memory": "32Mi"}, "requests": m{"cpu": "20m", "memory": "32Mi"}})
	}); v.err != nil {
		t.Errorf("a larger one: %v", v.err)
	}
	v := a.change(t, o, "resize", func(live m) { set(live, "spec.containers.0.resources.limits", nil) })
	if v.err == nil {
		t.Errorf("without limits: %s", v)
	}
}

// Templates are warned of with the path of their kind; their pods are refused.
func TestTemplates(t *testing.T) {
	a := server(t)
	for _, c := range templates("team", func() m { return set(podSpec(), "hostPID", true) }) {
		t.Run(c["kind"].(string), func(t *testing.T) {
			v := a.everything(c)
			warnedBy(t, v, "host-namespaces")
			path := map[string]string{"CronJob": "spec.jobTemplate.spec.template.spec.", "PodTemplate": "template.spec."}[c["kind"].(string)]
			if path == "" {
				path = "spec.template.spec."
			}
			if !strings.Contains(v.String(), path+"hostPID") {
				t.Errorf("names no field below %s: %s", path, v)
			}
		})
	}
	for _, c := range templates("team", podSpec) {
		if v := a.everything(c); v.err != nil || len(v.warnings) > 0 {
			t.Errorf("a compliant %s: %s", c["kind"], v)
		}
	}
}

// templates are an object of every kind that pods are made from.
func templates(namespace string, spec func() m) []m {
	labels := m{"app": "x"}
	template := func() m {
		s := spec()
		return m{"metadata": m{"labels": labels}, "spec": s}
	}
	of := func(apiVersion, kind string, spec m) m {
		return m{"apiVersion": apiVersion, "kind": kind, "metadata": m{"name": "x", "namespace": namespace}, "spec": spec}
	}
	selector := m{"matchLabels": labels}
	job := template()
	job["spec"].(m)["restartPolicy"] = "Never"
	pods := of("v1", "PodTemplate", nil)
	delete(pods, "spec")
	pods["template"] = template()
	return []m{
		of("apps/v1", "Deployment", m{"selector": selector, "template": template()}),
		of("apps/v1", "ReplicaSet", m{"selector": selector, "template": template()}),
		of("apps/v1", "DaemonSet", m{"selector": selector, "template": template()}),
		of("apps/v1", "StatefulSet", m{"selector": selector, "serviceName": "x", "template": template()}),
		of("batch/v1", "Job", m{"template": job}),
		of("batch/v1", "CronJob", m{"schedule": "0 0 * * *", "jobTemplate": m{"spec": m{"template": job}}}),
		of("v1", "ReplicationController", m{"selector": labels, "template": template()}), pods,
	}
}
