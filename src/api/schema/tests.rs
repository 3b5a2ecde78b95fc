// SPDX-License-Identifier: Apache-2.0

use kube::core::CustomResourceExt;
use kube::core::cel::{Validator, apply_defaults};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{
    self, ImageMirror, ImageNotification, ImagePolicy, ImageReceiver, MirroredRepository,
};

const MIRROR: &str = r"
metadata: {name: base}
spec:
  source: {registry: docker.io}
  images:
    - {repository: library/alpine, tags: [a]}
  destinations:
    - {name: eu, registry: r.example.com}
";

const POLICY: &str = "
metadata: {name: stable}
spec:
  select: {limit: 9}
";

const RECEIVER: &str = "
metadata: {name: hub}
spec:
  type: Quay
  secretRef: {name: events}
";

const NOTIFICATION: &str = "
metadata: {name: chat}
spec:
  type: CloudEvents
  address: https://events.test/transship
";

const RECORD: &str = "
metadata: {name: a}
spec: {mirror: base, destination: eu, repository: r.example.com/alpine, part: 0}
";

/// A part of a text that is replaced, what replaces it, and what the rules say then.
type Change = (&'static str, &'static str, &'static str);

const NOTIFICATIONS: [Change; 9] = [
    (
        "CloudEvents\n  address: https://events.test/transship",
        "Slack\n  secretRef: {name: slack}",
        "",
    ),
    ("https", "http", ""),
    ("CloudEvents", "Generic\n  template: '{}'", ""),
    (
        "CloudEvents",
        "CloudEvents\n  events: [New, Moved, Refused, PruneWaits, Failed, Recovered]",
        "",
    ),
    (
        "CloudEvents",
        "Slack",
        "spec.address: is a secret with type: Slack: put it into the key address of the Secret of secretRef",
    ),
    (
        "  address: https://events.test/transship",
        "",
        "spec.secretRef: is needed where address is absent: its key address says where to send",
    ),
    (
        "events.test",
        "me:secret@events.test",
        "spec.address: is a URL such as https://events.example.com/transship, without user name and password",
    ),
    (
        "https",
        "ftp",
        "spec.address: is a URL such as https://events.example.com/transship, without user name and password",
    ),
    (
        "CloudEvents",
        "CloudEvents\n  template: '{}'",
        "spec.template: is only used with type: Generic",
    ),
];

const RECEIVERS: [Change; 9] = [
    ("Quay", "Distribution\n  registry: r.test:5000", ""),
    ("Quay", "Zot\n  registry: r.test", ""),
    (
        "Quay",
        "Generic\n  registry: r.test\n  generic: {repository: /a}",
        "",
    ),
    (
        "Quay",
        "Generic\n  generic: {repository: /a, registry: /b}",
        "",
    ),
    (
        "Quay",
        "Zot",
        "spec.registry: is needed with this type: its events do not say which registry they are of",
    ),
    (
        "Quay",
        "Generic\n  registry: r.test",
        "spec.generic: is needed with type: Generic, and only there",
    ),
    (
        "Quay",
        "Quay\n  generic: {repository: /a}",
        "spec.generic: is needed with type: Generic, and only there",
    ),
    (
        "Quay",
        "Generic\n  generic: {repository: /a}",
        "spec.registry: is needed where generic.registry does not say where it stands",
    ),
    (
        "Quay",
        "Generic\n  registry: r.test\n  generic: {repository: /a, signatureHeader: X-A, tokenHeader: X-B}",
        "spec.generic.signatureHeader: cannot be combined with tokenHeader: remove one of them",
    ),
];

const MIRRORS: [Change; 36] = [
    ("docker.io", "'[::1]:5000'", ""),
    ("docker.io", "LOCALHOST:5000", ""),
    (
        "docker.io",
        "https://docker.io",
        "spec.source.registry: write the host and, where it is needed, the port, such as registry.example.com:5000: no scheme and no path",
    ),
    (
        "r.example.com",
        "r.example.com/mirror",
        "spec.destinations[0].registry: write the host and, where it is needed, the port, such as registry.example.com:5000: no scheme and no path",
    ),
    ("library/alpine", "library/**", ""),
    (
        "library/alpine",
        "library/alpine:3",
        "spec.images[0].repository: write the repository alone and in lower case, such as library/nginx: its registry belongs in source.registry, its tag in tags",
    ),
    (
        "library/alpine",
        "library/Alpine",
        "spec.images[0].repository: write the repository alone and in lower case, such as library/nginx: its registry belongs in source.registry, its tag in tags",
    ),
    (
        ", tags: [a]",
        "",
        "spec.images: each one needs tags, select or a policy that selects among them: write tags: [\"*\"] to copy every tag",
    ),
    (
        "tags: [a]",
        "tags: [], policyRefs: []",
        "spec.images: each one needs tags, select or a policy that selects among them: write tags: [\"*\"] to copy every tag",
    ),
    ("tags: [a]", "policyRefs: [{name: stable}]", ""),
    ("tags: [a]", "select: {newest: {count: 1}}", ""),
    (
        "tags: [a]",
        "select: {}",
        "spec.images[0].select: has no rule: write include: [\".*\"] to select every tag",
    ),
    (
        "tags: [a]",
        "select: {extract: {pattern: '(.*)', value: '1'}}",
        "spec.images[0].select.extract.value: names no group of the pattern: write $1, or $name for (?P<name>…)",
    ),
    ("tags: [a]", "tags: [a], absent: Skip", ""),
    (
        "tags: [a]",
        "tags: [a], as: 'apps/{name}', replace: [{from: /, to: '-'}, {from: x}]",
        "",
    ),
    ("tags: [a]", "tags: [a], retag: {a: b}", ""),
    (
        "tags: [a]",
        "select: {newest: {count: 1}}, retag: {a: b}",
        "spec.images[0].retag: is for tags that are written in full: write them in tags",
    ),
    (
        "tags: [a]",
        "digests: ['sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855']",
        "",
    ),
    (", tags: [a]}", "}\n  policyRefs: [{name: stable}]", ""),
    ("spec:", "spec:\n  interval: 30s", ""),
    (
        "spec:",
        "spec:\n  freshness: 29s",
        "spec.freshness: the shortest is 30s",
    ),
    ("spec:", "spec:\n  interval: 0h1m", ""),
    (
        "spec:",
        "spec:\n  interval: 29s999ms",
        "spec.interval: the shortest is 30s",
    ),
    (
        "spec:",
        "spec:\n  timeout: 999ms",
        "spec.timeout: the shortest is 1s",
    ),
    ("spec:", "spec:\n  schedule: {cron: 0 3 * * *}", ""),
    (
        "spec:",
        "spec:\n  interval: 1h\n  schedule: {cron: 0 3 * * *}",
        "spec.schedule: cannot be combined with interval: remove one of them",
    ),
    (
        "spec:",
        "spec:\n  platforms: {mode: List, list: [linux/amd64]}",
        "",
    ),
    (
        "spec:",
        "spec:\n  platforms: {mode: List}",
        "spec.platforms.list: is needed with mode: List: write platforms such as linux/amd64",
    ),
    (
        "spec:",
        "spec:\n  platforms: {list: [linux/amd64]}",
        "spec.platforms.list: is only used with mode: List",
    ),
    (
        "name: eu",
        "provider: AWS, serviceAccountName: push, name: eu",
        "",
    ),
    (
        "name: eu",
        "provider: Generic, secretRef: {name: a}, name: eu",
        "",
    ),
    (
        "name: eu",
        "provider: AWS, secretRef: {name: a}, name: eu",
        "spec.destinations[0].secretRef: is only used with provider: Generic: remove one of them",
    ),
    (
        "name: eu",
        "serviceAccountName: push, name: eu",
        "spec.destinations[0].serviceAccountName: is only used with a provider: write provider: AWS, GCP, Azure or Quay",
    ),
    (
        "name: eu",
        "provider: GCP, insecure: true, name: eu",
        "spec.destinations[0].insecure: is only used with provider: Generic: an identity is not sent in plain HTTP",
    ),
    ("name: eu", "previousTag: '{tag}-previous', name: eu", ""),
    (
        "name: eu",
        "previousTag: '{tag}', name: eu",
        "spec.destinations[0].previousTag: that is the tag itself: write something like {tag}-previous",
    ),
];

const POLICIES: [Change; 15] = [
    ("limit: 9", "include: [a]", ""),
    ("limit: 9", "exclude: [a]", ""),
    ("limit: 9", "newest: {count: 1}", ""),
    ("limit: 9", "extract: {pattern: 'v(.*)', value: $1}", ""),
    ("limit: 9", "semver: {range: '>=1'}", ""),
    (
        "limit: 9",
        "include: [], exclude: []",
        "spec.select: has no rule: write include: [\".*\"] to select every tag",
    ),
    ("select: {limit: 9}", "minAge: 72h", ""),
    ("select: {limit: 9}", "require: {user: NonRoot}", ""),
    ("select: {limit: 9}", "retain: {keepNewest: 1}", ""),
    (
        "select: {limit: 9}",
        "verify: []",
        "spec: says nothing: write select, minAge, verify, require or retain",
    ),
    (
        "select: {limit: 9}",
        "verify: [{name: a, type: Key, key: {secretRef: {name: a, key: b}}}]",
        "",
    ),
    (
        "select: {limit: 9}",
        "verify: [{name: a, type: Keyless, keyless: {issuer: a, subject: b}}]",
        "",
    ),
    (
        "select: {limit: 9}",
        "verify: [{name: a, type: Key}]",
        "spec.verify[0].key: is needed with type: Key, and only there",
    ),
    (
        "select: {limit: 9}",
        "verify: [{name: a, type: Key, keyless: {issuer: a, subject: b}}]",
        "spec.verify[0].key: is needed with type: Key, and only there | spec.verify[0].keyless: is needed with type: Keyless, and only there",
    ),
    (
        "select: {limit: 9}",
        "verify: [{name: a, type: Keyless, key: {secretRef: {name: a, key: b}}, keyless: {issuer: a, subject: b}}]",
        "spec.verify[0].key: is needed with type: Key, and only there",
    ),
];

fn schema_of<K: CustomResourceExt>() -> Value {
    let definition = serde_json::to_value(K::crd()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// What the rules say of an object, and of its change where there was one before.
fn broken_rules<K: CustomResourceExt>(object: &str, before: Option<&str>) -> String {
    let value = |text| serde_saphyr::from_str::<Value>(text).unwrap();
    let before = before.map(value);
    let found = Validator::new().validate(&schema_of::<K>(), &value(object), before.as_ref());
    let Err(errors) = found else {
        return String::new();
    };
    let mut lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.sort_unstable();
    lines.join(" | ")
}

fn check_changes<K: CustomResourceExt>(text: &str, changes: &[Change]) {
    assert_eq!(broken_rules::<K>(text, None), "");
    for (part, replacement, expected) in changes {
        assert!(text.contains(part), "{part}");
        let object = text.replacen(part, replacement, 1);
        assert_eq!(broken_rules::<K>(&object, None), *expected, "{replacement}");
    }
}

#[test]
fn what_the_rules_say() {
    check_changes::<ImageMirror>(MIRROR, &MIRRORS);
    check_changes::<ImagePolicy>(POLICY, &POLICIES);
    check_changes::<ImageReceiver>(RECEIVER, &RECEIVERS);
    check_changes::<ImageNotification>(NOTIFICATION, &NOTIFICATIONS);
}

#[test]
fn a_record_stays_with_its_repository() {
    assert_eq!(broken_rules::<MirroredRepository>(RECORD, Some(RECORD)), "");
    for (part, replacement) in [
        ("base", "other"),
        ("eu", "us"),
        ("alpine", "nginx"),
        ("0", "1"),
    ] {
        let changed = RECORD.replacen(part, replacement, 1);
        assert_eq!(
            broken_rules::<MirroredRepository>(&changed, Some(RECORD)),
            "spec: a record belongs to its repository for good: delete it instead, and Transship writes a new one"
        );
    }
}

/// What the API server stores is what the type reads from the same file.
#[test]
fn defaults_are_the_same_in_schema_and_type() {
    fn check<K: CustomResourceExt + DeserializeOwned + Serialize>(text: &str) {
        let written: Value = serde_saphyr::from_str(text).unwrap();
        let read: K = serde_json::from_value(written.clone()).unwrap();
        let defaulted = apply_defaults(&schema_of::<K>(), &written);
        assert_eq!(
            serde_json::to_value(read).unwrap()["spec"],
            defaulted["spec"]
        );
    }
    check::<ImageMirror>(MIRROR);
    let nested = "spec:\n  platforms: {mode: List, list: [linux/amd64]}\n  prune: {mode: Plan}\n  schedule: {cron: 0 3 * * *}";
    check::<ImageMirror>(&MIRROR.replace("spec:", nested));
    check::<ImagePolicy>(POLICY);
    check::<ImageReceiver>(RECEIVER);
    check::<ImageNotification>(NOTIFICATION);
    let nested = "select: {extract: {pattern: '(.*)', value: $1}, newest: {count: 1}}\n  require: {vulnerabilities: {maxSeverity: Low}}";
    check::<ImagePolicy>(&POLICY.replace("select: {limit: 9}", nested));
}

// === bounds ===

/// What is wrong with a schema and those below it.
fn find_faults(path: &str, schema: &Value, faults: &mut Vec<String>) {
    let mut fault = |is_wrong: bool, what: &str| {
        if is_wrong {
            faults.push(format!("{path} {what}"));
        }
    };
    let lacks = |keyword: &str| schema.get(keyword).is_none();
    for keyword in ["nullable", "anyOf", "oneOf", "allOf", "not"] {
        fault(!lacks(keyword), keyword);
    }
    match schema["type"].as_str().unwrap_or_default() {
        "string" if schema["format"] == "date-time" => {}
        "string" => fault(lacks("maxLength") && lacks("enum"), "has no maxLength"),
        "integer" => {
            let is_signed = schema["format"] == "int32" || schema["format"] == "int64";
            fault(!is_signed, "is no int32 or int64");
            fault(lacks("minimum"), "has no minimum");
        }
        "boolean" => {}
        "array" => {
            fault(lacks("maxItems"), "has no maxItems");
            fault(lacks("x-kubernetes-list-type"), "has no list type");
        }
        "object" => fault(
            lacks("properties") && lacks("maxProperties"),
            "has neither properties nor maxProperties",
        ),
        "" if schema["x-kubernetes-int-or-string"] == true => {
            fault(lacks("maxLength") || lacks("pattern"), "has no bounds");
        }
        other => fault(true, &format!("has the type {other:?}")),
    }
    let properties = schema["properties"].as_object();
    for (name, property) in properties.into_iter().flatten() {
        let path = format!("{path}.{name}");
        if property["description"]
            .as_str()
            .unwrap_or_default()
            .is_empty()
        {
            faults.push(format!("{path} is not described"));
        }
        find_faults(&path, property, faults);
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(below) = schema.get(keyword) {
            find_faults(&format!("{path}[]"), below, faults);
        }
    }
}

#[test]
fn every_field_is_described_and_bounded() {
    for definition in api::definitions() {
        let kind = definition.spec.names.kind.clone();
        let definition = serde_json::to_value(definition).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let mut faults = Vec::new();
        find_faults(&kind, schema, &mut faults);
        assert_eq!(faults, [""; 0]);
    }
}
