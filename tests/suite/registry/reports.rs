// SPDX-License-Identifier: Apache-2.0

//! Wires of registries as public reports tell of them, each with the report that tells it.

use futures::future::join_all;
use futures::stream;
use transship::oci::{Digest, Manifest, Tag, TagOrDigest};
use transship::registry::{Client, Error, Kind, Referrers, Side, Upload};

use super::{
    client, client_with, content, descriptor, digest, exchanges, frames, insecure, kind, loaded,
    logged_in, read, repository, tag, upload,
};
use crate::support::canary::Canary;
use crate::support::content::{Blob, Image, ImageBuilder};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::Action;
use crate::support::http::{Reply, Request};

const API: &str = "docker-distribution-api-version";

fn methods(registry: &FaultRegistry) -> Vec<String> {
    let exchanges = exchanges(registry).into_iter();
    exchanges.map(|(method, _)| method).collect()
}

// === looking up ===

/// Nexus answers 404 to every HEAD for a manifest, with the header of distribution and, behind a proxy, not
/// under its own name (crazy-max/diun#1614, andrey-pohilko/registry-cli#14, #43, merll/docker-registry-util#3).
#[tokio::test]
async fn a_source_that_never_answered_a_head_is_not_believed_to_lack_a_tag() {
    let absent = || TagOrDigest::Tag("absent".parse::<Tag>().unwrap());
    for reply in [
        Reply::new(404),
        Reply::new(404).header(API, "registry/2.0"),
        Reply::new(404)
            .header(API, "registry/2.0")
            .header("server", "nginx"),
    ] {
        let (registry, image) = loaded();
        registry.on("HEAD", "/manifests/").responds(reply);
        let client = client(&registry).on(Side::Source);
        let found = client.resolve(&repository(), &absent(), None).await;
        assert_eq!(kind(found), Ok(None));
        for _ in 0..2 {
            let found = client.resolve(&repository(), &tag(), None).await;
            let found = kind(found).unwrap().map(|found| found.digest);
            assert_eq!(found, Some(digest(&image.root)));
        }
    }
    // One that has answered a HEAD is believed, and costs nothing more.
    let (registry, _) = loaded();
    let client = client(&registry).on(Side::Source);
    registry
        .on("HEAD", "/manifests/absent")
        .responds(Reply::new(404).header(API, "registry/2.0"));
    client.resolve(&repository(), &tag(), None).await.unwrap();
    for _ in 0..2 {
        let found = client.resolve(&repository(), &absent(), None).await;
        assert_eq!(kind(found), Ok(None));
    }
    assert_eq!(methods(&registry), ["HEAD", "HEAD", "HEAD"]);
}

/// Some registries answer 401 to a HEAD and do not say what they want; anybody may GET.
#[tokio::test]
async fn a_head_that_is_shut_to_everybody_is_no_reason_to_fail() {
    let (registry, image) = loaded();
    registry.on("HEAD", "/").responds(Reply::new(401));
    for settings in [insecure(), logged_in(insecure())] {
        let client = client_with(&registry, &settings);
        for _ in 0..2 {
            let found = client.resolve(&repository(), &tag(), None).await;
            let found = kind(found).unwrap().map(|found| found.digest);
            assert_eq!(found, Some(digest(&image.root)));
        }
        let asked = registry.requests().len();
        let found = client.resolve(&repository(), &tag(), None).await;
        assert!(kind(found).is_ok());
        assert_eq!(registry.requests().len(), asked + 1, "it is remembered");
        let found = client
            .has_blob(&repository(), &digest(&image.blobs[0]))
            .await;
        assert_eq!(kind(found), Ok(true));
    }
}

/// A type that is wrong or too general, as registries and the storage behind them give it: the body says what it is.
#[tokio::test]
async fn types_as_they_are_written_are_understood() {
    let types = [
        ("google/go-containerregistry#617", "text/plain"),
        (
            "google/go-containerregistry#617",
            "text/plain; charset=utf-8",
        ),
        ("containerd/cri#787", "application/json"),
        ("containers/image#58", "application/octet-stream"),
        ("containers/image#58", "binary/octet-stream"),
        (
            "with a parameter",
            "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
        ),
        ("in capitals", "Application/vnd.OCI.image.manifest.v1+JSON"),
        (
            "with a parameter in quotes, and no blank",
            "application/vnd.oci.image.manifest.v1+json;charset=\"ISO-8859-1\"",
        ),
        (
            "two of them",
            "application/vnd.oci.image.manifest.v1+json, application/json",
        ),
        ("google/go-containerregistry#1061", "text/html"),
        ("nothing", ""),
        ("a word", "json"),
    ];
    for (report, content_type) in types {
        let (registry, image) = loaded();
        registry
            .on("*", "/manifests/")
            .does(Action::SetHeader("content-type", content_type.to_owned()));
        let client = client(&registry);
        let found = client.fetch_manifest(&repository(), &tag()).await;
        let found = found.unwrap_or_else(|error| panic!("{report} {content_type}: {error}"));
        assert_eq!(*found.digest(), digest(&image.root), "{report}");
        assert_eq!(
            found.media_type().as_str(),
            image.root.media_type,
            "{report}"
        );
        let found = client.resolve(&repository(), &tag(), None).await;
        assert!(kind(found).unwrap().is_some(), "{report}");
    }
}

/// Manifests of the first schema have no digests that a copy could keep.
#[tokio::test]
async fn a_manifest_of_the_first_schema_says_what_it_is() {
    let body = r#"{"schemaVersion":1,"name":"team/app","tag":"v1","architecture":"amd64","fsLayers":[{"blobSum":"sha256:0000000000000000000000000000000000000000000000000000000000000000"}],"history":[],"signatures":[]}"#;
    for content_type in [
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.docker.distribution.manifest.v1+json",
        "text/plain",
    ] {
        let (registry, _) = loaded();
        registry.on("GET", "/manifests/").responds(
            Reply::new(200)
                .header("content-type", content_type)
                .body(body),
        );
        let error = client(&registry)
            .fetch_manifest(&repository(), &tag())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol);
        assert!(
            error.to_string().contains("schema"),
            "{content_type}: {error}"
        );
    }
}

// === lists ===

/// Whatever a registry says of a number of names that it does not like, it is asked without one
/// (renovatebot/renovate#3078 for 406).
#[tokio::test]
async fn a_number_of_names_that_is_not_liked_is_left_out() {
    for status in [400, 405, 406, 413, 414, 416, 422, 501] {
        let (registry, _) = loaded();
        registry.on("GET", "?n=").responds(Reply::new(status));
        let client = client(&registry);
        for _ in 0..2 {
            let tags = client.list_tags(&repository()).await;
            assert_eq!(kind(tags), Ok(vec!["v1".parse().unwrap()]), "{status}");
        }
        let refused = registry.requests().into_iter();
        let refused = refused.filter(|request| request.status == Some(status));
        assert_eq!(refused.count(), 1, "{status}: it is remembered");
    }
    for status in [401, 403, 404] {
        let (registry, _) = loaded();
        registry.on("GET", "?n=").responds(Reply::new(status));
        let tags = client(&registry).list_tags(&repository()).await;
        assert!(tags.is_err(), "{status}");
    }
}

/// Referrers of registries that have the endpoint and speak in another way, or lead to a web site in place of it.
#[tokio::test]
async fn lists_of_referrers_as_registries_give_them() {
    let signed = ImageBuilder::new(9)
        .referrer("application/vnd.example.signature")
        .build();
    let list = |content_type: &str| {
        let entry = &signed.referrers[0].manifest.digest;
        let body = format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{entry}"}}]}}"#);
        Reply::new(200)
            .header("content-type", content_type)
            .body(body)
    };
    let web_site = Canary::answering(Reply::new(429).header("retry-after", "3600"));
    let login = Canary::answering(
        Reply::new(200)
            .header("content-type", "text/html")
            .body("<html>"),
    );
    let to = |status, canary: &Canary| {
        let path = format!("{}/-/v2/packages/container/team%2Fapp", canary.url());
        Reply::new(status).header("location", &path)
    };
    let cases = [
        ("goharbor/harbor#19690", list("application/json"), true),
        ("google/go-containerregistry#1760", list("text/plain"), true),
        ("artifacthub/hub#4785: GHCR", to(303, &web_site), false),
        (
            "oras-project/oras-go#633: registry.k8s.io",
            to(307, &login),
            false,
        ),
        (
            "google/go-containerregistry#1968: GAR",
            Reply::new(200)
                .header("content-type", "text/html; charset=utf-8")
                .body("<!doctype html>"),
            false,
        ),
    ];
    for (report, reply, is_listed) in cases {
        let registry = FaultRegistry::start();
        registry.load("team/app", "v1", &signed);
        registry.on("GET", "/referrers/").responds(reply);
        let found = client(&registry)
            .referrers(&repository(), &digest(&signed.root))
            .await;
        let found = matches!(kind(found).unwrap(), Referrers::Listed(_));
        assert_eq!(found, is_listed, "{report}");
    }
    assert_eq!(web_site.connections() + login.connections(), 0);
}

// === who asks ===

/// A registry that wants to see `Bearer good` and a token endpoint that answers so.
fn with_token(status: u16, body: &str) -> (FaultRegistry, Image) {
    let (registry, image) = loaded();
    registry
        .on("GET", "/token")
        .responds(Reply::new(status).body(body.to_owned()));
    challenge(
        &registry,
        "Bearer realm=\"http://HOST/token\",service=\"s\"",
    );
    (registry, image)
}

fn challenge(registry: &FaultRegistry, challenge: &str) {
    let challenge = challenge.replace("HOST", &registry.host());
    registry
        .script()
        .when(|request| {
            request.path.starts_with("/v2/")
                && request.headers.value("authorization") != Some("Bearer good")
        })
        .responds(Reply::error(401, "UNAUTHORIZED", "no").header("www-authenticate", &challenge));
}

#[tokio::test]
async fn tokens_as_token_servers_give_them() {
    let cases = [
        (
            "distribution/distribution#1746",
            200,
            r#"{"token":"good","expires_in":"300"}"#,
            true,
        ),
        (
            "moby/moby#20970",
            200,
            r#"{"token":"good","issued_at":"1457510670"}"#,
            true,
        ),
        (
            "moby/moby#20970",
            200,
            r#"{"token":"good","issued_at":1457510670}"#,
            true,
        ),
        (
            "google/go-containerregistry#81",
            200,
            r#"{"access_token":"good"}"#,
            true,
        ),
        (
            "google/go-containerregistry#81",
            200,
            r#"{"token":"","access_token":"good"}"#,
            true,
        ),
        (
            "pomerium/cli#187",
            200,
            r#"{"token":"good","expires_in":1.672319325e+09}"#,
            true,
        ),
        ("zero", 200, r#"{"token":"good","expires_in":0}"#, true),
        ("negative", 200, r#"{"token":"good","expires_in":-1}"#, true),
        (
            "null",
            200,
            r#"{"token":"good","expires_in":null,"refresh_token":null}"#,
            true,
        ),
        ("created", 201, r#"{"token":"good"}"#, true),
        ("accepted", 202, r#"{"token":"good"}"#, true),
        ("no content", 204, "", false),
        (
            "containerd/containerd#4005",
            200,
            "<html>Sign in</html>",
            false,
        ),
        ("nothing in it", 200, "{}", false),
    ];
    for (report, status, body, is_token) in cases {
        let (registry, _) = with_token(status, body);
        let client = client_with(&registry, &logged_in(insecure()));
        let found = client.resolve(&repository(), &tag(), None).await;
        let found = kind(found).map(|found| found.is_some());
        let expected = if is_token {
            Ok(true)
        } else {
            Err(Kind::Protocol)
        };
        assert_eq!(found, expected, "{report}: {status} {body}");
    }
}

#[tokio::test]
async fn challenges_of_public_reports() {
    let cases = [
        (
            "oras-project/oras#456: ECR Public",
            r#"Bearer realm="http://HOST/token/",service="public.ecr.aws",scope="aws""#,
        ),
        (
            "AzureAD/azure-activedirectory-library-for-objc#1042",
            r#"Basic realm="myrealm", Bearer realm="http://HOST/token""#,
        ),
        (
            "httpwg/http-core#136",
            r#"Newauth realm="apps", type=1, title="Login to \"apps\"", Bearer realm="http://HOST/token""#,
        ),
        (
            "lysine-dev/okhttp#6743",
            "Bearer realm='http://HOST/token', service='my registry'",
        ),
        (
            "semicolons",
            r#"Bearer realm="http://HOST/token"; service="s""#,
        ),
        (
            "modelcontextprotocol/python-sdk#3012",
            r#"DPoP algs="ES256", Bearer realm="http://HOST/token", scope="files""#,
        ),
        (
            "an empty scope",
            r#"Bearer realm="http://HOST/token",service="s",scope="""#,
        ),
        (
            "blanks around the signs",
            r#"Bearer realm = "http://HOST/token" , service = "s""#,
        ),
        (
            "no blank behind the comma, and one at the end",
            r#"bearer Realm="http://HOST/token",SERVICE="s", "#,
        ),
    ];
    for (report, written) in cases {
        let (registry, _) = loaded();
        registry
            .on("GET", "/token")
            .responds(Reply::new(200).body(r#"{"token":"good"}"#));
        challenge(&registry, written);
        let client = client_with(&registry, &logged_in(insecure()));
        let found = client.resolve(&repository(), &tag(), None).await;
        let found = found.unwrap_or_else(|error| panic!("{report}: {error}"));
        assert!(found.is_some(), "{report}");
    }
}

/// Tokens of Azure's scope maps list tags with a right of their own (argoproj-labs/argocd-image-updater#1502,
/// renovatebot/renovate#14711, goharbor/harbor#16888).
#[tokio::test]
async fn a_right_that_only_the_challenge_names_is_asked_for() {
    let (registry, _) = loaded();
    let asks = |actions: &'static str| {
        move |request: &Request| {
            request.path == "/token"
                && request.parameter("scope").as_deref()
                    == Some(&format!("repository:team/app:{actions}"))
        }
    };
    let script = registry.script();
    script
        .when(asks("pull"))
        .responds(Reply::new(200).body(r#"{"access_token":"pulls"}"#));
    script
        .when(asks("metadata_read"))
        .responds(Reply::new(200).body(r#"{"access_token":"good"}"#));
    challenge(
        &registry,
        "Bearer realm=\"http://HOST/token\",service=\"s\",scope=\"repository:team/app:metadata_read\"",
    );
    let client = client_with(&registry, &logged_in(insecure()));
    let tags = client.list_tags(&repository()).await;
    assert_eq!(kind(tags), Ok(vec!["v1".parse().unwrap()]));
}

// === blobs ===

/// What the storage behind a redirect refuses may have expired: manifests and lists are asked for anew, too.
#[tokio::test]
async fn a_redirect_that_has_expired_is_asked_for_anew() {
    for status in [400, 403] {
        let expired = Reply::new(status)
            .header("content-type", "application/xml")
            .body("<Error><Code>ExpiredToken</Code></Error>");
        let storage = Canary::answering(expired);
        let (registry, image) = loaded();
        let to = format!("{}/bucket?sig=canary", storage.url());
        for part in ["/manifests/", "/tags/list", "/blobs/"] {
            let to = Reply::new(307).header("location", &to);
            registry.on("GET", part).nth(1).responds(to);
        }
        let client = client(&registry);
        let found = client.fetch_manifest(&repository(), &tag()).await;
        assert!(kind(found).is_ok(), "{status}");
        let tags = client.list_tags(&repository()).await;
        assert!(kind(tags).is_ok(), "{status}");
        let blob = &image.blobs[1];
        let got = read(&client, &descriptor(blob), 0).await;
        assert_eq!(content(got), Ok(Digest::sha256(&blob.bytes)), "{status}");
        assert_eq!(storage.requests().len(), 3, "{status}");
    }
}

/// What stands before a registry may leave out how long an answer is, and gives blobs any type (containerd/containerd#5124,
/// Katello/katello#10124, google/go-containerregistry#1061).
#[tokio::test]
async fn an_answer_without_a_length_is_read_to_its_end() {
    for content_type in ["application/octet-stream", "text/html", ""] {
        let (registry, image) = loaded();
        let blob = &image.blobs[1];
        registry
            .on("GET", "/v2/")
            .does(Action::RemoveHeader("content-length"));
        registry
            .on("GET", "/blobs/")
            .does(Action::SetHeader("content-type", content_type.to_owned()));
        let client = client(&registry);
        let tags = client.list_tags(&repository()).await;
        assert_eq!(kind(tags), Ok(vec!["v1".parse().unwrap()]));
        let found = client.fetch_manifest(&repository(), &tag()).await;
        let found = kind(found).map(|found| found.digest().clone());
        assert_eq!(found, Ok(digest(&image.root)), "{content_type}");
        let got = read(&client, &descriptor(blob), 0).await;
        assert_eq!(
            content(got),
            Ok(Digest::sha256(&blob.bytes)),
            "{content_type}"
        );
    }
}

/// Caches that keep parts of files answer 206 to whoever wants all of it.
#[tokio::test]
async fn all_of_a_blob_as_a_part_of_it_is_all_of_it() {
    let (registry, image) = loaded();
    let blob = &image.blobs[1];
    let size = blob.bytes.len();
    let part = |range: String| {
        Reply::new(206)
            .header("content-range", &range)
            .body(blob.bytes.clone())
    };
    registry
        .on("GET", "/blobs/")
        .nth(1)
        .responds(part(format!("bytes 0-{}/{size}", size - 1)));
    let got = read(&client(&registry), &descriptor(blob), 0).await;
    assert_eq!(content(got), Ok(Digest::sha256(&blob.bytes)));
    registry.script().clear_rules();
    registry
        .on("GET", "/blobs/")
        .responds(part(format!("bytes 1-{}/{size}", size - 1)));
    let got = read(&client(&registry), &descriptor(blob), 0).await;
    assert_eq!(content(got), Err(Kind::Protocol));
}

// === uploads ===

/// Announces and sends a blob in chunks of 80,000 bytes.
async fn in_chunks(registry: &FaultRegistry, blob: &Blob) -> Result<(), Error> {
    let most = Action::SetHeader("oci-chunk-max-length", "80000".to_owned());
    registry.on("POST", "/uploads/").does(most);
    upload(&client(registry), &repository(), blob).await
}

/// ECR's range stands still behind the first chunk, and nobody can ask how much is there
/// (aws/containers-roadmap#2831, dotnet/sdk#33019); zot's named the length of the last chunk (regclient#961).
#[tokio::test]
async fn a_range_that_stands_still_does_not_send_a_chunk_again() {
    for (report, asks) in [
        ("aws/containers-roadmap#2831", Some(Reply::new(404))),
        (
            "goharbor/harbor#21684",
            Some(Reply::error(404, "BLOB_UPLOAD_INVALID", "no")),
        ),
        ("regclient/regclient#961", None),
    ] {
        let (registry, blob) = (FaultRegistry::start(), Blob::layer(5, 300_000));
        registry
            .on("PATCH", "/uploads/")
            .does(Action::SetHeader("range", "0-79999".to_owned()));
        if let Some(reply) = asks {
            registry.on("GET", "/uploads/").responds(reply);
        }
        in_chunks(&registry, &blob)
            .await
            .unwrap_or_else(|error| panic!("{report}: {error}"));
        assert!(registry.has_blob("team/app", &blob.digest), "{report}");
        let requests = registry.requests();
        let patches = requests.iter().filter(|request| request.method == "PATCH");
        assert_eq!(patches.count(), 4, "{report}: each chunk once");
        let asked = requests.iter().filter(|request| request.method == "GET");
        assert_eq!(asked.count(), 1, "{report}");
    }
}

/// What opens an upload is any answer with a place to send it to: containerd takes these, too.
#[tokio::test]
async fn any_answer_with_a_location_opens_an_upload() {
    for (status, with_location, expected) in [
        (202, true, Ok(())),
        (200, true, Ok(())),
        (204, true, Ok(())),
        (202, false, Err(Kind::Protocol)),
        (200, false, Err(Kind::Protocol)),
        (302, false, Err(Kind::Protocol)),
    ] {
        let registry = FaultRegistry::start();
        let mut reply = Reply::new(status);
        if with_location {
            reply = reply.header("location", "/v2/team/app/blobs/uploads/session-1");
        }
        registry
            .on("POST", "/uploads/")
            .does(Action::CommitThen(reply));
        let uploaded = upload(&client(&registry), &repository(), &Blob::layer(5, 1_000)).await;
        assert_eq!(kind(uploaded), expected, "{status} {with_location}");
    }
}

/// A location without TLS, or at another port, is a misconfigured registry, and is named as that
/// (podman-container-tools/buildah#4788, distribution/distribution#2225, #2862, regclient/regclient#699).
#[tokio::test]
async fn a_location_that_leads_elsewhere_is_named() {
    let registry = FaultRegistry::start();
    registry.on("POST", "/uploads/").does(Action::SetHeader(
        "location",
        "http://127.0.0.1/v2/team/app/blobs/uploads/1".to_owned(),
    ));
    let error = upload(&client(&registry), &repository(), &Blob::layer(5, 1_000)).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("http://127.0.0.1"), "{text}");
    assert!(text.contains("external URL"), "{text}");
}

// === manifests ===

fn parsed(image: &Image) -> Manifest {
    Manifest::parse(image.root.bytes.clone(), None, None).unwrap()
}

async fn put(client: &Client, image: &Image) -> Result<(), Kind> {
    let target = TagOrDigest::Tag("v2".parse().unwrap());
    let manifest = parsed(image);
    let stored = client.put_manifest(&repository(), &target, &manifest).await;
    kind(stored.map(drop))
}

/// Answers of success to a manifest, with and without what the specification asks for.
#[tokio::test]
async fn a_stored_manifest_is_stored_whatever_is_said_with_it() {
    let digest_header = "docker-content-digest";
    let cases = [
        (
            "goharbor/harbor#10455: Quay",
            Action::CommitThen(Reply::new(202)),
        ),
        (
            "distribution/distribution#3848: Nexus",
            Action::RemoveHeader(digest_header),
        ),
        ("no location", Action::RemoveHeader("location")),
        (
            "a digest in quotes",
            Action::SetHeader(digest_header, "\"sha256:0\"".to_owned()),
        ),
        (
            "two digests",
            Action::AddHeader(digest_header, "nonsense".to_owned()),
        ),
    ];
    for (report, fault) in cases {
        let (registry, image) = loaded();
        registry.on("PUT", "/manifests/").does(fault);
        assert_eq!(put(&client(&registry), &image).await, Ok(()), "{report}");
        assert_eq!(registry.tags("team/app"), ["v1", "v2"], "{report}");
    }
}

#[tokio::test]
async fn what_cannot_be_mounted_is_uploaded() {
    // goharbor/harbor#18541: a mount that is answered with an upload; sonatype/nexus-public#967: 401 to it.
    for reply in [
        Reply::error(401, "UNAUTHORIZED", "no"),
        Reply::error(400, "BLOB_UPLOAD_INVALID", "no"),
        Reply::error(404, "NAME_UNKNOWN", "no"),
        Reply::error(403, "DENIED", "no"),
        Reply::new(202),
    ] {
        let (registry, image) = loaded();
        let status = reply.status;
        registry.on("POST", "mount=").responds(reply);
        let client = client_with(&registry, &logged_in(insecure()));
        let blob = &image.blobs[1];
        let other = "other/app".parse().unwrap();
        let started = client
            .start_upload(&other, &digest(blob), Some(&repository()))
            .await;
        let Ok(Upload::Session(session)) = started else {
            panic!("{status}: {started:?}");
        };
        let (size, body) = (blob.bytes.len() as u64, stream::iter(frames(blob)));
        let sent = client
            .upload(&other, session, &digest(blob), size, body)
            .await;
        assert_eq!(kind(sent), Ok(()), "{status}");
    }
}

/// One after the other and at once: nothing that is learned of one answer spoils another.
#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_learn_no_nonsense() {
    let (registry, image) = loaded();
    registry.on("HEAD", "/manifests/").responds(Reply::new(404));
    let client = client(&registry).on(Side::Source);
    let looks = (0..16).map(|_| async {
        let found = client.resolve(&repository(), &tag(), None).await;
        kind(found).unwrap().map(|found| found.digest)
    });
    let expected = Some(digest(&image.root));
    assert!(
        join_all(looks)
            .await
            .into_iter()
            .all(|found| found == expected)
    );
}
