# Stands in for prom/prometheus, where that cannot be pulled: Debian's programs at the paths of the real image, with its user.
FROM debian:trixie-slim
COPY bin/prometheus bin/promtool /bin/
RUN mkdir /prometheus && chown 65534:65534 /prometheus
USER 65534:65534
EXPOSE 9090
VOLUME ["/prometheus"]
WORKDIR /prometheus
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
