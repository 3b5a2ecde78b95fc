// SPDX-License-Identifier: Apache-2.0

//! What a person reads: answers as registries and what stands before them give them, each with the
//! message that is made of it.

use bytes::Bytes;
use futures::future::join_all;
use futures::stream;
use transship::oci::Digest;
use transship::registry::{self, Client, Error, Side};

use super::{client, descriptor, frames, image, repository, tag};
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Tags,
    Head,
    Manifest,
    Blob,
    Start,
    Upload,
    PutTag,
    PutDigest,
    DeleteTag,
}

use Ask::{Blob, DeleteTag, Head, Manifest, PutDigest, PutTag, Start, Tags, Upload};

const JSON: &str = "application/json";
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const XML: &str = "application/xml";

/// Who answers, what was asked for, status, type and body.
type Wire = (&'static str, Ask, u16, &'static str, &'static str);

const WIRES: &[Wire] = &[
    // === quota ===
    (
        "Harbor, quota, blob",
        Upload,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"adding 510.7 MiB of storage resource, which when updated to current usage of 9.8 GiB will exceed the configured upper limit of 10.0 GiB."}]}"#,
    ),
    (
        "Harbor, quota, manifest",
        PutTag,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"adding 1.2 KiB of storage resource, which when updated to current usage of 10.0 GiB will exceed the configured upper limit of 10.0 GiB."}]}"#,
    ),
    (
        "Quay, quota",
        Upload,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","detail":{},"message":"Quota has been exceeded on namespace"}]}"#,
    ),
    (
        "DigitalOcean, repositories",
        Start,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"registry contains 1 repositories, limit is 1"}]}"#,
    ),
    (
        "a full disk behind distribution",
        Upload,
        500,
        JSON,
        r#"{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"filesystem","Enclosed":{"Op":"write","Path":"/var/lib/registry/docker/registry/v2/repositories/x/_uploads/1/data","Err":28}}}]}"#,
    ),
    ("a full store", Upload, 507, PLAIN, "Insufficient Storage\n"),
    (
        "ECR, images of a repository",
        PutTag,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"The repository with name 'team/app' in registry with id '123456789012' already has the maximum allowed number of images, LimitExceededException: limit exceeded"}]}"#,
    ),
    // === immutable tags ===
    (
        "ECR, immutable repository",
        PutTag,
        400,
        JSON,
        r#"{"errors":[{"code":"TAG_INVALID","message":"The image tag 'v1' already exists in the 'team/app' repository and cannot be overwritten because the repository is immutable."}]}"#,
    ),
    (
        "ECR, immutable tag",
        PutTag,
        400,
        JSON,
        r#"{"errors":[{"code":"TAG_INVALID","message":"The image tag 'v1' already exists in the 'team/app' repository and cannot be overwritten because the tag is immutable."}]}"#,
    ),
    (
        "Harbor, immutable tag",
        PutTag,
        412,
        JSON,
        r#"{"errors":[{"code":"PRECONDITION","message":"Failed to process request due to 'app:v1' configured as immutable."}]}"#,
    ),
    (
        "Harbor, immutable tag, deleted",
        DeleteTag,
        412,
        JSON,
        r#"{"errors":[{"code":"PRECONDITION","message":"the tag v1 configured as immutable, cannot be deleted"}]}"#,
    ),
    (
        "an immutable tag with a code of its own",
        PutTag,
        409,
        JSON,
        r#"{"errors":[{"code":"TAG_IMMUTABLE","detail":{},"message":"tag v1 is immutable"}]}"#,
    ),
    (
        "a tag that exists",
        PutTag,
        409,
        JSON,
        r#"{"errors":[{"code":"TAG_ALREADY_EXISTS","message":"v1 is there"}]}"#,
    ),
    (
        "a tag that exists, a code in two words",
        PutTag,
        403,
        JSON,
        r#"{"errors":[{"code":"tag already-exists","message":"no"}]}"#,
    ),
    (
        "a protected tag",
        PutTag,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"tag 'v1' is protected"}]}"#,
    ),
    (
        "a protected tag, deleted",
        DeleteTag,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"Tag v1 is protected"}]}"#,
    ),
    (
        "a tag that is read only",
        PutTag,
        405,
        JSON,
        r#"{"errors":[{"code":"UNSUPPORTED","message":"tag is read only"}]}"#,
    ),
    (
        "a registry that is read only",
        PutTag,
        405,
        JSON,
        r#"{"errors":[{"code":"UNSUPPORTED","message":"cannot write the tag: the registry is read only"}]}"#,
    ),
    ("an empty manifest", Manifest, 200, OCI, ""),
    ("an empty manifest, lookup", Head, 200, OCI, ""),
    (
        "an immutable tag as an invalid manifest",
        PutTag,
        400,
        JSON,
        r#"{"errors":[{"code":"MANIFEST_INVALID","message":"cannot update tag v1. The repository has enabled tag immutability (immutable tags)"}]}"#,
    ),
    (
        "Nexus, no redeploy",
        PutTag,
        400,
        JSON,
        r#"{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"blob upload invalid","detail":"Repository does not allow updating assets: docker-hosted"}]}"#,
    ),
    (
        "an immutable tag as a missing right",
        PutTag,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"requested tag is immutable and cannot be overwritten"}]}"#,
    ),
    (
        "ACR, locked tag",
        PutTag,
        405,
        JSON,
        r#"{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported.","detail":"The operation is disallowed on this registry, repository or image. write-enabled is false"}]}"#,
    ),
    (
        "Artifactory, no right to overwrite",
        PutTag,
        403,
        JSON,
        r#"{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid","detail":{"description":"HTTP 403 Forbidden"}}]}"#,
    ),
    // === repositories that are missing ===
    (
        "ECR, missing repository",
        Start,
        404,
        JSON,
        r#"{"errors":[{"code":"NAME_UNKNOWN","message":"The repository with name 'team/app' does not exist in the registry with id '123456789012'"}]}"#,
    ),
    (
        "GAR, missing repository",
        Start,
        404,
        JSON,
        r#"{"errors":[{"code":"NAME_UNKNOWN","message":"Repository \"team\" not found"}]}"#,
    ),
    (
        "Harbor, missing project",
        Start,
        404,
        JSON,
        r#"{"errors":[{"code":"NOT_FOUND","message":"project team not found"}]}"#,
    ),
    (
        "Artifactory, missing repository",
        Start,
        404,
        JSON,
        r#"{"errors":[{"status":404,"message":"The repository with key 'team' does not exist"}]}"#,
    ),
    (
        "ECR, missing repository, manifest",
        PutTag,
        404,
        JSON,
        r#"{"errors":[{"code":"NAME_UNKNOWN","message":"The repository with name 'team/app' does not exist in the registry with id '123456789012'"}]}"#,
    ),
    (
        "distribution, no tags",
        Tags,
        404,
        JSON,
        r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry","detail":{"name":"team/app"}}]}"#,
    ),
    // === rights ===
    (
        "GHCR, push",
        Start,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}"#,
    ),
    (
        "GHCR, pull",
        Manifest,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#,
    ),
    (
        "GAR, pull",
        Manifest,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \"projects/p/locations/eu/repositories/team\" (or it may not exist)"}]}"#,
    ),
    (
        "GitLab, protected path",
        Start,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied","detail":[{"Type":"repository","Class":"","Name":"team/app","ProjectPath":"team/app","Action":"push"}]}]}"#,
    ),
    (
        "ECR, pull",
        Manifest,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"User: arn:aws:iam::123456789012:user/me is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:123456789012:repository/team/app because no identity-based policy allows the ecr:BatchGetImage action"}]}"#,
    ),
    (
        "Nexus, pull",
        Manifest,
        403,
        JSON,
        r#"{"errors":[{"code":"DENIED","message":"access to the requested resource is not authorized","detail":null}]}"#,
    ),
    (
        "401 without words or a challenge",
        Start,
        401,
        JSON,
        r#"{"errors":[{"code":"UNAUTHORIZED","message":""}]}"#,
    ),
    (
        "401 without a challenge",
        Tags,
        401,
        JSON,
        r#"{"errors":[{"code":"UNAUTHORIZED","detail":{},"message":"access to the requested resource is not authorized"}]}"#,
    ),
    (
        "Harbor, a vulnerable image",
        Manifest,
        412,
        JSON,
        r#"{"errors":[{"code":"PROJECTPOLICYVIOLATION","message":"current image with \"12 vulnerabilities\" cannot be pulled due to configured policy in 'Prevent images with vulnerability severity of \"High\" or higher from running.' To continue with pull, please contact your project administrator to exempt matched vulnerabilities through configuring the CVE allowlist."}]}"#,
    ),
    (
        "Artifactory, blocked by Xray",
        Blob,
        403,
        JSON,
        r#"{"errors":[{"status":403,"message":"Artifact download request rejected: team/app/v1/manifest.json was not downloaded due to the download blocking policy configured in Xray"}]}"#,
    ),
    (
        "a mirror without licence",
        Blob,
        402,
        JSON,
        r#"{"message":"payment required"}"#,
    ),
    (
        "withheld by law",
        Blob,
        451,
        PLAIN,
        "Unavailable For Legal Reasons",
    ),
    // === limits ===
    (
        "Docker Hub, pulls",
        Manifest,
        429,
        JSON,
        r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"}]}"#,
    ),
    (
        "Quay, limit",
        Tags,
        429,
        HTML,
        "<html><body><h1>429 Too Many Requests</h1></body></html>",
    ),
    (
        "ECR Public, limit",
        Manifest,
        400,
        JSON,
        r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"Rate exceeded"}]}"#,
    ),
    // === content that is not taken ===
    (
        "distribution, missing blob",
        PutTag,
        400,
        JSON,
        r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry","detail":{"Digest":"sha256:1111111111111111111111111111111111111111111111111111111111111111"}}]}"#,
    ),
    (
        "GHCR, missing child",
        PutDigest,
        404,
        JSON,
        r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
    ),
    (
        "Gitea, nested index",
        PutTag,
        400,
        JSON,
        r#"{"errors":[{"code":"MANIFEST_INVALID","message":"manifest media type application/vnd.oci.image.index.v1+json not supported"}]}"#,
    ),
    (
        "Docker Hub, media type",
        PutTag,
        415,
        JSON,
        r#"{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}"#,
    ),
    (
        "distribution, wrong digest",
        Upload,
        400,
        JSON,
        r#"{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content","detail":"invalid digest for referenced layer"}]}"#,
    ),
    (
        "ECR, name",
        Start,
        400,
        JSON,
        r#"{"errors":[{"code":"NAME_INVALID","message":"Invalid parameter at 'repositoryName' failed to satisfy constraint"}]}"#,
    ),
    (
        "distribution, pull-through",
        Start,
        405,
        JSON,
        r#"{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}"#,
    ),
    (
        "nginx, body size",
        PutTag,
        413,
        HTML,
        "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body></body></html>",
    ),
    (
        "Pulp, words alone",
        PutTag,
        400,
        JSON,
        r#"{"detail":"Invalid manifest"}"#,
    ),
    (
        "zot, words of a proxy",
        PutTag,
        400,
        JSON,
        r#"{"error":"bad gateway configuration"}"#,
    ),
    (
        "codes in lower case",
        PutTag,
        400,
        JSON,
        r#"{"errors":[{"code":"manifest-invalid","message":"no"}]}"#,
    ),
    (
        "an object of errors",
        PutTag,
        422,
        JSON,
        r#"{"errors":{"layers":["must not be empty"]}}"#,
    ),
    ("nothing at all", PutTag, 400, "", ""),
    ("ranges as nobody asked for", Upload, 416, "", ""),
    (
        "a lost upload",
        Upload,
        404,
        JSON,
        r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"blob upload unknown to registry"}]}"#,
    ),
    // === trouble ===
    (
        "distribution, storage",
        Manifest,
        500,
        JSON,
        r#"{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"s3aws","Enclosed":{"message":"connect: connection refused"}}}]}"#,
    ),
    (
        "nginx, bad gateway",
        Manifest,
        502,
        HTML,
        "<html><head><title>502 Bad Gateway</title></head></html>",
    ),
    (
        "envoy, no upstream",
        Tags,
        503,
        PLAIN,
        "no healthy upstream",
    ),
    (
        "GitLab, maintenance",
        Manifest,
        503,
        JSON,
        r#"{"errors":[{"code":"UNAVAILABLE","message":"service unavailable"}]}"#,
    ),
    (
        "Cloudflare, no origin",
        Manifest,
        522,
        HTML,
        "<!DOCTYPE html><title>522: Connection timed out</title>",
    ),
    // === no registry ===
    (
        "a login page",
        Manifest,
        200,
        HTML,
        "<!DOCTYPE html><html><title>Sign in</title></html>",
    ),
    (
        "a login page, tags",
        Tags,
        200,
        HTML,
        "<!DOCTYPE html><html><title>Sign in</title></html>",
    ),
    (
        "a login page without its type",
        Manifest,
        200,
        "",
        "\n<html><body>Sign in</body></html>",
    ),
    (
        "a login page, lookup",
        Head,
        200,
        HTML,
        "<html>Sign in</html>",
    ),
    (
        "a login page, blob",
        Blob,
        200,
        HTML,
        "<html>Sign in</html>",
    ),
    (
        "a login page, upload",
        Start,
        200,
        HTML,
        "<html>Sign in</html>",
    ),
    (
        "a web site",
        Tags,
        404,
        HTML,
        "<html><h1>Not Found</h1></html>",
    ),
    (
        "a firewall",
        Manifest,
        403,
        HTML,
        "<html><title>Attention Required! | Cloudflare</title></html>",
    ),
    (
        "traefik without a route",
        Tags,
        404,
        PLAIN,
        "404 page not found\n",
    ),
    (
        "Go, plain to HTTPS",
        Manifest,
        400,
        PLAIN,
        "Client sent an HTTP request to an HTTPS server.\n",
    ),
    (
        "nginx, plain to HTTPS",
        Tags,
        400,
        HTML,
        "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",
    ),
    (
        "Apache, plain to HTTPS",
        Start,
        400,
        HTML,
        "<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ),
    ("JSON of something else", Tags, 200, JSON, r"[1,2]"),
    // === what must not be repeated ===
    (
        "an echo",
        Manifest,
        403,
        JSON,
        "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"Authorization: Basic Y2FuYXJ5OmNhbmFyeQ==\\n\\u001b[31m see https://me:canary@a.test/x?sig=canary\\u202e token=canary\"}]}",
    ),
    (
        "very long words",
        Manifest,
        403,
        PLAIN,
        "no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no no",
    ),
    (
        "S3 behind the registry's own host",
        Blob,
        403,
        XML,
        "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message><HostId>canary</HostId></Error>",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_what_it_is_and_what_to_do() {
    assert!(WIRES.len() >= 60);
    let told = WIRES
        .iter()
        .map(|(name, ask, status, content_type, body)| async move {
            let mut reply = Reply::new(*status).body(Bytes::from_static(body.as_bytes()));
            if !content_type.is_empty() {
                reply = reply.header("content-type", content_type);
            }
            let registry = FaultRegistry::start();
            let error = fail(&registry, *ask, reply).await;
            format!(
                "{name}\n    {} {:?}\n",
                plain(&registry, &error),
                error.kind()
            )
        });
    let told = join_all(told).await.concat();
    assert!(!told.to_lowercase().contains("canary"), "{told}");
    insta::assert_snapshot!(told);
}

/// What comes of a request that is answered so.
async fn fail(registry: &FaultRegistry, ask: Ask, reply: Reply) -> Error {
    let image = image();
    let layer = &image.blobs[1];
    let digest: Digest = layer.digest.parse().unwrap();
    let client = client(registry).on(match ask {
        Tags | Head | Manifest | Blob => Side::Source,
        Start | Upload | PutTag | PutDigest | DeleteTag => Side::Destination,
    });
    let rule = |method, part: &str| registry.on(method, part).responds(reply.clone());
    // Only what is deleted: what is there already counts as stored.
    if matches!(ask, DeleteTag) {
        registry.load("team/app", "v1", &image);
    }
    match ask {
        Tags => rule("GET", "/tags/list"),
        Head => {
            rule("HEAD", "/manifests/");
            rule("GET", "/manifests/");
        }
        Manifest => rule("GET", "/manifests/"),
        Blob => rule("GET", "/blobs/"),
        Start => rule("POST", "/uploads/"),
        Upload => {
            rule("PUT", "/uploads/");
            rule("PATCH", "/uploads/");
        }
        PutTag | PutDigest => rule("PUT", "/manifests/"),
        DeleteTag => rule("DELETE", "/manifests/"),
    }
    let manifest = || {
        let root = &image.root;
        let media_type = root.media_type.as_str().into();
        transship::oci::Manifest::parse(root.bytes.clone(), Some(&media_type), None).unwrap()
    };
    let failed = match ask {
        Tags => client.list_tags(&repository()).await.map(drop),
        Head => client.resolve(&repository(), &tag(), None).await.map(drop),
        Manifest => client.fetch_manifest(&repository(), &tag()).await.map(drop),
        Blob => super::read(&client, &descriptor(layer), 0).await.map(drop),
        Start => client
            .start_upload(&repository(), &digest, None)
            .await
            .map(drop),
        Upload => upload(&client, layer).await,
        PutTag => {
            let manifest = manifest();
            client
                .put_manifest(&repository(), &tag(), &manifest)
                .await
                .map(drop)
        }
        PutDigest => {
            let manifest = manifest();
            let target = manifest.digest().clone().into();
            client
                .put_manifest(&repository(), &target, &manifest)
                .await
                .map(drop)
        }
        DeleteTag => {
            let tag = "v1".parse().unwrap();
            let expected = image.digest().parse().unwrap();
            client
                .delete_tag(&repository(), &tag, &expected, &[], None)
                .await
                .map(drop)
        }
    };
    failed.expect_err("a failure")
}

async fn upload(client: &Client, layer: &crate::support::content::Blob) -> Result<(), Error> {
    let digest: Digest = layer.digest.parse().unwrap();
    let registry::Upload::Session(session) =
        client.start_upload(&repository(), &digest, None).await?
    else {
        panic!("an upload");
    };
    let size = layer.bytes.len() as u64;
    let body = stream::iter(frames(layer));
    client
        .upload(&repository(), session, &digest, size, body)
        .await
}

/// A message without what is another one in each run.
fn plain(registry: &FaultRegistry, error: &Error) -> String {
    let text = error.to_string().replace(&registry.host(), "R");
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    let text = parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        format!("{text}sha256:…{rest}")
    });
    match text.split_once("asked again at ") {
        Some((before, after)) => {
            let rest = after.split_once('Z').map_or("", |(_, rest)| rest);
            format!("{before}asked again at TIME{rest}")
        }
        None => text,
    }
}
