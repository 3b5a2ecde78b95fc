// SPDX-License-Identifier: Apache-2.0

use proptest::prelude::*;

use super::prerelease::Part;
use super::*;

/// Numbers, prerelease, variant and builds of a tag, or `no version`.
fn describe(tag: &str) -> String {
    let Some(version) = Version::parse(&tag.parse().unwrap()) else {
        return "no version".to_owned();
    };
    let numbers: Vec<String> = version
        .release
        .numbers
        .iter()
        .map(Number::to_string)
        .collect();
    let mut text = numbers.join(".");
    if let Some(prerelease) = &version.release.prerelease {
        let parts: Vec<String> = prerelease
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::End => None,
                Part::Number(number) => Some(number.to_string()),
                Part::Word(word) => Some(word.clone()),
                Part::Unfinished(word) => Some(format!("before {word}")),
            })
            .collect();
        text += " pre ";
        text += &parts.join(" ");
    }
    if let Some(correction) = &version.release.correction {
        text += " correction ";
        text += &correction.to_string();
    }
    if let Some(variant) = &version.variant {
        text += " variant ";
        text += variant;
    }
    for build in &version.builds {
        text += " build ";
        text += &build.to_string();
    }
    text
}

/// Tags, and what they say.
const TAGS: &[(&str, &str)] = &[
    ("1.27", "1.27"),
    ("v1.27.3", "1.27.3"),
    ("V1.2", "1.2"),
    ("3.20.1", "3.20.1"),
    ("1.2.3.4", "1.2.3.4"),
    ("2024.01.15", "2024.1.15"),
    ("24.04", "24.4"),
    ("1.27-alpine", "1.27 variant alpine"),
    ("1.27.3-alpine3.20", "1.27.3 variant alpine3.20"),
    ("22.9.0-bookworm-slim", "22.9.0 variant bookworm-slim"),
    (
        "1.27.3-rc1-alpine3.20",
        "1.27.3 pre rc 1 variant alpine3.20",
    ),
    ("3.13.0-rc.2", "3.13.0 pre rc 2"),
    ("3.13.0rc2-slim", "3.13.0 pre rc 2 variant slim"),
    ("3.13-rc-alpine", "3.13 pre rc variant alpine"),
    ("2.0.0.RC1", "2.0.0 pre rc 1"),
    ("2.0.0.CR1", "2.0.0 pre rc 1"),
    ("27.0.0.Alpha5", "27.0.0 pre alpha 5"),
    ("4.8.3.Final", "4.8.3"),
    ("2.3.12.RELEASE", "2.3.12"),
    ("3.6.0.GA-jre", "3.6.0 variant jre"),
    ("26.1.3.Final-jdk17", "26.1.3 variant jdk17"),
    ("7.4.0.Final-redhat-00001", "7.4.0 variant redhat build 1"),
    ("7.4.0.Final-2", "7.4.0 build 2"),
    ("3.6.0.SP1", "3.6.0 correction 1"),
    ("1.0-sp", "1.0 correction 0"),
    ("2.4.7-p3", "2.4.7 correction 3"),
    (
        "11.3.0-security-01-ubuntu",
        "11.3.0 correction 1 variant ubuntu",
    ),
    ("1.0-rc1-SNAPSHOT", "1.0 pre rc 1 before snapshot"),
    (
        "v1.28.10-rancher1-1",
        "1.28.10 variant rancher build 1 build 1",
    ),
    (
        "v1.27.6-eks-1-27-14",
        "1.27.6 variant eks build 1 build 27 build 14",
    ),
    ("v1.30.1-eks-49c6de4", "1.30.1 variant eks"),
    (
        "v1.26.5_vmware.2-tkg.1",
        "1.26.5 variant vmware-tkg build 2 build 1",
    ),
    ("1.2.4-acme.12", "1.2.4 variant acme build 12"),
    ("17.6.1-ce.0", "17.6.1 variant ce build 0"),
    (
        "9.5-minimal-1733767867",
        "9.5 variant minimal build 1733767867",
    ),
    (
        "3.9.9-eclipse-temurin-21",
        "3.9.9 variant eclipse-temurin-21",
    ),
    (
        "4.8.1-windowsservercore-ltsc2022",
        "4.8.1 variant windowsservercore-ltsc2022",
    ),
    ("1.0-deadbeef-slim", "1.0 pre deadbeef variant slim"),
    ("2.3.12.BUILD-SNAPSHOT", "2.3.12 pre snapshot"),
    ("17.6.0-rc42.ee.0", "17.6.0 pre rc 42 variant ee build 0"),
    ("3.30.0-0.dev-456-g1a2b3c4", "3.30.0 pre 0 dev 456 g1a2b3c4"),
    ("1.0-slim-deadbeef", "1.0 variant slim-deadbeef"),
    ("1.0.0-SNAPSHOT", "1.0.0 pre snapshot"),
    ("1.0.0-beta-2-slim", "1.0.0 pre beta 2 variant slim"),
    (
        "9.0.100-preview.7-noble",
        "9.0.100 pre preview 7 variant noble",
    ),
    ("1.2.3-1", "1.2.3 pre 1"),
    ("1.2.3-14-g2414721", "1.2.3 pre 14 g2414721"),
    (
        "0.0.0-20240101120000-abcdef123456",
        "0.0.0 pre 20240101120000 abcdef123456",
    ),
    ("21.0.4_7-jre", "21.0.4 variant jre build 7"),
    ("25_36-jdk", "25 variant jdk build 36"),
    ("17.0.8.1_1-jre", "17.0.8.1 variant jre build 1"),
    ("1.2.5_sha.abc", "1.2.5"),
    ("0.1.0_git.20240101.abcdef1", "0.1.0 build 20240101"),
    ("1.2.3-rc1_build.7", "1.2.3 pre rc 1 variant build build 7"),
    (
        "103.1.0_up0.7.0",
        "103.1.0 variant up build 0 build 7 build 0",
    ),
    ("3.20.0_rc1", "3.20.0 pre rc 1"),
    ("1.2.3_build5", "1.2.3 variant build build 5"),
    ("v1.30.2-k3s1", "1.30.2 variant k3s build 1"),
    (
        "v1.30.8-rke2r2-build20241201",
        "1.30.8 variant rke2r-build build 2 build 20241201",
    ),
    ("17.2.0-debian-12-r1", "17.2.0 variant debian-12-r build 1"),
    ("v1.19.0-eksbuild.10", "1.19.0 variant eksbuild build 10"),
    ("2.1.0-r36.4.0", "2.1.0 variant r36.4.0"),
    ("16.6-jdk21", "16.6 variant jdk21"),
    ("0.6.4.post1", "0.6.4.1"),
    ("1.0-precise", "1.0 variant precise"),
    ("1.0-developer", "1.0 variant developer"),
    ("3.13.0b4", "3.13.0 pre beta 4"),
    ("3.13.0a2-slim", "3.13.0 pre alpha 2 variant slim"),
    ("3.13.0-b4", "3.13.0 variant b build 4"),
    ("v0.108.0-b.59", "0.108.0 pre beta 59"),
    ("3.13.0b20240101", "3.13.0 pre beta 20240101"),
    ("1.41.3.9314-a0bfb8370", "1.41.3.9314 pre a0bfb8370"),
    ("1.20.0.3181-0800642ec", "1.20.0.3181 pre 0800642ec"),
    (
        "12.6.3-devel-ubuntu24.04",
        "12.6.3 variant devel-ubuntu24.04",
    ),
    ("2024.3-eap", "2024.3 pre eap"),
    ("7.4.0-v1", "7.4.0 variant v build 1"),
    ("1.2.3-arm-v7", "1.2.3 variant arm-v7"),
    ("7.4.13-u112", "7.4.13 variant u112"),
    ("7.4.3.129-ga129", "7.4.3.129 variant ga build 129"),
    ("2024.2.0.0-b145", "2024.2.0.0 variant b build 145"),
    ("2024.2.0.0-b999999", "2024.2.0.0 variant b build 999999"),
    ("2024.2.0.0-b1000000", "2024.2.0.0 variant b build 1000000"),
    (
        "17.6.1-ce1000000-jdk",
        "17.6.1 variant ce-jdk build 1000000",
    ),
    ("25.3.0-cu128-b200", "25.3.0 variant cu128-b200"),
    ("24.5.0-u2204", "24.5.0 variant u2204"),
    ("v1.10.5-hardened4", "1.10.5 variant hardened build 4"),
    (
        "0.70.0-envoy-2-static",
        "0.70.0 variant envoy-static build 2",
    ),
    ("3261.v9c670a_4748a_9-1-jdk17", "3261 variant jdk17 build 1"),
    ("3261.v9c670a_4748a_9", "3261"),
    ("3261.v9c670a_4748a_9x", "no version"),
    ("3261.v9c", "no version"),
    ("8.0-M02", "8.0 pre milestone 2"),
    ("8.0-m", "8.0 variant m"),
    ("11.8.1-ubi9-rc", "11.8.1 pre rc variant ubi9"),
    ("3.13.7-debian13-dev", "3.13.7 variant debian13-dev"),
    ("v1.4.0-abcdef0", "1.4.0 pre abcdef0"),
    ("1.4.0-b1a2c3d4", "1.4.0 pre b1a2c3d4"),
    ("1.4.0-ga1234567", "1.4.0 pre ga1234567"),
    ("v1.4.0-facade", "1.4.0 variant facade"),
    ("1.23-nightly-rootless", "1.23 pre nightly variant rootless"),
    ("20240101.1", "20240101.1"),
    ("1.99999999999999999999999", "1.99999999999999999999999"),
    ("17", "no version"),
    ("v3", "no version"),
    ("17-alpine", "no version"),
    ("20241215_1234567", "no version"),
    ("17_beta", "no version"),
    ("1.2.Finale", "no version"),
    ("1.2.amd64", "no version"),
    ("20240101", "no version"),
    ("2024-01-15", "no version"),
    ("latest", "no version"),
    ("stable-1.27", "no version"),
    ("1.2.x", "no version"),
    ("1.2.", "no version"),
    ("1.2-", "no version"),
    ("1..2", "no version"),
    ("1.2.3foo", "no version"),
    ("1.2.3a", "no version"),
    ("1.post2", "no version"),
    ("1.2.postgres", "no version"),
    ("8u392-b08", "no version"),
    ("1234567", "no version"),
    ("deadbeef", "no version"),
    ("sha-2414721", "no version"),
    ("_1.2", "no version"),
    ("version-1.2", "no version"),
];

#[test]
fn tags_and_the_versions_they_are() {
    for (tag, expected) in TAGS {
        assert_eq!(describe(tag), *expected, "{tag}");
    }
}

#[test]
fn versions_from_old_to_new() {
    let sorted = [
        "0.9.9",
        "1.0-alpha1",
        "1.0-beta.2",
        "1.0-beta.10",
        "1.0-M1",
        "1.0-rc1.dev3",
        "1.0-rc1-SNAPSHOT",
        "1.0-rc1",
        "1.0-rc.1.1",
        "1.0-CR2",
        "1.0-rc10",
        "1.0-SNAPSHOT",
        "1.0",
        "v1.0",
        "1.0.0",
        "1.0-alpine",
        "1.0-k3s1",
        "1.0-k3s2",
        "1.0-k3s10",
        "1.0.0.SP1",
        "1.0-sp2",
        "1.0.0.1",
        "1.2",
        "1.10",
        "2.0",
        "2024.1.1",
    ];
    for pair in sorted.windows(2) {
        let versions: Vec<Version> = pair
            .iter()
            .map(|tag| Version::parse_text(tag).unwrap())
            .collect();
        assert!(versions[0] < versions[1], "{pair:?}");
    }
}

fn any_version() -> impl Strategy<Value = Version> {
    "v?[0-9]{1,2}(\\.[0-9]{1,2}){1,3}(-(rc|beta|alpine|[0-9])[.-]?[0-9]{0,2})?(-slim)?"
        .prop_filter_map("no version", |text| Version::parse_text(&text))
}

proptest! {
    #[test]
    fn every_tag_is_a_version_or_not_without_a_panic(text in "[A-Za-z0-9_][A-Za-z0-9._-]{0,60}") {
        let _ = Version::parse(&text.parse().unwrap());
    }

    #[test]
    fn any_text_is_a_version_or_not_without_a_panic(text in ".{0,40}") {
        let _ = Version::parse_text(&text);
    }

    #[test]
    fn the_order_is_total_and_consistent(a in any_version(), b in any_version(), c in any_version()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }
}
