# The service over the latest exported model of data/, without torch: docker build -t guitar-kedro .
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --no-compile -c constraints.txt '.[serve]' \
    && /venv/bin/pip uninstall --yes pip setuptools \
    && find /venv -type d -name tests -prune -exec rm -r {} +

FROM python:3.11-slim
RUN useradd --create-home --uid 1000 serve
COPY --from=build /venv /venv
WORKDIR /app
COPY --chown=serve pyproject.toml .telemetry ./
COPY --chown=serve conf conf
RUN mkdir src data logs && chown serve . src data logs
USER 1000
ENV PATH=/venv/bin:$PATH
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready')"]
ENTRYPOINT ["kedro", "serve", "--backend=onnx", "--host=0.0.0.0"]
