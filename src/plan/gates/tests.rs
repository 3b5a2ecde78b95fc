// SPDX-License-Identifier: Apache-2.0

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::api::document::{self, Resource};
use crate::oci::ImageConfig;
use crate::plan::Policy;

const NOW: &str = "2026-06-01T00:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A policy with this spec.
fn policy(name: &str, spec: &str) -> Arc<Policy> {
    let text = format!(
        "apiVersion: transship.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"
    );
    let contents = document::parse(&text, "policy.yaml").unwrap();
    let Some(Resource::ImagePolicy(policy)) =
        contents.documents.first().map(|first| &first.resource)
    else {
        panic!("a policy")
    };
    Arc::new(Policy::validate(policy).unwrap())
}

/// A good image for a platform.
fn image(platform: &str) -> ImageFacts {
    ImageFacts {
        platform: Some(platform.parse().unwrap()),
        size: 1_000_000,
        config: Some(ImageConfig {
            user: "1000".to_owned(),
            created: Some(time("2026-05-01T00:00:00Z")),
            labels: [("source".to_owned(), "https://acme/app".to_owned())].into(),
            ..ImageConfig::default()
        }),
    }
}

fn with(change: impl FnOnce(&mut ImageConfig)) -> ImageFacts {
    let mut image = image("linux/arm64");
    image.config.as_mut().map(change);
    image
}

fn running_as(user: &str) -> ImageFacts {
    with(|config| user.clone_into(&mut config.user))
}

fn labelled(value: &str) -> ImageFacts {
    with(|config| config.labels = [("source".to_owned(), value.to_owned())].into())
}

fn built(time: Option<&str>) -> ImageFacts {
    with(|config| config.created = time.map(self::time))
}

/// What these policies make of the tag 1.0, first seen at a time.
fn conclude(policies: &[Arc<Policy>], images: &[ImageFacts], first_seen: &str) -> Conclusion {
    let mut judgement = Judgement::default();
    judgement.judge_tag(policies, &"1.0".parse().unwrap());
    judgement.judge_images(policies, images, time(NOW));
    judgement.judge_age(policies, time(first_seen), time(NOW));
    judgement.conclude()
}

/// The verdict in words.
fn verdict(conclusion: &Conclusion) -> &str {
    match &conclusion.verdict {
        Verdict::Admitted => "admitted",
        Verdict::Refused(refusal) => &refusal.message,
        Verdict::Quarantined(quarantine) => &quarantine.refusal.message,
    }
}

/// The rules, the image for arm64 (that for amd64 is good), and the verdict.
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn cases() -> Vec<(&'static str, ImageFacts, &'static str)> {
    let good = || image("linux/arm64");
    let artifact = || ImageFacts {
        config: None,
        ..good()
    };
    let user = "user: NonRoot";
    let old = "maxAge: 2160h";
    let label = "labels: {source: 'https://acme/*'}";
    let advice = "build the image with a USER other than root, best a number from 1 on";
    let user_refusal = |problem: &str| {
        let text = format!("policy \"p\", require.user: linux/arm64 {problem}: {advice}");
        &*text.leak()
    };
    vec![
        (user, good(), "admitted"),
        (user, running_as("app"), "admitted"),
        (user, running_as("1:0"), "admitted"),
        (user, running_as("nonroot:nonroot"), "admitted"),
        (
            user,
            running_as(""),
            user_refusal("sets no user and runs as root"),
        ),
        (
            user,
            running_as(" "),
            user_refusal("sets no user and runs as root"),
        ),
        (
            user,
            running_as(":1000"),
            user_refusal("sets no user and runs as root"),
        ),
        (user, running_as("root"), user_refusal("runs as root")),
        (user, running_as("root:app"), user_refusal("runs as root")),
        (
            user,
            running_as("containeradministrator"),
            user_refusal("runs as containeradministrator"),
        ),
        (
            user,
            running_as("0"),
            user_refusal("runs as root, by its number"),
        ),
        (
            user,
            running_as("000:1"),
            user_refusal("runs as root, by its number"),
        ),
        (
            user,
            running_as("+0"),
            user_refusal("runs as root, by its number"),
        ),
        (
            user,
            running_as("-1"),
            user_refusal("runs as \"-1\", which is no user"),
        ),
        (
            user,
            running_as("4294967296"),
            user_refusal("runs as \"4294967296\", which is no user"),
        ),
        (
            user,
            running_as("99999999999999999999"),
            user_refusal("runs as \"99999999999999999999\", which is no user"),
        ),
        (
            user,
            artifact(),
            "policy \"p\", require.user: linux/arm64 has no image config, it is another kind of artifact: mirror it without this policy",
        ),
        ("maxSize: '1000000'", good(), "admitted"),
        (
            "maxSize: 1M",
            ImageFacts {
                size: 1_000_001,
                ..good()
            },
            "policy \"p\", require.maxSize: linux/arm64 has 1000001 bytes, more than 1M: make the image smaller, or raise the limit",
        ),
        ("maxSize: 1M", artifact(), "admitted"),
        (old, good(), "admitted"),
        (old, built(Some("2026-06-01T12:00:00Z")), "admitted"),
        (
            old,
            built(Some("2026-03-02T23:59:59Z")),
            "policy \"p\", require.maxAge: linux/arm64 was built at 2026-03-02T23:59:59Z, more than 2160h ago: build it again",
        ),
        (
            old,
            built(Some("2099-01-01T00:00:00Z")),
            "policy \"p\", require.maxAge: linux/arm64 says that it was built at 2099-01-01T00:00:00Z, which is yet to come: correct the clock of the build",
        ),
        (
            old,
            built(None),
            "policy \"p\", require.maxAge: linux/arm64 does not say when it was built: build it with a time, or remove the rule",
        ),
        (
            old,
            artifact(),
            "policy \"p\", require.maxAge: linux/arm64 has no image config, it is another kind of artifact: mirror it without this policy",
        ),
        (
            "platforms: [linux/amd64, linux/arm64/v8]",
            good(),
            "admitted",
        ),
        (
            "platforms: [linux/s390x]",
            good(),
            "policy \"p\", require.platforms: linux/s390x is missing, linux/amd64, linux/arm64 would be copied: build the image for it, or add it to the platforms of the mirror",
        ),
        (label, good(), "admitted"),
        (label, labelled("https://acme/"), "admitted"),
        (
            label,
            labelled("https://evil/https://acme/app\u{1b}[2J"),
            "policy \"p\", require.labels: linux/arm64 has the label source with \"https://evil/https://acme/app\\u{1b}[2J\", expected https://acme/*: correct the label of the image, or the rule",
        ),
        (
            label,
            with(|config| config.labels.clear()),
            "policy \"p\", require.labels: linux/arm64 has no label source, expected https://acme/*: add the label to the image, or remove the rule",
        ),
        (
            label,
            artifact(),
            "policy \"p\", require.labels: linux/arm64 has no image config, it is another kind of artifact: mirror it without this policy",
        ),
        ("denyTags: [latest, '2*']", good(), "admitted"),
        (
            "denyTags: [latest, '1.*']",
            good(),
            "policy \"p\", require.denyTags: 1.* denies the tag 1.0: mirror another tag of the image",
        ),
        (
            "denyTags: ['1.0']",
            good(),
            "policy \"p\", require.denyTags: 1.0 denies the tag 1.0: mirror another tag of the image",
        ),
    ]
}

#[test]
fn rules_and_images() {
    for (rules, arm, expected) in cases() {
        let policies = [policy("p", &format!("require: {{{rules}}}"))];
        let images = [image("linux/amd64"), arm];
        let conclusion = conclude(&policies, &images, NOW);
        assert_eq!(verdict(&conclusion), expected, "{rules} {images:?}");
    }
}

#[test]
fn long_texts_of_an_image_are_cut() {
    let policies = [policy("p", "require: {labels: {source: x}}")];
    let conclusion = conclude(&policies, &[labelled(&"y".repeat(10_000))], NOW);
    assert!(verdict(&conclusion).len() < 300, "{conclusion:?}");
}

#[test]
fn a_quarantine_ends() {
    let policies = [policy("p", "minAge: 72h")];
    let cases = [
        ("2026-05-29T00:00:00Z", "admitted"),
        (
            "2026-05-29T00:00:01Z",
            "policy \"p\", minAge: first seen at 2026-05-29T00:00:01Z, let through 72h later, at 2026-06-01T00:00:01Z: wait until then",
        ),
    ];
    for (first_seen, expected) in cases {
        let conclusion = conclude(&policies, &[], first_seen);
        assert_eq!(verdict(&conclusion), expected);
    }
}

#[test]
fn all_policies_must_admit_and_a_refusal_outlasts_a_quarantine() {
    let day = || policy("day", "minAge: 24h");
    let week = || policy("week", "minAge: 168h");
    let nonroot = || policy("nonroot", "require: {user: NonRoot}");
    let small = || policy("small", "require: {maxSize: 1k}");
    let select = || policy("select", "select: {limit: 1}");
    let seen = "2026-05-31T12:00:00Z";
    let root = [running_as("root")];
    let cases = [
        ("none", vec![], ""),
        ("only selects", vec![select()], ""),
        ("the longest quarantine", vec![week(), day()], "week minAge"),
        (
            "refused and quarantined",
            vec![day(), nonroot()],
            "nonroot require.user",
        ),
        (
            "the first refusal",
            vec![nonroot(), small()],
            "nonroot require.user",
        ),
        (
            "the order is the mirror's",
            vec![small(), nonroot()],
            "small require.maxSize",
        ),
    ];
    for (name, policies, expected) in cases {
        let conclusion = conclude(&policies, &root, seen);
        let found = match &conclusion.verdict {
            Verdict::Admitted => String::new(),
            Verdict::Refused(Refusal { policy, gate, .. })
            | Verdict::Quarantined(Quarantine {
                refusal: Refusal { policy, gate, .. },
                ..
            }) => format!("{policy} {gate}"),
        };
        assert_eq!(found, expected, "{name}");
    }
    let conclusion = conclude(&[day(), nonroot(), small()], &root, seen);
    assert_eq!(
        conclusion.broken.len(),
        3,
        "each policy counts what it keeps out"
    );
}

#[test]
fn an_audit_reports_and_admits() {
    let audit = policy(
        "audit",
        "mode: Audit, minAge: 72h, require: {user: NonRoot}",
    );
    let strict = policy("strict", "require: {maxSize: 1k}");
    let root = [running_as("root")];
    let conclusion = conclude(std::slice::from_ref(&audit), &root, NOW);
    assert_eq!(conclusion.verdict, Verdict::Admitted);
    let audited: Vec<Gate> = conclusion
        .audited
        .iter()
        .map(|refusal| refusal.gate)
        .collect();
    assert_eq!(audited, [Gate::User], "the first rule that is broken");

    let conclusion = conclude(&[audit, strict], &root, NOW);
    assert!(verdict(&conclusion).starts_with("policy \"strict\""));
    assert_eq!(conclusion.audited.len(), 1);
}

#[test]
fn sizes() {
    let cases = [
        ("0", Err("size \"0\" admits nothing: write a larger one")),
        ("1", Ok(1)),
        ("2k", Ok(2_000)),
        ("2Ki", Ok(2_048)),
        ("500Mi", Ok(524_288_000)),
        ("3G", Ok(3_000_000_000)),
        ("1Ti", Ok(1_099_511_627_776)),
        (
            "99999999999Ti",
            Err("size \"99999999999Ti\" is larger than any image: write a smaller one"),
        ),
    ];
    for (text, expected) in cases {
        let size: Result<Size, SizeError> = text.parse();
        let found = size.map(|size| size.bytes());
        assert_eq!(
            found.map_err(|error| error.to_string()),
            expected.map_err(str::to_owned)
        );
    }
    for text in ["", "Mi", "5MB", "5m", "-1", "1.5Gi", "1 k", "٣"] {
        assert!(
            matches!(text.parse::<Size>(), Err(SizeError::Form(_))),
            "{text}"
        );
    }
}
