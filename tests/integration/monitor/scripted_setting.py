"""What is there before scripted sessions begin, and what is typed in many of them."""

from typing import Final

from tests.integration.monitor.steps import admin

RBAC: Final = "rbac.authorization.k8s.io"

SETTINGS: Final = admin("create configmap settings --from-literal=colour=blue")
DEPLOYER: Final = admin("create serviceaccount deployer")
DEPLOYER_MAY_EDIT: Final = admin("create rolebinding deployer --clusterrole=edit --serviceaccount={ns}:deployer")

POD: Final = "run web --image=registry.invalid/web:1"
CREATES: Final = "create configmap made --from-literal=a=b"
