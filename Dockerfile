# docker build -t porteur . && docker run -p 8080:8080 -v "$PWD/porteur.json:/etc/porteur/porteur.json:ro" porteur

FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The build context has no git folder to ask: --build-arg PORTEUR_COMMIT=$(git rev-parse --short=12 HEAD)
ARG PORTEUR_COMMIT
# Both caches live outside the image, so the binary is copied out in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --bin porteur \
    && install -D target/release/porteur /out/porteur

FROM debian:12-slim
# Token endpoints and upstreams with public certificates are verified against these.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/porteur /usr/local/bin/porteur
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8080
# Stops accepting, finishes what is in flight, exits.
STOPSIGNAL SIGTERM
ENTRYPOINT ["porteur"]
CMD ["run", "-c", "/etc/porteur/porteur.json"]
