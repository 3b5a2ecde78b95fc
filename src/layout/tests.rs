//! What a tree of layouts promises, on real directories.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use futures::{StreamExt, TryStreamExt, future, stream};
use insta::assert_snapshot;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::oci::media_type::{OCI_INDEX, OCI_MANIFEST};
use crate::oci::{Descriptor, Digest, Manifest, Repository, Tag, TagOrDigest};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

type Frame = Result<bytes::Bytes, std::io::Error>;

/// A tree in a directory that goes with it.
struct Fixture {
    root: TempDir,
    layout: Layout,
    repository: Repository,
}

impl Fixture {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        let layout = Layout::open(root.path().join("tree"));
        Self {
            layout,
            root,
            repository: repository("demo/hello"),
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.layout
            .path()
            .join(self.repository.as_str())
            .join(below)
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path(&format!("blobs/sha256/{}", digest.encoded()))
    }

    async fn write(&self, content: &'static [u8]) -> Result<(), Error> {
        let digest = Digest::sha256(content);
        let body = stream::iter(content.chunks(3).map(|chunk| Frame::Ok(chunk.into())));
        self.layout
            .write_blob(&self.repository, &digest, content.len() as u64, body)
            .await
    }

    async fn put(&self, target: &str, manifest: &Manifest) {
        self.layout
            .put_manifest(&self.repository, &self::target(target), manifest)
            .await
            .unwrap();
    }

    async fn put_by_digest(&self, manifest: &Manifest) {
        self.put(manifest.digest().as_str(), manifest).await;
    }

    async fn resolve(&self, target: &str) -> Option<Digest> {
        let resolved = self
            .layout
            .resolve(&self.repository, &self::target(target))
            .await;
        resolved.unwrap().map(|resolved| resolved.digest)
    }

    /// The entries of `index.json` as `tag@digest`.
    fn listed(&self) -> Vec<String> {
        let text = fs::read(self.path("index.json")).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let entries = document["manifests"].as_array().unwrap();
        entries
            .iter()
            .map(|entry| {
                let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str();
                format!(
                    "{}@{}",
                    tag.unwrap_or_default(),
                    entry["digest"].as_str().unwrap()
                )
            })
            .collect()
    }

    /// The names of everything in the tree with inode and time of change.
    fn state(&self) -> Vec<(PathBuf, u64, i64, i64)> {
        let mut found = Vec::new();
        let mut pending = vec![self.root.path().to_owned()];
        while let Some(path) = pending.pop() {
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                pending.extend(
                    fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
            }
            found.push((
                path,
                metadata.ino(),
                metadata.mtime(),
                metadata.mtime_nsec(),
            ));
        }
        found.sort();
        found
    }

    fn temporary_files(&self) -> usize {
        let entries = fs::read_dir(self.path("")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with(".transship-"))
            .count()
    }
}

fn repository(name: &str) -> Repository {
    name.parse().unwrap()
}

fn target(text: &str) -> TagOrDigest {
    match text.parse() {
        Ok(digest) => TagOrDigest::Digest(digest),
        Err(_) => TagOrDigest::Tag(text.parse().unwrap()),
    }
}

fn at(tag: &str, manifest: &Manifest) -> String {
    format!("{tag}@{}", manifest.digest())
}

fn descriptor(media_type: &str, content: &[u8]) -> serde_json::Value {
    json!({"mediaType": media_type, "digest": Digest::sha256(content).as_str(), "size": content.len()})
}

fn parse(document: &serde_json::Value) -> Manifest {
    Manifest::parse(document.to_string().into(), None, None).unwrap()
}

fn image(name: &'static str) -> Manifest {
    parse(&json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": descriptor(CONFIG, b"{}"),
        "layers": [descriptor(LAYER, name.as_bytes())],
    }))
}

fn index_of(children: &[&Manifest]) -> Manifest {
    let entry = |child: &&Manifest| descriptor(child.media_type().as_str(), child.bytes());
    let manifests: Vec<_> = children.iter().map(entry).collect();
    parse(&json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}))
}

fn signature_of(subject: &Manifest) -> Manifest {
    parse(&json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": BUNDLE,
        "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [descriptor(BUNDLE, b"signature")],
        "subject": descriptor(subject.media_type().as_str(), subject.bytes()),
        "annotations": {"by": "somebody"},
    }))
}

// === tags and manifests ===

#[tokio::test]
async fn a_tag_leads_to_the_same_bytes_again() {
    let fixture = Fixture::new();
    let image = image("a");
    fixture.put("1.0", &image).await;
    for wanted in ["1.0", image.digest().as_str()] {
        let found = fixture
            .layout
            .fetch_manifest(&fixture.repository, &target(wanted))
            .await
            .unwrap();
        assert_eq!(found, image, "{wanted}");
        assert_eq!(fixture.resolve(wanted).await.as_ref(), Some(image.digest()));
    }
    assert_eq!(fixture.resolve("2.0").await, None);
    assert_eq!(fixture.resolve(Digest::sha256(b"x").as_str()).await, None);
}

#[tokio::test]
async fn an_image_that_is_pushed_child_by_child_is_listed_once() {
    let fixture = Fixture::new();
    let children = [image("amd64"), image("arm64")];
    let index = index_of(&[&children[0], &children[1]]);
    let signature = signature_of(&index);
    for manifest in children.iter().chain([&index, &signature]) {
        fixture.put_by_digest(manifest).await;
    }
    assert_eq!(fixture.listed(), [at("", &index), at("", &signature)]);
    fixture.put("1.0", &index).await;
    let listed = [at("1.0", &index), at("", &signature)];
    assert_eq!(fixture.listed(), listed);

    fixture.put_by_digest(&children[0]).await;
    assert_eq!(
        fixture.listed(),
        listed,
        "a child that comes again is below the index"
    );
}

#[tokio::test]
async fn a_tag_that_moves_leaves_only_signatures_and_other_tags_behind() {
    let fixture = Fixture::new();
    let (old, new) = (image("old"), image("new"));
    let signature = signature_of(&old);
    for (tag, manifest) in [("1.0", &old), ("latest", &old), ("signature", &signature)] {
        fixture.put(tag, manifest).await;
    }
    for tag in ["latest", "signature", "1.0"] {
        fixture.put(tag, &new).await;
    }
    assert_eq!(
        fixture.listed(),
        [
            at("", &signature),
            at("latest", &new),
            at("signature", &new),
            at("1.0", &new)
        ]
    );
    let digest = old.digest();
    assert_eq!(
        fixture.resolve(digest.as_str()).await.as_ref(),
        Some(digest)
    );
}

#[tokio::test]
async fn names_that_other_tools_write_are_read_as_tags() {
    let fixture = Fixture::new();
    let image = image("a");
    fixture.put("0", &image).await;
    let text = fs::read_to_string(fixture.path("index.json")).unwrap();
    for (name, tags) in [
        ("1.0", vec!["1.0"]),
        ("docker.io/library/alpine:3.20", vec!["3.20"]),
        ("localhost:5000/a", vec![]),
    ] {
        let renamed = text.replace("\"0\"", &format!("{name:?}"));
        fs::write(fixture.path("index.json"), renamed).unwrap();
        let found = fixture.layout.list_tags(&fixture.repository).await.unwrap();
        assert_eq!(found.iter().map(Tag::as_str).collect::<Vec<_>>(), tags);
        for tag in tags {
            assert_eq!(fixture.resolve(tag).await.as_ref(), Some(image.digest()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_tags_at_once_through_two_trees_are_all_there() {
    let fixture = Fixture::new();
    // A second tree on the same directory shares no memory with the first, as another process.
    let trees = [
        fixture.layout.clone(),
        Layout::open(fixture.layout.path().to_owned()),
    ];
    let image = image("a");
    let puts = (0..50).map(|number| {
        let layout = trees[number % 2].clone();
        let (repository, image) = (fixture.repository.clone(), image.clone());
        tokio::spawn(async move {
            let target = target(&format!("1.{number}"));
            layout.put_manifest(&repository, &target, &image).await
        })
    });
    for put in future::join_all(puts).await {
        put.unwrap().unwrap();
    }
    for layout in &trees {
        assert_eq!(
            layout.list_tags(&fixture.repository).await.unwrap().len(),
            50
        );
    }
    assert_eq!(fixture.temporary_files(), 0);
}

// === referrers ===

#[tokio::test]
async fn referrers_are_found_by_subject_and_by_the_referrers_tag() {
    let fixture = Fixture::new();
    let image = image("a");
    let signature = signature_of(&image);
    fixture.put("1.0", &image).await;
    fixture.put_by_digest(&signature).await;
    let only_in_fallback = parse(&json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [
            descriptor(OCI_MANIFEST, b"somewhere else"),
            descriptor(OCI_MANIFEST, signature.bytes()),
        ],
    }));
    let fallback_tag = format!("sha256-{}", image.digest().encoded());

    let listed = Descriptor {
        artifact_type: Some(BUNDLE.to_owned()),
        annotations: [("by".to_owned(), "somebody".to_owned())].into(),
        ..signature.descriptor()
    };
    let referrers = async || {
        let digest = image.digest();
        fixture
            .layout
            .referrers(&fixture.repository, digest)
            .await
            .unwrap()
    };
    assert_eq!(referrers().await, std::slice::from_ref(&listed));
    fixture.put(&fallback_tag, &only_in_fallback).await;
    let elsewhere = Descriptor::of(OCI_MANIFEST.into(), b"somewhere else");
    assert_eq!(referrers().await, [listed, elsewhere]);

    let of_nothing = fixture
        .layout
        .referrers(&repository("not/there"), image.digest())
        .await;
    assert_eq!(of_nothing.unwrap(), []);
}

// === blobs ===

#[tokio::test]
async fn blobs_are_read_from_any_offset() {
    let fixture = Fixture::new();
    let content: &'static [u8] = vec![7; 600 * 1024].leak();
    let blob = Descriptor::of(LAYER.into(), content);
    fixture.write(content).await.unwrap();
    for (offset, frames) in [
        (0, vec![256 * 1024, 256 * 1024, 88 * 1024]),
        (512 * 1024, vec![88 * 1024]),
        (600 * 1024, vec![]),
        (601 * 1024, vec![]),
    ] {
        let body = fixture
            .layout
            .fetch_blob(&fixture.repository, &blob, offset)
            .await
            .unwrap();
        let found: Vec<usize> = body
            .map_ok(|frame| frame.len())
            .try_collect()
            .await
            .unwrap();
        assert_eq!(found, frames, "{offset}");
    }
}

#[tokio::test]
async fn what_is_there_is_not_written_again() {
    let fixture = Fixture::new();
    let image = image("a");
    let write_all = async || {
        fixture.write(b"layer").await.unwrap();
        fixture.put_by_digest(&image).await;
        fixture.put("1.0", &image).await;
    };
    write_all().await;
    let state = fixture.state();
    write_all().await;
    assert_eq!(fixture.state(), state);
    // The next process knows nothing and still finds nothing to do.
    let later = Layout::open(fixture.layout.path().to_owned());
    let target = target("1.0");
    later
        .put_manifest(&fixture.repository, &target, &image)
        .await
        .unwrap();
    assert_eq!(fixture.state().len(), state.len());
    assert_eq!(fixture.listed(), [at("1.0", &image)]);
}

#[tokio::test]
async fn a_blob_that_is_not_what_it_should_be_leaves_nothing() {
    let digest = Digest::sha256(b"content");
    let broken = || Frame::Err(std::io::Error::other("the body broke off"));
    let cases: [(&str, Vec<Frame>, Kind); 5] = [
        (
            "flipped",
            vec![Frame::Ok("c0ntent".into())],
            Kind::DigestMismatch,
        ),
        (
            "short",
            vec![Frame::Ok("conten".into())],
            Kind::DigestMismatch,
        ),
        (
            "long",
            vec![Frame::Ok("content".into()), Frame::Ok("!".into())],
            Kind::DigestMismatch,
        ),
        ("empty", vec![], Kind::DigestMismatch),
        (
            "broken",
            vec![Frame::Ok("con".into()), broken()],
            Kind::Interrupted,
        ),
    ];
    for (name, frames, expected) in cases {
        let fixture = Fixture::new();
        let body = stream::iter(frames);
        let error = fixture
            .layout
            .write_blob(&fixture.repository, &digest, 7, body)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), expected, "{name}: {error}");
        assert!(
            !fixture
                .layout
                .has_blob(&fixture.repository, &digest)
                .await
                .unwrap()
        );
        assert_eq!(fixture.temporary_files(), 0, "{name}");
    }
}

#[tokio::test]
async fn a_write_that_is_cancelled_leaves_nothing() {
    let fixture = Fixture::new();
    let digest = Digest::sha256(b"content");
    let (reached, wait) = tokio::sync::oneshot::channel::<()>();
    let first = stream::iter([Frame::Ok("con".into())]);
    let then_never = stream::once(async move {
        let _ = reached.send(());
        future::pending::<Frame>().await
    });
    {
        let body = first.chain(then_never);
        let write = fixture
            .layout
            .write_blob(&fixture.repository, &digest, 7, body);
        tokio::select! {
            _ = write => panic!("the body never ends"),
            _ = wait => {}
        }
    }
    // The file may be in the hands of a job that has not ended: its next turn is after that.
    while fixture.temporary_files() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(
        !fixture
            .layout
            .has_blob(&fixture.repository, &digest)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn leftovers_of_a_killed_process_go_and_files_in_use_stay() {
    let fixture = Fixture::new();
    fixture.write(b"first").await.unwrap();
    let (leftover, in_use) = (fixture.path(".transship-0"), fixture.path(".transship-1"));
    fs::write(&leftover, "half").unwrap();
    fs::write(&in_use, "half").unwrap();
    let holder = fs::File::open(&in_use).unwrap();
    holder.lock().unwrap();

    let next_process = Fixture {
        layout: Layout::open(fixture.layout.path().to_owned()),
        ..fixture
    };
    next_process.write(b"second").await.unwrap();
    assert!(!leftover.exists());
    assert!(in_use.exists());
}

#[tokio::test]
async fn a_damaged_blob_is_replaced() {
    let fixture = Fixture::new();
    let image = image("a");
    fixture.write(b"layer").await.unwrap();
    fixture.put("1.0", &image).await;
    fs::write(fixture.blob_path(&Digest::sha256(b"layer")), "lay").unwrap();
    let flipped = String::from_utf8(image.bytes().to_vec())
        .unwrap()
        .replace('2', "3");
    fs::write(fixture.blob_path(image.digest()), flipped).unwrap();

    let fetched = fixture
        .layout
        .fetch_manifest(&fixture.repository, &target("1.0"))
        .await;
    assert_eq!(fetched.unwrap_err().kind(), Kind::DigestMismatch);
    fixture.write(b"layer").await.unwrap();
    fixture.put("1.0", &image).await;
    assert_eq!(
        fs::read(fixture.blob_path(&Digest::sha256(b"layer"))).unwrap(),
        b"layer"
    );
    assert!(
        fixture
            .layout
            .fetch_manifest(&fixture.repository, &target("1.0"))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn repositories_share_the_file_of_a_blob() {
    let fixture = Fixture::new();
    fixture.write(b"layer").await.unwrap();
    let digest = Digest::sha256(b"layer");
    let other = Fixture {
        layout: fixture.layout.clone(),
        root: TempDir::new().unwrap(),
        repository: repository("demo/other"),
    };
    let link = async |digest| {
        let (from, to) = (&fixture.repository, &other.repository);
        fixture.layout.link_blob(digest, from, to).await.unwrap()
    };
    assert!(link(&digest).await);
    let inode = |fixture: &Fixture| fs::metadata(fixture.blob_path(&digest)).unwrap().ino();
    assert_eq!(inode(&fixture), inode(&other));
    assert!(link(&digest).await, "again");
    assert!(!link(&Digest::sha256(b"absent")).await);
}

// === the tree ===

#[tokio::test]
async fn repositories_may_lie_below_each_other() {
    let fixture = Fixture::new();
    let image = image("a");
    let names = ["a", "a/b", "a/b/c/d", "a/blobs", "z"];
    for name in names {
        let layout = &fixture.layout;
        layout
            .put_manifest(&repository(name), &target("1"), &image)
            .await
            .unwrap();
    }
    let tree = fixture.layout.path();
    std::os::unix::fs::symlink(tree, tree.join("a/loop")).unwrap();
    for not_a_repository in ["empty", "Upper/x", ".hidden"] {
        fs::create_dir_all(tree.join(not_a_repository)).unwrap();
        fs::write(tree.join(not_a_repository).join("oci-layout"), "").unwrap();
    }
    let found = fixture.layout.list_repositories().await.unwrap();
    assert_eq!(
        found.iter().map(Repository::as_str).collect::<Vec<_>>(),
        names
    );
}

#[tokio::test]
async fn every_refusal_says_what_to_do() {
    let fixture = Fixture::new();
    let image = image("a");
    let mut messages = Vec::new();
    let root = fixture.root.path().display().to_string();
    let mut note = |error: Error| {
        messages.push(format!("{:?}: {error}", error.kind()).replace(&root, ""));
    };
    let layout = &fixture.layout;
    let tags = async || layout.list_tags(&fixture.repository).await.unwrap_err();
    let fetch = async |wanted: &str| {
        let target = target(wanted);
        layout
            .fetch_manifest(&fixture.repository, &target)
            .await
            .unwrap_err()
    };

    note(layout.list_repositories().await.unwrap_err());
    note(tags().await);
    fixture.put("1", &image).await;
    note(fetch("2").await);
    let layer = Descriptor::of(LAYER.into(), b"layer");
    note(
        layout
            .fetch_blob(&fixture.repository, &layer, 0)
            .await
            .map(|_| ())
            .unwrap_err(),
    );
    note(
        layout
            .list_tags(&repository("a/index.json"))
            .await
            .unwrap_err(),
    );
    note(
        Layout::open(fixture.path(""))
            .list_repositories()
            .await
            .unwrap_err(),
    );

    let listed = fs::read_to_string(fixture.path("index.json")).unwrap();
    let entry = |digest: &Digest| {
        json!({"mediaType": OCI_MANIFEST, "digest": digest.as_str(), "size": 1,
               "annotations": {"org.opencontainers.image.ref.name": "1"}})
    };
    let twice = json!({"schemaVersion": 2, "manifests": [
        entry(&Digest::sha256(b"a")), entry(&Digest::sha256(b"b"))]});
    fs::write(fixture.path("index.json"), twice.to_string()).unwrap();
    note(fetch("1").await);
    fs::write(fixture.path("index.json"), r#"{"schemaVersion":1}"#).unwrap();
    note(tags().await);
    fs::write(fixture.path("index.json"), &listed).unwrap();
    fs::write(fixture.blob_path(image.digest()), "{}").unwrap();
    note(fetch("1").await);
    fs::remove_file(fixture.blob_path(image.digest())).unwrap();
    note(fetch("1").await);
    fs::write(fixture.path("index.json"), format!("{listed} ")).unwrap();
    fs::write(
        fixture.path("oci-layout"),
        r#"{"imageLayoutVersion":"2.0.0"}"#,
    )
    .unwrap();
    note(tags().await);
    fs::remove_file(fixture.path("index.json")).unwrap();
    fs::create_dir(fixture.path("index.json")).unwrap();
    note(tags().await);

    assert_snapshot!(messages.join("\n"), @r#"
    NotFound: there is no directory /tree: name the one that holds the image layouts
    NotFound: there is no image layout /tree/demo/hello: it would need the files oci-layout and index.json
    NotFound: the image layout /tree/demo/hello has no manifest 2
    NotFound: the image layout /tree/demo/hello has no blob sha256:dac1d7cfa95021764849fd102524e141488c5e3a90f861dbb5a12d9ac8584f85: copy the image into it anew
    Refused: repository a/index.json cannot be kept in a directory tree: "index.json" is where a layout has its own files; map it to another name
    Refused: /tree/demo/hello/ is an image layout itself, expected a directory of layouts: move it to DIR/REPOSITORY, such as DIR/library/alpine, and name DIR
    Corrupt: the image layout /tree/demo/hello has 2 manifests with the tag 1: remove all but one from its index.json
    Corrupt: /tree/demo/hello/index.json is not usable: its schemaVersion is 1, expected 2
    DigestMismatch: the image layout /tree/demo/hello has a bad manifest sha256:f9625a82851994cb1d1e2a45a640b1f5cc8bf624e8f3a42426923c70ed32fc2b: the manifest has the digest sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a, expected sha256:f9625a82851994cb1d1e2a45a640b1f5cc8bf624e8f3a42426923c70ed32fc2b
    NotFound: the image layout /tree/demo/hello has no blob sha256:f9625a82851994cb1d1e2a45a640b1f5cc8bf624e8f3a42426923c70ed32fc2b: copy the image into it anew
    Refused: /tree/demo/hello/oci-layout names version "2.0.0" of the image layout, only 1.x is known: update transship
    Io: cannot read /tree/demo/hello/index.json: it is not a regular file
    "#);
}

#[test]
fn what_the_operating_system_says_comes_with_advice() {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull, TimedOut};
    let mut messages = Vec::new();
    for cause in [StorageFull, PermissionDenied, ReadOnlyFilesystem, TimedOut] {
        let error = Error::io(Action::Write, "tree/a".as_ref())(cause.into());
        messages.push(format!("{:?}: {error}", error.kind()));
    }
    assert_snapshot!(messages.join("\n"), @r"
    Full: cannot write tree/a: no storage space; free some space and run again, what is complete stays
    Io: cannot write tree/a: permission denied; check the owner and mode of the directory
    Io: cannot write tree/a: read-only filesystem or storage medium; choose a directory that can be written
    Io: cannot write tree/a: timed out
    ");
}
