// SPDX-License-Identifier: Apache-2.0

use std::io;

use super::*;
use crate::oci::{Digest, Reference};
use crate::plan::in_use::Subject;

/// Who uses `eu.corp/web:1`, by a text.
fn user(text: &str) -> Result<Option<String>, TextError> {
    let Contents::Images(in_use) = Contents::read(text.as_bytes(), "in-use")? else {
        panic!("a kubeconfig: {text}");
    };
    let reference: Reference = "eu.corp/web:1".parse().unwrap();
    let tag = reference.tag.unwrap();
    let name = (&reference.registry, &reference.repository, &tag);
    let subject = Subject {
        destination: name,
        source: name,
        digests: &[Digest::sha256(b"web")],
    };
    Ok(in_use.user_of(&subject).map(str::to_owned))
}

const POD: &str = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"},
  "spec": {"containers": [{"name": "web", "image": "eu.corp/web:1"}]}}"#;

#[test]
fn what_kubectl_prints_and_what_people_write() {
    let digest = Digest::sha256(b"web");
    let list = format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{POD}]}}"#);
    let pods = format!(
        r#"{{"apiVersion": "v1", "kind": "PodList", "metadata": {{}}, "items": [{}]}}"#,
        POD.replace(r#""apiVersion": "v1", "kind": "Pod","#, "")
    );
    let pod = Some("Pod shop/web");
    let cases = [
        (POD.to_owned(), pod),
        (list, pod),
        (pods, pod),
        (format!("[{POD}]"), pod),
        (
            "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: web, namespace: shop}\n  \
             spec:\n    containers:\n    - image: eu.corp/web:1\n      name: web\nkind: List\n"
                .to_owned(),
            pod,
        ),
        (
            "# pods\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n\
             spec: {containers: [{image: eu.corp/web:1}]}\n---\n"
                .to_owned(),
            pod,
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n\
             spec: {template: {spec: {containers: [{image: eu.corp/web:1}]}}}\n"
                .to_owned(),
            Some("Deployment shop/web"),
        ),
        (
            r#"{"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "", "continue": ""}, "items": [
              {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledJob", "metadata": {"name": "web", "namespace": "shop"},
               "spec": {"jobTargetRef": {"args": ["--image=eu.corp/web:1"]}}}]}"#
                .to_owned(),
            Some("ScaledJob shop/web"),
        ),
        (
            "apiVersion: v1\nkind: List\nitems: []\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  \
             kind: ConfigMap\n  metadata: {name: web, namespace: shop}\n  data: {x: 'image: eu.corp/web:1'}\n"
                .to_owned(),
            Some("ConfigMap shop/web"),
        ),
        (
            r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"},
              "status": {"images": [{"names": ["eu.corp/web:1"]}]}}"#
                .to_owned(),
            Some("Node n"),
        ),
        (
            r#"{"apiVersion": "corp/v1", "kind": "AllowList", "metadata": {"name": "a"}, "spec": ["eu.corp/web:1"]}"#
                .to_owned(),
            Some("AllowList a"),
        ),
        (r#"["eu.corp/db:1", "eu.corp/web:1"]"#.to_owned(), Some("in-use line 1")),
        ("eu.corp/web:1".to_owned(), Some("in-use line 1")),
        (
            "# what runs\n\neu.corp/db:1   # the database\n  eu.corp/web:1\n".to_owned(),
            Some("in-use line 4"),
        ),
        ("eu.corp/db:1 eu.corp/web:1 eu.corp/mq:1".to_owned(), Some("in-use line 1")),
        ("<none>\neu.corp/db:1,eu.corp/web:1\n".to_owned(), Some("in-use line 2")),
        (format!("x@{digest}"), Some("in-use line 1")),
        (format!("db:1\r\ndocker-pullable://x@{digest}\r\n"), Some("in-use line 2")),
        (digest.to_string(), Some("in-use line 1")),
        ("db:1".to_owned(), None),
    ];
    for (text, expected) in cases {
        assert_eq!(user(&text).unwrap().as_deref(), expected, "{text}");
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let cases = [
        "",
        "# nothing\n\n",
        "<none>",
        r#"{"apiVersion": "v1", "kind": "List", "items": []}"#,
        "{",
        r#"{"items": [1]}"#,
        r"[1]",
        "key: [",
        "kind: Pod\n",
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n",
        "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: old}\n",
        "eu.corp/db:1\npod/web\n",
        "deployment.apps/web",
        "NAME   READY   STATUS    RESTARTS   AGE\nweb    1/1     Running   0          3d\n",
        "web    1/1     Running   0          3d\n",
        "IMAGES\neu.corp/web:1\n",
        "eu.corp/web:1\neu.corp/web:\n",
        r#"["Foo Bar"]"#,
        "web    3/3   3   3   10d\n",
        "eu.corp/web:1\nquay.io/web\n",
        "scaledjob.keda.sh/web\n",
        r#"{"apiVersion": "v1", "kind": "List", "items": null}"#,
        r#"{"apiVersion": "v1", "kind": "List"}"#,
        r#"{"apiVersion": "v1", "kind": "PodList", "metadata": {"continue": "x"}, "items": []}"#,
        r#"{"apiVersion": "v1", "kind": "PodList", "metadata": {"remainingItemCount": 7}, "items": []}"#,
        r#"{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod", "metadata"#,
        r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "data": {"x": "eA=="}}"#,
        r#"{"apiVersion": "v1", "kind": "SecretList", "items": []}"#,
        r#"{"apiVersion": "meta.k8s.io/v1", "kind": "Table", "rows": []}"#,
        r#"{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "items": []}"#,
        r#"{"apiVersion": "v1", "kind": "Status", "message": "forbidden"}"#,
        "apiVersion: v1\nkind: ConfigMap\ndata: {x: 'eu.corp/web:1'}\n",
        "apiVersion: v1\nkind: List\nitems: []\n---\napiVersion: v1\nkind: List\nmetadata: {continue: x}\nitems: []\n",
    ];
    let messages: Vec<String> = cases
        .iter()
        .map(|text| {
            let error = user(text).unwrap_err();
            format!("in-use{}: {error}", error.place())
        })
        .collect();
    insta::assert_snapshot!(messages.join("\n"), @r#"
    in-use: it names no image: if that is right, set spec.prune.inUse to Ignore; if not, look at the command that wrote it
    in-use: it names no image: if that is right, set spec.prune.inUse to Ignore; if not, look at the command that wrote it
    in-use: it names no image: if that is right, set spec.prune.inUse to Ignore; if not, look at the command that wrote it
    in-use: it names no image: if that is right, set spec.prune.inUse to Ignore; if not, look at the command that wrote it
    in-use:1: this is no JSON: EOF while parsing an object at line 1 column 1
    in-use: this is no object of Kubernetes and no list of them: it has no apiVersion and kind
    in-use: this is no object of Kubernetes and no list of them: it has no apiVersion and kind
    in-use:1: this is no YAML: unclosed bracket '[' at line 1, column 6
    in-use: this is no object of Kubernetes and no list of them: it has no apiVersion and kind
    in-use: it names no image: if that is right, set spec.prune.inUse to Ignore; if not, look at the command that wrote it
    in-use: Pod shop/web is not understood: missing field `spec`
    in-use: it names no image: if that is right, set spec.prune.inUse to Ignore; if not, look at the command that wrote it
    in-use:2: "pod/web" is an object and no image: let kubectl print -o json
    in-use:1: "deployment.apps/web" is an object and no image: let kubectl print -o json
    in-use:1: "NAME" is no image (reference "NAME": repository "library/NAME" contains 'N': repository names are lower case, write "library/name"): write images on lines of their own, or let kubectl print -o json
    in-use:1: "web" has neither a tag nor a digest, as what stands in a table: write web:latest if it is an image, or let kubectl print -o json
    in-use:1: "IMAGES" is no image (reference "IMAGES": repository "library/IMAGES" contains 'I': repository names are lower case, write "library/images"): write images on lines of their own, or let kubectl print -o json
    in-use:2: "eu.corp/web:" is no image (reference "eu.corp/web:": the tag is empty): write images on lines of their own, or let kubectl print -o json
    in-use:1: "Foo" is no image (reference "Foo": repository "library/Foo" contains 'F': repository names are lower case, write "library/foo"): write images on lines of their own, or let kubectl print -o json
    in-use:1: "web" has neither a tag nor a digest, as what stands in a table: write web:latest if it is an image, or let kubectl print -o json
    in-use:2: "quay.io/web" has neither a tag nor a digest, as what stands in a table: write quay.io/web:latest if it is an image, or let kubectl print -o json
    in-use:1: "scaledjob.keda.sh/web" has neither a tag nor a digest, as what stands in a table: write scaledjob.keda.sh/web:latest if it is an image, or let kubectl print -o json
    in-use: the List has no items: the command that wrote it failed
    in-use: the List has no items: the command that wrote it failed
    in-use: the PodList is one page of a list, and its metadata says that there are more: list without a limit, as kubectl does
    in-use: the PodList is one page of a list, and its metadata says that there are more: list without a limit, as kubectl does
    in-use:1: this is no JSON: EOF while parsing a string at line 1 column 92
    in-use: a Secret says nothing of images: what stands in it is encoded, leave it out
    in-use: a SecretList says nothing of images: what stands in it is encoded, leave it out
    in-use: a Table says nothing of images: it leaves images out, let kubectl print -o json
    in-use: a PartialObjectMetadataList says nothing of images: it leaves images out, let kubectl print -o json
    in-use: a Status says nothing of images: it is what the API server answers where something failed
    in-use: ConfigMap ?/? is not understood: it has no metadata.name
    in-use: the List is one page of a list, and its metadata says that there are more: list without a limit, as kubectl does
    "#);
}

#[test]
fn a_kubeconfig_is_told_by_its_kind() {
    for text in [
        "apiVersion: v1\nkind: Config\nclusters: []\n",
        "# mine\ncurrent-context: home\nkind: Config\nclusters: []\napiVersion: v1\n",
        r#"{"apiVersion": "v1", "kind": "Config", "clusters": []}"#,
    ] {
        let contents = Contents::read(text.as_bytes(), "config").unwrap();
        assert!(matches!(contents, Contents::Kubeconfig), "{text}");
    }
}

/// Gives as much of a text as it is asked for, and counts it.
struct Endless<'a> {
    begin: &'a str,
    again: &'a str,
    given: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (begin, again) = (self.begin.as_bytes(), self.again.as_bytes());
        let text = match begin.get(self.given..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => &again[(self.given - begin.len()) % again.len()..],
        };
        let size = text.len().min(buffer.len());
        buffer[..size].copy_from_slice(&text[..size]);
        self.given += size;
        Ok(size)
    }
}

#[test]
fn what_has_no_end_is_given_up_early() {
    let pod = POD.replace(r#""apiVersion": "v1", "kind": "Pod","#, "") + ",";
    for (begin, again, most, message) in [
        (
            r#"{"items": ["#,
            pod.as_str(),
            1,
            "the kind of the list stands behind its items",
        ),
        ("a: 1\n", "- b\n", 34, "YAML of more than 33554432 bytes"),
        (
            "eu.corp/web:1\n",
            "eu.corp/web:1 ",
            2,
            "the line has more than 1048576 bytes",
        ),
    ] {
        let mut endless = Endless {
            begin,
            again,
            given: 0,
        };
        let read = Contents::read(io::BufReader::new(&mut endless), "in-use");
        let error = read.unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
        assert!(
            endless.given <= most * 1024 * 1024,
            "{begin}: {}",
            endless.given
        );
    }
}

#[test]
fn names_without_end_are_given_up() {
    let images = |number: usize| format!("eu.corp/web:{number}");
    let lines: Vec<String> = (0..=InUse::MOST).map(images).collect();
    let read = |text: String| Contents::read(text.as_bytes(), "in-use").unwrap_err();
    let text = lines.join("\n");
    assert!(matches!(read(text), TextError::TooMuch));
    let text = format!(
        "[{}]",
        lines
            .iter()
            .map(|line| format!("{line:?}"))
            .collect::<Vec<_>>()
            .join(",")
    );
    assert!(matches!(read(text), TextError::TooMuch));
}
