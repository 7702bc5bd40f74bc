"""The table of risks: what each verb on each resource lets the holder of a role do, and which effects outlive the grant.

A row is about resources of one API group. For each group in the table, the rows name all resources that Kubernetes serves
there. Other resources are `Unrecognised`. A test compares the table with everything that a real API server discovers.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

VERSION: Final = 3
"""Increased with every change of the table. A policy's status names the version that its role was judged by."""


class Lasts(StrEnum):
    """What remains from a use of the role after the grant has ended."""

    EFFECTS = "effects"  # what was read, opened or changed remains
    ACCESS = "access"  # new access can be made and remains: `spec.allowPermanence` is needed


@dataclass(frozen=True, slots=True)
class Row:
    """Verbs on resources of a group. Without a word they are harmless.

    A name that ends in `*` matches all names that begin with the part before the `*`.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    word: str = ""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a word: what remains after the grant, and in a sentence why it is a risk."""

    lasts: Lasts
    why: str


WILDCARD: Final = "Wildcard"
UNRECOGNISED: Final = "Unrecognised"
TOO_LARGE: Final = "TooLarge"

MEANINGS: Final[dict[str, Meaning]] = {
    "AnswersAlerts": Meaning(Lasts.EFFECTS, "the holder can resolve alerts, and silence them for weeks"),
    "Binds": Meaning(Lasts.ACCESS, "the holder can bind a role that they do not hold"),
    "ChangesNamespaces": Meaning(Lasts.EFFECTS, "the labels of a namespace decide which security rules hold in it"),
    "ChangesSettings": Meaning(
        Lasts.EFFECTS, "workloads take settings and scripts from ConfigMaps, with their own rights"
    ),
    "ChangesTraffic": Meaning(Lasts.EFFECTS, "traffic can be redirected or let through, and that stays after the end"),
    "ConfiguresAdmission": Meaning(Lasts.ACCESS, "admission rules can be switched off, or change what others write"),
    "ConfiguresCluster": Meaning(Lasts.ACCESS, "settings of the whole cluster apply to everybody's workloads"),
    "CreatesPods": Meaning(
        Lasts.ACCESS, "a pod runs on after the end, with the rights of any service account of the namespace"
    ),
    "Decides": Meaning(Lasts.ACCESS, "the holder can approve access, or ask for it in the name of others"),
    "DeploysManifests": Meaning(
        Lasts.ACCESS, "a deployment controller applies what the holder names, with the rights of the controller"
    ),
    "EntersNodes": Meaning(Lasts.ACCESS, "who reaches a node reaches all pods on it and their tokens"),
    "Escalates": Meaning(Lasts.ACCESS, "the holder can write roles with more rights than they hold"),
    "ExecsIntoPods": Meaning(
        Lasts.EFFECTS, "an open session continues after the end, and the token of the pod's service account can be read"
    ),
    "ForgesStatus": Meaning(Lasts.EFFECTS, "controllers and people act on a status that the holder writes"),
    "ForwardsPorts": Meaning(Lasts.EFFECTS, "an open connection to a pod continues after the end"),
    "Impersonates": Meaning(Lasts.ACCESS, "the holder acts with the rights of others"),
    "IssuesCertificates": Meaning(Lasts.ACCESS, "a certificate lets its owner log in until it expires"),
    "LocksAccess": Meaning(Lasts.EFFECTS, "the holder can stop the access of others, and lift locks"),
    "MintsTokens": Meaning(Lasts.ACCESS, "a token of a service account is valid until it expires, or for ever"),
    "ReadsSecrets": Meaning(Lasts.EFFECTS, "what was read stays known after the end, including tokens and passwords"),
    "RemovesRBAC": Meaning(Lasts.EFFECTS, "the holder can remove the access of others, and the rights of Curfew here"),
    "SyncsSecrets": Meaning(Lasts.ACCESS, "a controller writes Secrets of any type for the holder, also tokens"),
    TOO_LARGE: Meaning(Lasts.ACCESS, "it names more than Curfew examines"),
    UNRECOGNISED: Meaning(Lasts.EFFECTS, "this version of Curfew does not know what it allows"),
    "WatchesSecrets": Meaning(
        Lasts.EFFECTS, "an open watch shows Secrets for up to an hour after the end, new ones too"
    ),
    WILDCARD: Meaning(Lasts.ACCESS, "it includes every verb or resource, present and future"),
    "WritesAccessPolicies": Meaning(Lasts.ACCESS, "the holder can offer access to others and to themselves"),
    "WritesRBAC": Meaning(Lasts.ACCESS, "the holder can write bindings and roles, which stay"),
    "WritesServiceAccounts": Meaning(
        Lasts.EFFECTS, "annotations of a service account can give its pods rights outside the cluster"
    ),
}

READ: Final = ("get", "list", "watch")
WRITE: Final = ("create", "update", "patch")
CHANGE: Final = ("update", "patch")
DELETE: Final = ("delete", "deletecollection")
CONNECT: Final = ("get", *WRITE)  # kubectl opens a stream by get or by create

RBAC: Final = "rbac.authorization.k8s.io"
CERTIFICATES: Final = "certificates.k8s.io"
CURFEW: Final = "curfew.dev"


def _object(group: str, names: str, word: str, *, status: bool = True) -> tuple[Row, ...]:
    """Return the rows of objects that are risky to write, and harmless to read and to delete."""
    resources = tuple(names.split())
    rows = (Row(group, resources, WRITE, word), Row(group, resources, (*READ, *DELETE)))
    return (*rows, *_status(group, *resources)) if status else rows


def _status(group: str, *resources: str) -> tuple[Row, ...]:
    names = tuple(f"{name}/status" for name in resources)
    return Row(group, names, CHANGE, "ForgesStatus"), Row(group, names, READ)


ROWS: Final[tuple[Row, ...]] = (
    # --- credentials and rights -------------------------------------------------------------------------------------
    Row("", ("secrets",), READ, "ReadsSecrets"),
    Row("", ("secrets",), ("watch",), "WatchesSecrets"),
    # A Secret of the type kubernetes.io/service-account-token is filled with a token that never expires.
    Row("", ("secrets",), WRITE, "MintsTokens"),
    Row("", ("secrets",), DELETE),
    Row("", ("serviceaccounts/token",), ("create",), "MintsTokens"),
    *_object("", "serviceaccounts", "WritesServiceAccounts", status=False),
    Row("*", ("*",), ("impersonate", "impersonate:*", "impersonate-on:*"), "Impersonates"),
    Row(RBAC, ("roles", "clusterroles"), ("bind",), "Binds"),
    Row(RBAC, ("roles", "clusterroles"), ("escalate",), "Escalates"),
    Row(RBAC, ("roles", "rolebindings", "clusterroles", "clusterrolebindings"), WRITE, "WritesRBAC"),
    Row(RBAC, ("roles", "rolebindings", "clusterroles", "clusterrolebindings"), DELETE, "RemovesRBAC"),
    Row(RBAC, ("roles", "rolebindings", "clusterroles", "clusterrolebindings"), READ),
    *_object(CERTIFICATES, "certificatesigningrequests podcertificaterequests", "IssuesCertificates"),
    Row(CERTIFICATES, ("certificatesigningrequests/approval",), CHANGE, "IssuesCertificates"),
    Row(CERTIFICATES, ("certificatesigningrequests/approval",), ("get",)),
    Row(CERTIFICATES, ("signers",), ("approve", "sign", "attest"), "IssuesCertificates"),
    *_object(CERTIFICATES, "clustertrustbundles", "ConfiguresCluster", status=False),
    *_object("cert-manager.io", "certificates certificaterequests issuers clusterissuers", "IssuesCertificates"),
    *_object("acme.cert-manager.io", "orders challenges", "IssuesCertificates"),
    *_object(
        "external-secrets.io",
        "externalsecrets clusterexternalsecrets secretstores clustersecretstores pushsecrets",
        "SyncsSecrets",
    ),
    *_object("generators.external-secrets.io", "*", "SyncsSecrets", status=False),
    *_object("bitnami.com", "sealedsecrets", "SyncsSecrets"),
    *_object("secrets-store.csi.x-k8s.io", "secretproviderclasses", "SyncsSecrets"),
    Row("authentication.k8s.io", ("tokenreviews", "selfsubjectreviews"), ("create",)),
    Row(
        "authorization.k8s.io",
        ("localsubjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews"),
        ("create",),
    ),
    # --- Curfew -----------------------------------------------------------------------------------------------------
    Row(CURFEW, ("accesslocks",), (*WRITE, *DELETE), "LocksAccess"),
    Row(CURFEW, ("accesslocks",), READ),
    Row(CURFEW, ("accesslocks/status",), (*READ, *CHANGE)),  # admission lets nobody but Curfew write it
    Row(CURFEW, ("accesspolicies",), WRITE, "WritesAccessPolicies"),
    Row(CURFEW, ("accesspolicies",), ("approve", "request-on-behalf"), "Decides"),
    Row(CURFEW, ("accesspolicies",), (*READ, *DELETE, "request", "revoke")),
    Row(CURFEW, ("accesspolicies/status",), READ),
    Row(CURFEW, ("accesspolicies/status",), CHANGE),  # admission lets nobody but Curfew write it
    Row(CURFEW, ("accesspolicies/*",), ("approve",), "Decides"),  # a stage
    Row(CURFEW, ("accessrequests",), (*READ, *WRITE, *DELETE)),  # asking for access; admission checks the rest
    Row(CURFEW, ("accessrequests/status",), (*READ, *CHANGE)),  # where people decide, as far as their verbs go
    Row(CURFEW, ("alertresponses",), WRITE, "AnswersAlerts"),
    Row(CURFEW, ("alertresponses",), (*READ, *DELETE)),  # a silence that is deleted ends
    # --- pods, and what makes them ----------------------------------------------------------------------------------
    Row("", ("pods", "replicationcontrollers"), WRITE, "CreatesPods"),
    Row("", ("pods", "replicationcontrollers"), (*READ, *DELETE)),
    Row("", ("pods/exec", "pods/attach", "pods/ephemeralcontainers"), CONNECT, "ExecsIntoPods"),
    Row("", ("pods/portforward", "pods/proxy", "services/proxy"), (*CONNECT, *DELETE), "ForwardsPorts"),
    # `edit` names verbs on these resources that have no meaning there.
    Row("", ("pods/exec", "pods/attach"), ("list", "watch", *DELETE)),
    Row("", ("pods/portforward", "pods/proxy", "services/proxy"), ("list", "watch")),
    Row("", ("pods/log",), READ),
    Row("", ("pods/eviction", "pods/binding", "bindings"), ("create",)),
    Row("", ("bindings",), READ),
    Row("", ("pods/resize", "replicationcontrollers/scale"), (*READ, *WRITE, *DELETE)),
    *_status("", "pods", "replicationcontrollers"),
    *_object("", "podtemplates", "", status=False),
    *_object("apps", "daemonsets deployments replicasets statefulsets", "CreatesPods"),
    *_object("apps", "controllerrevisions", "CreatesPods", status=False),  # a StatefulSet can be rolled back to it
    Row(
        "apps",
        ("deployments/scale", "replicasets/scale", "statefulsets/scale", "deployments/rollback"),
        (*READ, *WRITE, *DELETE),
    ),
    *_object("batch", "cronjobs jobs", "CreatesPods"),
    *_object("argoproj.io", "workflows cronworkflows workflowtemplates clusterworkflowtemplates", "CreatesPods"),
    *_object("argoproj.io", "rollouts experiments analysisruns analysistemplates sensors eventsources", "CreatesPods"),
    *_object("tekton.dev", "pipelineruns taskruns pipelines tasks clustertasks customruns", "CreatesPods"),
    *_object("triggers.tekton.dev", "eventlisteners triggers triggertemplates triggerbindings", "CreatesPods"),
    *_object("serving.knative.dev", "services configurations", "CreatesPods"),
    *_object("kubevirt.io", "virtualmachines virtualmachineinstances virtualmachineinstancereplicasets", "CreatesPods"),
    *_object("keda.sh", "scaledjobs", "CreatesPods"),
    *_object("keda.sh", "scaledobjects", ""),
    *_object("keda.sh", "triggerauthentications", "SyncsSecrets"),
    *_object("jobset.x-k8s.io", "jobsets", "CreatesPods"),
    *_object("leaderworkerset.x-k8s.io", "leaderworkersets", "CreatesPods"),
    *_object("batch.volcano.sh", "jobs", "CreatesPods"),
    *_object("kubeflow.org", "pytorchjobs tfjobs mpijobs xgboostjobs paddlejobs jaxjobs notebooks", "CreatesPods"),
    *_object("ray.io", "rayclusters rayjobs rayservices", "CreatesPods"),
    *_object("sparkoperator.k8s.io", "sparkapplications scheduledsparkapplications", "CreatesPods"),
    *_object("apps.kruise.io", "clonesets statefulsets daemonsets broadcastjobs advancedcronjobs", "CreatesPods"),
    *_object("monitoring.coreos.com", "prometheuses alertmanagers thanosrulers prometheusagents", "CreatesPods"),
    *_object("opentelemetry.io", "opentelemetrycollectors instrumentations", "CreatesPods"),
    *_object("postgresql.cnpg.io", "clusters poolers", "CreatesPods"),
    # --- controllers that apply manifests ---------------------------------------------------------------------------
    *_object("argoproj.io", "applications applicationsets appprojects", "DeploysManifests"),
    *_object("kustomize.toolkit.fluxcd.io", "kustomizations", "DeploysManifests"),
    *_object("helm.toolkit.fluxcd.io", "helmreleases", "DeploysManifests"),
    *_object(
        "source.toolkit.fluxcd.io",
        "gitrepositories helmrepositories helmcharts ocirepositories buckets externalartifacts",
        "DeploysManifests",
    ),
    *_object("helm.cattle.io", "helmcharts helmchartconfigs", "DeploysManifests"),
    *_object("fleet.cattle.io", "bundles gitrepos", "DeploysManifests"),
    *_object("kubernetes.crossplane.io", "objects", "DeploysManifests"),
    *_object("work.open-cluster-management.io", "manifestworks", "DeploysManifests"),
    # --- the namespace ----------------------------------------------------------------------------------------------
    *_object("", "configmaps", "ChangesSettings", status=False),
    *_object("", "namespaces", "ChangesNamespaces"),
    Row("", ("namespaces/finalize",), CHANGE, "ChangesNamespaces"),
    *_object("", "services endpoints", "ChangesTraffic", status=False),
    *_status("", "services"),
    *_object("discovery.k8s.io", "endpointslices", "ChangesTraffic", status=False),
    *_object("networking.k8s.io", "ingresses", "ChangesTraffic"),
    *_object("networking.k8s.io", "networkpolicies", "ChangesTraffic", status=False),
    *_object(
        "gateway.networking.k8s.io", "gateways httproutes grpcroutes tcproutes tlsroutes udproutes", "ChangesTraffic"
    ),
    *_object("", "events limitranges", "", status=False),
    *_object("", "persistentvolumeclaims resourcequotas", ""),
    Row("", ("componentstatuses",), READ),
    *_object("events.k8s.io", "events", "", status=False),
    *_object("coordination.k8s.io", "leases", "", status=False),
    *_object("autoscaling", "horizontalpodautoscalers", ""),
    *_object("policy", "poddisruptionbudgets", ""),
    *_object("resource.k8s.io", "resourceclaims", ""),
    *_object("resource.k8s.io", "resourceclaimtemplates", "", status=False),
    *_object("storage.k8s.io", "csistoragecapacities", "", status=False),
    Row("metrics.k8s.io", ("pods", "nodes"), READ),
    Row("extensions", ("*",), (*READ, *WRITE, *DELETE)),  # no longer served; `edit` still names it
    # --- the cluster: a RoleBinding gives no access to it, and a role that names it is meant for more than a namespace --
    *_object("", "nodes", "EntersNodes"),
    Row("", ("nodes/proxy",), (*CONNECT, *DELETE), "EntersNodes"),
    *_object("", "persistentvolumes", "EntersNodes"),  # a volume can be any folder of a node
    *_object(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations validatingwebhookconfigurations mutatingadmissionpolicies "
        "mutatingadmissionpolicybindings validatingadmissionpolicies validatingadmissionpolicybindings",
        "ConfiguresAdmission",
    ),
    *_object("kyverno.io", "policies clusterpolicies", "ConfiguresAdmission"),
    *_object("apiextensions.k8s.io", "customresourcedefinitions", "ConfiguresCluster"),
    *_object("apiregistration.k8s.io", "apiservices", "ConfiguresCluster"),
    *_object("flowcontrol.apiserver.k8s.io", "flowschemas prioritylevelconfigurations", "ConfiguresCluster"),
    *_object("networking.k8s.io", "servicecidrs", "ConfiguresCluster"),
    *_object("networking.k8s.io", "ingressclasses ipaddresses", "ConfiguresCluster", status=False),
    *_object("node.k8s.io", "runtimeclasses", "ConfiguresCluster", status=False),
    *_object("scheduling.k8s.io", "priorityclasses", "ConfiguresCluster", status=False),
    *_object("storagemigration.k8s.io", "storageversionmigrations", "ConfiguresCluster"),
    *_object("resource.k8s.io", "devicetaintrules", "ConfiguresCluster"),
    *_object("resource.k8s.io", "deviceclasses resourceslices", "ConfiguresCluster", status=False),
    *_object("storage.k8s.io", "csinodes volumeattachments", "ConfiguresCluster"),
    *_object("storage.k8s.io", "csidrivers storageclasses volumeattributesclasses", "ConfiguresCluster", status=False),
)
"""The table. A row without a word is harmless: it shows what is in the namespace, or changes what gives nobody access."""
