{{/* What the pods of all workloads have in common. */}}
{{- define "webservice-monitor.podSpec" -}}
serviceAccountName: {{ include "webservice-monitor.serviceAccountName" . }}
automountServiceAccountToken: {{ .Values.automountServiceAccountToken }}
# Nothing reads the environment variables that name other Services, and there can be thousands of them.
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- $secrets := .Values.imagePullSecrets }}
{{- range .Values.image.pullSecrets }}
{{- $secrets = append $secrets (dict "name" .) }}
{{- end }}
{{- with $secrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- end -}}

{{/*
The metadata of a pod, given (list root component). There is no checksum of the configuration: the program reads edited files by
itself.
*/}}
{{- define "webservice-monitor.podMetadata" -}}
{{- $values := (index . 0).Values -}}
labels:
  {{- include "webservice-monitor.podLabels" (append . $values.pod.labels) | nindent 2 }}
{{- with $values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The pod of the monitor, in either mode. */}}
{{- define "webservice-monitor.pod" -}}
{{- $allInOne := eq .Values.mode "all-in-one" -}}
metadata:
  {{- include "webservice-monitor.podMetadata" (list . .Values.mode) | nindent 2 }}
spec:
  {{- include "webservice-monitor.podSpec" . | nindent 2 }}
  {{- with .Values.extraInitContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: webservice-monitor
      image: {{ include "webservice-monitor.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - {{ ternary "run" "exporter" $allInOne }}
        - --web.listen-address={{ .Values.listenHost }}:{{ .Values.containerPort }}
        # Not the pod's own name, which is the default and no address.
        - --web.external-url={{ default (printf "http://%s" (include "webservice-monitor.exporterAddress" .)) (include "webservice-monitor.externalUrl" .) }}
        - --config.file=/etc/webservice-monitor/modules.yml
        - --targets.file=/etc/webservice-monitor/targets.yml
        {{- if $allInOne }}
        - --rules.file=/etc/webservice-monitor/rules/*.yml
        - --scrape.interval={{ .Values.scrape.interval }}
        - --scrape.timeout={{ .Values.scrape.timeout }}
        - --storage.path=/var/lib/webservice-monitor/store
        - --storage.retention.time={{ .Values.storage.retention.time }}
        - --storage.retention.size={{ .Values.storage.retention.size }}
        - --alert-log.path={{ ternary "-" "/var/lib/webservice-monitor/alerts.jsonl" (eq .Values.alertLog.destination "stdout") }}
        {{- if and .Values.alertLog.stdout (ne .Values.alertLog.destination "stdout") }}
        - --alert-log.stdout
        {{- end }}
        - --alert-log.format={{ .Values.alertLog.format }}
        {{- end }}
        - --log.level={{ .Values.log.level }}
        - --log.format={{ .Values.log.format }}
        - --log.prober={{ .Values.log.prober }}
        {{- range .Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      {{- with .Values.extraEnv }}
      env:
        {{- range $name, $value := . }}
        - name: {{ $name }}
          {{- if kindIs "map" $value }}
          {{- toYaml $value | nindent 10 }}
          {{- else }}
          value: {{ $value | quote }}
          {{- end }}
        {{- end }}
      {{- end }}
      {{- if or .Values.extraEnvFrom .Values.extraEnvFromSecret }}
      envFrom:
        {{- with .Values.extraEnvFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- with .Values.extraEnvFromSecret }}
        - secretRef:
            name: {{ . }}
        {{- end }}
      {{- end }}
      ports:
        - name: http
          containerPort: {{ .Values.containerPort }}
          protocol: TCP
      {{- range $probe := list "startupProbe" "livenessProbe" "readinessProbe" }}
      {{- with index $.Values $probe }}
      {{ $probe }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        # The whole directory: a single file mounted by subPath would never see an edit.
        - name: config
          mountPath: /etc/webservice-monitor
          readOnly: true
        {{- if $allInOne }}
        - name: data
          mountPath: /var/lib/webservice-monitor
        {{- end }}
        {{- range .Values.extraConfigmapMounts }}
        - name: {{ .name }}
          mountPath: {{ .mountPath }}
          {{- with .subPath }}
          subPath: {{ . }}
          {{- end }}
          readOnly: {{ dig "readOnly" true . }}
        {{- end }}
        {{- range .Values.extraSecretMounts }}
        - name: {{ .name }}
          mountPath: {{ .mountPath }}
          {{- with .subPath }}
          subPath: {{ . }}
          {{- end }}
          readOnly: {{ dig "readOnly" true . }}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: config
      projected:
        sources:
          - configMap:
              name: {{ include "webservice-monitor.targetsConfigMap" . }}
              items:
                - key: targets.yml
                  path: targets.yml
          {{- if .Values.secretConfig }}
          - secret:
              name: {{ include "webservice-monitor.fullname" . }}-modules
              items:
                - key: modules.yml
                  path: modules.yml
          {{- else if .Values.configExistingSecretName }}
          - secret:
              name: {{ .Values.configExistingSecretName }}
              items:
                - key: {{ .Values.configExistingSecretKey }}
                  path: modules.yml
          {{- else }}
          - configMap:
              name: {{ include "webservice-monitor.fullname" . }}-modules
              items:
                - key: modules.yml
                  path: modules.yml
          {{- end }}
          {{- if $allInOne }}
          - configMap:
              name: {{ include "webservice-monitor.fullname" . }}-rules
              items:
                - key: rules.yml
                  path: rules/rules.yml
          {{- end }}
    {{- if and $allInOne .Values.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim }}
    {{- else if and $allInOne (not .Values.persistence.enabled) }}
    - name: data
      emptyDir:
        sizeLimit: {{ .Values.persistence.size }}
    {{- end }}
    {{- range .Values.extraConfigmapMounts }}
    - name: {{ .name }}
      configMap:
        name: {{ .configMap }}
        {{- with .defaultMode }}
        defaultMode: {{ . }}
        {{- end }}
    {{- end }}
    {{- range .Values.extraSecretMounts }}
    - name: {{ .name }}
      secret:
        secretName: {{ .secretName }}
        {{- with .defaultMode }}
        defaultMode: {{ . }}
        {{- end }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* A claim of a StatefulSet, given (dict root persistence name component). */}}
{{- define "webservice-monitor.claim" -}}
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata:
    name: {{ .name }}
    # The fewest labels: a claim's template cannot be edited later.
    labels:
      {{- include "webservice-monitor.selectorLabels" (list .root .component) | nindent 6 }}
    {{- with .persistence.annotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    accessModes:
      {{- toYaml .persistence.accessModes | nindent 6 }}
    {{- with .persistence.storageClass }}
    storageClassName: {{ ternary "" . (eq . "-") | quote }}
    {{- end }}
    resources:
      requests:
        storage: {{ .persistence.size }}
{{- end -}}
