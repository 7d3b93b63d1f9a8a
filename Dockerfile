# One image for web, worker and migrate; docker-compose.yml says which is which. It holds no secret: settings come from the environment.
FROM python:3.11-slim-bookworm
WORKDIR /hub
COPY requirements/base.txt requirements/build.txt requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/base.txt -r requirements/build.txt
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && useradd --system --uid 10001 --home-dir /data hub \
    && install -d -o hub -g hub -m 700 /data
ENV HUB_DATA=/data PYTHONUNBUFFERED=1
USER hub
VOLUME /data
CMD ["hub", "web"]
