# The server as an image: compiled JavaScript, its run-time dependencies, the migrations. Debian, not Alpine: the
# embedded PostgreSQL and argon2 are built against glibc.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=7300 DATA_DIR=/data
# Without DATABASE_URL, PostgreSQL runs in here as well, and its data with it.
RUN mkdir /data && chown node:node /data && chmod 700 /data
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY migrations ./migrations
COPY package.json ./
USER node
VOLUME /data
EXPOSE 7300
STOPSIGNAL SIGTERM
# Alive, not ready: a database that is away must not get the server restarted. Ask /readyz where traffic is routed.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --start-interval=1s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Room for what calls leave behind: at the default of 16 MB much of it passes for long-lived, and stays until memory has doubled.
CMD ["node", "--max-semi-space-size=64", "dist/main.js"]
