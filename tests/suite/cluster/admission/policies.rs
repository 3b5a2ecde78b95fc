// SPDX-License-Identifier: Apache-2.0

//! Changes of an `ImagePolicy` and of a `MirroredRepository`, and what the API server says of them.

use super::Case;

pub(super) const POLICY: &str = r"
apiVersion: transship.dev/v1alpha1
kind: ImagePolicy
metadata: {name: stable}
spec:
  select: {limit: 9}
";

pub(super) const POLICIES: [Case; 22] = [
    (
        "every field",
        "select: {limit: 9}",
        "select:\n    include: ['^v?[0-9.]+$']\n    exclude: ['.*-rc.*']\n    semver: {range: \">=1.20 <2\", prereleases: Include}\n    newest: {count: 3, by: FirstSeen, per: Minor}\n    limit: 100\n  minAge: 72h\n  verify:\n    - {name: vendor, type: Key, key: {secretRef: {name: cosign, key: cosign.pub}}}\n    - {name: ci, type: Keyless, keyless: {issuer: \"https://issuer.example.com\", subject: \"*@example.com\", trustedRootRef: {name: root}}}\n  require:\n    user: NonRoot\n    maxSize: 500Mi\n    maxAge: 8760h\n    platforms: [linux/amd64]\n    labels: {org.opencontainers.image.source: \"https://example.com/*\"}\n    denyTags: [latest]\n    vulnerabilities: {maxSeverity: High, unfixed: Ignore}\n  retain: {keepNewest: 10, keepYoungerThan: 720h, keepTags: [\"stable-*\"]}\n  mode: Audit\n  suspend: true",
        "",
    ),
    (
        "nothing at all",
        "spec:\n  select: {limit: 9}",
        "spec: {}",
        "spec: Invalid value: says nothing: write select, minAge, verify, require or retain",
    ),
    (
        "a select without a rule",
        "select: {limit: 9}",
        "select: {}",
        "spec.select: Invalid value: has no rule: write include: [\".*\"] to select every tag",
    ),
    (
        "an empty pattern",
        "select: {limit: 9}",
        "select: {include: ['']}",
        "spec.select.include[0]: Invalid value: \"\": spec.select.include[0] in body should be at least 1 chars long",
    ),
    (
        "versions without a range",
        "select: {limit: 9}",
        "select: {semver: {prereleases: Include}}",
        "spec.select.semver.range: Required value",
    ),
    (
        "newest of nothing",
        "select: {limit: 9}",
        "select: {newest: {count: 0}}",
        "spec.select.newest.count: Invalid value: 0: spec.select.newest.count in body should be greater than or equal to 1",
    ),
    (
        "newest by something else",
        "select: {limit: 9}",
        "select: {newest: {count: 1, by: Date}}",
        "spec.select.newest.by: Unsupported value: \"Date\": supported values: \"Version\", \"Number\", \"Name\", \"Created\", \"FirstSeen\"",
    ),
    (
        "a limit of nothing",
        "select: {limit: 9}",
        "select: {limit: 0}",
        "spec.select.limit: Invalid value: 0: spec.select.limit in body should be greater than or equal to 1",
    ),
    (
        "a fraction of a tag",
        "select: {limit: 9}",
        "select: {limit: 1.5}",
        "spec.select.limit: Invalid value: \"float64\": spec.select.limit in body must be of type int32: \"float64\", <nil>: Invalid value: \"\": Checked value must be of type integer with format int32 in spec.select.limit",
    ),
    (
        "a quarantine in days",
        "select: {limit: 9}",
        "minAge: 3d",
        "spec.minAge: Invalid value: \"3d\": write one to four numbers with the units h, m, s or ms, such as 1h30m: 7 days are 168h",
    ),
    (
        "an unknown way to sign",
        "select: {limit: 9}",
        "verify: [{name: a, type: Notation}]",
        "spec.verify[0].type: Unsupported value: \"Notation\": supported values: \"Key\", \"Keyless\"",
    ),
    (
        "no key",
        "select: {limit: 9}",
        "verify: [{name: a, type: Key}]",
        "spec.verify[0].key: Invalid value: is needed with type: Key, and only there",
    ),
    (
        "a key in place of an identity",
        "select: {limit: 9}",
        "verify: [{name: a, type: Keyless, key: {secretRef: {name: a, key: b}}}]",
        "spec.verify[0].key: Invalid value: is needed with type: Key, and only there, spec.verify[0].keyless: Invalid value: is needed with type: Keyless, and only there",
    ),
    (
        "a key without its place",
        "select: {limit: 9}",
        "verify: [{name: a, type: Key, key: {secretRef: {name: a}}}]",
        "spec.verify[0].key.secretRef.key: Required value",
    ),
    (
        "an issuer without a subject",
        "select: {limit: 9}",
        "verify: [{name: a, type: Keyless, keyless: {issuer: b}}]",
        "spec.verify[0].keyless.subject: Required value",
    ),
    (
        "an authority twice",
        "select: {limit: 9}",
        "verify: [{name: a, type: Key, key: {secretRef: {name: a, key: b}}}, {name: a, type: Key, key: {secretRef: {name: a, key: b}}}]",
        "spec.verify[1]: Duplicate value: {\"name\":\"a\"}",
    ),
    (
        "an unknown user",
        "select: {limit: 9}",
        "require: {user: Root}",
        "spec.require.user: Unsupported value: \"Root\": supported values: \"NonRoot\"",
    ),
    (
        "a size without a unit that exists",
        "select: {limit: 9}",
        "require: {maxSize: 500MB}",
        "spec.require.maxSize: Invalid value: \"500MB\": write bytes as Kubernetes does, such as 500Mi or 2G: no MB",
    ),
    (
        "an unknown severity",
        "select: {limit: 9}",
        "require: {vulnerabilities: {maxSeverity: Severe}}",
        "spec.require.vulnerabilities.maxSeverity: Unsupported value: \"Severe\": supported values: \"None\", \"Low\", \"Medium\", \"High\", \"Critical\"",
    ),
    (
        "fewer than none to keep",
        "select: {limit: 9}",
        "retain: {keepNewest: -1}",
        "spec.retain.keepNewest: Invalid value: -1: spec.retain.keepNewest in body should be greater than or equal to 0",
    ),
    (
        "a tag to keep with a space",
        "select: {limit: 9}",
        "retain: {keepTags: ['a b']}",
        "spec.retain.keepTags[0]: Invalid value: \"a b\": spec.retain.keepTags[0] in body should match '^[A-Za-z0-9_.*?\\[\\]!-]+$'",
    ),
    (
        "an unknown mode",
        "select: {limit: 9}",
        "select: {limit: 9}\n  mode: Warn",
        "spec.mode: Unsupported value: \"Warn\": supported values: \"Enforce\", \"Audit\"",
    ),
];

pub(super) const RECORD: &str = r"
apiVersion: transship.dev/v1alpha1
kind: MirroredRepository
metadata: {name: record}
spec: {mirror: base, destination: eu, repository: r.example.com/alpine, part: 0}
";

pub(super) const RECORDS: [Case; 3] = [
    (
        "part of something negative",
        "part: 0",
        "part: -1",
        "spec.part: Invalid value: -1: spec.part in body should be greater than or equal to 0",
    ),
    (
        "no destination",
        "destination: eu, ",
        "",
        "spec.destination: Required value",
    ),
    (
        "the name of a mirror in upper case",
        "mirror: base",
        "mirror: Base",
        "spec.mirror: Invalid value: \"Base\": spec.mirror in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'",
    ),
];
