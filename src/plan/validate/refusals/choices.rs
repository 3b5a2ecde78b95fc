// SPDX-License-Identifier: Apache-2.0

//! Tags, and policies that choose among them, that are refused.

use super::Change;

pub(super) const CHANGES: [Change; 36] = [
    (
        "a pinned glob",
        "\"3.20\"",
        "\"3.2*@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        "spec.images[0].tags[0]: \"3.2*@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" pins a glob: only a tag that is written in full has a digest",
    ),
    (
        "a tag twice, once pinned",
        "\"3.21*\"",
        "\"3.20@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        "spec.images[0].tags[1]: \"3.20\" is already in spec.images[0].tags[0]",
    ),
    (
        "a pinned tag of several repositories",
        "library/alpine\n      tags: [\"3.20\"",
        "library/*\n      tags: [\"3.20@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        "spec.images[0].tags[0]: is pinned to a digest, and library/* may be several repositories: write the repository in full",
    ),
    (
        "rules of an entry that are none",
        "policyRefs: [{name: stable}]",
        "select: {extract: {pattern: '(?P<ts>.*)', value: $tz}, semver: {range: latest}, newest: {count: 0}}",
        "spec.images[1].select.extract.value: value \"$tz\" names the group \"tz\", and the pattern has 1, ts | spec.images[1].select.semver.range: range \"latest\" has \"latest\" where a version such as 1.20, 1.20.3 or 1.x must stand | spec.images[1].select.newest.count: is 0, expected 1 to 10000",
    ),
    (
        "a part of tags that cannot be extracted",
        "semver: {range: \">=1.20 <2\"}",
        "extract: {pattern: '(', value: $1}",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.extract.pattern: pattern \"(\" is not a regular expression: unclosed group",
    ),
    (
        "a tag with a colon",
        "\"3.20\"",
        "\"alpine:3.20\"",
        "spec.images[0].tags[0]: tag \"alpine:3.20\" contains ':' at position 7: a tag is letters, digits, '_', '.' and '-', and starts with a letter, digit or '_'",
    ),
    (
        "an empty tag",
        "\"3.20\"",
        "\"\"",
        "spec.images[0].tags[0]: the tag is empty",
    ),
    (
        "a tag twice",
        "\"3.21*\"",
        "\"3.20\"",
        "spec.images[0].tags[1]: \"3.20\" is already in spec.images[0].tags[0]",
    ),
    (
        "a tag glob that is not closed",
        "3.21*",
        "3.2[01",
        "spec.images[0].tags[1]: glob \"3.2[01\" has a '[' without its ']'",
    ),
    (
        "a tag glob with a slash",
        "3.21*",
        "v/*",
        "spec.images[0].tags[1]: glob \"v/*\" contains '/', which no tag has: use letters, digits, '_', '.', '-', *, ? and [...]",
    ),
    (
        "a policy that does not exist",
        "name: stable}]",
        "name: stabel}]",
        "spec.images[1].policyRefs[0].name: there is no ImagePolicy \"stabel\" in the namespace \"platform\", did you mean \"stable\"?",
    ),
    (
        "a policy of another namespace",
        "name: stable, namespace: platform",
        "name: stable, namespace: other",
        "spec.images[1].policyRefs[0].name: there is no ImagePolicy \"stable\" in the namespace \"platform\"",
    ),
    (
        "a policy that is suspended",
        "  select:",
        "  suspend: true\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is suspended",
    ),
    (
        "a policy named twice",
        "[{name: stable}]",
        "[{name: stable}, {name: stable}]",
        "spec.images[1].policyRefs[1].name: \"stable\" is already in spec.images[1].policyRefs[0].name",
    ),
    (
        "an include that is no expression",
        "semver: {range: \">=1.20 <2\"}",
        "include: ['[']",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.include[0]: pattern \"[\" is not a regular expression: unclosed character class",
    ),
    (
        "an exclude that looks around",
        "semver: {range: \">=1.20 <2\"}",
        "exclude: ['(?!rc)']",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.exclude[0]: pattern \"(?!rc)\" is not a regular expression: look-around, including look-ahead and look-behind, is not supported",
    ),
    (
        "an empty pattern",
        "semver: {range: \">=1.20 <2\"}",
        "include: ['']",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.include[0]: the pattern is empty: write .* for any tag",
    ),
    (
        "a pattern that explodes",
        "semver: {range: \">=1.20 <2\"}",
        "include: ['((a{1000}){1000}){1000}']",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.include[0]: pattern \"((a{1000}){1000}){1000}\" is too complex: use smaller repetitions",
    ),
    (
        "a range that is none",
        ">=1.20 <2",
        ">=latest",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.semver.range: range \">=latest\" has \"latest\" where a version such as 1.20, 1.20.3 or 1.x must stand",
    ),
    (
        "a range with an unknown operator",
        ">=1.20 <2",
        "<>1.20",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.semver.range: range \"<>1.20\" has the operator \"<>\": use =, !=, >, >=, <, <=, ~ or ^",
    ),
    (
        "an empty range",
        ">=1.20 <2",
        "",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.semver.range: range \"\" has an empty part: write * for any version",
    ),
    (
        "newest of nothing",
        "semver: {range: \">=1.20 <2\"}",
        "newest: {count: 0}",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.newest.count: is 0, expected 1 to 10000",
    ),
    (
        "a negative limit",
        "semver: {range: \">=1.20 <2\"}",
        "limit: -1",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.limit: is -1, expected 1 to 100000",
    ),
    (
        "a select without rules",
        "\n    semver: {range: \">=1.20 <2\"}",
        " {}",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select: has no rule: write include: [\".*\"] to select every tag",
    ),
    (
        "a policy without anything",
        "\n  select:\n    semver: {range: \">=1.20 <2\"}",
        " {}",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec: says nothing: write select, minAge, verify, require or retain",
    ),
    (
        "an authority: no key",
        "  select:",
        "  verify: [{name: a, type: Key}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].key: is needed with type: Key, and only there",
    ),
    (
        "an authority: an identity with a key",
        "  select:",
        "  verify: [{name: a, type: Keyless, key: {secretRef: {name: a, key: b}}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].key: is needed with type: Key, and only there",
    ),
    (
        "an authority: a key with an identity",
        "  select:",
        "  verify: [{name: a, type: Key, key: {secretRef: {name: a, key: b}}, keyless: {issuer: i, subject: s}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].keyless: is needed with type: Keyless, and only there",
    ),
    (
        "an authority: no issuer",
        "  select:",
        "  verify: [{name: a, type: Keyless, keyless: {issuer: '', subject: s}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].keyless.issuer: must have 1 to 512 characters, such as https://accounts.google.com",
    ),
    (
        "an authority: no subject",
        "  select:",
        "  verify: [{name: a, type: Keyless, keyless: {issuer: i, subject: ''}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].keyless.subject: must have 1 to 512 characters, such as https://github.com/acme/*",
    ),
    (
        "an authority: every subject",
        "  select:",
        "  verify: [{name: a, type: Keyless, keyless: {issuer: i, subject: '**'}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].keyless.subject: stands for everyone whom the issuer knows: write who must have signed, such as https://github.com/acme/*",
    ),
    (
        "authorities: a name twice",
        "  select:",
        "  verify: [{name: a, type: Key, key: {secretRef: {name: a, key: b}}}, {name: a, type: Key, key: {secretRef: {name: c, key: d}}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[1].name: \"a\" is already in spec.verify[0].name",
    ),
    (
        "scans that nobody signs",
        "  select:",
        "  require: {vulnerabilities: {maxSeverity: High}}\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.require.vulnerabilities: needs spec.verify, which says whose scans are believed: add the authority that signs them",
    ),
    (
        "a require without rules",
        "  select:",
        "  require: {}\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.require: has no rule: write user, maxSize, maxAge, platforms, labels, denyTags or vulnerabilities",
    ),
    (
        "a require of what cannot be",
        "  select:",
        "  require: {maxSize: 5MB, platforms: [linux], denyTags: ['a b']}\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.require.maxSize: size \"5MB\" is not understood: write bytes, or a number with k, Ki, M, Mi, G, Gi, T or Ti, such as 500Mi; spec.require.platforms[0]: platform \"linux\" must be os/architecture or os/architecture/variant, such as linux/arm64; spec.require.denyTags[0]: glob \"a b\" contains ' ', which no tag has: use letters, digits, '_', '.', '-', *, ? and [...]",
    ),
    (
        "retain with a bad glob",
        "  select:",
        "  retain: {keepNewest: -1, keepTags: ['a b']}\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.retain.keepNewest: is -1, expected 0 to 10000; spec.retain.keepTags[0]: glob \"a b\" contains ' ', which no tag has: use letters, digits, '_', '.', '-', *, ? and [...]",
    ),
];
