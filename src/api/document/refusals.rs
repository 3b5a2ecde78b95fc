// SPDX-License-Identifier: Apache-2.0

//! Everything that is refused of a file, with the words.

use super::tests::{MIRROR, POLICY, SECRET, refusal, with};

/// One part of a document is changed: the name of the case, the document, the part, what stands there
/// instead, and the message.
const CHANGES: [(&str, &str, &str, &str, &str); 49] = [
    (
        "a field that is not indented below an empty one",
        MIRROR,
        "    registry: docker.io\n",
        "  registry: docker.io\n",
        "f.yaml:6:3: spec: unknown field \"registry\": expected source, images, policyRefs, destinations, platforms, referrers, tagMutability, immutableTags, verifyInterval, prune, interval, schedule, freshness, timeout, execution or suspend; if it belongs to \"source\", indent it further",
    ),
    (
        "a field of an item that is not indented",
        MIRROR,
        "      tags:",
        "  tags:",
        "f.yaml:9:3: spec: unknown field \"tags\": expected source, images, policyRefs, destinations, platforms, referrers, tagMutability, immutableTags, verifyInterval, prune, interval, schedule, freshness, timeout, execution or suspend; if it belongs to \"images\", indent it further",
    ),
    (
        "a misspelt field",
        MIRROR,
        "tags:",
        "tgas:",
        "f.yaml:9:7: spec.images[0]: unknown field \"tgas\", did you mean \"tags\"?",
    ),
    (
        "a field of another place",
        MIRROR,
        "source:",
        "schedule: {cron: x, zone: y}\n  source:",
        "f.yaml:5:23: spec.schedule: unknown field \"zone\": expected cron or timeZone",
    ),
    (
        "a field in the wrong case",
        MIRROR,
        "spec:",
        "spec:\n  tagmutability: Follow",
        "f.yaml:5:3: spec: unknown field \"tagmutability\", did you mean \"tagMutability\"?",
    ),
    (
        "a misspelt field of metadata",
        MIRROR,
        "namespace:",
        "namspace:",
        "f.yaml:3:31: metadata: unknown field \"namspace\", did you mean \"namespace\"?",
    ),
    (
        "a field that is like no other",
        MIRROR,
        "tags:",
        "zzz:",
        "f.yaml:9:7: spec.images[0]: unknown field \"zzz\": expected repository, tags, digests, absent, select, policyRefs, as, replace or retag",
    ),
    (
        "a field without a value that is unknown",
        MIRROR,
        "tags: [\"3.20\", \"3.21*\"]",
        "tgas:",
        "f.yaml:9:7: spec.images[0]: unknown field \"tgas\", did you mean \"tags\"?",
    ),
    (
        "a missing field",
        MIRROR,
        "    registry: docker.io\n",
        "    insecure: true\n",
        "f.yaml:6:5: spec.source: missing field \"registry\"",
    ),
    (
        "a field that was left empty",
        MIRROR,
        "registry: docker.io",
        "registry:",
        "f.yaml:6:5: spec.source: missing field \"registry\"",
    ),
    (
        "no name",
        MIRROR,
        "name: base-images, ",
        "",
        "f.yaml:3:11: metadata: missing field \"name\"",
    ),
    (
        "a name that is none",
        MIRROR,
        "base-images",
        "Base_Images",
        "f.yaml:3:18: metadata.name: name \"Base_Images\" must be lower-case letters, digits, '-' and '.', begin and end with a letter or digit, and have at most 253 characters",
    ),
    (
        "a reference to a name that is none",
        MIRROR,
        "tags: [\"3.20\", \"3.21*\"]",
        "policyRefs: [{name: A}]",
        "f.yaml:9:27: spec.images[0].policyRefs[0].name: name \"A\" must be lower-case letters, digits, '-' and '.', begin and end with a letter or digit, and have at most 253 characters",
    ),
    (
        "a reference with a namespace",
        MIRROR,
        "tags: [\"3.20\", \"3.21*\"]",
        "policyRefs: [{name: a, namespace: b}]",
        "f.yaml:9:30: spec.images[0].policyRefs[0]: unknown field \"namespace\": expected name",
    ),
    (
        "a number for a tag",
        MIRROR,
        "\"3.20\"",
        "3.20",
        "f.yaml:9:14: spec.images[0].tags[0]: expected a string, found the number 3.20: write it in quotes, \"3.20\"",
    ),
    (
        "an octal number for a tag",
        MIRROR,
        "\"3.20\"",
        "0755",
        "f.yaml:9:14: spec.images[0].tags[0]: expected a string, found the number 0755: write it in quotes, \"0755\"",
    ),
    (
        "a commit that reads as a number",
        MIRROR,
        "\"3.20\"",
        "12e4567",
        "f.yaml:9:14: spec.images[0].tags[0]: expected a string, found the number 12e4567: write it in quotes, \"12e4567\"",
    ),
    (
        "a boolean for a tag",
        MIRROR,
        "\"3.20\"",
        "on",
        "f.yaml:9:14: spec.images[0].tags[0]: expected a string, found the boolean on: write it in quotes, \"on\"",
    ),
    (
        "nothing for a tag",
        MIRROR,
        "\"3.20\"",
        "null",
        "f.yaml:9:14: spec.images[0].tags[0]: expected a string, found nothing",
    ),
    (
        "a list for a text",
        MIRROR,
        "docker.io",
        "[docker.io]",
        "f.yaml:6:15: spec.source.registry: expected a string, found a list",
    ),
    (
        "a text for a list",
        MIRROR,
        "[\"3.20\", \"3.21*\"]",
        "\"3.20\"",
        "f.yaml:9:13: spec.images[0].tags: expected a list, found a string: write \"- \" in front of each entry",
    ),
    (
        "a text for a mapping",
        MIRROR,
        "\n    registry: docker.io",
        " docker.io",
        "f.yaml:5:11: spec.source: expected a mapping, found a string: write {registry: …}, and what else is needed of provider, serviceAccountName, secretRef, certSecretRef, proxySecretRef, insecure",
    ),
    (
        "a mapping for a list",
        MIRROR,
        "- repository: library/alpine\n      tags",
        "repository: library/alpine\n    tags",
        "f.yaml:8:5: spec.images: expected a list, found a mapping: write \"- \" in front of each entry",
    ),
    (
        "a text for a boolean",
        MIRROR,
        "spec:",
        "spec:\n  suspend: \"true\"",
        "f.yaml:5:12: spec.suspend: expected true or false, found a string",
    ),
    (
        "a text for a number",
        POLICY,
        "count: 3",
        "count: three",
        "f.yaml:9:21: spec.select.newest.count: expected a whole number, found a string",
    ),
    (
        "a fraction for a number",
        POLICY,
        "count: 3",
        "count: 3.5",
        "f.yaml:9:21: spec.select.newest.count: expected a whole number, found 3.5",
    ),
    (
        "a number that is too large",
        POLICY,
        "count: 3",
        "count: 3000000000",
        "f.yaml:9:21: spec.select.newest.count: 3000000000 is out of range",
    ),
    (
        "a value in the wrong case",
        MIRROR,
        "spec:",
        "spec:\n  referrers: copy",
        "f.yaml:5:14: spec.referrers: unknown value \"copy\", did you mean \"Copy\"?",
    ),
    (
        "a value that is like no other",
        MIRROR,
        "spec:",
        "spec:\n  tagMutability: Overwrite",
        "f.yaml:5:18: spec.tagMutability: unknown value \"Overwrite\": expected Follow, Freeze or Fail",
    ),
    (
        "a misspelt value",
        POLICY,
        "per: Minor",
        "per: Mnor",
        "f.yaml:9:29: spec.select.newest.per: unknown value \"Mnor\", did you mean \"Minor\"?",
    ),
    (
        "a duration in days",
        MIRROR,
        "spec:",
        "spec:\n  interval: 7d",
        "f.yaml:5:13: spec.interval: duration \"7d\" uses the unit 'd', which does not exist: write hours, such as 168h",
    ),
    (
        "a duration without a unit",
        MIRROR,
        "spec:",
        "spec:\n  timeout: \"30\"",
        "f.yaml:5:12: spec.timeout: duration \"30\" is not understood: write up to four numbers of at most five digits, each with h, m, s or ms, such as 1h30m",
    ),
    (
        "a duration that is a number",
        MIRROR,
        "spec:",
        "spec:\n  interval: 30",
        "f.yaml:5:13: spec.interval: expected a string, found the number 30: write it in quotes, \"30\"",
    ),
    (
        "a field twice",
        MIRROR,
        "  images:",
        "  source: {registry: quay.io}\n  images:",
        "f.yaml:7:3: spec: field \"source\" is written twice, first in line 5",
    ),
    (
        "a misspelt kind",
        MIRROR,
        "ImageMirror",
        "ImageMiror",
        "f.yaml:2:7: kind: \"ImageMiror\" is not read by Transship, did you mean \"ImageMirror\"?",
    ),
    (
        "another version",
        MIRROR,
        "v1alpha1",
        "v1",
        "f.yaml:1:13: apiVersion: \"transship.dev/v1\" is not the version of ImageMirror: expected \"transship.dev/v1alpha1\"",
    ),
    (
        "another version of Secret",
        SECRET,
        "apiVersion: v1",
        "apiVersion: v2",
        "f.yaml:1:13: apiVersion: \"v2\" is not the version of Secret: expected \"v1\"",
    ),
    (
        "a secret that is not base64",
        SECRET,
        "aGVsbG8=",
        "\"hunter2!\"",
        "f.yaml:7:11: data.ca.crt: the value is not base64: encode it, or move it to stringData",
    ),
    (
        "a secret that is a number",
        SECRET,
        "username: me",
        "password: 123456",
        "f.yaml:9:13: stringData.password: expected a string in quotes, found a number",
    ),
    (
        "a secret with an unknown field",
        SECRET,
        "stringData",
        "stringDta",
        "f.yaml:8:1: unknown field \"stringDta\", did you mean \"stringData\"?",
    ),
    (
        "a secret with a list",
        SECRET,
        "username: me",
        "password: [hunter2]",
        "f.yaml:9:13: stringData.password: expected a string, found a list",
    ),
    (
        "a bracket that is not closed",
        MIRROR,
        "\"3.21*\"]",
        "\"3.21*\"",
        "f.yaml:10:15: illegal placement of ':' indicator",
    ),
    (
        "a quote that is not closed",
        MIRROR,
        "\"3.21*\"]",
        "\"3.21*]",
        "f.yaml:9:22: unclosed quote: a text that begins with a quote must end with one",
    ),
    (
        "a tab for indentation",
        MIRROR,
        "    registry: docker.io",
        "\tregistry: docker.io",
        "f.yaml:6:2: tabs disallowed within this context (block indentation): indent with blanks",
    ),
    (
        "wrong indentation",
        MIRROR,
        "  images:",
        " images:",
        "f.yaml:7:2: while parsing a block mapping, did not find expected key: lines that belong together begin in the same column, and what belongs to a line further to the right",
    ),
    (
        "a glob without quotes",
        MIRROR,
        "[\"3.20\", \"3.21*\"]",
        "[*]",
        "f.yaml:9:14: while scanning an anchor or alias, did not find expected alphabetic or numeric character: a text that begins with * or & stands for something else in YAML, put it in quotes, as in tags: [\"*\"]",
    ),
    (
        "an alias without an anchor",
        MIRROR,
        "docker.io",
        "*registry",
        "f.yaml:6:15: alias references unknown anchor: a text that begins with * or & stands for something else in YAML, put it in quotes, as in tags: [\"*\"]",
    ),
    (
        "a tag of YAML",
        MIRROR,
        "docker.io",
        "!env REGISTRY",
        "f.yaml:6:20: a tag of YAML is not supported: put a text that begins with ! in quotes",
    ),
    (
        "a control character",
        MIRROR,
        "docker.io",
        "docker\u{7}.io",
        "f.yaml:6:15: unexpected character: `\\u{7}'",
    ),
];

/// Whole files: the name of the case, the text, and the message.
const FILES: [(&str, &str, &str); 19] = [
    (
        "no spec",
        "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {name: a}\n",
        "f.yaml:1:1: missing field \"spec\"",
    ),
    (
        "no metadata",
        "apiVersion: transship.dev/v1alpha1\nkind: ImagePolicy\nspec: {}\n",
        "f.yaml:1:1: missing field \"metadata\"",
    ),
    (
        "a kind that the group does not have",
        "apiVersion: transship.dev/v1alpha1\nkind: Deployment\nmetadata: {name: a}\n",
        "f.yaml:2:7: kind: \"Deployment\" is not read by Transship: expected ImageMirror, ImagePolicy, MirroredRepository, Secret or List",
    ),
    (
        "a kind of ours in a list, with a slip",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secrets}\n",
        "f.yaml:4:26: items[0].kind: \"Secrets\" is not read by Transship, did you mean \"Secret\"?",
    ),
    (
        "a group with a slip",
        "apiVersion: transhsip.dev/v1alpha1\nkind: ImagePolicy\n",
        "f.yaml:1:13: apiVersion: \"transhsip.dev/v1alpha1\" is not the version of ImagePolicy: expected \"transship.dev/v1alpha1\"",
    ),
    (
        "a mirror of another group",
        "apiVersion: mirrors.example.com/v1\nkind: ImageMirror\n",
        "f.yaml:1:13: apiVersion: \"mirrors.example.com/v1\" is not the version of ImageMirror: expected \"transship.dev/v1alpha1\"",
    ),
    (
        "no kind",
        "apiVersion: v1\n",
        "f.yaml:1:1: missing field \"kind\": write ImageMirror, ImagePolicy or Secret, and its apiVersion",
    ),
    (
        "no version",
        "kind: Secret\n",
        "f.yaml:1:1: missing field \"apiVersion\": write transship.dev/v1alpha1, or v1 for a Secret",
    ),
    (
        "a kind that is a number",
        "kind: 5\napiVersion: v1\n",
        "f.yaml:1:7: kind: expected a string, found a number",
    ),
    (
        "a list without items",
        "{apiVersion: v1, kind: List}",
        "f.yaml:1:1: missing field \"items\"",
    ),
    (
        "a list whose items are none",
        "{apiVersion: v1, kind: List, items: {}}",
        "f.yaml:1:37: items: expected a list, found a mapping: write \"- \" in front of each entry",
    ),
    (
        "a template of ours without quotes",
        "spec:\n  repository: {prefix}/{repository}\n",
        "f.yaml:2:23: while parsing a block mapping, did not find expected key: put a text with { } in quotes, as in repository: \"mirror/{repository}\"",
    ),
    (
        "a template of Helm",
        "image: {{ .Values.image }}\n",
        "f.yaml:1:9: expected string scalar: this is a template, render it first, as with helm template",
    ),
    (
        "a character that begins no text",
        "a: @x\n",
        "f.yaml:1:4: unexpected character: `@': put a text that begins with it in quotes",
    ),
    (
        "a mistake in one of several documents",
        "# one\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: t}\ndta: {}\n",
        "f.yaml:10:1: Secret \"t\": unknown field \"dta\", did you mean \"data\"?",
    ),
    (
        "one of several documents that is nothing",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\nhello\n",
        "f.yaml:5:1: document 2: expected a mapping, found a string",
    ),
    (
        "no YAML in one of several documents",
        "---\na: 1\n---\nb: \"x\nc: 1\n",
        "f.yaml:4:4: document 2: unclosed quote: a text that begins with a quote must end with one",
    ),
    (
        "a list at the top",
        "- a\n",
        "f.yaml:1:1: expected a mapping, found a list",
    ),
    (
        "a text at the top",
        "hello\n",
        "f.yaml:1:1: expected a mapping, found a string",
    ),
];

#[test]
fn documents_that_are_refused() {
    for (name, document, part, replacement, expected) in CHANGES {
        assert_eq!(
            refusal(&with(document, part, replacement)),
            expected,
            "{name}"
        );
    }
}

#[test]
fn files_that_are_refused() {
    for (name, text, expected) in FILES {
        assert_eq!(refusal(text), expected, "{name}");
    }
}

#[test]
fn hostile_files_are_refused_within_bounds() {
    let doubling = ('a'..'f').zip('b'..='f').map(|(inner, outer)| {
        let aliases = vec![format!("*{inner}"); 10].join(",");
        format!("{outer}: &{outer} [{aliases}]\n")
    });
    let bomb = format!(
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n{}",
        doubling.collect::<String>()
    );
    let in_list = with(MIRROR, "tags:", "tgas:").replace('\n', "\n  ");
    let cases = [
        (
            "a field in a list",
            format!("apiVersion: v1\nkind: List\nitems:\n- {in_list}"),
            "f.yaml:12:9: items[0].spec.images[0]: unknown field \"tgas\", did you mean \"tags\"?",
        ),
        (
            "aliases that multiply",
            bomb,
            "f.yaml:4:29: the aliases stand for more than 10000 values",
        ),
        (
            "deep nesting",
            "[".repeat(2_000),
            "f.yaml:1:256: recursion limit exceeded",
        ),
        (
            "deep nesting that is closed",
            format!("{}{}", "[".repeat(60), "]".repeat(60)),
            "f.yaml:1:49: the file has too many values or nests them too deeply",
        ),
        (
            "too many values",
            format!("a: [{}]", "x,".repeat(100_001)),
            "f.yaml:1:199999: the file has too many values or nests them too deeply",
        ),
        (
            "a file that is too large",
            "#".repeat(1024 * 1024 + 1),
            "f.yaml:1:1: the file has 1048577 bytes, at most 1048576 are read",
        ),
    ];
    for (name, text, expected) in cases {
        assert_eq!(refusal(&text), expected, "{name}");
    }
}
