{{/*
The shipped rules, with links that lead somewhere in this cluster, and those of prometheusRule.rules.

The files are taken as text and never run through `tpl`: what is in braces there is for Prometheus.
*/}}
{{- define "webservice-monitor.ruleGroups" -}}
{{- $values := .Values -}}
{{- $runbooks := include "webservice-monitor.runbookBaseUrl" . -}}
{{- $extraLabels := $values.prometheusRule.additionalRuleLabels -}}
{{- if and $values.alertLog.alertmanagerConfig.enabled $values.alertLog.alertmanagerConfig.matchNamespace -}}
{{- /* The operator limits an AlertmanagerConfig to alerts with the label of its namespace. */ -}}
{{- $extraLabels = merge (dict "namespace" (include "webservice-monitor.namespace" .)) $extraLabels -}}
{{- end -}}
{{- $groups := list -}}
{{- range $path, $_ := .Files.Glob "files/rules/*.yml" -}}
{{- $text := $.Files.Get $path -}}
{{- $text = $text | replace "{{ $externalLabels.monitor_url }}/runbooks" $runbooks -}}
{{- $text = $text | replace "{{ $externalLabels.monitor_url }}" (trimSuffix "/runbooks" $runbooks) -}}
{{- with $values.dashboardBaseUrl -}}
{{- $text = $text | replace "{{ $externalLabels.dashboard_url }}" (trimSuffix "/" .) -}}
{{- end -}}
{{- $parsed := fromYaml $text -}}
{{- with $parsed.Error }}{{ fail (printf "%s: %s" $path .) }}{{ end -}}
{{- range $parsed.groups -}}
{{- $rules := list -}}
{{- range .rules -}}
{{- if not .alert -}}
{{- $rules = append $rules . -}}
{{- else if not (has .alert $values.prometheusRule.disabled) -}}
{{- $rule := . -}}
{{- if not $values.dashboardBaseUrl -}}
{{- $rule = set $rule "annotations" (omit $rule.annotations "dashboard_url") -}}
{{- end -}}
{{- with $extraLabels -}}
{{- $rule = set $rule "labels" (merge (dict) . (default (dict) $rule.labels)) -}}
{{- end -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- if $rules -}}
{{- $groups = append $groups (set . "rules" $rules) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $values.prometheusRule.rules -}}
{{- $groups = append $groups (dict "name" (include "webservice-monitor.fullname" $) "rules" .) -}}
{{- end -}}
{{ toYaml (dict "groups" $groups) }}
{{- end -}}

{{/* Relabelling in the notation of the operator, from that of Prometheus, given (list root relabel_configs): asks our exporter. */}}
{{- define "webservice-monitor.relabelings" -}}
{{- $names := dict "source_labels" "sourceLabels" "target_label" "targetLabel" -}}
{{- $result := list -}}
{{- range index . 1 -}}
{{- $rule := dict -}}
{{- range $key, $value := . -}}
{{- $rule = set $rule (default $key (get $names $key)) $value -}}
{{- end -}}
{{- if eq (toString $rule.targetLabel) "__address__" -}}
{{- $rule = set $rule "replacement" (include "webservice-monitor.exporterAddress" (index $ 0)) -}}
{{- end -}}
{{- $result = append $result $rule -}}
{{- end -}}
{{ toYaml $result }}
{{- end -}}

{{- define "webservice-monitor.proberLabel" -}}
- targetLabel: prober
  replacement: {{ .Values.prober | quote }}
{{- end -}}
