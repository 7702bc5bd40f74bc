{{- define "curfew.labels" -}}
app.kubernetes.io/name: curfew
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "curfew.selector" -}}
app.kubernetes.io/name: curfew
app.kubernetes.io/component: operator
{{- end }}

{{- /* Who the API server takes the operator, the sweeper and the monitor for. */}}
{{- define "curfew.operator" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ .Values.serviceAccount.name }}
{{- end }}

{{- define "curfew.sweeper" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ .Values.sweeper.serviceAccount.name }}
{{- end }}

{{- /* Who ends all grants before the release goes. */}}
{{- define "curfew.uninstaller" -}}
system:serviceaccount:{{ .Release.Namespace }}:curfew-uninstall
{{- end }}

{{- define "curfew.monitor" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ .Values.monitor.serviceAccount.name }}
{{- end }}

{{- define "curfew.monitorSelector" -}}
app.kubernetes.io/name: curfew
app.kubernetes.io/component: monitor
{{- end }}

{{- /* The settings of the operator: the values, and what the chart alone knows. */}}
{{- define "curfew.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $known := dict "enforcement" (dict "namespace" .Release.Namespace "serviceAccount" "curfew-probe") }}
{{- if $config.audit.signer }}
{{- $_ := unset $config.audit "keyFile" }}
{{- end }}
{{- if .Values.signingKey.previousSecret }}
{{- $_ := set $known "audit" (dict "previousKeyFile" "/etc/curfew/previous-key/key.pem") }}
{{- end }}
{{- if .Values.audit.credentialsSecret }}
{{- $_ := set $config.audit "credentialsFolder" "/etc/curfew/credentials" }}
{{- end }}
{{- if .Values.audit.forwardSecret }}
{{- if not (dig "audit" "forward" "url" "" $config) }}
{{- fail "audit.forwardSecret holds headers for a collector: set the collector's address in config.audit.forward.url" }}
{{- end }}
{{- $_ := set $config.audit.forward "headersFile" "/etc/curfew/forward/headers" }}
{{- end }}
{{- toYaml (mustMergeOverwrite $config $known) }}
{{- end }}

{{- /* The settings of the monitor. Its log is kept as the trail is, unless the values say otherwise. */}}
{{- define "curfew.monitorConfig" -}}
{{- $trail := .Values.config.audit }}
{{- $config := deepCopy .Values.monitor.config }}
{{- $audit := pick $trail "url" "worm" "retention" "keepFor" "attestEvery" "heartbeat" "people" | deepCopy }}
{{- $_ := set $audit "log" (printf "%s-activity" $trail.log) }}
{{- $audit = mustMergeOverwrite $audit ($config.audit | default dict) (dict "keyFile" "/etc/curfew/key/key.pem") }}
{{- if .Values.monitor.signingKey.previousSecret }}
{{- $_ := set $audit "previousKeyFile" "/etc/curfew/previous-key/key.pem" }}
{{- end }}
{{- if .Values.monitor.credentialsSecret }}
{{- $_ := set $audit "credentialsFolder" "/etc/curfew/credentials" }}
{{- end }}
{{- $webhook := dict "host" "0.0.0.0" "port" 8443 "certFile" "/etc/curfew/tls/tls.crt" "keyFile" "/etc/curfew/tls/tls.key" }}
{{- if .Values.monitor.webhook.clientCaConfigMap }}
{{- $_ := set $webhook "clientCaFile" "/etc/curfew/client-ca/ca.crt" }}
{{- else }}
{{- $_ := set $webhook "tokenFile" "/etc/curfew/token/token" }}
{{- end }}
{{- if include "curfew.monitorTakesLines" . }}
{{- $_ := set $webhook "linesTokenFile" "/etc/curfew/lines-token/token" }}
{{- end }}
{{- $known := dict "trail" (dict "url" $trail.url "log" $trail.log) "audit" $audit "limits" .Values.config.limits }}
{{- $_ := set $known "intake" (dict "webhook" $webhook) }}
{{- $_ := set $known "coverage" (dict "namespace" .Release.Namespace) }}
{{- if .Values.monitor.notifications.secret }}
{{- $_ := set $known "notifications" (dict "routes" "/etc/curfew/notifications/routes.yaml") }}
{{- end }}
{{- $_ := set $known "server" .Values.config.server }}
{{- toYaml (mustMergeOverwrite $config (deepCopy $known)) }}
{{- end }}

{{- define "curfew.monitorKeySecret" -}}
{{ .Values.monitor.signingKey.existingSecret | default "curfew-monitor-signing-key" }}
{{- end }}

{{- define "curfew.monitorTlsSecret" -}}
{{ .Values.monitor.webhook.tlsSecret | default "curfew-monitor-tls" }}
{{- end }}

{{- define "curfew.monitorTokenSecret" -}}
{{ .Values.monitor.webhook.tokenSecret | default "curfew-monitor-token" }}
{{- end }}

{{- /* Whether lines of other systems are taken: only then there is a token for them. */}}
{{- define "curfew.monitorTakesLines" -}}
{{ if dig "intake" "mappings" list .Values.monitor.config }}true{{ end }}
{{- end }}

{{- define "curfew.monitorLinesTokenSecret" -}}
{{ .Values.monitor.webhook.linesTokenSecret | default "curfew-monitor-lines-token" }}
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

{{- /* "true" if the trail is a folder of the pod, which no other pod sees. */}}
{{- define "curfew.trailInPod" -}}
{{ if hasPrefix "file://" .Values.config.audit.url }}true{{ end }}
{{- end }}

{{- /* How many operators. Values of an older chart do not have the number. */}}
{{- define "curfew.replicas" -}}
{{ get .Values "replicas" | default (ternary 1 2 (eq (include "curfew.trailInPod" .) "true")) }}
{{- end }}

{{- /* "true" if what is installed is of a chart with one operator, which knew no Lease. Without a cluster to ask, it is not. */}}
{{- define "curfew.ranAlone" -}}
{{- $deployment := lookup "apps/v1" "Deployment" .Release.Namespace "curfew" }}
{{- if and $deployment (not (lookup "rbac.authorization.k8s.io/v1" "Role" .Release.Namespace "curfew-lease")) -}}
true
{{- end }}
{{- end }}

{{- define "curfew.podSecurity" -}}
runAsNonRoot: true
{{- /* Not there at all: the values of an older chart. A key that is not there was set to null. */}}
{{- $asked := dict "runAsUser" 65532 "runAsGroup" 65532 "fsGroup" 65532 }}
{{- if hasKey .Values "podSecurityContext" }}
{{- $asked = .Values.podSecurityContext | default dict }}
{{- end }}
{{- range $key := list "runAsUser" "runAsGroup" "fsGroup" }}
{{- with get $asked $key }}
{{ $key }}: {{ int64 . }}
{{- end }}
{{- end }}
{{- with $asked.supplementalGroups }}
supplementalGroups:
{{- range . }}
- {{ int64 . }}
{{- end }}
{{- end }}
{{- range $key := list "fsGroupChangePolicy" "seLinuxOptions" "appArmorProfile" }}
{{- with get $asked $key }}
{{ $key }}: {{ toJson . }}
{{- end }}
{{- end }}
seccompProfile: {{ $asked.seccompProfile | default (dict "type" "RuntimeDefault") | toJson }}
{{- end }}

{{- /* Labels and annotations of a pod: its component, and what the values add (labels, annotations) or change (checksum). */}}
{{- define "curfew.podMetadata" -}}
{{- $own := dict "app.kubernetes.io/component" .component -}}
labels: {{- mergeOverwrite (include "curfew.labels" .root | fromYaml) (.labels | default dict) $own | toYaml | nindent 2 }}
{{- if or .checksum .annotations }}
annotations:
  {{- with .checksum }}
  # Settings are read at start.
  checksum/config: {{ . }}
  {{- end }}
  {{- with .annotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* What the pods have in common. Takes the root and the name of the service account. */}}
{{- define "curfew.podSpec" -}}
serviceAccountName: {{ .account | quote }}
automountServiceAccountToken: true
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 0 }}
{{- end }}
priorityClassName: {{ .root.Values.priorityClassName | default "curfew" | quote }}
{{- if include "curfew.ownUsers" .root }}
hostUsers: false
{{- end }}
securityContext: {{- include "curfew.podSecurity" .root | nindent 2 }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with get $.root.Values $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- /* "true" if pods have users of their own. An older API server would drop the field without a word. */}}
{{- define "curfew.ownUsers" -}}
{{- if eq (toString (get .Values "hostUsers")) "false" }}
{{- if semverCompare "<1.33.0-0" .Capabilities.KubeVersion.Version }}
{{- fail (printf "hostUsers is false, but Kubernetes %s does not know it: 1.33 and later do. Leave it out." .Capabilities.KubeVersion.Version) }}
{{- end -}}
true
{{- end }}
{{- end }}

{{- /* What the values add to the container of a Job: workload is their section, at the path `where`. */}}
{{- define "curfew.jobContainer" -}}
resources: {{- toYaml (.workload.resources | default dict) | nindent 2 }}
{{- with include "curfew.extraEnv" (dict "where" .where "own" list "more" .workload.extraEnv) }}
env: {{- . | nindent 0 }}
{{- end }}
{{- with include "curfew.extraVolumeMounts" (dict "where" .where "more" .workload.extraVolumeMounts) }}
volumeMounts: {{- . | nindent 0 }}
{{- end }}
{{- end }}

{{- /* "true" if a Job ends all grants before the release goes. Rendered without a cluster, it could be applied as it is. */}}
{{- define "curfew.endsGrants" -}}
{{- $wanted := toString ((.Values.uninstall | default dict).endGrants | default "auto") }}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") (lookup "v1" "Namespace" "" "kube-system")) }}true{{ end }}
{{- end }}

{{- define "curfew.beforeUninstall" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- define "curfew.whenTested" -}}
helm.sh/hook: test
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- /* The pod of a hook, which runs a command of Curfew as the hook's own account. */}}
{{- define "curfew.hookPod" -}}
{{- $hooks := .root.Values.hooks | default dict }}
{{- $about := dict "root" .root "component" .component "labels" $hooks.podLabels "annotations" $hooks.podAnnotations -}}
metadata: {{- include "curfew.podMetadata" $about | nindent 2 }}
spec:
  {{- include "curfew.podSpec" (dict "root" .root "account" (printf "curfew-%s" .component)) | nindent 2 }}
  restartPolicy: Never
  containers:
  - name: {{ .component }}
    image: {{ include "curfew.image" .root | quote }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    command: {{ concat (list "curfew") .command | toJson }}
    securityContext: {{- include "curfew.containerSecurity" .root | nindent 6 }}
    {{- include "curfew.jobContainer" (dict "where" "hooks." "workload" $hooks) | nindent 4 }}
  {{- with include "curfew.extraVolumes" (dict "where" "hooks." "more" $hooks.extraVolumes) }}
  volumes: {{- . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* The certificates of a private authority, in a volume of the pod. */}}
{{- define "curfew.trustVolume" -}}
{{- $items := list (dict "key" .Values.audit.ca.key "path" "ca.crt") }}
{{- $named := dict "configMap" (dict "name" .Values.audit.ca.name "items" $items) }}
{{- if eq .Values.audit.ca.kind "Secret" }}
{{- $named = dict "secret" (dict "secretName" .Values.audit.ca.name "items" $items) }}
{{- end }}
{{- toYaml (list (merge (dict "name" "ca") $named)) }}
{{- end }}

{{- /* The container's variables for it: for the bucket, the collector and, by the last one, the library of a key service. */}}
{{- define "curfew.trustVariables" -}}
{{- if (.Values.audit.ca | default dict).name }}
- {name: SSL_CERT_FILE, value: /etc/curfew/ca/ca.crt}
- {name: REQUESTS_CA_BUNDLE, value: /etc/curfew/ca/ca.crt}
{{- end }}
{{- end }}

{{- define "curfew.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* "true" if a namespace is there. Without a cluster to ask, each is. */}}
{{- define "curfew.isPresent" -}}
{{- $found := lookup "v1" "Namespace" "" . }}
{{- if or (not (lookup "v1" "Namespace" "" "kube-system")) (and $found (ne (dig "status" "phase" "" $found) "Terminating")) -}}
true
{{- end }}
{{- end }}

{{- /* The namespaces of the values that are there, as a JSON list. */}}
{{- define "curfew.presentNamespaces" -}}
{{- $names := list }}
{{- range .Values.namespaces }}
{{- if include "curfew.isPresent" .name }}
{{- $names = append $names .name }}
{{- end }}
{{- end }}
{{- toJson $names }}
{{- end }}

{{- /* All namespaces of the values, as a JSON list. */}}
{{- define "curfew.namespaceNames" -}}
{{- $names := list }}
{{- range .Values.namespaces }}
{{- $names = append $names .name }}
{{- end }}
{{- toJson $names }}
{{- end }}

{{- /* The Roles that may be granted, as a JSON list of NAMESPACE/NAME. */}}
{{- define "curfew.namespacedRoles" -}}
{{- $named := list }}
{{- range $namespace := .Values.namespaces }}
{{- range $namespace.roles }}
{{- $named = append $named (printf "%s/%s" $namespace.name .) }}
{{- end }}
{{- end }}
{{- toJson $named }}
{{- end }}

{{- /* Values that mean more than they say are refused, before anything is installed. */}}
{{- define "curfew.refuseConfusion" -}}
{{- $accounts := list .Values.serviceAccount.name .Values.sweeper.serviceAccount.name .Values.monitor.serviceAccount.name "curfew-probe" "curfew-uninstall" "curfew-test" "default" }}
{{- if ne (len $accounts) (len (uniq $accounts)) }}
{{- fail "serviceAccount.name, sweeper.serviceAccount.name and monitor.serviceAccount.name must differ from each other, from curfew-probe, curfew-uninstall, curfew-test and default: each account must have only its own rights." }}
{{- end }}
{{- range .Values.namespaces }}
{{- if eq .name $.Release.Namespace }}
{{- fail (printf "namespaces must not contain %s: Curfew is installed there, and nothing can be granted there." .name) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Labels and annotations that mean something to Helm or to Curfew: a role could be added to others, a binding look like a grant. */}}
{{- define "curfew.refuseMeaning" -}}
{{- $theirs := dict "commonLabels" .Values.commonLabels }}
{{- range $section, $workload := dict "" .Values "sweeper." .Values.sweeper "monitor." .Values.monitor "hooks." (.Values.hooks | default dict) }}
{{- range $field := list "podLabels" "podAnnotations" "jobAnnotations" "deploymentAnnotations" }}
{{- $_ := set $theirs (print $section $field) (get $workload $field) }}
{{- end }}
{{- $_ := set $theirs (print $section "serviceAccount.annotations") ((get $workload "serviceAccount" | default dict).annotations) }}
{{- end }}
{{- range $object, $about := .Values.monitoring | default dict }}
{{- $_ := set $theirs (printf "monitoring.%s.labels" $object) (get $about "labels") }}
{{- end }}
{{- range $where, $marks := $theirs }}
{{- range $key, $_ := $marks | default dict }}
{{- $isMeant := regexMatch "^(app[.]kubernetes[.]io|(meta[.])?helm[.]sh|curfew[.]dev)/|^checksum/config$" $key }}
{{- if or $isMeant (and (eq $where "commonLabels") (regexMatch "(^|[.])(kubernetes|k8s)[.]io/" $key)) }}
{{- fail (printf "%s must not have the key %s: the chart, Helm, Kubernetes or Curfew gives it a meaning." $where $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Variables of the values, beside those that the chart sets (own). `where` is the path of their section. */}}
{{- define "curfew.extraEnv" -}}
{{- range .more }}
{{- if has .name $.own }}
{{- fail (printf "%sextraEnv must not set %s: the chart does (a private authority is named in audit.ca)." $.where .name) }}
{{- end }}
{{- end }}
{{- with .more }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- /* Volumes of the values, beside those of the chart (own, as YAML). */}}
{{- define "curfew.extraVolumes" -}}
{{- $names := list }}
{{- range .own | default "[]" | fromYamlArray }}
{{- $names = append $names .name }}
{{- end }}
{{- range .more }}
{{- if has .name $names }}
{{- fail (printf "%sextraVolumes must not have the name %s: the chart's own volumes are %s." $.where .name (join ", " $names)) }}
{{- end }}
{{- end }}
{{- with .more }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- /* Mounts of the values, which must hide none of the chart's (own, as YAML). */}}
{{- define "curfew.extraVolumeMounts" -}}
{{- $paths := list "/var/run/secrets/kubernetes.io/serviceaccount" "/run/secrets/kubernetes.io/serviceaccount" }}
{{- range .own | default "[]" | fromYamlArray }}
{{- $paths = append $paths (clean .mountPath) }}
{{- end }}
{{- range $mount := .more }}
{{- $path := clean $mount.mountPath }}
{{- range $own := $paths }}
{{- if or (eq $path "/") (eq $path $own) (hasPrefix (printf "%s/" $path) $own) (hasPrefix (printf "%s/" $own) $path) }}
{{- fail (printf "%sextraVolumeMounts must not have the path %s: it would hide what is at %s. Choose another, such as /etc/curfew/extra/%s." $.where $mount.mountPath $own $mount.name) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .more }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- /* A monitor that could read nothing, or would write over the trail. */}}
{{- define "curfew.refuseBlindMonitor" -}}
{{- if hasPrefix "file://" .Values.config.audit.url }}
{{- fail (printf "monitor.enabled is true, and config.audit.url is %s: the monitor cannot read a folder of another pod. Set a bucket (--set config.audit.url=s3://BUCKET/PREFIX)." .Values.config.audit.url) }}
{{- end }}
{{- if hasPrefix "file://" (dig "audit" "url" "" .Values.monitor.config) }}
{{- fail "monitor.config.audit.url is a folder, which goes with the pod: set a bucket, or leave it out to write beside the trail." }}
{{- end }}
{{- end }}

{{- /* What can never be sufficient is refused here, where somebody reads it; what depends on the bucket, by the operator. */}}
{{- define "curfew.refuseWeakerThanAsked" -}}
{{- if and (eq .Values.config.audit.worm "required") (hasPrefix "file://" .Values.config.audit.url) }}
{{- fail (printf "config.audit.worm is required, and config.audit.url is %s: a folder is never write-once, so nothing would ever be granted. Set a bucket with Object Lock (--set config.audit.url=s3://BUCKET/PREFIX), or, for a trial, accept the folder (--set config.audit.worm=advisory)." .Values.config.audit.url) }}
{{- end }}
{{- end }}

{{- /* Operators that do not see each other's trail would each write their own. */}}
{{- define "curfew.refuseSeparateTrails" -}}
{{- if and (include "curfew.trailInPod" .) (gt (include "curfew.replicas" . | int) 1) }}
{{- fail (printf "replicas is %s, and config.audit.url is %s, a folder of each pod: each operator would write a trail of its own. For a trial, run one (--set replicas=1); otherwise set a bucket (--set config.audit.url=s3://BUCKET/PREFIX)." (include "curfew.replicas" .) .Values.config.audit.url) }}
{{- end }}
{{- end }}
