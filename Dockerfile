# The image of webservice-monitor: the static program, the CA roots and the shipped configuration. No shell, no library.
#
#   docker build -t webservice-monitor:0.1.0 .
#   docker run --rm -p 127.0.0.1:9115:9115 webservice-monitor:0.1.0
#
# Without a command it runs all-in-one; `exporter`, `alert-log`, `check URL` and the others work as well. It needs BuildKit,
# which `docker build` is since Docker 23, or Buildah. For another processor it cross-compiles, so nothing is emulated:
#
#   docker buildx build --platform linux/amd64,linux/arm64 -t registry.example/webservice-monitor:0.1.0 --push .
#
# The stage `build-base` has what a build for the platform needs, `tools` makes what writes the list of dependencies, `build`
# the program, and `root` gathers the files.
FROM --platform=$BUILDPLATFORM rust:1.95-slim-trixie AS build-base
SHELL ["/bin/sh", "-eu", "-c"]
ARG TARGETARCH
# The variables are what cargo, and the build scripts of crates in C, read for a target; `make` is for jemalloc. The C library is
# linked in. The standard library of another target comes from rustup, unless the toolchain has it already.
# hadolint ignore=DL3008,SC2086
RUN case "$TARGETARCH" in \
        amd64) machine=x86_64 cross="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;; \
        arm64) machine=aarch64 cross="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;; \
        *) echo "no build for the processor $TARGETARCH" >&2; exit 1 ;; \
    esac; \
    if [ "$TARGETARCH" = "$(dpkg --print-architecture)" ]; then cross=""; fi; \
    apt-get update; \
    apt-get install -y --no-install-recommends ca-certificates make $cross; \
    rm -rf /var/lib/apt/lists/*; \
    target="$machine-unknown-linux-gnu"; \
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] || rustup target add "$target"; \
    printf 'export %s\n' \
        "CARGO_BUILD_TARGET=$target" \
        "RUSTFLAGS='-C target-feature=+crt-static -C linker=$machine-linux-gnu-gcc'" \
        "TARGET_CC=$machine-linux-gnu-gcc" \
        "TARGET_AR=$machine-linux-gnu-ar" >/etc/target
WORKDIR /src


# Built without optimisation: each runs once, for a second.
FROM --platform=$BUILDPLATFORM rust:1.95-slim-trixie AS tools
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug --locked --root /tools cargo-auditable@0.7.7 cargo-cyclonedx@0.5.9


FROM build-base AS build
COPY --from=tools /tools/bin/ /usr/local/bin/
COPY . .
ARG SOURCE_DATE_EPOCH=0
# Every crate that is built in, with version and licence, as CycloneDX.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    . /etc/target; \
    cargo cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps --target "$CARGO_BUILD_TARGET" --features jemalloc \
        --override-filename sbom.cdx; \
    mv sbom.cdx.json /
# The list of dependencies is embedded too (cargo-auditable), where scanners of images look for it. On arm64 the size of a page
# differs from kernel to kernel, and jemalloc has to know the largest.
#
# Cargo takes a file for unchanged by its time, and the cache may be of another tree with later times: hence the touch.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    . /etc/target; \
    find src crates -name '*.rs' -exec touch {} +; \
    if [ "$TARGETARCH" = arm64 ]; then export JEMALLOC_SYS_WITH_LG_PAGE=16; fi; \
    CARGO_PROFILE_DIST_STRIP=symbols cargo auditable build --locked --profile dist --features jemalloc; \
    cp "target/$CARGO_BUILD_TARGET/dist/webservice-monitor" /webservice-monitor


FROM build-base AS root
COPY config/modules.yml config/targets.yml /root-fs/etc/webservice-monitor/
COPY config/rules/ /root-fs/etc/webservice-monitor/rules/
COPY LICENSE /root-fs/usr/share/doc/webservice-monitor/
COPY --from=build /sbom.cdx.json /root-fs/usr/share/doc/webservice-monitor/
COPY --from=build /webservice-monitor /root-fs/bin/
ARG SOURCE_DATE_EPOCH=0
WORKDIR /root-fs
# One time for all files, so that the same source gives the same image.
RUN mkdir -p etc/ssl/certs var/lib /data-fs/var/lib/webservice-monitor; \
    cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/; \
    echo 'webservice-monitor:x:65532:65532:webservice-monitor:/var/lib/webservice-monitor:/sbin/nologin' >etc/passwd; \
    echo 'webservice-monitor:x:65532:' >etc/group; \
    echo 'hosts: files dns' >etc/nsswitch.conf; \
    chmod -R u=rwX,go=rX .; \
    find . /data-fs -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +


FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="webservice-monitor" \
      org.opencontainers.image.description="Health monitor for flaky web services: a Prometheus exporter and an all-in-one mode in one binary" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/webservice-monitor/webservice-monitor" \
      org.opencontainers.image.documentation="https://github.com/webservice-monitor/webservice-monitor/blob/main/docs/compose.md"
COPY --from=root /root-fs/ /
# The data folder belongs to the user that the program runs as, and a new volume takes that over.
COPY --from=root --chown=65532:65532 /data-fs/ /
ENV WEBSERVICE_MONITOR_WEB_LISTEN_ADDRESS=0.0.0.0:9115 \
    WEBSERVICE_MONITOR_TARGETS_FILE=/etc/webservice-monitor/targets.yml \
    WEBSERVICE_MONITOR_CONFIG_FILE=/etc/webservice-monitor/modules.yml \
    WEBSERVICE_MONITOR_RULES_FILE=/etc/webservice-monitor/rules/*.yml
# The defaults of what is written, `data` and `data/alerts.jsonl`, are relative to this.
WORKDIR /var/lib/webservice-monitor
USER 65532:65532
EXPOSE 9115
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD ["/bin/webservice-monitor", "healthcheck"]
ENTRYPOINT ["/bin/webservice-monitor"]
