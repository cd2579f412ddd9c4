# Stands in for victoriametrics/victoria-metrics, where that cannot be pulled: Debian's program, and the wget that the real image,
# which is made from Alpine, has from busybox.
FROM debian:trixie-slim
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends wget libzstd1 \
    && rm -rf /var/lib/apt/lists/*
COPY bin/victoria-metrics /victoria-metrics-prod
EXPOSE 8428
ENTRYPOINT ["/victoria-metrics-prod"]
