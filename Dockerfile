# The operator's image: the locked dependencies first, then the package, then both in a slim base without build tools.
# Where the public base cannot be had: --build-arg BASE=...
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/curfew
COPY requirements.lock requirements-build.lock ./
RUN /opt/curfew/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
RUN python3 -m venv /opt/build && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels . \
 && /opt/curfew/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM ${BASE}
COPY --from=build /opt/curfew /opt/curfew
ENV PATH=/opt/curfew/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["curfew"]
CMD ["operator"]
