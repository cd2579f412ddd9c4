# Stands in for the image rust, where that cannot be pulled: Debian, the compiler packages that rust:*-slim has, and the Rust
# toolchain of this machine, at the paths of the real image. `scripts/test-compose` prepares the context.
FROM debian:trixie-slim
# What lets containers reach the registries as this machine does.
COPY certificates/ /usr/local/share/ca-certificates/
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends ca-certificates gcc libc6-dev wget \
    && rm -rf /var/lib/apt/lists/*
COPY cargo/ /usr/local/cargo/
COPY toolchain/ /usr/local/rustup/toolchains/local/
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo
ENV PATH=/usr/local/cargo/bin:/usr/local/rustup/toolchains/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
