// SPDX-License-Identifier: Apache-2.0

//! Everything that is refused of a mirror and its policies, with the words.

mod choices;
mod images;
mod places;

use super::tests::{refusals, spec, with};

/// One part of the documents is changed: the name of the case, the part, what stands there instead, and
/// all messages.
type Change = (&'static str, &'static str, &'static str, &'static str);

/// More is written in the spec: the name of the case, what is added, and all messages.
const ADDITIONS: [(&str, &str, &str); 24] = [
    (
        "types of referrers that are not copied",
        "referrers: {mode: Skip, artifactTypes: [application/spdx+json]}",
        "spec.referrers.artifactTypes: is only used with mode: Copy",
    ),
    (
        "types of referrers that are none",
        "referrers: {artifactTypes: [spdx, 'application/a;b=c', /a, a/b]}",
        "spec.referrers.artifactTypes[0]: \"spdx\" is not an artifact type: write one such as application/spdx+json | spec.referrers.artifactTypes[1]: \"application/a;b=c\" is not an artifact type: write one such as application/spdx+json | spec.referrers.artifactTypes[2]: \"/a\" is not an artifact type: write one such as application/spdx+json",
    ),
    (
        "a type of referrers twice",
        "referrers: {artifactTypes: [a/b, a/b]}",
        "spec.referrers.artifactTypes[1]: \"a/b\" is already in spec.referrers.artifactTypes[0]",
    ),
    (
        "looks at referrers all the time",
        "referrers: {recheck: 59s}",
        "spec.referrers.recheck: is 59s, the shortest is 1m",
    ),
    (
        "pruning beyond its bounds",
        "prune: {mode: Plan, maxPercent: 101, maxDeletes: -1}",
        "spec.prune.maxDeletes: is -1, expected 0 to 100000 | spec.prune.maxPercent: is 101, expected 0 to 100",
    ),
    (
        "an interval that is too short",
        "interval: 29s",
        "spec.interval: interval 29s is too short: the shortest is 30s",
    ),
    (
        "an interval and a schedule",
        "interval: 1h\n  schedule: {cron: '0 3 * * *'}",
        "spec.schedule: cannot be combined with interval: remove one of them",
    ),
    (
        "a cron expression with too few fields",
        "schedule: {cron: '0 3 * *'}",
        "spec.schedule: cron expression \"0 3 * *\" is not understood (it has 4 fields): write minute, hour, day of month, month and day of week, such as 0 3 * * *",
    ),
    (
        "a cron expression out of range",
        "schedule: {cron: '0 25 * * *'}",
        "spec.schedule: cron expression \"0 25 * * *\" is not understood (Number out of bounds): write minute, hour, day of month, month and day of week, such as 0 3 * * *",
    ),
    (
        "a time zone that does not exist",
        "schedule: {cron: '0 3 * * *', timeZone: Mars/Olympus}",
        "spec.schedule: time zone \"Mars/Olympus\" does not exist: use a name of the IANA database, such as Europe/Berlin",
    ),
    (
        "a timeout of nothing",
        "timeout: 0s",
        "spec.timeout: is 0s, the shortest is 1s",
    ),
    (
        "an immutable tag twice",
        "immutableTags: ['v*', 'v*']",
        "spec.immutableTags[1]: \"v*\" is already in spec.immutableTags[0]",
    ),
    (
        "immutable tags that are looked at all the time",
        "immutableTags: ['v*']\n  verifyInterval: 59m",
        "spec.verifyInterval: is 59m, the shortest is 1h",
    ),
    (
        "a time between looks at nothing",
        "verifyInterval: 168h",
        "spec.verifyInterval: is only used with immutableTags",
    ),
    (
        "a promise that no registry keeps",
        "freshness: 29s",
        "spec.freshness: is 29s, the shortest is 30s",
    ),
    (
        "a list of platforms without the mode",
        "platforms: {list: [linux/amd64]}",
        "spec.platforms.list: is only used with mode: List",
    ),
    (
        "the mode without a list",
        "platforms: {mode: List}",
        "spec.platforms.list: is empty, 1 to 32 items are needed",
    ),
    (
        "a platform that is none",
        "platforms: {mode: List, list: [amd64]}",
        "spec.platforms.list[0]: platform \"amd64\" must be os/architecture or os/architecture/variant, such as linux/arm64",
    ),
    (
        "a platform with a space",
        "platforms: {mode: List, list: [linux/amd 64]}",
        "spec.platforms.list[0]: platform \"linux/amd 64\" contains ' ': only letters, digits, '_', '.' and '-' are allowed",
    ),
    (
        "a platform twice",
        "platforms: {mode: List, list: [linux/amd64, linux/amd64]}",
        "spec.platforms.list[1]: \"linux/amd64\" is already in spec.platforms.list[0]",
    ),
    (
        "one image in place of an index, of all platforms",
        "platforms: {index: Unwrap}",
        "spec.platforms.index: Unwrap is for one platform: write mode: List and one of them in list",
    ),
    (
        "one image in place of an index, of two platforms",
        "platforms: {mode: List, list: [linux/amd64, linux/arm64], index: Unwrap}",
        "spec.platforms.index: Unwrap is for one platform: write mode: List and one of them in list",
    ),
    (
        "an unknown policy for all",
        "policyRefs: [{name: signed}]",
        "spec.policyRefs[0].name: there is no ImagePolicy \"signed\" in the namespace \"platform\"",
    ),
    (
        "too many policies",
        "policyRefs: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f}, {name: g}, {name: h}, {name: i}]",
        "spec.policyRefs: has 9 items, at most 8 are allowed | spec.policyRefs[0].name: there is no ImagePolicy \"a\" in the namespace \"platform\" | spec.policyRefs[1].name: there is no ImagePolicy \"b\" in the namespace \"platform\" | spec.policyRefs[2].name: there is no ImagePolicy \"c\" in the namespace \"platform\" | spec.policyRefs[3].name: there is no ImagePolicy \"d\" in the namespace \"platform\" | spec.policyRefs[4].name: there is no ImagePolicy \"e\" in the namespace \"platform\" | spec.policyRefs[5].name: there is no ImagePolicy \"f\" in the namespace \"platform\" | spec.policyRefs[6].name: there is no ImagePolicy \"g\" in the namespace \"platform\" | spec.policyRefs[7].name: there is no ImagePolicy \"h\" in the namespace \"platform\" | spec.policyRefs[8].name: there is no ImagePolicy \"i\" in the namespace \"platform\"",
    ),
];

#[test]
fn mirrors_and_policies_that_are_refused() {
    let changes = [
        places::CHANGES.as_slice(),
        &images::CHANGES,
        &choices::CHANGES,
    ];
    for (name, part, replacement, expected) in changes.concat() {
        assert_eq!(refusals(&with(part, replacement)), expected, "{name}");
    }
    for (name, more, expected) in ADDITIONS {
        assert_eq!(refusals(&spec(more)), expected, "{name}");
    }
}
