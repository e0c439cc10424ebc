# sallyport: a web-server hardening proxy.
#
#   make          build build/sallyport
#   make run      install what is missing, build, start with the demo origin
#   make test     install what is missing, build, run the suites
#   make help     everything else

VERSION  := 0.1.0
ifeq ($(origin CC),default)
  CC     := gcc
endif
BUILD    ?= build
VARIANT  ?= plain
O        := $(BUILD)/$(VARIANT)
PREFIX   ?= /usr/local
DESTDIR  ?=
DATADIR  := $(PREFIX)/share/sallyport
# Where compiled rules are kept (proxy/proc/rule_cache.c).
CACHEDIR := /var/cache/sallyport

# Seconds that `make fuzz` gives to each target.
FUZZ_SECONDS ?= 60

# Many patterns at once: Hyperscan, or where there is none its fork, which misses matches (see
# proxy/shield/rules_patterns.c).
PACKAGE_HS := $(if $(filter x86_64 i%86,$(shell uname -m)),libhyperscan-dev,libvectorscan-dev)

# Debian packages that building, and testing, needs.
PACKAGES      := gcc make pkg-config libc6-dev libssl-dev libmicrohttpd-dev libconfig-dev \
                 libjansson-dev libcurl4-openssl-dev libc-ares-dev libcap-ng-dev libseccomp-dev uthash-dev \
                 $(PACKAGE_HS) libpcre2-dev zlib1g-dev libbrotli-dev libzstd-dev libexpat1-dev libsqlite3-dev \
                 libnftables-dev libnetfilter-log-dev libnetfilter-conntrack-dev libmaxminddb-dev
PACKAGES_TEST := binutils cppcheck curl dnsmasq-base git iproute2 libcmocka-dev mmdb-bin nftables openssl python3 python3-yaml
PACKAGES_ALL  := chromium testssl.sh clang libclang-rt-14-dev nginx-light libnginx-mod-http-brotli-filter brotli haproxy wrk apache2-bin \
                 nodejs tomcat10-common default-jre-headless
PACKAGES_BENCH := nginx-light haproxy squid tinyproxy-bin wrk openssl python3
PACKAGES_IMAGE := buildah debootstrap python3

# What `make image` builds with: the first of these that is there.
IMAGE_TOOL ?= $(notdir $(firstword $(shell command -v docker podman buildah)))
IMAGE      ?= sallyport:$(VERSION)

LIBRARIES := openssl libmicrohttpd libcurl libconfig jansson libcares libcap-ng libseccomp libhs \
             libpcre2-8 zlib libbrotlidec libzstd expat sqlite3 libnftables libnetfilter_log libnetfilter_conntrack libmaxminddb

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla -Werror=implicit-function-declaration
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection
CPPFLAGS += -Iinclude -Iproxy -D_GNU_SOURCE -DSALLYPORT_VERSION='"$(VERSION)"' \
            -include sallyport/banned.h
CFLAGS_BASE := -std=c11 -g -ffile-prefix-map=$(CURDIR)=. -pthread $(WARNINGS) $(HARDEN)
LDFLAGS_BASE := -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
# Debian's start files carry no mark of control-flow protection, and one object without it
# takes it from the whole program: a shadow stack asks nothing of them, so it is marked here.
ifeq ($(shell uname -m),x86_64)
  CFLAGS_BASE  += -fcf-protection=full
  LDFLAGS_BASE += -Wl,-z,shstk
endif
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all

# plain: what is installed. asan: with sanitizers. fuzz: with clang and libFuzzer.
ifeq ($(VARIANT),plain)
  CFLAGS_BASE  += -O2 -D_FORTIFY_SOURCE=2
else ifeq ($(VARIANT),asan)
  CFLAGS_BASE  += -O1 -fno-omit-frame-pointer $(SANITIZE)
  CPPFLAGS     += -DSALLYPORT_SANITIZED
  LDFLAGS_BASE += $(SANITIZE)
else ifeq ($(VARIANT),fuzz)
  CC           := clang
  CFLAGS_BASE  += -Wno-missing-field-initializers
  CFLAGS_BASE  += -O1 -fno-omit-frame-pointer $(SANITIZE) -fsanitize=fuzzer-no-link
  CPPFLAGS     += -DSALLYPORT_SANITIZED
  LDFLAGS_BASE += $(SANITIZE)
else
  $(error VARIANT is plain, asan or fuzz, not '$(VARIANT)')
endif

# Read once, and only where something is built: packages may not be there yet.
LIB_CFLAGS = $(eval LIB_CFLAGS := $$(shell pkg-config --cflags $(LIBRARIES)))$(LIB_CFLAGS)
LIB_LIBS   = $(eval LIB_LIBS := $$(shell pkg-config --libs $(LIBRARIES)))$(LIB_LIBS)

SOURCES := $(sort $(wildcard proxy/*/*.c))
OBJECTS := $(SOURCES:%.c=$(O)/%.o)
UNIT    := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_BINARIES := $(UNIT:%.c=$(O)/%)
FUZZERS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BINARIES := $(FUZZERS:%.c=$(O)/%)
ATTACKS := $(sort $(wildcard tests/e2e/attacks/*.c))
ATTACK_BINARIES := $(ATTACKS:%.c=$(O)/%)
ALL_C   := proxy/main.c $(SOURCES) $(UNIT) $(FUZZERS) $(ATTACKS) tests/fuzz/replay.c tests/bench/micro.c \
           tests/bench/rates.c tests/bench/slow.c
JOBS    := -j$(shell nproc 2>/dev/null || echo 2)

.PHONY: all run test test-all test-rest test-binaries test-unit test-kills test-fuzz test-e2e test-e2e-all \
        test-e2e-rest test-image \
        hardening asan asan-unit asan-fuzz asan-e2e fuzz fuzz-run lint layers bench bench-micro install uninstall image \
        clean help deps deps-test deps-all FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(O)/sallyport $(if $(filter plain,$(VARIANT)),$(BUILD)/sallyport)

# ---- building ----

# V=1 shows the commands.
Q    := $(if $(V),,@)
say   = $(if $(V),,@echo '$(1) $(2)')

$(BUILD)/sallyport: $(O)/sallyport
	@ln -sf $(VARIANT)/sallyport $@

$(O)/sallyport: $(O)/proxy/main.o $(O)/libsallyport.a
	$(call say,link,$@)
	$(Q)$(CC) $(LDFLAGS_BASE) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

$(O)/libsallyport.a: $(OBJECTS) $(O)/.objects
	@rm -f $@
	$(Q)$(AR) rcs $@ $(OBJECTS)

# What the compiler says is kept beside the object, for lint.
$(O)/%.o: %.c $(O)/.compile
	@mkdir -p $(@D)
	$(call say,cc,$<)
	$(Q)$(CC) $(CPPFLAGS) $(LIB_CFLAGS) $(CFLAGS_BASE) $(CFLAGS) -MMD -MP -c -o $@ $< 2>$(@:.o=.said); \
	  status=$$?; cat $(@:.o=.said) >&2; exit $$status

$(O)/tests/unit/%.o: private CPPFLAGS += -Itests/unit
$(O)/proxy/base/data_path.o: private CPPFLAGS += -DSALLYPORT_DATADIR='"$(DATADIR)"'
$(O)/proxy/base/data_path.o: $(O)/.datadir

$(O)/tests/unit/%: $(O)/tests/unit/%.o $(O)/libsallyport.a
	$(call say,link,$@)
	$(Q)$(CC) $(LDFLAGS_BASE) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) -lcmocka -lbrotlienc

# What attacks sallyport in end-to-end tests is nothing of it.
$(O)/tests/e2e/attacks/%: $(O)/tests/e2e/attacks/%.o
	$(call say,link,$@)
	$(Q)$(CC) $(LDFLAGS_BASE) $(LDFLAGS) -o $@ $<

# Built with clang, a target fuzzes; otherwise it replays what it is given.
FUZZ_MAIN := $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer,$(O)/tests/fuzz/replay.o)
$(O)/tests/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(O)/tests/fuzz/replay.o $(O)/libsallyport.a
	$(call say,link,$@)
	$(Q)$(CC) $(LDFLAGS_BASE) $(LDFLAGS) -o $@ $< $(FUZZ_MAIN) $(O)/libsallyport.a $(LIB_LIBS)

# What objects depend on besides sources: a text, written anew only where it has
# changed. Make expands a recipe before it runs any of it, hence $(shell); and two makes at
# once must not write into one file, hence the number of this one.
THIS_MAKE := $(shell echo $$PPID)
DRY_RUN   := $(findstring n,$(firstword -$(MAKEFLAGS)))
define remember
	$(if $(DRY_RUN),,$(shell mkdir -p $(@D))$(file >$@.$(THIS_MAKE),$(1)))@cmp -s $@.$(THIS_MAKE) $@ \
	  && rm -f $@.$(THIS_MAKE) || mv -f $@.$(THIS_MAKE) $@
endef
$(O)/.compile: FORCE
	@{ command -v $(CC) && command -v pkg-config && pkg-config --exists $(LIBRARIES) && \
	  echo '#include <uthash.h>' | $(CC) -E -o /dev/null -; } >/dev/null 2>&1 || \
	  { echo "Something that the build needs is not installed: run 'make deps' first" >&2; exit 1; }
	$(call remember,$(CC) $(CPPFLAGS) $(CFLAGS_BASE) $(CFLAGS))
$(O)/.objects: FORCE
	$(call remember,$(OBJECTS))
$(O)/.datadir: FORCE
	$(call remember,$(DATADIR))
FORCE:

-include $(ALL_C:%.c=$(O)/%.d)

# ---- testing ----
# Each suite ends in a line with its counts; tests/run-suites adds them up.

test: deps-test
	+@MAKE='$(MAKE)' JOBS='$(JOBS)' tests/run-suites layers lint hardening test-unit test-fuzz test-e2e

# The heavy ones of test-all that come after the quick ones.
HEAVY = MAKE='$(MAKE)' JOBS='$(JOBS)' FUZZ_SECONDS=$${FUZZ_SECONDS:-10} \
  SALLYPORT_KILLS=$${SALLYPORT_KILLS:-1000} TEST_SECONDS=$${TEST_SECONDS:-600} tests/run-suites
HEAVY_SUITES := test-image asan-unit asan-fuzz asan-e2e fuzz

test-all: deps-all
	+@$(HEAVY) layers lint hardening test-unit test-fuzz test-e2e-all $(HEAVY_SUITES)

# After `make test`, what test-all does besides: with all tools there are, and nothing that passed a second time.
test-rest: deps-all
	+@$(HEAVY) lint test-kills test-e2e-rest $(HEAVY_SUITES)

asan: deps-test
	+@MAKE='$(MAKE)' JOBS='$(JOBS)' tests/run-suites asan-unit asan-fuzz asan-e2e

test-binaries: all $(UNIT_BINARIES) $(FUZZ_BINARIES) $(ATTACK_BINARIES)

test-unit: $(UNIT_BINARIES)
	@tests/run-programs unit $(O)/logs $(UNIT_BINARIES)

test-fuzz: $(FUZZ_BINARIES)
	@tests/run-programs corpus $(O)/logs $(FUZZ_BINARIES)

test-kills: $(O)/tests/unit/guard/test_vault_kills
	@tests/run-programs kills $(O)/logs $<

test-e2e: all $(ATTACK_BINARIES)
	@python3 tests/e2e/run.py --binary $(O)/sallyport

test-e2e-all: all $(ATTACK_BINARIES)
	@python3 tests/e2e/run.py --all --binary $(O)/sallyport

test-e2e-rest: all $(ATTACK_BINARIES)
	@python3 tests/e2e/run.py --rest --binary $(O)/sallyport

# Builds the image for real, which takes root, and runs it.
test-image:
	@tests/install-packages python3
	@PACKAGES='$(PACKAGES_IMAGE)' python3 tests/image/run.py

asan-unit asan-fuzz asan-e2e: asan-%:
	+@$(MAKE) --no-print-directory VARIANT=asan test-$*

hardening: $(O)/sallyport
	@tests/check-hardening $(O)/sallyport

layers:
	@tests/check-layers

fuzz:
	+@$(MAKE) --no-print-directory VARIANT=fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz-run
fuzz-run: $(FUZZ_BINARIES)
	@tests/run-fuzzers $(O) $(FUZZ_SECONDS) $(FUZZ_BINARIES)

bench: all
	@tests/install-packages $(PACKAGES_BENCH)
	@python3 tests/bench/run.py

# ONLY=iis: works whose names have that word.
bench-micro: $(O)/tests/bench/micro
	@$< $(ONLY)

$(addprefix $(O)/tests/bench/,micro rates slow): $(O)/tests/bench/%: $(O)/tests/bench/%.o $(O)/libsallyport.a
	$(call say,link,$@)
	$(Q)$(CC) $(LDFLAGS_BASE) $(LDFLAGS) -o $@ $^ $(LIB_LIBS)

# ---- lint: warnings are errors, file by file and tool by tool, so that only what changed is looked at ----

LINT       := $(BUILD)/lint
LINT_TOOLS := cc $(notdir $(shell command -v clang) $(shell command -v cppcheck))
LINT_cc     = cat $(O)/$*.said >&2 && ! [ -s $(O)/$*.said ]
# clang takes the braces in libseccomp's macros for an oversight.
LINT_clang  = clang $(CPPFLAGS) -Itests/unit $(LIB_CFLAGS) $(CFLAGS_BASE) -Werror -Wno-missing-field-initializers -fsyntax-only $*.c
LINT_cppcheck = cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability \
  --inline-suppr -Iinclude -Iproxy -D_GNU_SOURCE $*.c
lint_files  = $(if $(filter cppcheck,$(1)),$(filter proxy/%,$(ALL_C)),$(ALL_C))

lint: $(foreach tool,$(LINT_TOOLS),$(patsubst %.c,$(LINT)/$(tool)/%.ok,$(call lint_files,$(tool))))
	@tests/check-text
	@echo "lint with $(LINT_TOOLS): 1 passed, 0 failed"

# Behind the object, which is made anew when a header changes.
define lint_rule
$(LINT)/$(1)/%.ok: $(O)/%.o
	@mkdir -p $$(@D)
	$$(if $$(filter cc,$(1)),,$$(call say,lint,$$*.c with $(1)))
	@$$(LINT_$(1))
	@touch $$@
endef
$(foreach tool,$(LINT_TOOLS),$(eval $(call lint_rule,$(tool))))

# ---- using ----

run: deps
	+@$(MAKE) --no-print-directory $(JOBS) all
	@exec $(BUILD)/sallyport run --demo --listen 127.0.0.1:8080

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(DATADIR)
	install -m 755 $(O)/sallyport $(DESTDIR)$(PREFIX)/bin/sallyport
	cp -R conf www $(DESTDIR)$(DATADIR)/
	rm -rf $(DESTDIR)$(DATADIR)/conf/bad $(DESTDIR)$(DATADIR)/conf/container-entry
	@install -d -m 755 $(DESTDIR)$(CACHEDIR) || \
	  echo 'without $(DESTDIR)$(CACHEDIR), or a folder that SALLYPORT_CACHE names, each start compiles the rules' >&2

# What an operator made stays: /etc/sallyport, and the vault in /var/lib/sallyport.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/sallyport
	rm -rf $(DESTDIR)$(DATADIR) $(DESTDIR)$(CACHEDIR)

# Podman and buildah would make an image of the other format, which knows no health check.
image:
	@[ -n '$(IMAGE_TOOL)' ] || \
	  { echo 'docker, podman or buildah is needed to build an image: apt-get install podman' >&2; exit 1; }
	BUILDAH_FORMAT=docker $(IMAGE_TOOL) build --tag $(IMAGE) --build-arg VERSION=$(VERSION) \
	  $(if $(shell git log -1 --format=%H 2>/dev/null),--build-arg REVISION=$(shell git log -1 --format=%H) \
	    --build-arg CREATED=$(shell git log -1 --format=%cI)) .

deps:
	@tests/install-packages $(PACKAGES)
deps-test:
	@tests/install-packages $(PACKAGES) $(PACKAGES_TEST)
deps-all:
	@tests/install-packages $(PACKAGES) $(PACKAGES_TEST) $(PACKAGES_ALL)

clean:
	rm -rf $(BUILD)

help:
	@echo 'make            build $(BUILD)/sallyport'
	@echo 'make run        install what is missing, build, start with the demo origin on 127.0.0.1:8080'
	@echo 'make test       install what is missing, build, run all suites but the heavy ones'
	@echo 'make test-all   the heavy ones too: sanitizers, more end-to-end tests, the image, a short fuzzing'
	@echo 'make test-rest  what make test-all does besides, after make test'
	@echo 'make test-unit, test-fuzz, test-e2e, test-image, layers, lint, hardening    one suite'
	@echo 'make asan       unit, corpus and end-to-end tests with AddressSanitizer and UBSan'
	@echo 'make fuzz       libFuzzer on every target, FUZZ_SECONDS=$(FUZZ_SECONDS) each'
	@echo 'make bench      measure side by side with nginx and HAProxy'
	@echo 'make bench-micro    nanoseconds to canonicalise, parse and judge, without a server'
	@echo 'make install    DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)'
	@echo 'make uninstall  take that away again; policies, logs and vaults stay'
	@echo 'make image      build the container image $(IMAGE) with docker, podman or buildah'
	@echo 'make deps, deps-test, deps-all    install Debian packages only'
	@echo 'make clean      remove $(BUILD)'
	@echo 'V=1 shows the commands that build.'
	@echo 'VARIANT=plain, asan or fuzz chooses how things are built, in $(BUILD)/VARIANT'
