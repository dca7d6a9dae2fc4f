# The image in which a hosted plane builds: one container per attempt. `scripts/publish-builder-image` builds and pushes
# it, `scripts/check-builder-image` looks at what came out. It holds no credential and needs none: a task is told by three
# names of its environment what to build (`builderEnvironment` in contract/environment.ts).
#
# Layers go from what changes least to what changes with every release: a new builder is one layer of 2 MB.

# Pin it by digest for your registry: --build-arg BASE_IMAGE=node:24.21.0-bookworm-slim@sha256:...
ARG BASE_IMAGE=node:24.21.0-bookworm-slim
FROM ${BASE_IMAGE}

# git clones, git-lfs fetches large files, ssh clones by ssh. tini is the first process: it forwards SIGTERM, which is how
# ECS stops a task, and collects what the build leaves behind. No program may give its caller more rights than it has.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates git git-lfs openssh-client tini \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/log/* /usr/share/doc/* /usr/share/man/* \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

# Commands of the source run as this user. The builder runs as root to be another one, and for nothing else: it starts
# them with this user's rights, and ends all that this user has left running (builder/command/build-user.ts).
RUN groupadd --gid 10001 build \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /bin/sh build

# What sources ask for most, where builder/tools/fetch-tool.ts looks before it asks npm: Node 24 is the image's own. The
# names of the directories are what it asks for, the versions are what it gets. Bun, 100 MB, is fetched when it is asked for.
ARG NODE_22=22.23.3 NODE_20=20.20.2 PNPM=10.34.9 YARN=1.22.22 YARN_BERRY=4.18.1
RUN set -eu; \
    tools=/var/cache/sphere/tools; \
    node="node-linux-$(node -p process.arch)"; \
    printf '%s %s\n' \
      "$node@22" "$node@$NODE_22" \
      "$node@20" "$node@$NODE_20" \
      'pnpm@10' "pnpm@$PNPM" \
      'yarn@1' "yarn@$YARN" \
      '@yarnpkg_cli-dist@4' "@yarnpkg/cli-dist@$YARN_BERRY" \
    | xargs -P 5 -n 2 sh -c 'npm install --prefix "$0/$1" --cache /tmp/npm --no-audit --no-fund \
        --no-update-notifier --loglevel=error "$2"' "$tools"; \
    rm -rf "$tools"/*/node_modules/"$node"/include "$tools"/*/node_modules/"$node"/share /tmp/npm /root/.npm

ENV SPHERE_BUILD_USER=10001:10001 \
    SPHERE_WORK_DIRECTORY=/work \
    SPHERE_CACHE_DIRECTORY=/var/cache/sphere

COPY dist/builder/main.cjs /opt/sphere/builder/main.cjs

# Stated by whoever builds the image, and refused when the program says otherwise: a plane looks at the label to know
# whether it can serve this builder, before it starts one.
ARG VERSION
ARG CONTRACT
RUN test "$(node /opt/sphere/builder/main.cjs --version)" = "{\"version\":\"$VERSION\",\"contract\":$CONTRACT}"
LABEL org.opencontainers.image.title="Sphere builder" \
      org.opencontainers.image.version="${VERSION}" \
      sphere.contract="${CONTRACT}"

ENTRYPOINT ["/usr/bin/tini", "--", "node", "/opt/sphere/builder/main.cjs"]
