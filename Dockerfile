FROM python:3.11-slim-bookworm
WORKDIR /hub
COPY requirements/base.txt requirements/build.txt requirements/
RUN pip install --no-cache-dir --require-hashes -r requirements/base.txt -r requirements/build.txt
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . && useradd --system hub \
    && install -d -o hub -m 700 /media
USER hub
CMD ["hub", "web"]
