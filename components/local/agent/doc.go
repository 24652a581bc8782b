// Package agent is the automation inside a control-plane machine: it issues and
// renews leaf certificates, keeps the RBAC objects that nodes need for joining in
// place, and answers the certificate requests of kubelets.
//
// It holds no state but files that it can make again, and no long-lived
// credential: what it does as a cluster administrator it does with a certificate
// that lives for minutes and only in memory; what it does all day it does as
// redoubt:agent, whose rights are listed in hostconfig.BootstrapObjects.
//
// It never makes or replaces a certificate authority.
package agent
