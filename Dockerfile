# docker build -t python-mmap-dev .                                        the dev image (the last stage)
# docker run --rm -v "$PWD":/work/src python-mmap-dev make test            every test, on the checkout
# docker run --rm -v "$PWD":/work/src -w /work/src/python python-mmap-dev maturin build --release
# docker build --target test .                                             build and test a copy of the checkout
# docker build --target wheel --output dist .                              the wheel, into ./dist
# docker build --target cli -t otlp-mmap .                                 the command line alone

# A Debian (bookworm or newer) with Rust as rustup installs it.
ARG RUST_IMAGE=rust:1.95.0-bookworm
# A Debian no older than RUST_IMAGE's: its C library must not be older than the one the binary was linked with.
ARG RUNTIME_IMAGE=debian:bookworm-slim

# ---- base: compilers, and Python with its headers
FROM ${RUST_IMAGE} AS base
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates g++ gcc git libc6-dev make python3 python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/*
# The public image leaves these two out.
RUN cargo clippy --version && cargo fmt --version || rustup component add clippy rustfmt

# ---- tools: the Python packages of the Makefile, in a virtual environment outside of the checkout
# What cargo builds on its way stays outside as well, where it meets nothing built on the host; what it makes in the
# end (a wheel in target/wheels) is in the checkout, and outlives a container run with --rm.
FROM base AS tools
ENV VENV=/opt/venv \
    PATH=/opt/venv/bin:$PATH \
    CARGO_BUILD_BUILD_DIR=/work/build \
    PIP_NO_CACHE_DIR=1
COPY Makefile /work/src/
COPY python/requirements /work/src/python/requirements
WORKDIR /work/src
# What is written at run time is open to every user, for `docker run --user`.
RUN make packages \
 && git config --system --add safe.directory /work/src \
 && mkdir -p /work/build \
 && chmod -R a+rwX /opt/venv /work

# ---- source: a copy of the checkout, for the stages below
FROM tools AS source
COPY . .

# ---- test
FROM source AS test
RUN make test

# ---- wheel: nothing but the wheel
FROM source AS wheel-build
RUN cd python && maturin build --release --locked --out /work/dist
FROM scratch AS wheel
COPY --from=wheel-build /work/dist/ /

# ---- cli: the binary on a slim Debian
FROM source AS cli-build
RUN cargo build --release --locked --package otlp-mmap --bin otlp-mmap
FROM ${RUNTIME_IMAGE} AS cli
COPY --from=cli-build /work/src/target/release/otlp-mmap /usr/local/bin/otlp-mmap
ENTRYPOINT ["otlp-mmap"]

# ---- dev: last, so that it is the one a plain `docker build` makes
FROM tools AS dev
CMD ["bash"]
