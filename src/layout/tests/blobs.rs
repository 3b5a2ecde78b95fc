// SPDX-License-Identifier: Apache-2.0

//! Blobs: complete or not there, and never written twice.

use std::fs;

use futures::{StreamExt as _, TryStreamExt as _, future, stream};

use super::*;
use crate::layout::Kind;
use crate::oci::Descriptor;

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
