{{- define "webservice-monitor.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* A StatefulSet's name has 52 characters at most, because its pods get a label of it and a hash: so much and -alert-log. */}}
{{- define "webservice-monitor.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 42 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 42 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 42 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "webservice-monitor.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* What never changes of a pod's labels, given (list root component): selectors cannot be edited later. */}}
{{- define "webservice-monitor.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "webservice-monitor.name" $root | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* All labels of a resource, given (list root component) or (list root component more): none twice, and selectors hold. */}}
{{- define "webservice-monitor.labels" -}}
{{- $root := index . 0 -}}
{{- $chart := printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- $labels := dict "app.kubernetes.io/managed-by" $root.Release.Service "helm.sh/chart" $chart -}}
{{- if $root.Values.releaseLabel }}{{ $labels = set $labels "release" $root.Release.Name }}{{ end -}}
{{- toYaml (merge (include "webservice-monitor.podLabels" . | fromYaml) $labels) -}}
{{- end -}}

{{/* The same for a pod: only those that change together with the image, so that a new chart alone starts no new pods. */}}
{{- define "webservice-monitor.podLabels" -}}
{{- $root := index . 0 -}}
{{- $more := dict -}}
{{- if gt (len .) 2 }}{{ $more = default (dict) (index . 2) }}{{ end -}}
{{- $labels := dict "app.kubernetes.io/version" $root.Chart.AppVersion "app.kubernetes.io/part-of" "webservice-monitor" -}}
{{- toYaml (merge (include "webservice-monitor.selectorLabels" . | fromYaml) $more $root.Values.commonLabels $labels) -}}
{{- end -}}

{{/* The metadata of a resource, given (dict root component and, where they differ, name namespace labels annotations). */}}
{{- define "webservice-monitor.metadata" -}}
name: {{ default (include "webservice-monitor.fullname" .root) .name }}
namespace: {{ default (include "webservice-monitor.namespace" .root) .namespace }}
labels:
  {{- include "webservice-monitor.labels" (list .root .component .labels) | nindent 2 }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "webservice-monitor.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "webservice-monitor.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "webservice-monitor.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- .Values.image.repository -}}
{{- if .Values.image.digest -}}
@{{ .Values.image.digest }}
{{- else -}}
:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The name that Prometheus and Alertmanager reach a Service by, given (list root name port). */}}
{{- define "webservice-monitor.address" -}}
{{- $root := index . 0 -}}
{{ index . 1 }}.{{ include "webservice-monitor.namespace" $root }}.svc:{{ index . 2 }}
{{- end -}}

{{- define "webservice-monitor.exporterAddress" -}}
{{- include "webservice-monitor.address" (list . (include "webservice-monitor.fullname" .) (.Values.service.port | int)) -}}
{{- end -}}

{{- define "webservice-monitor.alertLogAddress" -}}
{{- if eq .Values.mode "all-in-one" -}}
{{- include "webservice-monitor.exporterAddress" . -}}
{{- else -}}
{{- include "webservice-monitor.address" (list . (printf "%s-alert-log" (include "webservice-monitor.fullname" .)) (.Values.alertLog.service.port | int)) -}}
{{- end -}}
{{- end -}}

{{- define "webservice-monitor.targetsConfigMap" -}}
{{- default (printf "%s-targets" (include "webservice-monitor.fullname" .)) .Values.existingTargetsConfigMap -}}
{{- end -}}

{{/* The address for people: as given, or the first host that leads to the Service from outside. */}}
{{- define "webservice-monitor.externalUrl" -}}
{{- if .Values.externalUrl -}}
{{- .Values.externalUrl -}}
{{- else if and .Values.ingress.enabled .Values.ingress.hosts -}}
{{- ternary "https" "http" (not (empty .Values.ingress.tls)) }}://{{ (index .Values.ingress.hosts 0).host }}/
{{- else -}}
{{- $hosts := list -}}
{{- range .Values.route -}}
{{- if .enabled }}{{ $hosts = concat $hosts (default (list) .hostnames) }}{{ end -}}
{{- end -}}
{{- with $hosts }}https://{{ first . }}/{{ end -}}
{{- end -}}
{{- end -}}

{{- define "webservice-monitor.runbookBaseUrl" -}}
{{- $external := include "webservice-monitor.externalUrl" . -}}
{{- if .Values.runbookBaseUrl -}}
{{- trimSuffix "/" .Values.runbookBaseUrl -}}
{{- else if $external -}}
{{- trimSuffix "/" $external }}/runbooks
{{- else -}}
http://{{ include "webservice-monitor.exporterAddress" . }}/runbooks
{{- end -}}
{{- end -}}

{{/* Values that contradict each other. */}}
{{- define "webservice-monitor.check" -}}
{{- if eq .Values.mode "all-in-one" -}}
{{- if .Values.alertLog.enabled }}{{ fail "alertLog.enabled is for mode exporter: in mode all-in-one the monitor writes the alert log itself" }}{{ end -}}
{{- if or .Values.scrapeConfig.enabled .Values.probe.enabled .Values.clusterTargets.enabled .Values.serviceMonitor.enabled }}{{ fail "scrapeConfig, probe, clusterTargets and serviceMonitor.enabled are for mode exporter: in mode all-in-one the monitor probes the targets itself" }}{{ end -}}
{{- end -}}
{{- if and .Values.alertLog.alertmanagerConfig.enabled (not .Values.alertLog.enabled) }}{{ fail "alertLog.alertmanagerConfig needs alertLog.enabled" }}{{ end -}}
{{- end -}}
