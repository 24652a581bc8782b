// Package costs counts what costs money in a simulated account: what is paid by the hour or the month as long as it
// exists, with a list price where one is known, and what is paid by volume, by name only. It is an estimate for comparing
// environments, never a bill: without taxes, free tiers, discounts, traffic between zones and what the workloads use.
package costs
