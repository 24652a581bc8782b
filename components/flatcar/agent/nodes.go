package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// bornBefore is how much earlier than its instance a Node may seem to be: the two
// times come from different clocks.
const bornBefore = 30 * time.Second

// nodeClient makes a client for what redoubt-node does with Nodes and their pods.
func (a *Agent) nodeClient() (*coreclient.CoreV1Client, func(), error) {
	core, _, done, err := a.nodeClients()
	return core, done, err
}

// nodeClients adds one for the note of whose machine is replaced.
func (a *Agent) nodeClients() (*coreclient.CoreV1Client, *coordinationclient.CoordinationV1Client, func(), error) {
	config, client, err := a.as(nodeconfig.UserNodes)
	if err != nil {
		return nil, nil, nil, err
	}
	core, err := coreclient.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, nil, nil, err
	}
	coordination, err := coordinationclient.NewForConfigAndClient(config, client)
	return core, coordination, client.CloseIdleConnections, err
}

// keepNodes makes passes over all nodes until the context ends.
func (a *Agent) keepNodes(ctx context.Context) {
	said, seen := "", &vigil{}
	for ctx.Err() == nil {
		if err := a.passOverNodes(ctx, seen); err == nil {
			said = ""
		} else if text := err.Error(); text != said && ctx.Err() == nil {
			a.log.Error("looking after nodes: will be tried again", "error", text)
			said = text
		}
		select {
		case <-ctx.Done():
		case <-time.After(a.retry):
		}
	}
}

// passOverNodes compares each Node with the cloud's instances and does what one
// of the two has left to do. A failure with one node keeps no other back.
func (a *Agent) passOverNodes(ctx context.Context, seen *vigil) error {
	instances, err := a.cloud.Running(ctx, "")
	if err != nil {
		return err
	}
	ending := map[string]bool{}
	instances = slices.DeleteFunc(instances, func(i cloud.Instance) bool { ending[i.ID] = i.Ending; return i.Ending })
	// A list without this very machine is wrong, and no reason to remove anything.
	if own, _ := a.config.Own(); !slices.ContainsFunc(instances, func(i cloud.Instance) bool { return a.isControlPlane(i, own) }) {
		return errors.New("the cloud's list of instances lacks this machine")
	}
	core, coordination, done, err := a.nodeClients()
	if err != nil {
		return err
	}
	defer done()
	nodes, err := core.Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	agents, err := a.readyAgents(ctx, core)
	if err != nil {
		return err
	}
	var faults []error
	for i := range nodes.Items {
		node := &nodes.Items[i]
		if _, isControlPlane := a.named(node.Name); !isControlPlane && ending[node.Labels[nodeconfig.LabelInstance]] {
			continue // with its Node the names of its pods would be free while they still run
		}
		if err := a.passOverNode(ctx, core, node, a.instanceOf(node.Name, instances), agents); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			faults = append(faults, fmt.Errorf("node %s: %w", node.Name, err))
		}
	}
	if err := a.repair(ctx, core, coordination.Leases(metav1.NamespaceSystem), seen, a.round(instances, nodes.Items)); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// instanceOf finds the instance that bears a node's name; nil when there is none
// or when it cannot be told.
func (a *Agent) instanceOf(name string, instances []cloud.Instance) *cloud.Instance {
	var found *cloud.Instance
	for i := range instances {
		matches := false
		if c, isControlPlane := a.named(name); isControlPlane {
			matches = a.isControlPlane(instances[i], c)
		} else if _, known := a.pool(instances[i]); known {
			matches = instances[i].Node == name
		}
		if matches && found != nil {
			return nil
		}
		if matches {
			found = &instances[i]
		}
	}
	return found
}

func (a *Agent) passOverNode(ctx context.Context, core *coreclient.CoreV1Client, node *corev1.Node, instance *cloud.Instance, agents map[string]bool) error {
	of := node.Labels[nodeconfig.LabelInstance]
	gone := instance == nil || of != "" && of != instance.ID ||
		of == "" && node.CreationTimestamp.Add(bornBefore).Before(instance.Launched)
	_, isControlPlane := a.named(node.Name)
	switch {
	case gone && instance != nil && isControlPlane && heardSince(node, instance.Launched):
		// A control plane comes back under its name before anybody has missed the one
		// before, and takes over its Node. There is one address: who reports now is the
		// instance that has it.
		if err := a.labelNode(ctx, core, node, instance.ID); err != nil {
			return err
		}
	case gone && ready(node):
		return nil // its kubelet still reports: the cloud's list may lag behind
	case gone:
		return a.removeNode(ctx, core, node)
	case of == "":
		if err := a.labelNode(ctx, core, node, instance.ID); err != nil {
			return err
		}
	}
	if instance.Leaving {
		return a.drain(ctx, core, node, *instance)
	}
	if agents[node.Name] && slices.ContainsFunc(node.Spec.Taints, isNetworkTaint) {
		return a.removeTaint(ctx, core, node)
	}
	return nil
}

// removeNode deletes the Node of an instance that is gone, this one and no later
// one of its name. It makes the name free for the next instance.
func (a *Agent) removeNode(ctx context.Context, core *coreclient.CoreV1Client, node *corev1.Node) error {
	err := core.Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &node.UID, ResourceVersion: &node.ResourceVersion}})
	if err == nil {
		a.log.Warn("node removed: its instance is gone", "node", node.Name, "instance", node.Labels[nodeconfig.LabelInstance])
	}
	return err
}

func (a *Agent) labelNode(ctx context.Context, core *coreclient.CoreV1Client, node *corev1.Node, instance string) error {
	err := patch(ctx, core, node, map[string]any{"metadata": map[string]any{"labels": map[string]string{nodeconfig.LabelInstance: instance}}})
	if err == nil {
		a.log.Info("node belongs to an instance", "node", node.Name, "instance", instance)
	}
	return err
}

// patch changes a Node unless somebody has changed it since it was read, and takes
// over the result.
func patch(ctx context.Context, core *coreclient.CoreV1Client, node *corev1.Node, change map[string]any) error {
	metadata, _ := change["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["uid"], metadata["resourceVersion"] = node.UID, node.ResourceVersion
	change["metadata"] = metadata
	data, err := json.Marshal(change)
	if err != nil {
		return err
	}
	changed, err := core.Nodes().Patch(ctx, node.Name, types.MergePatchType, data, metav1.PatchOptions{})
	if err == nil {
		*node = *changed
	}
	return err
}

func isNetworkTaint(taint corev1.Taint) bool { return taint.Key == nodeconfig.TaintNetwork }

// removeTaint lets pods onto a node whose network policy agent is in force (M21).
func (a *Agent) removeTaint(ctx context.Context, core *coreclient.CoreV1Client, node *corev1.Node) error {
	rest := slices.DeleteFunc(slices.Clone(node.Spec.Taints), isNetworkTaint)
	err := patch(ctx, core, node, map[string]any{"spec": map[string]any{"taints": rest}})
	if err == nil {
		a.log.Info("node takes pods: its network agent is ready", "node", node.Name)
	}
	return err
}

// readyAgents gives the nodes whose network policy agent is ready: a pod of a
// DaemonSet in the agent's namespace that has its labels and is not about to end.
func (a *Agent) readyAgents(ctx context.Context, core *coreclient.CoreV1Client) (map[string]bool, error) {
	found := map[string]bool{}
	if a.config.NetworkAgent == nil {
		return found, nil
	}
	pods, err := core.Pods(a.config.NetworkAgent.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.SelectorFromSet(a.config.NetworkAgent.Labels).String()})
	if err != nil {
		return nil, err
	}
	for _, pod := range pods.Items {
		owner := metav1.GetControllerOf(&pod)
		if owner == nil || owner.Kind != "DaemonSet" || pod.DeletionTimestamp != nil {
			continue
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				found[pod.Spec.NodeName] = true
			}
		}
	}
	return found, nil
}
