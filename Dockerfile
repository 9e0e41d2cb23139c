# One image for every service; docker-compose.yml says which one a container is. TypeScript runs as it is, so nothing
# is built: the first stage only fetches what package-lock.json pins.
FROM node:24.21.0-bookworm-slim AS modules
WORKDIR /opt/tripline
COPY . .
# No install scripts: the base image brings Node. No optional packages: the database is a service of its own.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/tripline
COPY --from=modules /opt/tripline .
# The spool's place, so that a volume mounted there belongs to the user that writes it.
RUN install -d -o node -g node -m 700 /var/lib/tripline
USER node
EXPOSE 8080
ENTRYPOINT ["node", "packages/cli/tripline.mjs"]
CMD ["help"]
