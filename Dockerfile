# The API on CPUs: docker build -t spadework . && docker run -p 7430:7430 -e SPADEWORK_API_KEYS=secret spadework
FROM python:3.12-slim-bookworm AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu \
    && pip install --no-cache-dir "$(ls /wheels/*.whl)" \
    && useradd --create-home --uid 1000 painter
USER 1000
EXPOSE 7430
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7430/ready', timeout=4)"]
ENTRYPOINT ["spadework"]
CMD ["serve", "--host", "0.0.0.0"]
