{{- define "curfew.labels" -}}
app.kubernetes.io/name: curfew
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "curfew.selector" -}}
app.kubernetes.io/name: curfew
app.kubernetes.io/component: operator
{{- end }}

{{- /* Who the API server takes the operator and the sweeper for. */}}
{{- define "curfew.operator" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ .Values.serviceAccount.name }}
{{- end }}

{{- define "curfew.sweeper" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ .Values.sweeper.serviceAccount.name }}
{{- end }}

{{- /* The settings: the values, and what the chart alone knows. */}}
{{- define "curfew.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $known := dict "enforcement" (dict "namespace" .Release.Namespace "serviceAccount" "curfew-probe") }}
{{- if $config.audit.signer }}
{{- $_ := unset $config.audit "keyFile" }}
{{- end }}
{{- if .Values.signingKey.previousSecret }}
{{- $_ := set $known "audit" (dict "previousKeyFile" "/etc/curfew/previous-key/key.pem") }}
{{- end }}
{{- if .Values.audit.forwardSecret }}
{{- if not (dig "audit" "forward" "url" "" $config) }}
{{- fail "audit.forwardSecret holds headers for a collector: name it with config.audit.forward.url" }}
{{- end }}
{{- $_ := set $config.audit.forward "headersFile" "/etc/curfew/forward/headers" }}
{{- end }}
{{- toYaml (mustMergeOverwrite $config $known) }}
{{- end }}

{{- define "curfew.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "curfew.keySecret" -}}
{{ .Values.signingKey.existingSecret | default "curfew-signing-key" }}
{{- end }}

{{- /* Whether the API server can fill in who asks, and is to. */}}
{{- define "curfew.stamps" -}}
{{- $wanted := toString .Values.stampIdentity }}
{{- $possible := .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" }}
{{- if and (eq $wanted "true") (not $possible) }}
{{- fail "stampIdentity is true, but this API server does not serve MutatingAdmissionPolicy v1 (Kubernetes 1.36 and later); set it to auto" }}
{{- end }}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") $possible) }}true{{ end }}
{{- end }}

{{- /* The binding that puts an admission policy into force everywhere. Takes the policy's name. */}}
{{- define "curfew.enforce" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels: {{- include "curfew.labels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny, Audit]
{{- end }}

{{- define "curfew.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "curfew.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* What can never be sufficient is refused here, where somebody reads it; what depends on the bucket, by the operator. */}}
{{- define "curfew.refuseWeakerThanAsked" -}}
{{- if and (eq .Values.config.audit.worm "required") (hasPrefix "file://" .Values.config.audit.url) }}
{{- fail (printf "config.audit.worm is required, and config.audit.url is %s: a folder is never write-once, so nothing would ever be granted. Name a bucket with Object Lock (--set config.audit.url=s3://BUCKET/PREFIX), or, to look around, accept it by name (--set config.audit.worm=advisory)." .Values.config.audit.url) }}
{{- end }}
{{- end }}
