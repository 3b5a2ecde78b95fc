// SPDX-License-Identifier: Apache-2.0

//! The registry client: against a registry that misbehaves, every fault with its right outcome, and
//! against real ones.

mod access;
mod blame;
mod blobs;
mod boundaries;
mod credentials;
mod deletes;
mod elsewhere;
mod encryption;
mod hangs;
mod hops;
mod limits;
mod lists;
mod manifests;
mod observed;
mod outlet;
mod real;
mod referrers;
mod reports;
mod shared;
mod targets;
mod uploads;
mod wire;
mod words;

use bytes::Bytes;
use futures::{TryStreamExt, stream};
use transship::oci::{Descriptor, Digest, Manifest, MediaType, Repository, Tag, TagOrDigest};
use transship::registry::{
    BodyError, Client, Credential, Error, Kind, Pool, Settings, Tls, Upload,
};

use crate::support::content::{Blob, Image, ImageBuilder};
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::script::Recorded;
use crate::support::tls::Authority;

/// A client of its own process, so to speak: it shares nothing with those of other tests.
fn client(registry: &FaultRegistry) -> Client {
    client_with(registry, &insecure())
}

fn client_with(registry: &FaultRegistry, settings: &Settings) -> Client {
    let registry = registry.host().parse().unwrap();
    Pool::new("transship/test")
        .client(&registry, settings)
        .unwrap()
}

fn insecure() -> Settings {
    Settings {
        insecure: true,
        ..Settings::default()
    }
}

fn trusting(authority: &Authority) -> Settings {
    Settings {
        tls: Tls {
            ca_pem: Some(authority.pem().as_bytes().to_vec()),
            identity_pem: None,
        },
        ..Settings::default()
    }
}

/// The same for all hosts, and not for the registry alone.
fn trusting_everywhere(authority: &Authority) -> Settings {
    Settings {
        ca_pem: Some(authority.pem().as_bytes().to_vec()),
        ..Settings::default()
    }
}

fn logged_in(settings: Settings) -> Settings {
    let Login { username, password } = Login::valid();
    Settings {
        credential: Credential::Basic {
            username,
            password: password.into(),
        },
        ..settings
    }
}

fn repository() -> Repository {
    "team/app".parse().unwrap()
}

fn tag() -> TagOrDigest {
    TagOrDigest::Tag("v1".parse::<Tag>().unwrap())
}

/// A registry with one image of one layer.
fn loaded() -> (FaultRegistry, Image) {
    let registry = FaultRegistry::start();
    let image = image();
    registry.load("team/app", "v1", &image);
    (registry, image)
}

fn image() -> Image {
    ImageBuilder::new(7).layers(&[100_000]).build()
}

fn digest(blob: &Blob) -> Digest {
    blob.digest.parse().unwrap()
}

fn descriptor(blob: &Blob) -> Descriptor {
    Descriptor {
        digest: digest(blob),
        ..Descriptor::of(MediaType::from(blob.media_type.as_str()), &blob.bytes)
    }
}

async fn read(client: &Client, blob: &Descriptor, offset: u64) -> Result<Bytes, Error> {
    let body = client.fetch_blob(&repository(), blob, offset).await?;
    let frames: Vec<Bytes> = body.try_collect().await?;
    Ok(frames.concat().into())
}

/// Method and status of each request.
fn exchanges(registry: &FaultRegistry) -> Vec<(String, u16)> {
    let exchange = |request: Recorded| (request.method, request.status.unwrap_or(0));
    registry.requests().into_iter().map(exchange).collect()
}

fn kind<T>(outcome: Result<T, Error>) -> Result<T, Kind> {
    outcome.map_err(|error| error.kind())
}

/// The digest of what was read: the bytes themselves would make a failure unreadable.
fn content(outcome: Result<Bytes, Error>) -> Result<Digest, Kind> {
    kind(outcome).map(|bytes| Digest::sha256(&bytes))
}

/// The bytes of a blob in frames of an odd size.
fn frames(blob: &Blob) -> Vec<Result<Bytes, BodyError>> {
    let frames = blob.bytes.chunks(33_333);
    frames
        .map(|frame| Ok(Bytes::copy_from_slice(frame)))
        .collect()
}

/// Uploads a blob that is not there yet.
async fn upload(client: &Client, to: &Repository, blob: &Blob) -> Result<(), Error> {
    match client.start_upload(to, &digest(blob), None).await? {
        Upload::Mounted => Ok(()),
        Upload::Session(session) => {
            let size = blob.bytes.len() as u64;
            client
                .upload(to, session, &digest(blob), size, stream::iter(frames(blob)))
                .await
        }
    }
}

/// Stores an image, mounts its blobs into a second repository, and reads it back.
async fn everything(client: &Client, image: &Image) -> Result<(), Error> {
    let other: Repository = "other/app".parse().unwrap();
    for blob in &image.blobs {
        upload(client, &repository(), blob).await?;
        client
            .start_upload(&other, &digest(blob), Some(&repository()))
            .await?;
        read(client, &descriptor(blob), 0).await?;
    }
    let manifest = Manifest::parse(image.root.bytes.clone(), None, None).unwrap();
    client
        .put_manifest(&repository(), &tag(), &manifest)
        .await?;
    client.resolve(&repository(), &tag(), None).await?;
    client.fetch_manifest(&repository(), &tag()).await?;
    client.list_tags(&repository()).await?;
    client.list_repositories().await?;
    client.referrers(&repository(), manifest.digest()).await?;
    Ok(())
}
