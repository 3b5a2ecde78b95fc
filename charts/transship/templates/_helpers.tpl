{{/* The name of the release's objects: the release's own name if it already says transship. */}}
{{- define "transship.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods; it never changes between versions. */}}
{{- define "transship.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "transship.labels" -}}
{{ include "transship.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "transship.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "transship.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* The controller as the subject of a binding. */}}
{{- define "transship.subjects" -}}
- kind: ServiceAccount
  name: {{ include "transship.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- define "transship.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Namespaces whose Secrets the controller may read, as JSON. */}}
{{- define "transship.secretNamespaces" -}}
{{- .Values.secretNamespaces | default (list .Release.Namespace) | uniq | toJson -}}
{{- end -}}
