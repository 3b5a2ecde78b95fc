// SPDX-License-Identifier: Apache-2.0

use serde_json::{Value, json};

use super::*;

fn notification(spec: &Value) -> ImageNotification {
    let object = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageNotification",
        "metadata": {"name": "chat", "namespace": "team"}, "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

#[test]
fn specs_that_can_and_cannot_be_used() {
    let cases = [
        (json!({"type": "Slack", "secretRef": {"name": "a"}}), ""),
        (
            json!({"type": "CloudEvents", "address": "https://e.test/x?y=z"}),
            "",
        ),
        (json!({"type": "Generic", "address": "http://e.test"}), ""),
        (
            json!({"type": "Slack", "secretRef": {"name": "a"}, "address": "https://e.test"}),
            "spec.address: is a secret with type: Slack: put it into the key address of the Secret of secretRef",
        ),
        (
            json!({"type": "Generic"}),
            "spec.secretRef: is needed where address is absent: its key address says where to send",
        ),
        (
            json!({"type": "Generic", "address": "ftp://e.test"}),
            "spec.address: is a URL such as https://events.example.com/transship",
        ),
        (
            json!({"type": "Generic", "address": "https://me:canary@e.test"}),
            "spec.address: has no user name and password: put a token into the Secret of secretRef",
        ),
        (
            json!({"type": "CloudEvents", "address": "https://e.test", "template": "1"}),
            "spec.template: is only used with type: Generic",
        ),
        (
            json!({"type": "Generic", "address": "https://e.test", "template": "{{.a"}),
            "spec.template: {{ at character 1 is not closed with }}",
        ),
    ];
    for (spec, expected) in cases {
        let found = Notification::of(&notification(&spec));
        let found = found.map_or_else(
            |invalid| {
                let lines: Vec<String> = invalid.iter().map(ToString::to_string).collect();
                lines.join(" | ")
            },
            |_| String::new(),
        );
        assert_eq!(found, expected, "{spec}");
    }
}

#[test]
fn who_is_told_of_what() {
    let labels = BTreeMap::from([("tier".to_owned(), "gold".to_owned())]);
    let cases = [
        (json!({}), true),
        (json!({"mirrors": {"names": ["base"]}}), true),
        (json!({"mirrors": {"names": ["other"]}}), false),
        (json!({"mirrors": {"matchLabels": {"tier": "gold"}}}), true),
        (
            json!({"mirrors": {"matchLabels": {"tier": "gold", "a": "b"}}}),
            false,
        ),
        (
            json!({"mirrors": {"names": ["other"], "matchLabels": {"tier": "gold"}}}),
            true,
        ),
        (json!({"mirrors": {}}), false),
        (json!({"events": ["Recovered", "New"]}), true),
        (json!({"events": ["Failed"]}), false),
    ];
    for (more, expected) in cases {
        let mut spec = json!({"type": "Generic", "address": "https://e.test"});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let notification = Notification::of(&notification(&spec)).unwrap();
        let chosen = notification.choose("base", &labels, &[News::Recovered]);
        assert_eq!(!chosen.is_empty(), expected, "{more}");
    }
}

#[test]
fn an_address_is_not_printed() {
    let address = MessageAddress::parse("https://hooks.test/canary\n").unwrap();
    assert_eq!(format!("{address:?}"), "MessageAddress");
    assert_eq!(address.as_url().path(), "/canary");
    for wrong in ["canary", "", "file:///canary", "https://"] {
        let error = MessageAddress::parse(wrong).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
