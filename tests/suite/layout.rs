// SPDX-License-Identifier: Apache-2.0

//! Layouts between us and the tools that people have: each reads what the other wrote.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{TryStreamExt as _, stream};
use tempfile::TempDir;
use transship::layout::Layout;
use transship::oci::{Content, Descriptor, Digest, Manifest, Repository, Tag, TagOrDigest};

use crate::support::content::{Blob, FoundBy, Image, ImageBuilder};
use crate::support::digest::sha256;
use crate::support::program::Program;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::tools;
use crate::support::witness::Witness;

const REPOSITORY: &str = "team/app";

/// A tree in a directory that goes with it.
struct Tree {
    layout: Layout,
    _directory: TempDir,
}

impl Tree {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self {
            layout: Layout::open(directory.path().to_owned()),
            _directory: directory,
        }
    }

    /// Where the layout of the repository is, made for tools that do not make it.
    fn directory(&self) -> PathBuf {
        let directory = self.layout.path().join(REPOSITORY);
        fs::create_dir_all(directory.parent().unwrap()).unwrap();
        directory
    }

    /// `DIRECTORY:TAG`, as skopeo and oras name an image in a layout.
    fn reference(&self, tag: &str) -> String {
        format!("{}:{tag}", self.directory().display())
    }

    /// Stores an image as a copy does: blobs, children, root, referrers, and the tag last.
    async fn write(&self, tag: &str, image: &Image) {
        for blob in image.all_blobs() {
            let (digest, size) = (digest(&blob.digest), blob.bytes.len() as u64);
            let body = stream::iter([Ok::<_, std::io::Error>(blob.bytes.clone())]);
            self.layout
                .write_blob(&repository(), &digest, size, body)
                .await
                .unwrap();
        }
        for child in image.children.iter().chain([&image.root]) {
            self.put(&child.digest, child).await;
        }
        for referrer in &image.referrers {
            let target = match &referrer.found_by {
                FoundBy::Subject => &referrer.manifest.digest,
                FoundBy::Tag(tag) => tag,
            };
            self.put(target, &referrer.manifest).await;
        }
        self.put(tag, &image.root).await;
    }

    async fn put(&self, target: &str, blob: &Blob) {
        let media_type = blob.media_type.as_str().into();
        let manifest = Manifest::parse(blob.bytes.clone(), Some(&media_type), None).unwrap();
        self.layout
            .put_manifest(&repository(), &self::target(target), &manifest)
            .await
            .unwrap();
    }
}

fn repository() -> Repository {
    REPOSITORY.parse().unwrap()
}

fn digest(text: &str) -> Digest {
    text.parse().unwrap()
}

fn target(text: &str) -> TagOrDigest {
    match text.parse() {
        Ok(digest) => TagOrDigest::Digest(digest),
        Err(_) => TagOrDigest::Tag(text.parse().unwrap()),
    }
}

fn full_image() -> Image {
    ImageBuilder::new(1)
        .layers(&[3000, 400_000])
        .platforms(&["linux/amd64", "linux/arm64/v8", "linux/arm/v7"])
        .attestations()
        .referrer("application/vnd.example.signature")
        .signature_tag()
        .build()
}

/// Runs a tool and gives its standard output.
async fn run(program: &Path, arguments: &[&str]) -> String {
    let finished = Program::at(program, arguments).run().await;
    assert_eq!(
        finished.code,
        Some(0),
        "{} {arguments:?}: {}",
        program.display(),
        finished.stderr
    );
    finished.stdout
}

/// Every digest that a target of a layout leads to, each read to its end and verified.
async fn read_all(
    layout: &Layout,
    repository: &Repository,
    start: TagOrDigest,
) -> BTreeSet<Digest> {
    let mut seen = BTreeSet::new();
    let mut pending = vec![start];
    while let Some(target) = pending.pop() {
        let manifest = layout.fetch_manifest(repository, &target).await.unwrap();
        if !seen.insert(manifest.digest().clone()) {
            continue;
        }
        for blob in manifest.blobs() {
            read_blob(layout, repository, blob).await;
            seen.insert(blob.digest.clone());
        }
        let mut below = layout
            .referrers(repository, manifest.digest())
            .await
            .unwrap();
        if let Content::Index(index) = manifest.content() {
            below.extend(index.manifests.iter().cloned());
        }
        pending.extend(
            below
                .into_iter()
                .map(|entry| TagOrDigest::Digest(entry.digest)),
        );
    }
    seen
}

async fn read_blob(layout: &Layout, repository: &Repository, blob: &Descriptor) {
    assert!(layout.has_blob(repository, &blob.digest).await.unwrap());
    let frames = layout.fetch_blob(repository, blob, 0).await.unwrap();
    let frames: Vec<Bytes> = frames.try_collect().await.unwrap();
    assert!(blob.digest.matches(&frames.concat()), "{}", blob.digest);
}

/// The digests of an image as its builder knows them, without what only a tag leads to.
fn digests(image: &Image, with_referrers: bool) -> BTreeSet<Digest> {
    let referrers = image
        .referrers
        .iter()
        .filter(|referrer| with_referrers && referrer.found_by == FoundBy::Subject)
        .flat_map(|referrer| referrer.blobs.iter().chain([&referrer.manifest]));
    let own = image
        .blobs
        .iter()
        .chain(&image.children)
        .chain([&image.root]);
    own.chain(referrers)
        .map(|blob| digest(&blob.digest))
        .collect()
}

#[tokio::test]
async fn what_others_pull_into_a_layout_is_read() {
    let registry = Registry::start(Kind::Crane, Security::Plain).await;
    let image = full_image();
    registry.client().push(REPOSITORY, "1.0", &image).await;
    let reference = format!("{}/{REPOSITORY}:1.0", registry.host());
    let (skopeo, crane, oras) = (
        tools::packaged("skopeo"),
        tools::built("crane"),
        tools::built("oras"),
    );

    for tool in ["skopeo", "crane", "oras"] {
        let tree = Tree::new();
        let into = tree.reference("1.0");
        let directory = tree.directory().display().to_string();
        match tool {
            "skopeo" => {
                let (from, to) = (format!("docker://{reference}"), format!("oci:{into}"));
                let arguments = ["copy", "--all", "--src-tls-verify=false", &from, &to];
                run(&skopeo, &arguments).await
            }
            "crane" => {
                let arguments = [
                    "pull",
                    "--format=oci",
                    "--annotate-ref",
                    &reference,
                    &directory,
                ];
                run(&crane, &arguments).await
            }
            _ => {
                let arguments = [
                    "copy",
                    "-r",
                    "--from-plain-http",
                    "--to-oci-layout",
                    &reference,
                    &into,
                ];
                run(&oras, &arguments).await
            }
        };
        let layout = &tree.layout;
        assert_eq!(
            layout.list_repositories().await.unwrap(),
            [repository()],
            "{tool}"
        );
        let tags = layout.list_tags(&repository()).await.unwrap();
        assert_eq!(
            tags.iter().map(Tag::as_str).collect::<Vec<_>>(),
            ["1.0"],
            "{tool}"
        );
        let found = read_all(layout, &repository(), target("1.0")).await;
        assert_eq!(found, digests(&image, tool == "oras"), "{tool}");

        // And what they began is continued.
        let second = ImageBuilder::new(2).layers(&[100]).build();
        tree.write("2.0", &second).await;
        let found = read_all(layout, &repository(), target("2.0")).await;
        assert_eq!(found, digests(&second, true), "{tool}");
        let resolved = layout.resolve(&repository(), &target("1.0")).await.unwrap();
        assert_eq!(resolved.unwrap().digest.as_str(), image.digest(), "{tool}");
    }
}

#[tokio::test]
async fn what_we_wrote_is_read_and_pushed_by_others() {
    let registry = Registry::start(Kind::Distribution3, Security::Plain).await;
    let (skopeo, crane, oras) = (
        tools::packaged("skopeo"),
        tools::built("crane"),
        tools::built("oras"),
    );
    let image = full_image();
    let tree = Tree::new();
    tree.write("1.0", &image).await;
    let reference = tree.reference("1.0");
    let layout = format!("oci:{reference}");
    let to = |repository: &str| format!("{}/{repository}:1.0", registry.host());

    let raw = run(&skopeo, &["inspect", "--raw", &layout]).await;
    assert_eq!(sha256(raw.as_bytes()), image.digest());
    let destination = format!("docker://{}", to("by/skopeo"));
    let arguments = [
        "copy",
        "--all",
        "--dest-tls-verify=false",
        &layout,
        &destination,
    ];
    run(&skopeo, &arguments).await;

    let raw = run(&oras, &["manifest", "fetch", "--oci-layout", &reference]).await;
    assert_eq!(sha256(raw.as_bytes()), image.digest());
    let discovered = run(&oras, &["discover", "--oci-layout", &reference]).await;
    for referrer in image.referrers_of(image.digest()) {
        let digest = &referrer.manifest.digest;
        assert!(discovered.contains(digest.as_str()), "{discovered}");
    }
    let arguments = [
        "copy",
        "-r",
        "--from-oci-layout",
        "--to-plain-http",
        &reference,
        &to("by/oras"),
    ];
    run(&oras, &arguments).await;

    // crane pushes a whole layout as one image, if it lists only one.
    let single = Tree::new();
    let plain = ImageBuilder::new(3)
        .layers(&[100])
        .platforms(&["linux/amd64", "linux/arm64"])
        .build();
    single.write("1.0", &plain).await;
    let directory = single.directory().display().to_string();
    run(&crane, &["push", "--insecure", &directory, &to("by/crane")]).await;
    run(
        &crane,
        &["validate", "--insecure", "--remote", &to("by/crane")],
    )
    .await;

    for (name, image) in [
        ("by/skopeo", &image),
        ("by/oras", &image),
        ("by/crane", &plain),
    ] {
        let mut witness = Witness::new(registry.client(), name);
        assert_eq!(witness.check("1.0").await, [], "{name}");
        assert_eq!(
            witness.digest("1.0").await.unwrap(),
            image.digest(),
            "{name}"
        );
    }
    let mut signed = Witness::new(registry.client(), "by/oras");
    let only_by_subject = Image {
        referrers: image.referrers_of(image.digest()).cloned().collect(),
        ..image.clone()
    };
    signed = signed.expecting(&only_by_subject);
    assert_eq!(signed.check("1.0").await, []);
}

#[tokio::test]
async fn the_sample_is_complete_and_has_nothing_too_much() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart/source");
    let layout = Layout::open(root.clone());
    let signature = "sha256-b2bc9876ed4c9543bbbc22960941e8c12c0c4715a7bd8c934af2f14c30efa614.sig";
    let expected: [(&str, &[&str]); 2] = [
        (
            "demo/hello",
            &["1.0.0", "1.1.0", "2.0.0-rc.1", "latest", signature],
        ),
        ("demo/tools", &["1.0.0", "latest"]),
    ];
    let repositories = layout.list_repositories().await.unwrap();
    assert_eq!(
        repositories
            .iter()
            .map(Repository::as_str)
            .collect::<Vec<_>>(),
        expected.map(|(repository, _)| repository)
    );
    for (repository, (_, expected_tags)) in repositories.iter().zip(expected) {
        let tags = layout.list_tags(repository).await.unwrap();
        assert_eq!(
            tags.iter().map(Tag::as_str).collect::<Vec<_>>(),
            expected_tags
        );
        let mut reached = BTreeSet::new();
        for tag in tags {
            reached.append(&mut read_all(&layout, repository, TagOrDigest::Tag(tag)).await);
        }
        let blobs = fs::read_dir(root.join(repository.as_str()).join("blobs/sha256")).unwrap();
        let stored: BTreeSet<Digest> = blobs
            .map(|blob| blob.unwrap().path())
            .map(|path| {
                let digest = sha256(&fs::read(&path).unwrap());
                assert!(
                    path.ends_with(digest.trim_start_matches("sha256:")),
                    "{}",
                    path.display()
                );
                self::digest(&digest)
            })
            .collect();
        assert_eq!(reached, stored, "{repository}");
    }
}
