# The contract's generated code. It needs the development dependencies, which the last stage does without.
FROM node:24 AS generated
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY buf.yaml buf.gen.yaml ./
COPY proto ./proto
RUN npm run generate

FROM node:24-slim
LABEL org.opencontainers.image.title="Gatehouse" \
      org.opencontainers.image.description="A session server" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app

# Node comes with the image; the npm package of that name is a development dependency and stays out.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force

COPY LICENSE ./
COPY src ./src
COPY --from=generated /build/src/gen ./src/gen

# The embedded database, its master key and the administrator's first token. Empty where PostgreSQL is used.
RUN install --directory --owner=node --group=node --mode=0700 /var/lib/gatehouse
VOLUME /var/lib/gatehouse

# Inside a container, the loopback address would be reached by nobody.
ENV GATEHOUSE_LISTEN=:8080 \
    GATEHOUSE_DATA_DIR=/var/lib/gatehouse
EXPOSE 8080
USER node

# Alive, not ready: who restarts unhealthy containers must not restart every server because the database is away.
# Ready is for load balancers: GET /debug/ready. With TLS the certificate names the public host, not this address,
# so it is not verified here. Whoever sets another port overrides this check.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "--no-warnings", "-e", "process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; fetch((process.env.GATEHOUSE_TLS_CERT_FILE ? 'https' : 'http') + '://127.0.0.1:8080/debug/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

# Open requests have 30 seconds to finish (GATEHOUSE_SHUTDOWN_GRACE_SECONDS); the engine's own patience must be longer:
# docker stop --timeout 35.
STOPSIGNAL SIGTERM

# No shell and no npm between the engine and the server: the signal reaches it.
ENTRYPOINT ["node", "--max-semi-space-size=32", "--heap-growing-percent=60", "/app/src/main.ts"]
CMD ["serve"]
