# The operator's image: the locked dependencies, then the package, both in a base without build tools. docs/image.md says why each is so.
# Where the public base cannot be had: --build-arg BASE=...
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
# One pip installs everything, so that the image has none.
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/curfew
COPY requirements.lock requirements-build.lock ./
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
# The secret is a file of certificates to trust, where packages come through a proxy that has its own.
RUN --mount=type=secret,id=pip-cert \
    if [ -e /run/secrets/pip-cert ]; then export PIP_CERT=/run/secrets/pip-cert; fi \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: -r requirements-build.lock \
 && /opt/build/bin/pip --python /opt/curfew/bin/python install --no-compile --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels . \
 && /opt/build/bin/pip --python /opt/curfew/bin/python install --no-compile --no-index --no-deps /wheels/*.whl
# What nobody asks: descriptions of other services of AWS (kms is for the extra of that name), and tests.
RUN cd /opt/curfew/lib/python3*/site-packages \
 && find botocore/data -mindepth 1 -maxdepth 1 -type d \
    ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin ! -name kms -exec rm -r {} + \
 && find . -type d -name tests -prune -exec rm -r {} +
# Python starts fast from a root that it cannot write to: the library's bytecode too, which the public base does not have.
# No process reads the sources of this bytecode, and one process writes it in one order, so that it is always the same.
# Pods do not use the kubernetes package, which is as large as the rest.
RUN PYTHONHASHSEED=0 PYTHONPYCACHEPREFIX=/opt/curfew/pycache /opt/curfew/bin/python -m compileall -q \
    --invalidation-mode unchecked-hash -x '/(test|idlelib|tkinter|turtledemo|ensurepip|lib2to3|pip|kubernetes)/' \
    "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" /opt/curfew/lib

FROM ${BASE}
COPY --from=build /opt/curfew /opt/curfew
ENV PATH=/opt/curfew/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPYCACHEPREFIX=/opt/curfew/pycache
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["curfew"]
CMD ["operator"]
