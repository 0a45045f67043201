# The server image: the pinned packages and the sources. Everything it keeps is under /data.
FROM python:3.11-slim-trixie AS packages

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 DATA_DIR=/data
WORKDIR /app

COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt

# The helpers in C, linked to the libraries of the Pillow above; the compiler stays out of the image.
FROM packages AS native

RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libjpeg62-turbo-dev libwebp-dev
COPY native ./native
RUN python native/build.py

FROM packages

# pg_dump, pg_restore and psql of the compose file's PostgreSQL, for `backup` and `restore`.
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/*

COPY --from=native /app/native/built ./native/built
COPY manage.py ./
COPY sessionsite ./sessionsite
COPY devices ./devices
COPY sessions_app ./sessions_app
COPY monitoring ./monitoring

# Volumes take their owner from these folders.
RUN useradd --uid 1000 --create-home server && install -d -o server -g server /data /data/media
USER server

EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0", "--port", "8000"]
