// SPDX-License-Identifier: Apache-2.0

//! Who asks, as reports show it.

use transship::registry::Kind;

use crate::registry::{client_with, insecure, kind, loaded, logged_in, repository, tag};
use crate::support::content::Image;
use crate::support::faults::FaultRegistry;
use crate::support::http::{Reply, Request};

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
