package baseline

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

func of(apiVersion, kind, namespace string, fields m) m {
	o := m{"apiVersion": apiVersion, "kind": kind, "metadata": m{"name": "x"}}
	if namespace != "" {
		o["metadata"].(m)["namespace"] = namespace
	}
	for name, value := range fields {
		if name == "metadata" {
			for k, v := range value.(m) {
				o["metadata"].(m)[k] = v
			}
			continue
		}
		o[name] = value
	}
	return o
}

func service(spec, annotations m) m {
	spec["ports"] = []any{m{"port": 80}}
	return of("v1", "Service", "team", m{"metadata": m{"annotations": annotations}, "spec": spec})
}

func ingress(namespace string, spec m) m {
	rules, _ := spec["rules"].([]any)
	for _, rule := range rules {
		rule.(m)["http"] = m{"paths": []any{m{"path": "/", "pathType": "Prefix", "backend": m{"service": m{"name": "x", "port": m{"number": 80}}}}}}
	}
	return of("networking.k8s.io/v1", "Ingress", namespace, m{"spec": spec})
}

func claim(class any) m {
	spec := m{"accessModes": []any{"ReadWriteOnce"}, "resources": m{"requests": m{"storage": "1Gi"}}}
	if class != nil {
		spec["storageClassName"] = class
	}
	return of("v1", "PersistentVolumeClaim", "team", m{"spec": spec})
}

const rbac = "rbac.authorization.k8s.io"

func role(kind string, rules ...any) m {
	namespace := ""
	if kind == "Role" {
		namespace = "team"
	}
	return of(rbac+"/v1", kind, namespace, m{"rules": rules})
}

func rule(groups, resources, verbs []string) m {
	return m{"apiGroups": groups, "resources": resources, "verbs": verbs}
}

func binding(name, roleName string, annotations m, subjects ...string) m {
	var all []any
	for _, subject := range subjects {
		all = append(all, m{"apiGroup": rbac, "kind": "Group", "name": subject})
	}
	return of(rbac+"/v1", "ClusterRoleBinding", "", m{"metadata": m{"name": name, "annotations": annotations},
		"roleRef": m{"apiGroup": rbac, "kind": "ClusterRole", "name": roleName}, "subjects": all})
}

// manager has every right of a cluster's administrator but that of the platform, as the administrators of clusters that
// Redoubt did not make have it.
const manager = "manager"

// refusals are objects of other kinds than pods. Where the policy is empty, the object must be let in.
func refusals() map[string]struct {
	policy string
	object m
} {
	type entry = struct {
		policy string
		object m
	}
	emergency := func(until time.Duration) m {
		return m{admission.AnnotationReason: "the network is down", admission.AnnotationExpires: time.Now().UTC().Add(until).Format(time.RFC3339)}
	}
	tls := []any{m{"hosts": []any{"a.example.org"}, "secretName": "a"}}
	one := []any{m{"host": "a.example.org"}}
	return map[string]entry{
		"a service":                        {"", service(m{}, nil)},
		"a node port":                      {"service-exposure", service(m{"type": "NodePort"}, nil)},
		"a public balancer":                {"service-exposure", service(m{"type": "LoadBalancer"}, nil)},
		"a balancer that says it":          {"service-exposure", service(m{"type": "LoadBalancer"}, m{"service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing", "service.beta.kubernetes.io/aws-load-balancer-internal": "true"})},
		"an internal one, AWS":             {"", service(m{"type": "LoadBalancer"}, m{"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"})},
		"an internal one, Google":          {"", service(m{"type": "LoadBalancer"}, m{"networking.gke.io/load-balancer-type": "Internal"})},
		"external addresses":               {"service-exposure", service(m{"externalIPs": []any{"203.0.113.1"}}, nil)},
		"an ingress":                       {"", ingress("team", m{"tls": tls, "rules": one})},
		"an ingress without TLS":           {"ingress-tls", ingress("team", m{"rules": one})},
		"an ingress for another name":      {"ingress-tls", ingress("team", m{"tls": tls, "rules": []any{m{"host": "b.example.org"}}})},
		"an ingress for every name":        {"ingress-tls", ingress("team", m{"tls": tls, "rules": []any{m{}}})},
		"an ingress for a wildcard":        {"ingress-tls", ingress("team", m{"tls": []any{m{"hosts": []any{"*.example.org"}, "secretName": "a"}}, "rules": []any{m{"host": "*.example.org"}}})},
		"an ingress with a default":        {"ingress-tls", ingress("team", m{"tls": tls, "defaultBackend": m{"service": m{"name": "x", "port": m{"number": 80}}}})},
		"an ingress of another's host":     {"ingress-tls", ingress("narrow", m{"tls": tls, "rules": one})},
		"an ingress of its host":           {"", ingress("narrow", m{"tls": []any{m{"hosts": []any{"shop.example.org"}, "secretName": "a"}}, "rules": []any{m{"host": "shop.example.org"}}})},
		"an ingress below its host":        {"", ingress("narrow", m{"tls": []any{m{"hosts": []any{"v1.api.example.org"}, "secretName": "a"}}, "rules": []any{m{"host": "v1.api.example.org"}}})},
		"an ingress beside its host":       {"ingress-tls", ingress("narrow", m{"tls": []any{m{"hosts": []any{"evilapi.example.org"}, "secretName": "a"}}, "rules": []any{m{"host": "evilapi.example.org"}}})},
		"a claim":                          {"", claim("encrypted")},
		"a claim on another class":         {"encrypted-storage", claim("gp2")},
		"a claim on no class":              {"encrypted-storage", claim("")},
		"a volume of a node":               {"persistent-volumes", of("v1", "PersistentVolume", "", m{"spec": m{"accessModes": []any{"ReadWriteOnce"}, "capacity": m{"storage": "1Gi"}, "hostPath": m{"path": "/"}}})},
		"a lasting token":                  {"token-secrets", of("v1", "Secret", "team", m{"metadata": m{"annotations": m{"kubernetes.io/service-account.name": "default"}}, "type": "kubernetes.io/service-account-token"})},
		"a secret":                         {"", of("v1", "Secret", "team", m{"stringData": m{"a": "b"}})},
		"a role":                           {"", role("Role", rule([]string{""}, []string{"pods", "pods/log"}, []string{"get", "list"}))},
		"all verbs":                        {"role-rules", role("Role", rule([]string{""}, []string{"pods"}, []string{"*"}))},
		"all resources":                    {"role-rules", role("ClusterRole", rule([]string{""}, []string{"*"}, []string{"get"}))},
		"all groups":                       {"role-rules", role("ClusterRole", rule([]string{"*"}, []string{"pods"}, []string{"get"}))},
		"all URLs":                         {"role-rules", role("ClusterRole", m{"nonResourceURLs": []any{"*"}, "verbs": []any{"get"}})},
		"escalate":                         {"role-rules", role("ClusterRole", rule([]string{rbac}, []string{"clusterroles"}, []string{"escalate"}))},
		"bind":                             {"role-rules", role("Role", rule([]string{rbac}, []string{"roles"}, []string{"bind"}))},
		"impersonate":                      {"role-rules", role("ClusterRole", rule([]string{""}, []string{"users"}, []string{"impersonate"}))},
		"the proxy of nodes":               {"role-rules", role("ClusterRole", rule([]string{""}, []string{"nodes/proxy"}, []string{"get"}))},
		"tokens of accounts":               {"role-rules", role("Role", rule([]string{""}, []string{"serviceaccounts/token"}, []string{"create"}))},
		"approval of certificates":         {"role-rules", role("ClusterRole", rule([]string{"certificates.k8s.io"}, []string{"certificatesigningrequests/approval"}, []string{"update"}))},
		"signing of certificates":          {"role-rules", role("ClusterRole", rule([]string{"certificates.k8s.io"}, []string{"signers"}, []string{"sign"}))},
		"writing of webhooks":              {"role-rules", role("ClusterRole", rule([]string{"admissionregistration.k8s.io"}, []string{"mutatingwebhookconfigurations"}, []string{"create"}))},
		"making of volumes":                {"role-rules", role("ClusterRole", rule([]string{""}, []string{"persistentvolumes"}, []string{"create"}))},
		"the platform's own rights":        {"role-rules", role("ClusterRole", rule([]string{admission.Group}, []string{"platform"}, []string{"administer"}))},
		"a role that others are made from": {"role-rules", set(role("ClusterRole", rule([]string{""}, []string{"pods"}, []string{"get"})), "metadata.labels", m{rbac + "/aggregate-to-edit": "true"})},
		"a role that is made from others":  {"role-rules", set(role("ClusterRole"), "aggregationRule", m{"clusterRoleSelectors": []any{m{"matchLabels": m{"a": "b"}}}})},
		"a binding":                        {"", binding("x", "view", nil, "idp:developers")},
		"a binding to strangers":           {"role-bindings", binding("x", "view", nil, "system:anonymous")},
		"a binding to the unknown":         {"role-bindings", binding("x", "view", nil, "idp:developers", "system:unauthenticated")},
		"a binding to everybody":           {"role-bindings", binding("x", "view", nil, "system:authenticated")},
		"a binding to masters":             {"role-bindings", binding("x", "view", nil, "system:masters")},
		"cluster-admin":                    {"role-bindings", binding("x", "cluster-admin", nil, "idp:admins")},
		"cluster-admin without a reason":   {"role-bindings", binding("redoubt:break-glass:x", "cluster-admin", nil, "idp:admins")},
		"cluster-admin for two days":       {"role-bindings", binding("redoubt:break-glass:x", "cluster-admin", emergency(48*time.Hour), "idp:admins")},
		"cluster-admin until yesterday":    {"role-bindings", binding("redoubt:break-glass:x", "cluster-admin", emergency(-time.Hour), "idp:admins")},
		"cluster-admin in an emergency":    {"", binding("redoubt:break-glass:x", "cluster-admin", emergency(time.Hour), "idp:admins")},
		"an emergency for everybody":       {"role-bindings", binding("redoubt:break-glass:x", "cluster-admin", emergency(time.Hour), "system:authenticated")},
		"an object of the platform":        {"platform-objects", of("v1", "ConfigMap", "team", m{"metadata": m{"labels": m{admission.LabelManagedBy: admission.ManagedBy}}})},
		"an object of somebody":            {"", of("v1", "ConfigMap", "team", m{"metadata": m{"labels": m{admission.LabelManagedBy: "Helm"}}})},
		"a namespace":                      {"", of("v1", "Namespace", "", m{"metadata": m{"labels": m{"pod-security.kubernetes.io/enforce": "restricted"}}})},
		"a namespace without a level":      {"namespaces", of("v1", "Namespace", "", nil)},
		"a privileged namespace":           {"namespaces", of("v1", "Namespace", "", m{"metadata": m{"labels": m{"pod-security.kubernetes.io/enforce": "privileged"}}})},
		"a namespace with our labels":      {"namespaces", of("v1", "Namespace", "", m{"metadata": m{"labels": m{"pod-security.kubernetes.io/enforce": "restricted", "redoubt.dev/pool": "other"}}})},
		"an API":                           {"api-extensions", of("apiregistration.k8s.io/v1", "APIService", "", m{"metadata": m{"name": "v1.evil.test"}, "spec": m{"group": "evil.test", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1, "insecureSkipTLSVerify": true, "service": m{"name": "x", "namespace": "team"}}})},
	}
}

// asManager gives the manager's configuration, whose rights the first call makes.
func (a *api) asManager(t testing.TB) *rest.Config {
	t.Helper()
	everything := rule([]string{"", "apps", "batch", rbac, "networking.k8s.io", "apiregistration.k8s.io", "apiextensions.k8s.io", "certificates.k8s.io", "admissionregistration.k8s.io"}, []string{"*"}, []string{"*"})
	rights := of(rbac+"/v1", "ClusterRole", "", m{"metadata": m{"name": manager}, "rules": []any{everything,
		rule([]string{rbac}, []string{"clusterroles", "roles"}, []string{"escalate", "bind"}), rule([]string{"storage.k8s.io"}, []string{"*"}, []string{"*"})}})
	if err := a.create(a.dynamic, rights, false); err != nil {
		t.Fatal(err)
	}
	if err := a.create(a.dynamic, set(binding(manager, manager, nil, manager), "subjects", []any{m{"apiGroup": rbac, "kind": "User", "name": manager}}), false); err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(a.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: manager, Groups: []string{"system:authenticated"}}
	return config
}

func TestOtherKinds(t *testing.T) {
	a := server(t)
	config := a.asManager(t)
	for name, c := range refusals() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := a.ask(config, c.object)
			if c.policy == "" {
				if v.err != nil {
					t.Error(v.err)
				}
				return
			}
			refusedBy(t, v, c.policy)
		})
	}
}

// Every policy of the catalogue refuses something in these tests.
func TestEveryPolicyRefusesSomething(t *testing.T) {
	seen := map[string]bool{"connect": true, "ephemeral-containers": true, "node-proxy": true, "gateway-tls": true, "default-namespace": true, "user-namespaces": true, "pod-rules": true}
	for _, c := range inEvery {
		seen[c.policy] = true
	}
	for _, c := range inSpec {
		seen[c.policy] = true
	}
	for _, c := range refusals() {
		seen[c.policy] = true
	}
	for _, p := range admission.Catalogue() {
		if !seen[p.ID] {
			t.Errorf("%s is never seen to refuse", p.ID)
		}
	}
}

// The platform is let through where its own objects are meant, and nobody else: not a user of the provider whose name
// only begins alike, not a tenant's administrator.
func TestWhoIsThePlatform(t *testing.T) {
	a := server(t)
	managed := of("v1", "ConfigMap", "team", m{"metadata": m{"name": "of-the-platform", "labels": m{admission.LabelManagedBy: admission.ManagedBy}}})
	if err := a.create(a.dynamic, managed, false); err != nil {
		t.Fatalf("the platform: %v", err)
	}
	config := a.asManager(t)
	other := rest.CopyConfig(config)
	client := a.clientOf(t, other)
	maps := client.CoreV1().ConfigMaps("team")
	live, err := maps.Get(context.Background(), "of-the-platform", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Who has everything written anew under another key (M18) changes nothing either.
	if err := a.create(a.dynamic, set(binding("rewriter", manager, nil, manager), "subjects", []any{m{"apiGroup": rbac, "kind": "User", "name": nodeconfig.UserEncryption}}), false); err != nil {
		t.Fatal(err)
	}
	rewriter := rest.CopyConfig(config)
	rewriter.Impersonate.UserName = nodeconfig.UserEncryption
	anew := a.clientOf(t, rewriter).CoreV1().ConfigMaps("team")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		_, err := anew.Patch(context.Background(), "of-the-platform", types.MergePatchType, []byte("{}"), metav1.PatchOptions{})
		if err != nil && strings.Contains(err.Error(), "cannot patch") && time.Now().Before(deadline) {
			continue // the API server learns of a right a moment after it is written
		}
		if err != nil {
			t.Errorf("written anew: %v", err)
		}
		break
	}
	_, err = anew.Patch(context.Background(), "of-the-platform", types.MergePatchType, []byte(`{"data":{"a":"b"}}`), metav1.PatchOptions{})
	refusedBy(t, verdict{err: err}, "platform-objects")
	_, err = maps.Patch(context.Background(), "of-the-platform", types.MergePatchType, []byte("{}"), metav1.PatchOptions{})
	refusedBy(t, verdict{err: err}, "platform-objects")
	live.Labels = nil
	_, err = maps.Update(context.Background(), live, metav1.UpdateOptions{})
	refusedBy(t, verdict{err: err}, "platform-objects")
	refusedBy(t, verdict{err: maps.Delete(context.Background(), "of-the-platform", metav1.DeleteOptions{})}, "platform-objects")
	refusedBy(t, verdict{err: a.clientOf(t, other).CoreV1().ConfigMaps("kube-system").Delete(context.Background(), admission.ParametersName, metav1.DeleteOptions{})}, "platform-objects")
}

// A namespace keeps its level and the platform's labels against everybody but the platform.
func TestNamespaceIsNotLoosened(t *testing.T) {
	a := server(t)
	ns := of("v1", "Namespace", "", m{"metadata": m{"name": "loosened", "labels": m{"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "v1.35", "redoubt.dev/pool": "a"},
		"annotations": m{admission.AnnotationRegistries: "registry.example.org/a"}}})
	if err := a.create(a.dynamic, ns, false); err != nil {
		t.Fatal(err)
	}
	config := a.asManager(t)
	for name, c := range map[string]struct {
		let    bool
		change func(live m)
	}{
		"a level lower":         {false, func(o m) { set(o, "metadata.labels.pod-security~kubernetes~io/enforce", "baseline") }},
		"no level":              {false, func(o m) { set(o, "metadata.labels.pod-security~kubernetes~io/enforce", nil) }},
		"no labels":             {false, func(o m) { set(o, "metadata.labels", nil) }},
		"another version":       {false, func(o m) { set(o, "metadata.labels.pod-security~kubernetes~io/enforce-version", "v1.20") }},
		"another pool":          {false, func(o m) { set(o, "metadata.labels.redoubt~dev/pool", "b") }},
		"no pool":               {false, func(o m) { set(o, "metadata.labels.redoubt~dev/pool", nil) }},
		"other registries":      {false, func(o m) { set(o, "metadata.annotations.redoubt~dev/registries", "registry.example.org") }},
		"no registries":         {false, func(o m) { set(o, "metadata.annotations", nil) }},
		"a label of one's own":  {true, func(o m) { set(o, "metadata.labels.team", "a") }},
		"an annotation of that": {true, func(o m) { set(o, "metadata.annotations.team", "a") }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, subresource := range []string{"", "status", "finalize"} {
				v := a.changeAs(t, config, ns, c.change, subresource)
				switch {
				case !c.let:
					refusedBy(t, v, "namespaces")
				case v.err != nil:
					t.Errorf("%q: %v", subresource, v.err)
				}
			}
		})
	}
}

// Sessions in pods of the system and of namespaces that forbid them are for the platform alone.
func TestConnect(t *testing.T) {
	a := server(t)
	client := a.clientOf(t, a.asManager(t)).CoreV1().RESTClient()
	platform := a.client.CoreV1().RESTClient()
	post := func(c rest.Interface, namespace, resource, name, sub string) error {
		request := c.Post().Resource(resource).Name(name).SubResource(sub)
		if namespace != "" {
			request = request.Namespace(namespace)
		}
		return request.VersionedParams(&metav1.CreateOptions{}, scheme.ParameterCodec).Do(context.Background()).Error()
	}
	for _, namespace := range []string{"kube-system", "addon", "closed"} {
		for _, sub := range []string{"exec", "attach", "portforward", "proxy"} {
			refusedBy(t, verdict{err: post(client, namespace, "pods", "none", sub)}, "connect")
		}
		refusedBy(t, verdict{err: post(client, namespace, "services", "none", "proxy")}, "connect")
		if err := post(platform, namespace, "pods", "none", "exec"); err == nil || !notFound(err) {
			t.Errorf("the platform in %s: %v", namespace, err)
		}
	}
	if err := post(client, "team", "pods", "none", "exec"); err == nil || !notFound(err) {
		t.Errorf("a session in a namespace that allows it: %v", err)
	}
	refusedBy(t, verdict{err: post(client, "", "nodes", "none", "proxy")}, "node-proxy")
}

// debugging is refused where sessions are.
func TestEphemeralContainersWhereSessionsAreForbidden(t *testing.T) {
	a := server(t)
	o := podIn("closed", podSpec())
	o["metadata"].(m)["name"] = "closed"
	if err := a.create(a.dynamic, o, false); err != nil {
		t.Fatal(err)
	}
	v := a.changeAs(t, a.asManager(t), o, func(live m) {
		set(live, "spec.ephemeralContainers", []any{ephemeralContainer("debug")})
	}, "ephemeralcontainers")
	refusedBy(t, v, "ephemeral-containers")
}
