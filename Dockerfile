# syntax=docker/dockerfile:1

FROM node:26.10.0-bookworm-slim AS dependencies
WORKDIR /eddy
COPY package.json package-lock.json ./
# The image brings its own Node: the npm package `node` is for machines that have another one.
RUN npm ci --omit=dev --ignore-scripts && rm -rf node_modules/node node_modules/.bin/node

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production \
    EDDY_DATA=/var/lib/eddy
WORKDIR /eddy
COPY --from=dependencies /eddy/node_modules ./node_modules
COPY package.json LICENSE ./
COPY config ./config
COPY src ./src
RUN mkdir -p /var/lib/eddy && chown node:node /var/lib/eddy
USER node
VOLUME /var/lib/eddy
EXPOSE 8080 4001
# The admin port stays on loopback inside the container; publish it only with a token.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8081/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
CMD ["node", "src/main.ts"]
