# The static program and CA certificates, nothing else: docker build --tag machins .
FROM rust:1-slim AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates make musl-tools \
    && rustup target add "$(uname -m)-unknown-linux-musl"
WORKDIR /source
COPY . .
RUN target="$(uname -m)-unknown-linux-musl" \
    && RUSTFLAGS=-Crelocation-model=static CC=musl-gcc cargo build --release --locked \
        --package machins-cli --features full --target "$target" \
    && cp "target/$target/release/machins" /machins

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /machins /machins
# `nobody`: there is no file of users here.
USER 65534:65534
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --retries=6 \
    CMD ["/machins", "mock", "health", "--url", "http://127.0.0.1:8080"]
ENTRYPOINT ["/machins"]
CMD ["mock", "serve", "--addr", "0.0.0.0:8080"]
