# Built by the machine's own platform, whichever the image is for, and with the exact Go that make names.
ARG GO=1.26
FROM --platform=$BUILDPLATFORM golang:${GO} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=dev COMMIT=unknown
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH make bin/stripe-connector VERSION="$VERSION" COMMIT="$COMMIT"
# The root of an image with nothing but the program, what it trusts, and the one place where it writes.
RUN install -D bin/stripe-connector /root-fs/stripe-connector \
	&& install -D --mode=0644 /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/ca-certificates.crt \
	&& install -d --mode=0700 /root-fs/data

FROM scratch
ARG VERSION=dev COMMIT=unknown
LABEL org.opencontainers.image.title="stripe-connector" \
	org.opencontainers.image.description="Stripe as REST modules and instant triggers for automation platforms" \
	org.opencontainers.image.licenses="Apache-2.0" \
	org.opencontainers.image.version="$VERSION" \
	org.opencontainers.image.revision="$COMMIT"
# One copy of the whole root, so that /data belongs to the user; a volume takes its owner from here.
COPY --from=build --chown=65532:65532 /root-fs/ /
USER 65532:65532
# The second is where SQLite puts what does not fit into memory: the rest of the root may be read-only.
ENV CONNECTOR_DATABASE_URL=sqlite:/data/connector.db SQLITE_TMPDIR=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s CMD ["/stripe-connector", "healthcheck"]
ENTRYPOINT ["/stripe-connector"]
CMD ["serve"]
