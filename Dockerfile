# syntax=docker/dockerfile:1
# Builds the gateway and puts it alone into a small image.
FROM rust:1-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY migrations migrations
COPY openapi openapi
RUN cargo build --release --locked --bin stackmotion

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/stackmotion --create-home stackmotion
COPY --from=build /build/target/release/stackmotion /usr/local/bin/stackmotion
USER stackmotion
WORKDIR /var/lib/stackmotion
VOLUME /var/lib/stackmotion
EXPOSE 8080
ENV STACKMOTION_LISTEN=0.0.0.0 STACKMOTION_DATA_DIR=/var/lib/stackmotion
ENTRYPOINT ["stackmotion"]
CMD ["serve"]
