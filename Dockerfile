# sallyport as a container. The first stage has whatever building needs, the second nothing but
# the program, its data and the libraries that it is linked with. `make image` builds it;
# README.md says how to run it; `make test-image` tries both.

FROM debian:bookworm-slim AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update -q && apt-get install -y -q --no-install-recommends make
WORKDIR /src
# Packages come first: they change less often than sources.
COPY Makefile ./
COPY tests/install-packages tests/
RUN make deps
COPY . .
RUN make -j"$(nproc)" install DESTDIR=/out && strip /out/usr/local/bin/sallyport
# Compiles the rules, so that a container need not: on a CPU with other instructions than this one it does it anew.
RUN SALLYPORT_DATADIR=/out/usr/local/share/sallyport SALLYPORT_CACHE=/out/var/cache/sallyport \
	/out/usr/local/bin/sallyport check -c conf/sallyport.cfg
# Which libraries the second stage needs is read from the program, so that no list can be wrong.
RUN objdump -p /out/usr/local/bin/sallyport | sed -n 's|^ *NEEDED *|*/|p' \
	| xargs dpkg-query -S | cut -d: -f1 | sort -u >/out/libraries


FROM debian:bookworm-slim
RUN groupadd --gid 65532 sallyport \
	&& useradd --uid 65532 --gid 65532 --no-log-init --no-create-home --home-dir /nonexistent \
		--shell /usr/sbin/nologin sallyport \
	&& install -d -m 0700 -o sallyport -g sallyport /run/sallyport /var/lib/sallyport \
	&& install -d /etc/sallyport \
	&& ln -s /usr/local/share/sallyport/conf/policy.d /etc/sallyport/policy.d
COPY --from=build /out/libraries /tmp/
# Hyperscan's package has its scanning half once more as a library by itself, which nothing here is linked with.
RUN export DEBIAN_FRONTEND=noninteractive \
	&& apt-get update -q \
	&& xargs apt-get install -y -q --no-install-recommends ca-certificates libcap2-bin </tmp/libraries \
	&& rm -rf /tmp/libraries /usr/lib/*/libhs_runtime.so* /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* \
		/var/log/apt /var/log/dpkg.log
COPY --from=build /out/usr/local/ /usr/local/
COPY --from=build /out/var/cache/sallyport/ /var/cache/sallyport/
COPY conf/container-entry /usr/local/bin/
# For the kernel leg of the egress guard, where an engine adds NET_ADMIN: permitted and not effective, so that
# the program starts without it as well.
RUN setcap cap_net_admin+p /usr/local/bin/sallyport && dpkg --purge libcap2-bin

# The control socket gets a folder of its own in there: a volume that belongs to somebody else, or
# a tmpfs that everybody may write to, will do as well.
ENV XDG_RUNTIME_DIR=/run/sallyport
# The vault of guarded sites: /var/lib/sallyport, which is to outlive the container.
ENV XDG_STATE_HOME=/var/lib
VOLUME ["/run/sallyport", "/var/lib/sallyport"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 CMD ["sallyport", "status"]
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/container-entry"]

# Last, since they change with every commit: what came before is taken from the cache.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sallyport" \
	org.opencontainers.image.description="A hardening proxy in front of web servers" \
	org.opencontainers.image.licenses="BSD-2-Clause" \
	org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim" \
	org.opencontainers.image.version="$VERSION" \
	org.opencontainers.image.revision="$REVISION" \
	org.opencontainers.image.created="$CREATED"
