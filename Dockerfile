FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=dev COMMIT=unknown
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH make bin/stripe-connector VERSION="$VERSION" COMMIT="$COMMIT"
# The root of an image with nothing but the program: what it trusts, and where it may write.
RUN install -D bin/stripe-connector /root-fs/stripe-connector \
	&& install -D --mode=0644 /etc/ssl/certs/ca-certificates.crt /root-fs/etc/ssl/certs/ca-certificates.crt \
	&& install -d --mode=0700 /root-fs/data /root-fs/tmp

FROM scratch
ARG VERSION=dev COMMIT=unknown
LABEL org.opencontainers.image.title="stripe-connector" \
	org.opencontainers.image.description="Stripe as REST modules and instant triggers for automation platforms" \
	org.opencontainers.image.licenses="Apache-2.0" \
	org.opencontainers.image.version="$VERSION" \
	org.opencontainers.image.revision="$COMMIT"
# One copy of the whole root, so that /data and /tmp belong to the user; a volume takes its owner from here.
COPY --from=build --chown=65532:65532 /root-fs/ /
USER 65532:65532
ENV CONNECTOR_DATABASE_URL=sqlite:/data/connector.db
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s CMD ["/stripe-connector", "healthcheck"]
ENTRYPOINT ["/stripe-connector"]
CMD ["serve"]
