// SPDX-License-Identifier: Apache-2.0

//! What the client says on the wire: lengths, types, and nothing it need not.

use transship::oci::media_type;
use transship::registry::{Class, Kind, Pool};

use super::{
    client, client_with, descriptor, everything, image, insecure, kind, read, repository, tag,
    trusting,
};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::Recorded;
use crate::support::tls::Authority;

/// One of everything, as the registry saw it.
async fn seen() -> (FaultRegistry, Vec<Recorded>) {
    let registry = FaultRegistry::start();
    everything(&client(&registry), &image()).await.unwrap();
    let requests = registry.requests();
    (registry, requests)
}

#[tokio::test]
async fn every_write_has_a_length_and_no_chunks() {
    let (_registry, requests) = seen().await;
    let writes: Vec<_> = requests
        .iter()
        .filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD"))
        .collect();
    assert_eq!(writes.len(), 7);
    for request in writes {
        let length = request.headers.values("content-length").collect::<Vec<_>>();
        assert_eq!(
            length,
            [request.body_length.to_string()],
            "{} {}",
            request.method,
            request.path
        );
        assert_eq!(request.headers.value("transfer-encoding"), None);
    }
}

#[tokio::test]
async fn only_requests_for_manifests_accept_manifests() {
    let (registry, requests) = seen().await;
    for request in &requests {
        let is_read = matches!(request.method.as_str(), "GET" | "HEAD");
        let reads_manifest = is_read && request.path.contains("/manifests/");
        let accepted = request.headers.values("accept").collect::<Vec<_>>();
        let expected = match () {
            () if reads_manifest => media_type::ACCEPT,
            () if request.path.contains("/referrers/") => media_type::OCI_INDEX,
            () => "*/*",
        };
        assert_eq!(accepted, [expected], "{} {}", request.method, request.path);
        let said = |name| request.headers.value(name);
        assert_eq!(said("accept-encoding"), Some("identity"));
        assert_eq!(said("user-agent"), Some("transship/test"));
        assert_eq!(said("host"), Some(registry.host().as_str()));
        for unsaid in [
            "authorization",
            "referer",
            "cookie",
            "range",
            "if-none-match",
        ] {
            assert_eq!(said(unsaid), None, "{unsaid}");
        }
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let (registry, requests) = seen().await;
    assert!(requests.len() > 8);
    assert_eq!(registry.connections(), 1);
}

#[tokio::test]
async fn traffic_is_counted() {
    let registry = FaultRegistry::start();
    let image = image();
    registry.load("team/app", "v1", &image);
    let client = client(&registry);
    let layer = descriptor(&image.blobs[1]);
    client.resolve(&repository(), &tag(), None).await.unwrap();
    client.fetch_manifest(&repository(), &tag()).await.unwrap();
    read(&client, &layer, 0).await.unwrap();
    let traffic = client.traffic();
    let requests = Class::ALL.map(|class| traffic.requests(class));
    assert_eq!((requests, traffic.pulls), ([1, 1, 0, 0, 1, 0, 0], 1));
    let bytes = layer.size + image.root.bytes.len() as u64;
    assert_eq!((traffic.bytes_read, traffic.bytes_written), (bytes, 0));
}

#[tokio::test]
async fn only_a_trusted_registry_is_spoken_to() {
    let (ours, theirs) = (Authority::generate(), Authority::generate());
    let options = FaultRegistry::options;
    let cases = [
        (
            "our authority",
            options().tls(&ours),
            trusting(&ours),
            Ok(None),
        ),
        (
            "another authority",
            options().tls(&theirs),
            trusting(&ours),
            Err(Kind::Tls),
        ),
        (
            "another name",
            options().tls_with(ours.issue_for(&["example.com"]).server(), &ours),
            trusting(&ours),
            Err(Kind::Tls),
        ),
        (
            "plain, and closed, where TLS is expected",
            options(),
            trusting(&ours),
            Err(Kind::Unreachable),
        ),
        (
            "a client certificate is wanted",
            options().tls_with(ours.mutual_server(), &ours),
            trusting(&ours),
            Err(Kind::Tls),
        ),
    ];
    for (name, options, settings, expected) in cases {
        let registry = options.start();
        let found = client_with(&registry, &settings)
            .resolve(&repository(), &tag(), None)
            .await;
        assert_eq!(kind(found), expected, "{name}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_who_wants_one() {
    let authority = Authority::generate();
    let registry = FaultRegistry::options()
        .tls_with(authority.mutual_server(), &authority)
        .start();
    let mut settings = trusting(&authority);
    settings.tls.identity_pem = Some(authority.issue().pem().into());
    let found = client_with(&registry, &settings)
        .resolve(&repository(), &tag(), None)
        .await;
    assert_eq!(kind(found), Ok(None));
}

#[tokio::test]
async fn nobody_at_home() {
    let address = FaultRegistry::start().host();
    let client = Pool::new("transship/test")
        .client(&address.parse().unwrap(), &insecure())
        .unwrap();
    let error = client
        .resolve(&repository(), &tag(), None)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (Kind::Unreachable, true)
    );
    let shown = error.to_string().replace(&address, "REGISTRY");
    insta::assert_snapshot!(shown, @"cannot look up REGISTRY/team/app:v1: http://REGISTRY cannot be reached: nothing listens there, or a firewall refuses it: check host and port (Connection refused (os error 111))");
}
