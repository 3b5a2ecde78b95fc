// SPDX-License-Identifier: Apache-2.0

//! Changes of an `ImageNotification`, and what the API server says of them.

use super::Case;

pub(super) const NOTIFICATION: &str = r"
apiVersion: transship.dev/v1alpha1
kind: ImageNotification
metadata: {name: chat}
spec:
  type: Generic
  address: https://events.example.com/transship
";

const ADDRESS: &str = "address: https://events.example.com/transship";

pub(super) const NOTIFICATIONS: [Case; 19] = [
    (
        "every field",
        ADDRESS,
        "address: http://events.example.com:8080/a?b=c\n  secretRef: {name: a}\n  certSecretRef: {name: b}\n  proxySecretRef: {name: c}\n  template: '{\"text\": {{json .summary}}}'\n  mirrors: {names: [base], matchLabels: {tier: gold}}\n  events: [New, Moved, Refused, PruneWaits, Failed, Recovered]\n  suspend: true",
        "",
    ),
    (
        "an address in the Secret",
        ADDRESS,
        "secretRef: {name: a}",
        "",
    ),
    (
        "Slack with a Secret",
        "type: Generic\n  address: https://events.example.com/transship",
        "type: Slack\n  secretRef: {name: a}",
        "",
    ),
    (
        "Slack with its secret for all to see",
        "type: Generic",
        "type: Slack\n  secretRef: {name: a}",
        "spec.address: Invalid value: is a secret with type: Slack: put it into the key address of the Secret of secretRef",
    ),
    (
        "no address at all",
        ADDRESS,
        "suspend: false",
        "spec.secretRef: Invalid value: is needed where address is absent: its key address says where to send",
    ),
    (
        "another type",
        "type: Generic",
        "type: Teams",
        "spec.type: Unsupported value: \"Teams\": supported values: \"CloudEvents\", \"Slack\", \"Generic\"",
    ),
    (
        "no type",
        "type: Generic",
        "suspend: false",
        "spec.type: Required value",
    ),
    (
        "an address of another kind",
        "https://events.example.com/transship",
        "ftp://events.example.com",
        "spec.address: Invalid value: is a URL such as https://events.example.com/transship, without user name and password",
    ),
    (
        "an address with a password",
        "https://events.example.com/transship",
        "https://me:secret@events.example.com",
        "spec.address: Invalid value: is a URL such as https://events.example.com/transship, without user name and password",
    ),
    (
        "an address without a host",
        "https://events.example.com/transship",
        "https://",
        "spec.address: Invalid value: is a URL such as https://events.example.com/transship, without user name and password",
    ),
    (
        "an empty address",
        "https://events.example.com/transship",
        "''",
        "spec.address: Invalid value: \"\": spec.address in body should be at least 1 chars long, spec.address: Invalid value: is a URL such as https://events.example.com/transship, without user name and password",
    ),
    (
        "a template of another type",
        "type: Generic",
        "type: CloudEvents\n  template: '1'",
        "spec.template: Invalid value: is only used with type: Generic",
    ),
    (
        "an empty template",
        "type: Generic",
        "type: Generic\n  template: ''",
        "spec.template: Invalid value: \"\": spec.template in body should be at least 1 chars long",
    ),
    (
        "another event",
        "type: Generic",
        "type: Generic\n  events: [New, Old]",
        "spec.events[1]: Unsupported value: \"Old\": supported values: \"New\", \"Moved\", \"Refused\", \"PruneWaits\", \"Failed\", \"Recovered\"",
    ),
    (
        "an event twice",
        "type: Generic",
        "type: Generic\n  events: [New, New]",
        "spec.events[1]: Duplicate value: \"New\"",
    ),
    (
        "no event",
        "type: Generic",
        "type: Generic\n  events: []",
        "spec.events: Invalid value: 0: spec.events in body should have at least 1 items",
    ),
    (
        "a mirror twice",
        "type: Generic",
        "type: Generic\n  mirrors: {names: [a, a]}",
        "spec.mirrors.names[1]: Duplicate value: \"a\"",
    ),
    (
        "a mirror whose name is none",
        "type: Generic",
        "type: Generic\n  mirrors: {names: [A]}",
        r#"spec.mirrors.names[0]: Invalid value: "A": spec.mirrors.names[0] in body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'"#,
    ),
    (
        "a field that does not exist",
        "type: Generic",
        "type: Generic\n  channel: builds",
        "ImageNotification in version \"v1alpha1\" cannot be handled as a ImageNotification: strict decoding error: unknown field \"spec.channel\"",
    ),
];
