// SPDX-License-Identifier: Apache-2.0

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::api::image_receiver::GenericEvent;
use crate::api::{ImageMirror, ImageReceiver, SenderType};

const TOKEN: &str = "correct horse battery staple";

/// Bodies as senders send them, from their documentation.
macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("recorded/", $name, ".json"))
    };
}

fn sender(kind: SenderType) -> Sender {
    Sender {
        kind,
        registry: None,
        generic: None,
        oidc: None,
        pull: None,
    }
}

fn told(kind: SenderType, registry: &str) -> Sender {
    Sender {
        registry: Some(registry.parse().unwrap()),
        ..sender(kind)
    }
}

/// Hints as `registry/repository:tag time`.
fn hints(sender: &Sender, headers: &[(&str, &str)], body: &str) -> Result<Vec<String>, String> {
    let headers: BTreeMap<&str, &str> = headers.iter().copied().collect();
    let delivery = Delivery {
        header: &|name| headers.get(name).copied(),
        body: body.as_bytes(),
    };
    let hints = read(sender, &delivery).map_err(|error| error.to_string())?;
    let tell = |hint: Hint| {
        let tag = hint
            .tag
            .map_or_else(|| "*".to_owned(), |tag| tag.to_string());
        let pushed = hint
            .pushed
            .map_or_else(String::new, |time| format!(" {time}"));
        format!("{}/{}:{tag}{pushed}", hint.registry, hint.repository)
    };
    Ok(hints.into_iter().map(tell).collect())
}

#[test]
fn what_each_sender_says() {
    use SenderType::{
        Acr, Artifactory, Distribution, DockerHub, Ecr, Gar, Ghcr, Gitea, Harbor, Nexus, Quay, Zot,
    };
    let update = [
        ("ce-type", "zotregistry.image.updated"),
        ("ce-time", "2026-02-01T00:00:00Z"),
    ];
    let none: &[(&str, &str)] = &[];
    let cases = [
        (
            sender(DockerHub),
            none,
            recorded!("docker-hub"),
            vec!["docker.io/svendowideit/testhook:latest 2014-12-03T00:22:41Z"],
        ),
        (
            sender(Ghcr),
            none,
            recorded!("ghcr"),
            vec!["ghcr.io/acme/app:1.2.0 2026-01-05T10:00:02Z"],
        ),
        (
            sender(Harbor),
            none,
            recorded!("harbor"),
            vec!["hub.harbor.com/test-webhook/debian:latest 2020-04-15T03:45:08Z"],
        ),
        (
            sender(Harbor),
            none,
            recorded!("harbor-cloudevents"),
            vec!["harbor.dev/library/busybox:v1.0 2023-04-03T06:24:21Z"],
        ),
        (
            sender(Quay),
            none,
            recorded!("quay"),
            vec![
                "quay.io/mynamespace/repository:latest",
                "quay.io/mynamespace/repository:1.0",
            ],
        ),
        (
            sender(Acr),
            none,
            recorded!("acr"),
            vec!["myregistry.azurecr.io/hello-world:v1 2017-11-17T16:52:01.343145347Z"],
        ),
        (
            sender(Gar),
            none,
            recorded!("gar"),
            vec![
                "us-east1-docker.pkg.dev/my-project/my-repo/hello-world:1.1 2021-02-26T19:13:55.749Z",
            ],
        ),
        (
            sender(Ecr),
            none,
            recorded!("ecr"),
            vec![
                "123456789012.dkr.ecr.us-west-2.amazonaws.com/my-repository-name:latest 2019-11-16T01:54:34Z",
            ],
        ),
        (
            sender(Gitea),
            none,
            recorded!("gitea"),
            vec!["git.example.com:3000/acme/app:1.0 2024-03-20T10:00:00Z"],
        ),
        (
            sender(Distribution),
            none,
            recorded!("distribution"),
            vec!["192.168.100.227:5000/hello-world:latest 2016-03-09T22:44:26.402973972Z"],
        ),
        (
            told(Distribution, "registry.test"),
            none,
            recorded!("distribution"),
            vec!["registry.test/hello-world:latest 2016-03-09T22:44:26.402973972Z"],
        ),
        (
            told(Zot, "zot.test"),
            &update,
            recorded!("zot"),
            vec!["zot.test/golang:1.20 2026-02-01T00:00:00Z"],
        ),
        (
            told(Zot, "zot.test"),
            none,
            recorded!("zot-structured"),
            vec!["zot.test/team/golang:1.20 2026-02-01T00:00:00Z"],
        ),
        (
            told(Nexus, "nexus.test"),
            none,
            recorded!("nexus"),
            vec!["nexus.test/team/app:1.0 2016-11-14T19:32:13.515Z"],
        ),
        (
            told(Artifactory, "acme.jfrog.io"),
            none,
            recorded!("artifactory"),
            vec![
                "acme.jfrog.io/library/ubuntu:latest",
                "acme.jfrog.io/docker-local/library/ubuntu:latest",
            ],
        ),
    ];
    for (sender, headers, body, expected) in cases {
        assert_eq!(
            hints(&sender, headers, body).unwrap(),
            expected,
            "{:?}",
            sender.kind
        );
    }
}

#[test]
fn what_is_no_push_of_a_tag_says_nothing() {
    use SenderType::{
        Acr, Artifactory, Distribution, DockerHub, Ecr, Gar, Ghcr, Gitea, Harbor, Nexus, Quay, Zot,
    };
    let cases = [
        (
            sender(DockerHub),
            recorded!("docker-hub"),
            "\"svendowideit/testhook\"",
            "\"../../etc\"",
        ),
        (
            sender(DockerHub),
            recorded!("docker-hub"),
            "\"latest\"",
            "\"a b\"",
        ),
        (
            sender(Ghcr),
            recorded!("ghcr"),
            "\"published\"",
            "\"deleted\"",
        ),
        (sender(Ghcr), recorded!("ghcr"), "\"CONTAINER\"", "\"npm\""),
        (
            sender(Ghcr),
            recorded!("ghcr"),
            "{\"name\": \"1.2.0\", ",
            "{\"name\": \"\", ",
        ),
        (
            sender(Ghcr),
            "{\"zen\": \"Speak like a human.\", \"hook_id\": 1}",
            "",
            "",
        ),
        (
            sender(Harbor),
            recorded!("harbor"),
            "PUSH_ARTIFACT",
            "PULL_ARTIFACT",
        ),
        (
            sender(Harbor),
            recorded!("harbor-cloudevents"),
            "artifact.pushed",
            "artifact.deleted",
        ),
        (
            sender(Quay),
            recorded!("quay"),
            "[\"latest\", \"1.0\"]",
            "[]",
        ),
        (sender(Acr), recorded!("acr"), "\"push\"", "\"delete\""),
        (
            sender(Acr),
            "{\"id\": \"1\", \"timestamp\": \"2017-11-17T16:52:01Z\", \"action\": \"ping\"}",
            "",
            "",
        ),
        (
            sender(Gar),
            recorded!("gar"),
            "eyJhY3Rpb24iOiJJTlNFUlQi",
            "eyJhY3Rpb24iOiJERUxFVEUi",
        ),
        (sender(Gar), recorded!("gar"), "eyJhY3Rpb24i", "!!!"),
        (sender(Ecr), recorded!("ecr"), "\"SUCCESS\"", "\"FAILURE\""),
        (sender(Ecr), recorded!("ecr"), "\"PUSH\"", "\"DELETE\""),
        (sender(Ecr), recorded!("ecr"), "us-west-2", "evil.test/"),
        (
            sender(Gitea),
            recorded!("gitea"),
            "\"container\"",
            "\"npm\"",
        ),
        (
            sender(Gitea),
            recorded!("gitea"),
            "\"version\": \"1.0\"",
            "\"version\": \"sha256:ab\"",
        ),
        (
            sender(Distribution),
            recorded!("distribution"),
            "\"tag\": \"latest\"",
            "\"tags\": 1",
        ),
        (
            told(Zot, "zot.test"),
            recorded!("zot-structured"),
            "image.updated",
            "image.deleted",
        ),
        (
            told(Zot, "zot.test"),
            recorded!("zot-structured"),
            "\"1.20\"",
            "\"sha256:ab\"",
        ),
        (
            told(Nexus, "nexus.test"),
            recorded!("nexus"),
            "CREATED",
            "DELETED",
        ),
        (
            told(Artifactory, "a.test"),
            recorded!("artifactory"),
            "\"event_type\": \"pushed\", \"subscription",
            "\"event_type\": \"deleted\", \"subscription",
        ),
        (told(Nexus, "nexus.test"), "[]", "", ""),
        (sender(Harbor), "null", "", ""),
        (sender(Distribution), "{\"events\": {}}", "", ""),
    ];
    for (sender, body, part, other) in cases {
        assert!(body.contains(part), "{part}");
        let mut body = body.replacen(part, other, if part == "\"CONTAINER\"" { 9 } else { 1 });
        // Of GHCR both the tag and the URL name it.
        if part.starts_with("{\"name\": \"1.2.0\"") {
            body = body.replace("app:1.2.0", "app:");
        }
        let none: Vec<String> = Vec::new();
        assert_eq!(
            hints(&sender, &[], &body).unwrap(),
            none,
            "{:?}: {other}",
            sender.kind
        );
    }
    // Before version 3, Quay's tags were a map.
    let map = recorded!("quay").replace("[\"latest\", \"1.0\"]", "{\"2\": \"abc\"}");
    assert_eq!(
        hints(&sender(Quay), &[], &map).unwrap(),
        ["quay.io/mynamespace/repository:2"]
    );
}

#[test]
fn any_json_by_pointers() {
    let places = |change: serde_json::Value| {
        let serde_json::Value::Object(mut places) = change else {
            panic!("a map");
        };
        places.insert("repository".to_owned(), "/image".into());
        serde_json::Value::Object(places)
    };
    let cases = [
        (json!({}), r#"{"image": "team/app"}"#, "r.test/team/app:*"),
        (
            json!({}),
            r#"{"image": "team/app:1@sha256:ab"}"#,
            "r.test/team/app:1",
        ),
        (
            json!({"tag": "/t"}),
            r#"{"image": "team/app", "t": "2"}"#,
            "r.test/team/app:2",
        ),
        (
            json!({"registry": "/host", "tag": "/t", "time": "/at"}),
            r#"{"host": "other.test:5000", "image": "other.test:5000/team/app", "t": "2", "at": 5}"#,
            "r.test/team/app:2 1970-01-01T00:00:05Z",
        ),
        (
            json!({"items": "/a/0", "tag": "/t"}),
            r#"{"a": [[{"image": "x", "t": "1"}, {"t": "2"}, {"image": "y", "t": "3"}]]}"#,
            "r.test/x:1 r.test/y:3",
        ),
        (
            json!({"tag": "/t"}),
            r#"{"image": "Team/App", "t": "2"}"#,
            "",
        ),
        (json!({"items": "/none"}), r#"{"image": "team/app"}"#, ""),
    ];
    for (change, body, expected) in cases {
        let generic: GenericEvent = serde_json::from_value(places(change)).unwrap();
        let sender = Sender {
            generic: Some(generic),
            ..told(SenderType::Generic, "r.test")
        };
        assert_eq!(
            hints(&sender, &[], body).unwrap().join(" "),
            expected,
            "{body}"
        );
    }
}

#[test]
fn what_is_too_much_is_refused_and_what_is_many_is_cut() {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let wide = format!("[{}1]", "1,".repeat(20_000));
    let long = format!("\"{}\"", "a".repeat(BODY_BYTES));
    let cases = [
        ("", "EOF"),
        ("{", "EOF"),
        ("{} {}", "trailing"),
        (r#"{"events": [], "events": [1]}"#, "occurs twice"),
        (&deep, "nested deeper"),
        (&wide, "more than 16384 values"),
        (&long, "more than 262144 bytes"),
        ("\u{0}", "expected value"),
    ];
    for (body, part) in cases {
        let error = hints(&sender(SenderType::Distribution), &[], body).unwrap_err();
        assert!(error.contains(part), "{error}");
        assert!(error.len() < 300, "{error}");
    }
    let tags: Vec<String> = (0..1_000).map(|tag| tag.to_string()).collect();
    let many = json!({"docker_url": "quay.io/a/b", "updated_tags": tags}).to_string();
    assert_eq!(
        hints(&sender(SenderType::Quay), &[], &many).unwrap().len(),
        hint::HINTS
    );
}

fn hmac_of(algorithm: hmac::Algorithm, key: &str, body: &str) -> String {
    let key = hmac::Key::new(algorithm, key.as_bytes());
    hex::encode(hmac::sign(&key, body.as_bytes()))
}

#[test]
fn who_knows_the_token() {
    use SenderType::{Acr, Artifactory, DockerHub, Gar, Ghcr, Gitea, Harbor, Nexus, Quay, Zot};
    let body = "{\"a\": 1}";
    let good = hmac_of(hmac::HMAC_SHA256, TOKEN, body);
    let sha1 = hmac_of(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN, body);
    let other_key = hmac_of(hmac::HMAC_SHA256, "another token", body);
    let other_body = hmac_of(hmac::HMAC_SHA256, TOKEN, "{}");
    let prefixed = format!("sha256={good}");
    let bearer = format!("Bearer {TOKEN}");
    let short = &TOKEN[..TOKEN.len() - 1];
    let generic = |change: serde_json::Value| Sender {
        generic: Some(serde_json::from_value(change).unwrap()),
        ..told(SenderType::Generic, "r.test")
    };
    let signing = generic(json!({"repository": "/a", "signatureHeader": "X-Signature"}));
    let telling = generic(json!({"repository": "/a", "tokenHeader": "X-Token"}));
    let silent = generic(json!({"repository": "/a"}));
    let basic = "Basic YW55Ym9keTpjb3JyZWN0IGhvcnNlIGJhdHRlcnkgc3RhcGxl";
    let cases: [(&Sender, &str, &str, bool); 34] = [
        (&sender(DockerHub), "", "", true),
        (&sender(Quay), "", "", true),
        (&sender(Gar), "", "", true),
        (&silent, "", "", true),
        (&sender(Ghcr), "x-hub-signature-256", &prefixed, true),
        (&sender(Ghcr), "x-hub-signature-256", &good, true),
        (&sender(Ghcr), "x-hub-signature-256", &other_key, false),
        (&sender(Ghcr), "x-hub-signature-256", &other_body, false),
        (&sender(Ghcr), "x-hub-signature-256", "sha256=", false),
        (&sender(Ghcr), "x-hub-signature-256", "sha256=zz", false),
        (&sender(Ghcr), "x-hub-signature-256", &good[..62], false),
        (&sender(Ghcr), "x-hub-signature", &good, false),
        (&sender(Ghcr), "authorization", TOKEN, false),
        (&sender(Ghcr), "", "", false),
        (&sender(Gitea), "x-gitea-signature", &good, true),
        (&sender(Gitea), "x-hub-signature-256", &prefixed, true),
        (&sender(Gitea), "x-gitea-signature", &other_key, false),
        (&sender(Nexus), "x-nexus-webhook-signature", &sha1, true),
        (&sender(Nexus), "x-nexus-webhook-signature", &good, false),
        (&sender(Artifactory), "x-jfrog-event-auth", &good, true),
        (&sender(Artifactory), "x-jfrog-event-auth", TOKEN, true),
        (&sender(Artifactory), "x-jfrog-event-auth", "", false),
        (&sender(Harbor), "authorization", TOKEN, true),
        (&sender(Harbor), "authorization", &bearer, true),
        (&sender(Harbor), "authorization", basic, true),
        (&sender(Harbor), "authorization", short, false),
        (&sender(Harbor), "authorization", "Basic !!!", false),
        (&sender(Acr), "authorization", "Bearer wrong", false),
        (&sender(Zot), "", "", false),
        (&signing, "x-signature", &prefixed, true),
        (&signing, "x-signature", &other_key, false),
        (&signing, "", "", false),
        (&telling, "x-token", TOKEN, true),
        (&telling, "x-token", short, false),
    ];
    for (sender, name, value, is_good) in cases {
        let headers = BTreeMap::from([(name, value)]);
        let delivery = Delivery {
            header: &|name| headers.get(name).copied(),
            body: body.as_bytes(),
        };
        let checked = authenticity::check(sender, &TOKEN.into(), &delivery);
        assert_eq!(
            checked.is_ok(),
            is_good,
            "{:?} {name}: {value}",
            sender.kind
        );
        // Before the body has come, a signature may be any, and all else is told.
        let may_be_good = is_good || name.contains("signature") && sender_signs(sender, name);
        let checked = authenticity::check_headers(sender, &TOKEN.into(), delivery.header);
        let may_be_good = may_be_good || name == "x-jfrog-event-auth";
        assert_eq!(checked.is_ok(), may_be_good, "{:?} {name}", sender.kind);
    }
}

/// Whether this is the header in which a sender signs.
fn sender_signs(sender: &Sender, name: &str) -> bool {
    sender.kind != SenderType::Ghcr || name == "x-hub-signature-256"
}

fn receiver(spec: &serde_json::Value) -> ImageReceiver {
    serde_json::from_value(json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageReceiver",
        "metadata": {"namespace": "team", "name": "hub"}, "spec": spec,
    }))
    .unwrap()
}

#[test]
fn what_is_wrong_with_a_spec() {
    let secret = json!({"name": "events"});
    let cases = [
        (json!({"type": "DockerHub", "secretRef": secret}), ""),
        (
            json!({"type": "Zot", "secretRef": secret, "registry": "zot.test"}),
            "",
        ),
        (
            json!({"type": "Generic", "secretRef": secret, "generic": {"repository": "/a", "registry": "/b"}}),
            "",
        ),
        (
            json!({"type": "Zot", "secretRef": secret}),
            "spec.registry: is needed: events of this type do not say which registry they are of",
        ),
        (
            json!({"type": "Generic", "secretRef": secret, "registry": "r.test"}),
            "spec.generic: is needed with type: Generic, and only there",
        ),
        (
            json!({"type": "Quay", "secretRef": secret, "registry": "https://quay.io", "generic": {"repository": "/a"}}),
            "spec.registry: registry \"https://quay.io\" starts with \"https://\"",
        ),
    ];
    let queue = |kind: &str, from: &str| json!({"type": kind, "pull": {"from": from}});
    let sqs = "https://sqs.eu-west-1.amazonaws.com/123456789012/pushes";
    let cases = cases.into_iter().chain([
        (queue("ECR", sqs), ""),
        (queue("GAR", "projects/p/subscriptions/pushes"), ""),
        (
            queue("ECR", "https://evil.test/123456789012/pushes"),
            "spec.pull.from: is not the URL of a queue of SQS, such as https://sqs.",
        ),
        (
            queue("GAR", sqs),
            "spec.pull.from: is not the name of a subscription, such as projects/",
        ),
        (
            queue("Quay", sqs),
            "spec.pull: is only used with type: ECR or GAR",
        ),
        (
            json!({"type": "Quay"}),
            "spec.secretRef: is needed, but with pull",
        ),
        (
            json!({"type": "ECR", "secretRef": secret, "pull": {"from": sqs}}),
            "spec.secretRef: is needed, but with pull",
        ),
    ]);
    for (spec, expected) in cases {
        let said = match Sender::of(&receiver(&spec)) {
            Ok(_) => String::new(),
            Err(invalid) => invalid[0].to_string(),
        };
        assert!(
            said.starts_with(expected) && said.is_empty() == expected.is_empty(),
            "{said}"
        );
    }
}

#[test]
fn whether_a_mirror_may_want_it() {
    let mirror: ImageMirror = serde_json::from_value(json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageMirror",
        "metadata": {"namespace": "team", "name": "base"},
        "spec": {
            "source": {"registry": "index.docker.io"},
            "images": [
                {"repository": "library/alpine", "tags": ["3.20", "3.21*"]},
                {"repository": "acme/**", "tags": ["*"]},
                {"repository": "library/nginx", "select": {"semver": {"range": ">=1"}}},
            ],
            "destinations": [{"name": "eu", "registry": "eu.test"}],
        },
    }))
    .unwrap();
    let signature = format!("sha256-{}.sig", "a".repeat(64));
    let interest = Interest::of(&crate::plan::validate(&mirror, &[]).unwrap());
    let cases = [
        ("docker.io", "library/alpine", "3.20", true),
        ("registry-1.docker.io", "library/alpine", "3.21.1", true),
        ("registry-1.docker.io:443", "library/alpine", "", true),
        ("docker.io", "library/alpine", "3.19", false),
        ("quay.io", "library/alpine", "3.20", false),
        ("docker.io", "acme/team/app", "anything", true),
        ("docker.io", "acme", "anything", false),
        ("docker.io", "library/nginx", "1.27", true),
        // A signature of an image whose tag is not known here.
        ("docker.io", "library/alpine", &signature, true),
        ("docker.io", "library/other", &signature, false),
    ];
    for (registry, repository, tag, is_wanted) in cases {
        let hint = Hint {
            registry: registry.parse().unwrap(),
            repository: repository.parse().unwrap(),
            tag: (!tag.is_empty()).then(|| tag.parse().unwrap()),
            pushed: None,
        };
        assert_eq!(interest.covers(&hint), is_wanted, "{hint:?}");
    }
    assert_eq!(interest.registry().as_str(), "docker.io");
}

#[test]
fn what_is_said_of_a_receiver() {
    use receiver_status::{Reception, receiver_status};
    let at = |second| Timestamp::from_second(second).unwrap();
    let open = Reception::Open("/hook/1".to_owned());
    let waiting = Reception::Waiting {
        reason: crate::api::Reason::DependencyNotReady,
        message: "there is no secret".to_owned(),
    };
    let invalid = Reception::Invalid("spec.registry: wrong".to_owned());
    let pulling = |last: Option<i64>| Reception::Pulling { last: last.map(at) };
    let cases = [
        (&open, "Ready=True Succeeded", Some("/hook/1")),
        (
            &Reception::Suspended,
            "Ready=False Suspended, Stalled=True Suspended",
            Some("/hook/1"),
        ),
        (&open, "Ready=True Succeeded", Some("/hook/1")),
        (&waiting, "Ready=False DependencyNotReady", None),
        (
            &invalid,
            "Ready=False InvalidSpec, Stalled=True InvalidSpec",
            None,
        ),
        (&pulling(Some(7)), "Ready=True Succeeded", None),
        (&waiting, "Ready=False DependencyNotReady", None),
        (&pulling(None), "Ready=True Succeeded", None),
        (&open, "Ready=True Succeeded", Some("/hook/1")),
    ];
    let mut status = crate::api::ImageReceiverStatus::default();
    for (second, (reception, expected, path)) in (0..).zip(cases) {
        status = receiver_status(&status, 3, reception, at(second));
        let again = receiver_status(&status, 3, reception, at(second + 100));
        assert_eq!(again, status, "the same says the same");
        let conditions = status.conditions.iter();
        let said: Vec<String> = conditions
            .map(|it| format!("{}={} {}", it.type_, it.status, it.reason))
            .collect();
        assert_eq!(
            (said.join(", ").as_str(), status.path.as_deref()),
            (expected, path)
        );
        assert_eq!(status.observed_generation, 3);
    }
    let last = status.last_message_time.map(|last| last.0);
    assert_eq!(last, Some(at(7)), "it stays");
}
