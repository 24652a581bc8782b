# Redoubt. `make` alone lists the targets.
#
#   ENV=local            the environment: settings in stacks/Pulumi.<ENV>.yaml, state in .state/<ENV>
#   CONFIG_FILE=FILE     other settings, for example those of another environment
#   SET="KEY=VALUE ..."  override settings, for example SET="redoubt:workers=2"
#   OFFICIAL_BIN=DIR     take the programs found there instead of building them

ENV ?= local
SET ?=
CONFIG_FILE ?=
OFFICIAL_BIN ?=
export OFFICIAL_BIN

BIN := bin
MODULE := github.com/redoubt-dev/redoubt
DRIVE = $(BIN)/rehearse $(1) --env $(ENV) $(if $(CONFIG_FILE),--config-file $(CONFIG_FILE)) $(foreach s,$(SET),--set $(s))

# Where an environment is: "local" is this machine, all else are clouds. Empty where there are no settings.
PLATFORM = $(shell sed -n 's/^ *redoubt:platform: *\([a-z-]*\).*/\1/p' $(or $(CONFIG_FILE),stacks/Pulumi.$(ENV).yaml) 2>/dev/null)
CLOUD = $(firstword $(subst -, ,$(PLATFORM)))
# Machines of Flatcar are booted by root, unless Kubernetes is left out.
BOOTS = $(and $(findstring flatcar,$(PLATFORM)),$(filter 0,$(shell id -u)),$(if $(findstring --no-kubernetes,$(ARGS)),,yes))
REHEARSE = $(BIN)/rehearse-$(CLOUD) --env $(ENV) $(if $(CONFIG_FILE),--config-file $(CONFIG_FILE)) $(foreach s,$(SET),--set $(s))

# What a local cluster needs, what only its proof needs, and the sources of our own programs.
TOOLS := kubernetes pulumi etcd kube-router
JUDGES := kube-bench kubernetes-1.36 kubernetes-1.37 containerd-1.7 containerd-2 coredns ignition
OWN := $(BIN)/redoubt-machine $(BIN)/redoubt-agent $(BIN)/.built/images
sources = $(shell find $(1) -name '*.go' -not -name '*_test.go' -not -path '*/_*')
LIBRARY := $(call sources,hostconfig components) go.mod go.sum
DRIVER := $(LIBRARY) $(call sources,stacks policies test/kubeapply test/rehearse) test/go.mod test/go.sum
REHEARSER := $(DRIVER) $(call sources,test/simcloud test/boot test/fakecloud test/kubebench) $(wildcard test/boot/jail.sh test/boot/units/*)
# What machines of Flatcar boot from, and what they are attacked with.
BOOTED := kube-bench containerd-2 coredns ignition $(BIN)/.built/images $(BIN)/redoubt-node $(BIN)/verify.test

# own PACKAGE,DIRECTORY,FLAGS: builds one of our own programs, renamed into place so that what runs is not disturbed.
define own
@mkdir -p $(BIN)/.built; started=$$(date +%s); echo "building $(@F) ..."; \
	(cd $(2) && $(3) -ldflags '-s -w' -o $(CURDIR)/$(BIN)/.built/$(@F).new $(1)) >$(BIN)/.built/$(@F).log 2>&1 || \
	{ grep -v '^go: downloading' $(BIN)/.built/$(@F).log >&2; echo "build: $(@F) failed; see above" >&2; exit 1; }; \
	mv -f $(BIN)/.built/$(@F).new $(BIN)/$(@F); echo "built $(@F) in $$(($$(date +%s) - started))s"
endef

.DEFAULT_GOAL := help
.PHONY: gvisor help up verify test down preview refresh drive rehearse node-program here boot bench status kubeconfig access quarantine release evidence custody logs tools tools-all plugin packages packages-test lint clean $(TOOLS) $(JUDGES)
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@sed -n 's/^#   /  /p' Makefile

# An environment of a cloud is made by the ordinary Pulumi CLI, with an account; what drives the local one has no part in it.
here:
	@case '$(PLATFORM)' in local|'') ;; \
	*-baseline) echo "$(ENV) needs an account and a cluster: pulumi up -s $(ENV), or make rehearse ENV=$(ENV:-baseline=) without one" >&2; exit 1 ;; \
	*) echo "$(ENV) needs an account: pulumi up -s $(ENV), or make rehearse ENV=$(ENV) without one" >&2; exit 1 ;; esac

up: here packages tools ## make or repair the environment, and show where it is
	@$(call DRIVE,up)

verify: here packages-test kube-bench $(BIN)/rehearse ## attack the running environment, row by row
	@cd test && go test -count=1 -timeout 30m -v -run '^TestVerify$$' ./local -env $(ENV)

test: packages-test tools-all ## prove it: format, vet, unit tests, real clusters (up to an hour cold); make boot has the rest
	@test/tools/suite

down: here $(BIN)/rehearse pulumi ## remove the environment with all its data
	@$(call DRIVE,destroy) --yes

preview: here tools ## tell what up would do
	@$(call DRIVE,preview)

refresh: here tools ## look for drift; the next up repairs it
	@$(call DRIVE,refresh)

rehearse: ## a cloud's environment on this machine, no account: make rehearse ENV=aws-prod [ARGS=--keep]; those on Flatcar boot, as root
	@case '$(PLATFORM)' in aws|gcp|aws-flatcar|gcp-flatcar) ;; \
	local) echo "$(ENV) is real and needs no account: make up$(if $(filter-out local,$(ENV)), ENV=$(ENV)); to rehearse a cloud: make rehearse ENV=aws-prod" >&2; exit 1 ;; \
	*-baseline) echo "$(ENV) comes along with its environment: make rehearse ENV=$(ENV:-baseline=)" >&2; exit 1 ;; \
	'') echo "there is no environment $(ENV): write stacks/Pulumi.$(ENV).yaml, or name one: $(patsubst stacks/Pulumi.%.yaml,%,$(wildcard stacks/Pulumi.*.yaml))" >&2; exit 1 ;; \
	*) echo "environments of platform $(PLATFORM) cannot be rehearsed" >&2; exit 1 ;; esac
	@$(MAKE) -s --no-print-directory $(if $(findstring --no-kubernetes,$(ARGS)),pulumi,$(if $(BOOTS),packages-test,packages) tools) $(BIN)/rehearse-$(CLOUD) $(if $(findstring flatcar,$(PLATFORM)),$(BIN)/redoubt-node) $(if $(BOOTS),$(BOOTED))
	@$(REHEARSE) $(ARGS)

drive: tools ## run the driver of local environments itself: make drive ARGS="outputs --json"
	@$(BIN)/rehearse $(ARGS)

boot: packages-test tools-all gvisor ## test the boot of self-managed machines, power cuts included: Ignition, systemd, kubeadm; not part of make test
	@cd test && go test -count=1 -timeout 60m -v ./boot

bench: packages tools-all ## measure: ratios to a bare script, phases, memory
	@cd test && go test -run '^$$' -bench . -benchtime 3x -timeout 30m ./bench

status: $(BIN)/rehearse ## what every machine and service of the environment does
	@$(BIN)/rehearse status --env $(ENV)

kubeconfig: ## print the command that points kubectl at the environment
	@test -f .state/$(ENV)/kubeconfig || { echo "environment $(ENV) is not up: make up ENV=$(ENV)" >&2; exit 1; }
	@echo "export KUBECONFIG=$(CURDIR)/.state/$(ENV)/kubeconfig"

# A cluster of another platform is the one that KUBECONFIG names.
REDOUBT = $(BIN)/redoubt $(1) $(if $(wildcard .state/$(ENV)/kubeconfig),--kubeconfig .state/$(ENV)/kubeconfig)

access: $(BIN)/redoubt ## who can do what, by group, and whose rights each can take on: make access [ARGS=--json]
	@$(call REDOUBT,access) $(ARGS)

quarantine: $(BIN)/redoubt ## isolate TARGET=pod/NS/NAME, namespace/NAME or node/NAME, with REASON="..."
	@$(call REDOUBT,quarantine) --target '$(TARGET)' --reason '$(REASON)'

release: $(BIN)/redoubt ## lift the isolation of TARGET=...
	@$(call REDOUBT,release) --target '$(TARGET)'

# The state of this machine's own nodes is looked at from outside of them; that of others comes with NODE_STATE=DIRECTORY.
# Archives are outside of .state, which goes with the environment.
HERE = $(wildcard .state/$(ENV)/machines)
NODE_STATE = $(if $(HERE),.evidence/$(ENV)/.nodes)
evidence: $(BIN)/redoubt $(BIN)/rehearse ## collect what there is about TARGET=... into an archive: make evidence TARGET=... REASON="..."
	@$(if $(HERE),$(BIN)/rehearse node-state --env $(ENV) --out $(NODE_STATE))
	@$(call REDOUBT,evidence) --target '$(TARGET)' --reason '$(REASON)' --out .evidence/$(ENV) $(if $(NODE_STATE),--node-state '$(NODE_STATE)') \
		$(foreach f,$(or $(AUDIT),$(wildcard .state/$(ENV)/log/*/kubernetes/audit*.log)),--audit '$(f)'); status=$$?; \
		$(if $(HERE),rm -rf $(NODE_STATE);) exit $$status

custody: $(BIN)/redoubt ## verify ARCHIVE=FILE and its record; with WHO=NAME TO=NAME hand it over
	@$(BIN)/redoubt custody --archive '$(ARCHIVE)' $(if $(TO),--who '$(WHO)' --to '$(TO)' --note '$(NOTE)')

logs: ## follow the services' logs: make logs [MACHINE=worker-1] [SERVICE=kubelet]
	@ls .state/$(ENV)/log/$(or $(MACHINE),*)/$(or $(SERVICE),*).log >/dev/null 2>&1 || { echo "no such logs in .state/$(ENV)/log" >&2; exit 1; }
	@tail -n 20 -F .state/$(ENV)/log/$(or $(MACHINE),*)/$(or $(SERVICE),*).log

# Two at a time: compiling saturates two cores, but downloading and linking do not.
tools: ## build what `make up` needs, once
	@$(MAKE) -s --no-print-directory -j2 $(TOOLS) $(BIN)/rehearse $(OWN)

tools-all:
	@$(MAKE) -s --no-print-directory -j2 $(TOOLS) $(JUDGES) $(BIN)/rehearse $(OWN) $(BIN)/redoubt $(BIN)/redoubt-node $(BIN)/pulumi-resource-redoubt

plugin: $(BIN)/pulumi-resource-redoubt $(OWN) ## build bin/pulumi-resource-redoubt, for the ordinary Pulumi CLI

lint: ## gofmt and go vet
	@test/tools/lint

clean: ## remove what was built
	@! ls -d .state/rehearsal/*/state/*/machines >/dev/null 2>&1 || { echo "rehearsals of $$(ls -d .state/rehearsal/*/state/*/machines | cut -d / -f 3 | xargs) run programs of bin/: make rehearse ENV=... ARGS=--clear first" >&2; exit 1; }
	@! ls -d .state/*/machines >/dev/null 2>&1 || { echo "machines of $$(ls -d .state/*/machines | cut -d / -f 2 | xargs) run programs of bin/: make down first" >&2; exit 1; }
	@rm -rf $(BIN)

node-program: $(BIN)/redoubt-node ## the program that every machine of a self-managed cluster runs

packages:
	@test/tools/packages

packages-test:
	@test/tools/packages test

$(TOOLS) $(JUDGES) gvisor:
	@test/tools/build $@

STATIC := CGO_ENABLED=0 go build -trimpath

# Built as `go test` builds, so that the two share what is compiled.
$(BIN)/rehearse: $(DRIVER)
	$(call own,./rehearse/cmd/rehearse,test,go build)

# The SDK of a cloud is compiled for these alone.
$(BIN)/rehearse-aws: $(REHEARSER)
	$(call own,./rehearse/cmd/rehearse-aws,test,go build)

$(BIN)/rehearse-gcp: $(REHEARSER)
	$(call own,./rehearse/cmd/rehearse-gcp,test,go build)

$(BIN)/redoubt-machine: $(LIBRARY)
	$(call own,./components/local/cmd/redoubt-machine,.,$(STATIC))

$(BIN)/redoubt-agent: $(LIBRARY)
	$(call own,./components/local/cmd/redoubt-agent,.,$(STATIC))

$(BIN)/redoubt: go.mod go.sum $(call sources,hostconfig policies components/flatcar/auditlog)
	$(call own,./policies/cmd/redoubt,.,$(STATIC))

# The verify suite as a program, for machines that a rehearsal boots.
$(BIN)/verify.test: $(LIBRARY) $(call sources,policies test/boot/whereabouts test/kubebench) $(wildcard test/local/*.go) test/go.mod test/go.sum
	$(call own,./local,test,go test -c)

# The host program of self-managed clusters.
$(BIN)/redoubt-node: $(LIBRARY)
	$(call own,./components/flatcar/cmd/redoubt-node,.,$(STATIC))

$(BIN)/pulumi-resource-redoubt: $(LIBRARY) $(call sources,policies)
	$(call own,./components,.,$(STATIC))

# The images of a machine's registry: no other registry can be reached from it.
$(BIN)/.built/images: $(BIN)/redoubt-agent $(call sources,test/images) Makefile
	@mkdir -p $(BIN)/.built/programs; echo "building images ..."
	@cd test && $(STATIC) -ldflags '-s -w' -o $(CURDIR)/$(BIN)/.built/programs/ ./images/pause ./images/hello
	@$(BIN)/redoubt-agent image --binary $(BIN)/.built/programs/pause --name redoubt.local/pause:3.10 --out $(BIN)/images >$@.new
	@$(BIN)/redoubt-agent image --binary $(BIN)/.built/programs/hello --name redoubt.local/hello:1.0 --out $(BIN)/images >>$@.new
	@mv $@.new $@
