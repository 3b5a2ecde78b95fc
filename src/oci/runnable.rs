// SPDX-License-Identifier: Apache-2.0

//! Whether a node would run what a manifest names, whatever else the manifest says of itself.

use super::manifest::ImageManifest;
use super::{Content, ImageConfig, Manifest, MediaType};

/// What the media type of a layer contains that is unpacked to a file system, or run as it is: those of OCI and
/// Docker, of lazily pulled images, and of WebAssembly.
const FILE_SYSTEMS: [&str; 3] = ["image.layer", "image.rootfs", "wasm"];
/// The ends of media types of documents: what is written in them is no archive.
const DOCUMENTS: [&str; 5] = ["json", "+xml", "+yaml", "/cose", "+cose"];

impl Manifest {
    /// Whether a node may run it: it has a layer that is unpacked, or it is configured as an image and has a layer
    /// that may be an archive.
    ///
    /// cosign's signatures and `BuildKit`'s attestations are configured as images, and their layers are documents.
    /// An index runs nothing by itself.
    pub fn can_run(&self) -> bool {
        match self.content() {
            Content::Image(image) => is_runnable(image),
            Content::Index(_) => false,
        }
    }
}

fn is_runnable(image: &ImageManifest) -> bool {
    let config = image.config.as_ref();
    let is_image = config.is_some_and(|config| ImageConfig::is_named_by(&config.media_type));
    let mut layers = image.layers.iter().map(|layer| &layer.media_type);
    layers.any(|layer| is_file_system(layer) || is_image && !is_document(layer))
}

fn is_file_system(layer: &MediaType) -> bool {
    let name = layer.as_str().to_ascii_lowercase();
    let is_archive = name.contains("layer") && name.contains("tar");
    is_archive || FILE_SYSTEMS.iter().any(|part| name.contains(part))
}

fn is_document(layer: &MediaType) -> bool {
    let name = layer.as_str().to_ascii_lowercase();
    name.starts_with("text/") || DOCUMENTS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(config: &str, layers: &[&str]) -> Manifest {
        let blob = |media_type: &str| {
            let digest = format!("sha256:{}", "0".repeat(64));
            json!({"mediaType": media_type, "digest": digest, "size": 2})
        };
        let layers: Vec<_> = layers.iter().map(|layer| blob(layer)).collect();
        let body = json!({
            "schemaVersion": 2, "mediaType": crate::oci::media_type::OCI_MANIFEST,
            "config": blob(config), "layers": layers,
        });
        Manifest::parse(body.to_string().into(), None, None).unwrap()
    }

    #[test]
    fn what_a_node_runs_and_what_only_tells_of_it() {
        let image = "application/vnd.oci.image.config.v1+json";
        let docker = "application/vnd.docker.container.image.v1+json";
        let empty = "application/vnd.oci.empty.v1+json";
        let cases: [(&str, &[&str], bool); 27] = [
            (
                image,
                &["application/vnd.oci.image.layer.v1.tar+gzip"],
                true,
            ),
            (
                image,
                &["application/vnd.oci.image.layer.v1.tar+zstd"],
                true,
            ),
            (image, &["application/vnd.oci.image.layer.v1.tar"], true),
            (
                docker,
                &["application/vnd.docker.image.rootfs.diff.tar.gzip"],
                true,
            ),
            (
                docker,
                &["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"],
                true,
            ),
            (
                empty,
                &["application/vnd.docker.image.rootfs.diff.tar"],
                true,
            ),
            (empty, &["application/vnd.oci.image.layer.v1.tar"], true),
            (empty, &["APPLICATION/VND.OCI.IMAGE.LAYER.V1.TAR"], true),
            (
                empty,
                &["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"],
                true,
            ),
            (
                empty,
                &["application/vnd.oci.image.layer.nydus.blob.v1"],
                true,
            ),
            (empty, &["application/vnd.acme.layer.v1.tar"], true),
            (empty, &["application/wasm"], true),
            (
                empty,
                &[
                    "application/vnd.in-toto+json",
                    "application/vnd.oci.image.layer.v1.tar",
                ],
                true,
            ),
            (image, &["application/octet-stream"], true),
            (image, &["application/x-tar"], true),
            (image, &[""], true),
            (image, &[], false),
            (image, &["application/vnd.in-toto+json"], false),
            (
                image,
                &["application/vnd.dev.cosign.simplesigning.v1+json"],
                false,
            ),
            (image, &["application/vnd.dsse.envelope.v1+json"], false),
            (image, &["text/spdx"], false),
            (image, &["application/vnd.cyclonedx+xml"], false),
            (
                empty,
                &["application/vnd.dev.sigstore.bundle.v0.3+json"],
                false,
            ),
            (empty, &["application/jose+json"], false),
            (empty, &["application/cose"], false),
            (empty, &["application/octet-stream"], false),
            (
                empty,
                &["application/vnd.cncf.helm.chart.content.v1.tar+gzip"],
                false,
            ),
        ];
        for (config, layers, expected) in cases {
            assert_eq!(
                manifest(config, layers).can_run(),
                expected,
                "{config} {layers:?}"
            );
        }
    }
}
