// Package nodeconfig defines /etc/redoubt/node.json, what the host program
// redoubt-node reads on the machines of a self-managed cluster, and the names
// that the program, the units that call it, the clouds and the cluster must agree
// on: keys of the store, tags of machines, groups of tokens, labels and taints.
//
// It is pure: hostconfig/selfmanaged renders the file, components/flatcar/agent
// reads it, and a Pulumi component takes the names from here. The file holds no
// secret.
package nodeconfig
