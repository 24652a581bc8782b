// Package agent is the host program redoubt-node: what the machines of a
// self-managed cluster do by themselves, with the role that the cloud gives their
// instance and no other credential. It speaks to the store, the instance list and
// the key service of AWS and GCP, to the API server and to etcd. It never makes an
// authority, needs no shell and leaves no secret behind but the files named here.
//
// All subcommands read --config (/etc/redoubt/node.json, package nodeconfig), log
// to the standard error and exit with 0 on success, 1 on failure, 2 on wrong usage.
// Each may be killed at any moment and started again.
//
// On workers:
//
//	redoubt-node fetch-join [--out /etc/kubernetes/join.conf] [--timeout 30m]
//	    Fetch workers/<pool>/join.conf from the store until it is there, check that
//	    its authority and its server are the cluster's and that its token is still
//	    good, and write it, mode 0600, for kubeadm's discovery.file. A oneshot
//	    before kubeadm join; run it before every attempt.
//
// On control planes, before the machine is a node:
//
//	redoubt-node initialized [--mark]
//	    Ask whether the cluster exists: the object control-plane/initialized is in
//	    the store, or an API server answers behind the endpoint. Exit 0 when it
//	    does, 3 when it does not, 1 when that cannot be told (retry; never init).
//	    With --mark write the object, once kubeadm init has succeeded.
//	redoubt-node issue join [--out /etc/kubernetes/join.conf] [--server URL]
//	    Wait for an API server and write a kubeconfig with a client certificate of
//	    30 minutes that this machine issues itself from the authority's key
//	    (CN redoubt:join:<node>, group system:bootstrappers:redoubt), for kubeadm's
//	    discovery.file. --server defaults to the endpoint.
//	redoubt-node issue kubelet [--out /etc/kubernetes/kubelet.conf] [--server URL]
//	    Write the kubelet's own kubeconfig with a certificate of 24 hours, which the
//	    kubelet renews: for the recovery of a control plane whose volume survived.
//	redoubt-node etcd-forget [--data-dir /var/lib/etcd] [--timeout 10m]
//	    Remove this machine's member from etcd, through the other control planes:
//	    before kubeadm join on a machine whose volume is new. It refuses when the
//	    machine has a data directory, and when the others would lose their quorum;
//	    it does nothing when there is no such member.
//
// On control planes, for good:
//
//	redoubt-node approve [--runtime-dir /run/redoubt/approve]
//	    Long-running; on all control planes at once. It keeps the objects applied that
//	    joining needs (hostconfig.BootstrapObjects, kubeadm.JoinAccess and its own
//	    rights), answers the certificate requests of kubelets by the cloud's list of
//	    instances, labels each Node with its instance, removes the Nodes of instances
//	    that are gone, removes the taint of nodes whose network agent is ready,
//	    drains nodes whose instance is about to be terminated, and has the machines of
//	    workers replaced that are silent or never became nodes.
//	redoubt-node join-config rotate
//	    Give every pool a token that is at most 6 hours old, write the join
//	    configurations, and delete the tokens before the last two. Meant for a timer
//	    of 15 minutes on every control plane: it does nothing when nothing is due,
//	    repairs what an interrupted run left, and a lock lets one of several run.
//	redoubt-node kms
//	    Long-running: KMS v2 plugin at /run/redoubt/kms/kms.sock, unit of
//	    Type=notify, RuntimeDirectory=redoubt/kms, before the kubelet. A unit and
//	    not a static pod: it needs no image and is up before the API server.
//	redoubt-node reencrypt
//	    Say in etcd with which key this machine's API server writes; once all control
//	    planes say the same, have their API server write anew what etcd holds under
//	    another key, in all encrypted resources; tell in the ConfigMap
//	    kube-system/redoubt-encryption what is stored under which key. Meant for a
//	    timer of 10 minutes on every control plane: a lock lets one of several run,
//	    and what a run leaves the next one does. It exits with 1 when it leaves
//	    something, and says in the journal what was refused.
//	redoubt-node etcd-yield [--timeout 8m]
//	    Wait until etcd can do without this machine: the other voting members are a
//	    majority that answers and has everything that is committed, and no other
//	    machine was let go in the last 90 seconds. Then hand over leadership. For the
//	    moment before a control plane stops, while its etcd still runs. It exits with
//	    0 at once where waiting helps nobody: the only control plane, an etcd that
//	    does not run, a learner.
//	redoubt-node snapshot [--out FILE]
//	    Take a snapshot of the local etcd, verify it and put it into the snapshots'
//	    bucket as <prefix><RFC 3339 time>-<node>.db; with --out also keep it. For a
//	    timer of 6 hours on each control plane.
//	redoubt-node audit-ship [--state-dir /var/lib/redoubt/audit-ship]
//	    Long-running: copy what the API server writes to its audit log into the audit
//	    log's bucket, as <prefix><node>/<time>-<stream>-<number>.log.gz, within a minute,
//	    each object once (package auditlog). Told to stop, it stores the rest, for 20
//	    seconds at most: stop it after the API server. What is lost it marks by an
//	    object <...>.gap.gz and an error in the journal.
//	redoubt-node restore [--snapshot KEY|FILE] [--data-dir /var/lib/etcd]
//	    Fetch a snapshot (the newest by default), verify its hash and make a data
//	    directory of it for this member, of a new etcd with the same members on all
//	    control planes. It refuses a data directory that is not empty. The procedure
//	    around it is in docs/flatcar.md.
//
// Metadata servers and hosts of the clouds are the real ones, the network is
// host networking, DNS included. AWS_EC2_METADATA_SERVICE_ENDPOINT,
// GCE_METADATA_HOST and SSL_CERT_FILE are honoured as the clouds' own libraries do.
package agent
