package aws

import "fmt"

// flows matches records of flows in the format that AWS has by default, which is
// that of [Network]: conditions on two columns, and what became of the flow.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
func flows(destinationPort, protocol, action string) string {
	return fmt.Sprintf("[version, account, interface, source, destination, sourceport, %s, %s, packets, bytes, start, end, action = %q, status]",
		destinationPort, protocol, action)
}

// flowEvents are seen in the flows of the network (M33). What the network's own
// resolver, time and instance metadata answer is not recorded.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html
var flowEvents = []event{
	{name: "flows-refused", in: inFlows, threshold: 100, period: 300, controls: "M39 M33 M08", source: nsaHardening,
		reason:  "the network refuses much: somebody looks around, or its rules are not what the cluster needs",
		pattern: flows("destinationport", "protocol", "REJECT")},
	{name: "remote-logins", in: inFlows, threshold: 1, period: 60, controls: "M39 M33 M09", source: nsaHardening,
		reason:  "something was reached with SSH or RDP, which no node has",
		pattern: flows("destinationport = 22 || destinationport = 3389", "protocol = 6", "ACCEPT")},
}
