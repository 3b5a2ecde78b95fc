use super::*;

const MIRROR: &str = r#"apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {name: base-images, namespace: platform}
spec:
  source:
    registry: docker.io
  images:
    - repository: library/alpine
      tags: ["3.20", "3.21*"]
  destinations:
    - name: eu
      registry: registry.eu.example.com
"#;

#[test]
fn what_is_not_written_has_its_default() {
    let documents = parse(MIRROR, "mirror.yaml").unwrap();
    let [
        Document {
            resource: Resource::ImageMirror(mirror),
            ..
        },
    ] = documents.as_slice()
    else {
        panic!("expected one mirror");
    };
    insta::assert_json_snapshot!(mirror.spec);
}
