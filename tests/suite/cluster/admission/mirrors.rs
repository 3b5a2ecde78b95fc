// SPDX-License-Identifier: Apache-2.0

//! Changes of an `ImageMirror`, and what the API server says of them.

use super::Case;

pub(super) const MIRROR: &str = r"
apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: base}
spec:
  source: {registry: docker.io}
  images:
    - {repository: library/alpine, tags: [a]}
  destinations:
    - {name: eu, registry: r.example.com}
";

pub(super) const MIRRORS: [Case; 64] = [
    (
        "every field",
        "spec:",
        "spec:\n  policyRefs: [{name: signed}]\n  platforms: {mode: List, list: [linux/amd64, linux/arm64/v8], absent: Skip, index: Preserve, attestations: Skip}\n  referrers: {mode: Copy, artifactTypes: [application/spdx+json, application/vnd.x.y.v1+json], recheck: 1m}\n  tagMutability: Freeze\n  prune: {mode: Plan, grace: 24h, maxDeletes: 50, maxPercent: 20, inUse: Ignore, adopted: Include}\n  schedule: {cron: \"0 3 * * *\", timeZone: Europe/Berlin}\n  timeout: 1h30m\n  suspend: true",
        "",
    ),
    ("a registry by its address", "docker.io", "'[::1]:5000'", ""),
    ("a glob of repositories", "library/alpine", "library/**", ""),
    ("globs of tags", "[a]", "['3.2?', '[!a-z]*']", ""),
    (
        "a policy in place of tags",
        ", tags: [a]}",
        "}\n  policyRefs: [{name: stable}]",
        "",
    ),
    (
        "templates",
        "name: eu",
        "name: eu, repository: 'm/{registry}/{namespace}/{name}', tags: ['{tag}', '{tag}-{digest12}'], previousTag: '{tag}-previous'",
        "",
    ),
    (
        "secrets",
        "registry: docker.io",
        "registry: docker.io, secretRef: {name: hub}, certSecretRef: {name: ca}, proxySecretRef: {name: proxy.internal}, insecure: true",
        "",
    ),
    (
        "the shortest interval",
        "spec:",
        "spec:\n  interval: 30s",
        "",
    ),
    (
        "an unknown field",
        "spec:",
        "spec:\n  intervall: 1h",
        "ImageMirror in version \"v1alpha1\" cannot be handled as a ImageMirror: strict decoding error: unknown field \"spec.intervall\"",
    ),
    (
        "no source",
        "  source: {registry: docker.io}\n",
        "",
        "spec.source: Required value",
    ),
    (
        "no images",
        "  images:\n    - {repository: library/alpine, tags: [a]}\n",
        "",
        "spec.images: Required value",
    ),
    (
        "empty images",
        "images:\n    - {repository: library/alpine, tags: [a]}",
        "images: []",
        "spec.images: Invalid value: 0: spec.images in body should have at least 1 items",
    ),
    (
        "no repository",
        "repository: library/alpine, ",
        "",
        "spec.images[0].repository: Required value",
    ),
    (
        "no destinations",
        "  destinations:\n    - {name: eu, registry: r.example.com}\n",
        "",
        "spec.destinations: Required value",
    ),
    (
        "empty destinations",
        "destinations:\n    - {name: eu, registry: r.example.com}",
        "destinations: []",
        "spec.destinations: Invalid value: 0: spec.destinations in body should have at least 1 items",
    ),
    (
        "a destination without a registry",
        "name: eu, registry: r.example.com",
        "name: eu",
        "spec.destinations[0].registry: Required value",
    ),
    (
        "a number for a tag",
        "[a]",
        "[3.20]",
        "spec.images[0].tags[0]: Invalid value: \"number\": spec.images[0].tags[0] in body must be of type string: \"number\"",
    ),
    (
        "a text for a boolean",
        "spec:",
        "spec:\n  suspend: 'yes'",
        "spec.suspend: Invalid value: \"string\": spec.suspend in body must be of type boolean: \"string\"",
    ),
    (
        "nothing where something must be",
        "docker.io",
        "null",
        "spec.source.registry: Required value",
    ),
    (
        "an unknown mode of platforms",
        "spec:",
        "spec:\n  platforms: {mode: Some}",
        "spec.platforms.mode: Unsupported value: \"Some\": supported values: \"All\", \"List\"",
    ),
    (
        "an unknown kind of index",
        "spec:",
        "spec:\n  platforms: {mode: List, list: [linux/amd64], index: Drop}",
        "spec.platforms.index: Unsupported value: \"Drop\": supported values: \"Rewrite\", \"Preserve\", \"Unwrap\"",
    ),
    (
        "one image in place of an index, of two platforms",
        "spec:",
        "spec:\n  platforms: {mode: List, list: [linux/amd64, linux/arm64], index: Unwrap}",
        "spec.platforms.index: Invalid value: Unwrap is for one platform: write mode: List and one of them in list",
    ),
    (
        "one image in place of an index, of all platforms",
        "spec:",
        "spec:\n  platforms: {index: Unwrap}",
        "spec.platforms.index: Invalid value: Unwrap is for one platform: write mode: List and one of them in list",
    ),
    (
        "an unknown way with attestations",
        "spec:",
        "spec:\n  platforms: {attestations: Drop}",
        "spec.platforms.attestations: Unsupported value: \"Drop\": supported values: \"Copy\", \"Skip\"",
    ),
    (
        "an unknown way with referrers",
        "spec:",
        "spec:\n  referrers: {mode: copy}",
        "spec.referrers.mode: Unsupported value: \"copy\": supported values: \"Copy\", \"Skip\"",
    ),
    (
        "an unknown way with moved tags",
        "spec:",
        "spec:\n  tagMutability: Ignore",
        "spec.tagMutability: Unsupported value: \"Ignore\": supported values: \"Follow\", \"Freeze\", \"Fail\"",
    ),
    (
        "an unknown mode of pruning",
        "spec:",
        "spec:\n  prune: {mode: Prune}",
        "spec.prune.mode: Unsupported value: \"Prune\": supported values: \"Retain\", \"Plan\", \"Delete\"",
    ),
    (
        "a registry with a scheme",
        "docker.io",
        "https://docker.io",
        "spec.source.registry: Invalid value: \"https://docker.io\": write the host and, where it is needed, the port, such as registry.example.com:5000: no scheme and no path",
    ),
    (
        "a registry with a path",
        "r.example.com",
        "r.example.com/mirror",
        "spec.destinations[0].registry: Invalid value: \"r.example.com/mirror\": write the host and, where it is needed, the port, such as registry.example.com:5000: no scheme and no path",
    ),
    (
        "a repository with a tag",
        "library/alpine",
        "library/alpine:3",
        "spec.images[0].repository: Invalid value: \"library/alpine:3\": write the repository alone and in lower case, such as library/nginx: its registry belongs in source.registry, its tag in tags",
    ),
    (
        "a repository in upper case",
        "library/alpine",
        "library/Alpine",
        "spec.images[0].repository: Invalid value: \"library/Alpine\": write the repository alone and in lower case, such as library/nginx: its registry belongs in source.registry, its tag in tags",
    ),
    (
        "a repository twice",
        "    - {repo",
        "    - {repository: library/alpine, tags: [b]}\n    - {repo",
        "spec.images[1]: Duplicate value: {\"repository\":\"library/alpine\"}",
    ),
    (
        "neither tags nor a policy",
        ", tags: [a]",
        "",
        "spec.images: Invalid value: each one needs tags, select or a policy that selects among them: write tags: [\"*\"] to copy every tag",
    ),
    (
        "an empty list of tags",
        "[a]",
        "[]",
        "spec.images: Invalid value: each one needs tags, select or a policy that selects among them: write tags: [\"*\"] to copy every tag",
    ),
    (
        "a tag with a colon",
        "[a]",
        "['a:b']",
        "spec.images[0].tags[0]: Invalid value: \"a:b\": spec.images[0].tags[0] in body should match '^([A-Za-z0-9_.*?\\[\\]!-]+|[A-Za-z0-9_][A-Za-z0-9._-]*@(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}))$'",
    ),
    (
        "an empty tag",
        "[a]",
        "['']",
        "spec.images[0].tags[0]: Invalid value: \"\": spec.images[0].tags[0] in body should be at least 1 chars long",
    ),
    (
        "a tag twice",
        "[a]",
        "[a, a]",
        "spec.images[0].tags[1]: Duplicate value: \"a\"",
    ),
    (
        "a policy twice",
        "spec:",
        "spec:\n  policyRefs: [{name: a}, {name: a}]",
        "spec.policyRefs[1]: Duplicate value: {\"name\":\"a\"}",
    ),
    (
        "a policy of another namespace",
        "spec:",
        "spec:\n  policyRefs: [{name: a, namespace: b}]",
        "ImageMirror in version \"v1alpha1\" cannot be handled as a ImageMirror: strict decoding error: unknown field \"spec.policyRefs[0].namespace\"",
    ),
    (
        "the name of a policy in upper case",
        "spec:",
        "spec:\n  policyRefs: [{name: A}]",
        "spec.policyRefs[0].name: Invalid value: \"A\": spec.policyRefs[0].name in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'",
    ),
    (
        "the name of a destination in upper case",
        "name: eu",
        "name: EU",
        "spec.destinations[0].name: Invalid value: \"EU\": spec.destinations[0].name in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'",
    ),
    (
        "a destination twice",
        "    - {name",
        "    - {name: eu, registry: us.example.com}\n    - {name",
        "spec.destinations[1]: Duplicate value: {\"name\":\"eu\"}",
    ),
    (
        "a template in upper case",
        "name: eu",
        "name: eu, repository: 'Mirror/{repository}'",
        "spec.destinations[0].repository: Invalid value: \"Mirror/{repository}\": spec.destinations[0].repository in body should match '^[a-z0-9._/{}-]+$'",
    ),
    (
        "no template of a tag",
        "name: eu",
        "name: eu, tags: []",
        "spec.destinations[0].tags: Invalid value: 0: spec.destinations[0].tags in body should have at least 1 items",
    ),
    (
        "a template of a tag twice",
        "name: eu",
        "name: eu, tags: ['{tag}', '{tag}']",
        "spec.destinations[0].tags[1]: Duplicate value: \"{tag}\"",
    ),
    (
        "a template of a tag with a colon",
        "name: eu",
        "name: eu, tags: ['{tag}:b']",
        "spec.destinations[0].tags[0]: Invalid value: \"{tag}:b\": spec.destinations[0].tags[0] in body should match '^[A-Za-z0-9._{}-]+$'",
    ),
    (
        "a previous tag that is the tag",
        "name: eu",
        "name: eu, previousTag: '{tag}'",
        "spec.destinations[0].previousTag: Invalid value: \"{tag}\": that is the tag itself: write something like {tag}-previous",
    ),
    (
        "a list of platforms without the mode",
        "spec:",
        "spec:\n  platforms: {list: [linux/amd64]}",
        "spec.platforms.list: Invalid value: is only used with mode: List",
    ),
    (
        "the mode without a list",
        "spec:",
        "spec:\n  platforms: {mode: List}",
        "spec.platforms.list: Invalid value: is needed with mode: List: write platforms such as linux/amd64",
    ),
    (
        "an architecture alone",
        "spec:",
        "spec:\n  platforms: {mode: List, list: [amd64]}",
        "spec.platforms.list[0]: Invalid value: \"amd64\": write the system and the architecture, such as linux/amd64 or linux/arm/v7",
    ),
    (
        "a platform twice",
        "spec:",
        "spec:\n  platforms: {mode: List, list: [linux/amd64, linux/amd64]}",
        "spec.platforms.list[1]: Duplicate value: \"linux/amd64\"",
    ),
    (
        "an interval and a schedule",
        "spec:",
        "spec:\n  interval: 1h\n  schedule: {cron: 0 3 * * *}",
        "spec.schedule: Invalid value: cannot be combined with interval: remove one of them",
    ),
    (
        "an interval that is too short",
        "spec:",
        "spec:\n  interval: 29s",
        "spec.interval: Invalid value: \"29s\": the shortest is 30s",
    ),
    (
        "an interval in days",
        "spec:",
        "spec:\n  interval: 7d",
        "spec.interval: Invalid value: \"7d\": write one to four numbers with the units h, m, s or ms, such as 1h30m: 7 days are 168h",
    ),
    (
        "a timeout of nothing",
        "spec:",
        "spec:\n  timeout: 0s",
        "spec.timeout: Invalid value: \"0s\": the shortest is 1s",
    ),
    (
        "a schedule without times",
        "spec:",
        "spec:\n  schedule: {timeZone: UTC}",
        "spec.schedule.cron: Required value",
    ),
    (
        "a time zone with a space",
        "spec:",
        "spec:\n  schedule: {cron: 0 3 * * *, timeZone: Europe Berlin}",
        "spec.schedule.timeZone: Invalid value: \"Europe Berlin\": write a name of the time zone database, such as Europe/Berlin",
    ),
    (
        "more percent than there are",
        "spec:",
        "spec:\n  prune: {maxPercent: 101}",
        "spec.prune.maxPercent: Invalid value: 101: spec.prune.maxPercent in body should be less than or equal to 100",
    ),
    (
        "fewer deletes than none",
        "spec:",
        "spec:\n  prune: {maxDeletes: -1}",
        "spec.prune.maxDeletes: Invalid value: -1: spec.prune.maxDeletes in body should be greater than or equal to 0",
    ),
    (
        "a Job, and what it is like",
        "spec:",
        "spec:\n  execution: {mode: Job, parallelism: 64, template: {serviceAccountName: mirrors, resources: {requests: {cpu: 2, memory: 1.5Gi}, limits: {cpu: 500m}}, nodeSelector: {topology.kubernetes.io/zone: eu}, tolerations: [{operator: Exists}, {key: a, operator: Equal, value: b, effect: NoExecute, tolerationSeconds: 60}], priorityClassName: low, labels: {kueue.x-k8s.io/queue-name: bulk}}}",
        "",
    ),
    (
        "more pods than there may be",
        "spec:",
        "spec:\n  execution: {mode: Job, parallelism: 65}",
        "spec.execution.parallelism: Invalid value: 65: spec.execution.parallelism in body should be less than or equal to 64",
    ),
    (
        "pods without a Job",
        "spec:",
        "spec:\n  execution: {parallelism: 2}",
        "spec.execution.parallelism: Invalid value: is only used with mode: Job",
    ),
    (
        "a template without a Job",
        "spec:",
        "spec:\n  execution: {mode: InProcess, template: {}}",
        "spec.execution.template: Invalid value: is only used with mode: Job",
    ),
    (
        "an amount of nothing",
        "spec:",
        "spec:\n  execution: {mode: Job, template: {resources: {limits: {memory: much}}}}",
        "spec.execution.template.resources.limits.memory: Invalid value: \"much\": spec.execution.template.resources.limits.memory in body should match '^[+]?([0-9]+|[0-9]+[.][0-9]*|[.][0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?[0-9]+))?$'",
    ),
];
