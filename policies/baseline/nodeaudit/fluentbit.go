package nodeaudit

// Where the containers see what is the node's.
const (
	journal = "/var/log/journal"
	state   = "/var/lib/" + Namespace
)

// configuration is Fluent Bit's. What could not be sent yet, and how far the journal
// was read, stay on the node: neither a new pod nor an hour without Cloud Logging
// loses a record. A journal is read from its beginning the first time, because a
// node starts its daemon before this runs.
// https://docs.fluentbit.io/manual/pipeline/outputs/stackdriver
const configuration = `[SERVICE]
    Flush 5
    Daemon off
    Log_Level warn
    HTTP_Server off
    storage.path ` + state + `/buffer

[INPUT]
    Name systemd
    Tag audit
    Path ` + journal + `
    Systemd_Filter _TRANSPORT=audit
    DB ` + state + `/journal.db
    storage.type filesystem

[FILTER]
    Name modify
    Match audit
    Add logging.googleapis.com/local_resource_id k8s_node.${NODE_NAME}
    Add logging.googleapis.com/logName ` + LogName + `

[OUTPUT]
    Name stackdriver
    Match audit
    Resource k8s_node
    k8s_cluster_name ${CLUSTER_NAME}
    k8s_cluster_location ${CLUSTER_LOCATION}
    log_name_key logging.googleapis.com/logName
    Retry_Limit no_limits
    storage.total_limit_size 256M
`
