# Stands in for prom/alertmanager, where that cannot be pulled: Debian's programs at the paths of the real image, with its user.
FROM debian:trixie-slim
COPY bin/prometheus-alertmanager /bin/alertmanager
COPY bin/amtool /bin/
# Debian's program reads these, where upstream's has them built in.
COPY share/prometheus/alertmanager/ /usr/share/prometheus/alertmanager/
RUN mkdir /alertmanager && chown 65534:65534 /alertmanager
USER 65534:65534
EXPOSE 9093
VOLUME ["/alertmanager"]
WORKDIR /alertmanager
ENTRYPOINT ["/bin/alertmanager"]
CMD ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"]
