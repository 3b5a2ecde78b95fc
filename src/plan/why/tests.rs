// SPDX-License-Identifier: Apache-2.0

use serde_json::{Value, json};

use super::*;
use crate::plan::named_mirror::NamedMirror;

fn digest(digit: &str) -> String {
    format!("sha256:{}", digit.repeat(64))
}

/// What the tests know: a mirror with these fields of its spec and status, and what is on record.
struct Scene {
    spec: Value,
    status: Value,
    record: Value,
}

impl Scene {
    /// Two tags are there, one is being copied, one waits, one was pruned.
    fn new() -> Self {
        let tag = |tag: &str, digit: &str, copied: Value, state: Value| {
            json!({
                "tag": tag, "source": format!("docker.io/library/nginx:{tag}"), "sourceDigest": digest(digit),
                "digest": digest(digit), "shape": "all", "firstSeen": "2026-11-20T00:00:00Z", "copiedAt": copied, "state": state,
            })
        };
        let at = json!("2026-11-21T00:00:00Z");
        Self {
            spec: json!({
                "source": {"registry": "docker.io"},
                "images": [{"repository": "library/nginx", "policyRefs": [{"name": "stable"}]}],
                "destinations": [{"name": "eu", "registry": "registry.example.com", "repository": "mirror/{repository}"}],
            }),
            status: json!({
                "observedGeneration": 1,
                "failures": [
                    {"image": "registry.example.com/mirror/library/nginx:1.4.0", "destination": "eu", "reason": "QuotaExceeded", "message": "full", "attempts": 1},
                    {"image": "docker.io/library/nginx:1.5.0", "reason": "NotFound", "message": "gone", "attempts": 1},
                ],
                "refusals": [
                    {"image": "docker.io/library/nginx:1.6.0", "policy": "stable", "gate": "verify", "reason": "VerificationFailed", "message": "unsigned", "mode": "Enforce"},
                    {"image": "docker.io/library/nginx:1.7.0", "policy": "stable", "gate": "minAge", "reason": "Quarantined", "message": "wait", "mode": "Enforce"},
                    {"image": "docker.io/library/nginx:1.1.0", "policy": "stable", "gate": "require.user", "reason": "PolicyViolation", "message": "root", "mode": "Audit"},
                ],
            }),
            record: json!({
                "tags": [
                    tag("1.1.0", "1", at.clone(), Value::Null),
                    tag("1.2.0", "2", at, json!("Refused")),
                    tag("1.3.0", "3", Value::Null, json!("Pending")),
                ],
                "waiting": [{"tag": "1.7.0", "sourceDigest": digest("7"), "firstSeen": "2026-11-29T00:00:00Z"}],
                "deleted": [{
                    "tag": "1.0.0", "source": "docker.io/library/nginx:1.0.0", "sourceDigest": digest("9"),
                    "digest": digest("9"), "shape": "all", "deletedAt": "2026-11-25T00:00:00Z",
                }],
            }),
        }
    }

    /// The mirror, and its policy.
    fn objects(&self) -> [Value; 2] {
        let object = |kind: &str, name: &str, spec: &Value, status: &Value| {
            json!({
                "apiVersion": "transship.dev/v1alpha1", "kind": kind,
                "metadata": {"name": name, "namespace": "platform", "generation": 1}, "spec": spec, "status": status,
            })
        };
        let mirror = object("ImageMirror", "base", &self.spec, &self.status);
        let stable = json!({
            "select": {"semver": {"range": ">=1.0.0", "prereleases": "Exclude"}}, "minAge": "72h",
        });
        let policy = object("ImagePolicy", "stable", &stable, &json!({}));
        [mirror, policy]
    }

    fn answer(&self, image: &str) -> ImageAnswer {
        let [mirror, policy] = self.objects();
        let record = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "MirroredRepository",
            "metadata": {"name": "mr-1", "namespace": "platform"}, "status": self.record,
            "spec": {
                "mirror": "base", "destination": "eu", "repository": "registry.example.com/mirror/library/nginx", "part": 0,
            },
        });
        ImageAnswer::of(
            &image.parse().unwrap(),
            &KnownObjects::of(
                &[serde_json::from_value(mirror).unwrap()],
                &[serde_json::from_value(policy).unwrap()],
                &[serde_json::from_value(record).unwrap()],
            ),
        )
    }

    /// The answers in short: the state, and what tells it from others.
    fn told(&self, image: &str) -> String {
        let answer = self.answer(image);
        let told = answer
            .answers
            .iter()
            .map(|answer| match &answer.whereabouts {
                Whereabouts::Mirrored { target, notes, .. } => {
                    format!("Mirrored {target} {}", notes.join("; "))
                }
                Whereabouts::OtherImage { digest, .. } => format!("OtherImage {}", digest.short()),
                Whereabouts::Copying { .. } => "Copying".to_owned(),
                Whereabouts::Quarantined { until, message } => {
                    let until = until.map_or_else(String::new, |until| until.to_string());
                    format!("Quarantined {until} {message}")
                }
                Whereabouts::Refused { gate, message, .. } => format!("Refused {gate} {message}"),
                Whereabouts::Failed {
                    reason, message, ..
                } => format!("Failed {reason} {message}"),
                Whereabouts::Pruned {
                    deleted_at,
                    restorable_until,
                    ..
                } => {
                    let until =
                        restorable_until.map_or("no more".to_owned(), |until| until.to_string());
                    format!("Pruned {deleted_at}, restorable {until}")
                }
                Whereabouts::KnownElsewhere { message } => format!("KnownElsewhere {message}"),
                Whereabouts::NotSelected { message, .. } => format!("NotSelected {message}"),
                Whereabouts::Awaited { message } => format!("Awaited {message}"),
                Whereabouts::Suspended => "Suspended".to_owned(),
                Whereabouts::Unusable { reason, message } => format!("Unusable {reason} {message}"),
            });
        let told: Vec<String> = told.collect();
        told.join(" | ").trim_end().to_owned()
    }
}

#[test]
fn a_record_of_a_former_registry_is_no_answer() {
    let former_destination = "registry.example.com/mirror/library/nginx:1.1.0 is on record of the registry that the \
                              destination had before";
    let former_source = "registry.example.com/mirror/library/nginx:1.1.0 is on record as a copy of \
                         docker.io/library/nginx:1.1.0, of the former source registry";
    let target = "registry.example.com/mirror/library/nginx:1.1.0";
    for (part, image, source, expected) in [
        (
            "/destinations/0/registry",
            "nginx:1.1.0",
            "docker.io",
            former_destination,
        ),
        (
            "/destinations/0/registry",
            target,
            "docker.io",
            former_destination,
        ),
        (
            "/source/registry",
            "new.example.com/library/nginx:1.1.0",
            "new.example.com",
            former_source,
        ),
        ("/source/registry", target, "new.example.com", former_source),
    ] {
        let mut scene = Scene::new();
        *scene.spec.pointer_mut(part).unwrap() = json!("new.example.com");
        let answer = scene.answer(image);
        let [one] = answer.answers.as_slice() else {
            panic!("{part} {image}: {answer:#?}");
        };
        assert!(!answer.mirrored, "{part} {image}");
        assert!(
            matches!(one.whereabouts, Whereabouts::Awaited { .. }),
            "{answer:#?}"
        );
        let named = format!("{source}/library/nginx:1.1.0");
        assert_eq!(
            (one.source.as_deref(), one.former.as_deref()),
            (Some(&*named), Some(expected))
        );
    }
}

#[test]
fn what_becomes_of_an_image_by_its_name() {
    let there = "Mirrored registry.example.com/mirror/library/nginx:1.1.0";
    let by_digest = format!("nginx@{}", digest("1"));
    let pulled = format!("docker-pullable://docker.io/library/nginx@{}", digest("1"));
    let moved = format!("nginx:1.1.0@{}", digest("8"));
    let pruned = format!("nginx@{}", digest("9"));
    let unknown = format!("nginx@{}", digest("8"));
    let no_such_digest = "Awaited the repository is mirrored, and no tag on record has this digest";
    let unknown_target = format!("registry.example.com/mirror/library/nginx@{}", digest("8"));
    let unknown_elsewhere = format!("registry.example.com/library/nginx@{}", digest("8"));
    let exact = format!("nginx:1.1.0@{}", digest("1"));
    let target = format!("registry.example.com/mirror/library/nginx@{}", digest("1"));
    let cases = [
        ("docker.io/library/nginx:1.1.0", there),
        ("nginx:1.1.0", there),
        ("\"nginx:1.1.0\":", there),
        ("index.docker.io/library/nginx:1.1.0", there),
        ("registry.example.com/mirror/library/nginx:1.1.0", there),
        (&by_digest, there),
        (&pulled, there),
        (&exact, there),
        (&target, there),
        (&moved, "OtherImage 111111111111"),
        (
            &pruned,
            "Pruned 2026-11-25T00:00:00Z, restorable 2026-11-26T00:00:00Z",
        ),
        (&unknown, no_such_digest),
        (&unknown_target, no_such_digest),
        (&unknown_elsewhere, ""),
        (
            "nginx:1.2.0",
            "Mirrored registry.example.com/mirror/library/nginx:1.2.0 a policy does not admit what the source tag names now",
        ),
        ("nginx:1.3.0", "Copying"),
        ("nginx:1.4.0", "Failed QuotaExceeded full"),
        (
            "registry.example.com/mirror/library/nginx:1.4.0",
            "Failed QuotaExceeded full",
        ),
        ("nginx:1.5.0", "Failed NotFound gone"),
        ("nginx:1.6.0", "Refused verify unsigned"),
        ("nginx:1.7.0", "Quarantined 2026-12-02T00:00:00Z wait"),
        (
            "nginx:1.0.0",
            "Pruned 2026-11-25T00:00:00Z, restorable 2026-11-26T00:00:00Z",
        ),
        ("nginx:2.0.0-rc1", "NotSelected stable: is a prerelease"),
        ("nginx", "NotSelected stable: is not a version"),
        (
            "registry.example.com/mirror/library/nginx:2.0.0-rc1",
            "NotSelected stable: is a prerelease",
        ),
        (
            "nginx:1.9.0",
            "Awaited it is selected and not on record: the source does not have it, or it came after the last round",
        ),
        ("redis:7", ""),
        ("registry.example.com/nginx:1.1.0", ""),
        ("quay.io/library/nginx:1.1.0", ""),
    ];
    let scene = Scene::new();
    for (image, expected) in cases {
        assert_eq!(scene.told(image), expected, "{image}");
        let is_mirrored = expected.starts_with("Mirrored");
        assert_eq!(scene.answer(image).mirrored, is_mirrored, "{image}");
    }
}

#[test]
fn a_name_without_a_registry_is_looked_for_everywhere_at_last() {
    let mut scene = Scene::new();
    scene.spec["source"]["registry"] = json!("quay.io");
    scene.spec["images"] =
        json!([{"repository": "team/app", "tags": ["1"]}, {"repository": "tool", "tags": ["*"]}]);
    for (image, expected) in [
        ("team/app:1", "Awaited"),
        ("tool:1", "Awaited"),
        ("team/app:2", "NotSelected"),
        ("docker.io/team/app:1", ""),
        ("mirror/team/app:1", "Awaited"),
    ] {
        let told = scene.told(image);
        assert_eq!(told.split(' ').next(), Some(expected), "{image}: {told}");
        assert_eq!(
            scene.answer(image).elsewhere,
            !expected.is_empty(),
            "{image}"
        );
    }
}

#[test]
fn the_last_parts_of_a_name_and_the_first_of_a_digest_will_do() {
    let target = "registry.example.com/mirror/library/nginx";
    let mut scene = Scene::new();
    scene.spec["images"] = json!([
        {"repository": "library/nginx", "policyRefs": [{"name": "stable"}]},
        {"repository": "one/tool", "tags": ["*"]}, {"repository": "two/tool", "tags": ["*"]},
        {"repository": "deep/in/app", "tags": ["*"]},
    ]);
    let short = format!("sha256:{}", "1".repeat(7));
    let ellipsis = format!("{short}…");
    let whole = digest("1");
    let placed = format!("nginx@{short}");
    let tagged = format!("{target}:1.1.0@{short}");
    let other_tag = format!("{target}:1.2.0@{short}");
    let pulling = format!("Error: ImagePull \"nginx@{short}\" failed");
    let layer = format!("unexpected {} of nginx:1.1.0", digest("7"));
    let image = format!("docker.io/library/nginx@{}", digest("1"));
    let pruned = format!("docker.io/library/nginx@{}", digest("9"));
    // What is asked for, what it was taken for, and what becomes of it.
    let cases = [
        ("app:1", Some("docker.io/deep/in/app:1"), "Awaited"),
        ("in/app:1", Some("docker.io/deep/in/app:1"), "Awaited"),
        ("n/app:1", None, ""),
        ("docker.io/app:1", None, ""),
        (&short, Some(&*image), "Mirrored"),
        (&ellipsis, Some(&image), "Mirrored"),
        (&whole, Some(&image), "Mirrored"),
        (&placed, Some(&image), "Mirrored"),
        (&tagged, Some(&image), "Mirrored"),
        (&other_tag, None, ""),
        (&pulling, Some(&image), "Mirrored"),
        (&layer, None, "Mirrored"),
        ("sha256:9999999", Some(&pruned), "Pruned"),
        ("sha256:8888888", None, ""),
        ("redis@sha256:1111111", None, ""),
    ];
    for (typed, taken, expected) in cases {
        let told = scene.told(typed);
        assert_eq!(told.split(' ').next(), Some(expected), "{typed}: {told}");
        let answer = scene.answer(typed);
        let found = answer.typed.as_ref().map(|_| answer.image.as_str());
        assert_eq!(found, taken, "{typed}");
    }
    let several = scene.answer("tool:1");
    assert_eq!(
        several.candidates,
        ["docker.io/one/tool:1", "docker.io/two/tool:1"]
    );
    assert_eq!(
        several.heading(),
        "docker.io/library/tool:1 may be several images"
    );
    assert_eq!((several.mirrored, several.answers.len()), (false, 0));
    let remarks = |typed: &str| {
        let remarks = scene.answer(typed).remarks().into_iter();
        let told = remarks.map(|told| format!("{} {}", told.label, told.text));
        told.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(remarks("tool:1"), @r"
    perhaps docker.io/one/tool:1
    perhaps docker.io/two/tool:1
    ");
    insta::assert_snapshot!(remarks(&short), @"taken sha256:1111111 for the only image that fits: docker.io/library/nginx@sha256:1111111111111111111111111111111111111111111111111111111111111111");
    for text in ["sha256:111111", "nginx@sha256:111111", "sha256:111111g"] {
        let asked: Result<AskedName, _> = text.parse();
        assert!(asked.is_err(), "{text}: {asked:?}");
    }
}

#[test]
fn what_others_have_on_record_is_not_missing() {
    let scene = Scene::new();
    let [mirror, _] = scene.objects();
    let mirror: ImageMirror = serde_json::from_value(mirror).unwrap();
    let policy = scene.objects()[1].clone();
    let policy = serde_json::from_value(policy).unwrap();
    let (mirrors, policies) = ([mirror], [policy]);
    let known = KnownObjects::of(&mirrors, &policies, &[]);
    let keeper = |member: Option<&str>| RecordKeeper {
        member: member.map(str::to_owned),
        shard: "3".to_owned(),
    };
    let answer = |typed: &str, member: Option<&str>| {
        let lookup = |_: &ImageMirror, _: RecordQuery<'_>| KnownRecords::With(keeper(member));
        ImageAnswer::looked_up(&typed.parse().unwrap(), &known, &lookup)
    };
    let ask = "member pod-b works on it (shard 3) and has what is on record: ask its page";
    for (typed, member, expected) in [
        ("nginx:1.1.0", Some("pod-b"), ask),
        (
            "registry.example.com/mirror/library/nginx:1.1.0",
            Some("pod-b"),
            ask,
        ),
        (
            "nginx:1.5.0",
            Some("pod-b"),
            &*format!("{ask}; the last round failed with it: NotFound: gone"),
        ),
        (
            "nginx:1.6.0",
            Some("pod-b"),
            &*format!("{ask}; a policy keeps it out: unsigned"),
        ),
        (
            "nginx:1.1.0",
            None,
            "no member works on shard 3 yet: look again in some seconds",
        ),
    ] {
        let answer = answer(typed, member);
        let [one] = answer.answers.as_slice() else {
            panic!("{typed}: {answer:#?}");
        };
        let message = expected.to_owned();
        assert_eq!(
            one.whereabouts,
            Whereabouts::KnownElsewhere { message },
            "{typed}"
        );
        assert!(
            answer
                .heading()
                .ends_with(" is not mirrored as far as is known here"),
            "{}",
            answer.heading()
        );
    }
    // What is not in the spec may be on record all the same.
    let asked =
        "what is on record of the mirrors of shard 3 is known to member pod-b: ask its page";
    for typed in [
        "sha256:1111111",
        "redis:7",
        "registry.example.com/former/app:1",
    ] {
        let answer = answer(typed, Some("pod-b"));
        assert_eq!(answer.unseen, [asked], "{typed}");
        assert!(
            answer
                .heading()
                .ends_with(" is not mirrored as far as is known here"),
            "{}",
            answer.heading()
        );
    }
    let far = answer("quay.io/library/redis:7", Some("pod-b"));
    assert_eq!(far.heading(), "quay.io/library/redis:7 is not mirrored");
}

#[test]
fn what_is_not_understood_may_have_an_image() {
    let scene = Scene::new();
    let newer = NamedMirror::new("platform", "newer");
    let beside = |typed: &str| scene.answer(typed).beside_unreadable([&newer].into_iter());
    let told = |answer: &ImageAnswer| {
        let remarks = answer.remarks().into_iter();
        remarks.map(|told| told.text).collect::<Vec<_>>()
    };
    let missing = beside("redis:7");
    assert_eq!(
        told(&missing),
        ["this version of transship does not understand mirror platform/newer, which may have it"]
    );
    assert_eq!(
        missing.heading(),
        "docker.io/library/redis:7 is not mirrored as far as is known here"
    );
    assert_eq!(told(&beside("nginx:1.1.0")), [""; 0]);
}

#[test]
fn a_mirror_has_an_image_only_where_every_destination_has_it() {
    let mut scene = Scene::new();
    let us = json!({"name": "us", "registry": "registry.us.example.com"});
    scene.spec["destinations"].as_array_mut().unwrap().push(us);
    let answer = scene.answer("nginx:1.1.0");
    assert!(!answer.mirrored);
    let states: Vec<bool> = answer
        .answers
        .iter()
        .map(MirrorAnswer::is_mirrored)
        .collect();
    assert_eq!(states, [true, false]);
    // Whoever names a destination asks for that one.
    let named = scene.answer("registry.example.com/mirror/library/nginx:1.1.0");
    assert!(named.mirrored);
    // What is the same everywhere is said once.
    let excluded = scene.answer("nginx:2.0.0-rc1");
    assert_eq!(excluded.answers.len(), 1);
    assert_eq!(excluded.answers[0].destination, None);
}

#[test]
fn what_keeps_a_whole_mirror_is_said() {
    let awaited = |spec: (&str, Value), status: Value| {
        let mut scene = Scene::new();
        scene.spec[spec.0] = spec.1;
        scene.status = status;
        scene.told("nginx:1.9.0")
    };
    let conditions = |ready: &str| {
        let condition = |r#type: &str, status: &str, reason: &str| {
            json!({
                "type": r#type, "status": status, "reason": reason, "message": "what to do",
                "lastTransitionTime": "2026-11-20T00:00:00Z",
            })
        };
        json!([
            condition("Ready", "False", ready),
            condition("Reconciling", "True", "ProgressingWithRetry")
        ])
    };
    let failure = json!({"image": "docker.io/library/nginx:1.5.0", "reason": "NotFound", "message": "gone", "attempts": 1});
    let none = || ("suspend", json!(false));
    let cases = [
        (awaited(("suspend", json!(true)), json!({})), "Suspended"),
        (awaited(none(), json!({})), "no round has ended"),
        (
            awaited(
                none(),
                json!({"observedGeneration": 1, "tags": {"failed": 21}}),
            ),
            "may be among the 21 tags that failed",
        ),
        (
            awaited(
                none(),
                json!({"observedGeneration": 1, "conditions": conditions("AccessDenied")}),
            ),
            "Unusable AccessDenied what to do",
        ),
        (
            awaited(
                none(),
                json!({
                    "observedGeneration": 1, "conditions": conditions("DependencyNotReady"), "failures": [failure], "tags": {"failed": 1},
                }),
            ),
            "Unusable DependencyNotReady what to do",
        ),
        (
            awaited(
                none(),
                json!({
                    "observedGeneration": 1, "conditions": conditions("NotFound"), "failures": [failure], "tags": {"failed": 1},
                }),
            ),
            "Awaited it is selected and not on record",
        ),
        (
            awaited(
                none(),
                json!({"observedGeneration": 0, "conditions": conditions("DependencyNotReady")}),
            ),
            "Awaited it is selected, and no round has ended since the spec changed",
        ),
        (
            awaited(
                none(),
                json!({"observedGeneration": 1, "conditions": [{
                    "type": "Reconciling", "status": "True", "reason": "Progressing", "message": "", "lastTransitionTime": "2026-11-20T00:00:00Z",
                }]}),
            ),
            "Awaited it is selected, and a round runs",
        ),
        (
            awaited(("interval", json!("1s")), json!({})),
            "Unusable InvalidSpec spec.interval",
        ),
    ];
    for (told, expected) in cases {
        assert!(told.contains(expected), "{told}");
    }
    let mut broken = Scene::new();
    broken.spec["interval"] = json!("1s");
    for (image, is_told) in [
        ("nginx:1.9.0", true),
        ("registry.example.com/mirror/library/nginx:1.9.0", true),
        ("other.example.com/library/nginx:1.9.0", false),
        ("quarantined", false),
        ("docker.io/library/redis:7", false),
    ] {
        assert_eq!(
            broken.told(image).contains("InvalidSpec"),
            is_told,
            "{image}"
        );
    }
}
