// SPDX-License-Identifier: Apache-2.0

//! Google: the metadata server, the exchange of tokens, impersonation, and the kinds of files.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use transship::identity::Who;

use super::{ApiServer, GAR, account, claims, issue, issuer, jwt, time, words};
use crate::support::cloud::Cloud;
use crate::support::http::{Reply, Request, form_values};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

fn token() -> Reply {
    Reply::json(
        200,
        &json!({"access_token": "google-token", "expires_in": 3599, "token_type": "Bearer"}),
    )
}

fn granted(text: &str) -> (String, String) {
    ("oauth2accesstoken".to_owned(), text.to_owned())
}

fn host(cloud: &Cloud) -> String {
    cloud.url().replace("http://", "")
}

/// The metadata server of a node of GKE: those who do not say its header are no friends.
fn metadata(request: &Request) -> Reply {
    if request.headers.value("metadata-flavor") != Some("Google") {
        return Reply::new(403);
    }
    let path = request.path.strip_prefix("/computeMetadata/v1/");
    match path.unwrap_or_default() {
        "instance/service-accounts/default/token" => token(),
        "project/project-id" => Reply::new(200).body("my-project"),
        "instance/attributes/cluster-location" => Reply::new(200).body("europe-west3"),
        "instance/attributes/cluster-name" => Reply::new(200).body("prod\n"),
        _ => Reply::new(404),
    }
}

#[tokio::test]
async fn the_metadata_server_gives_a_token() {
    let server = Cloud::start(metadata);
    let host = host(&server);
    let issuer = issuer(GAR, &[("GCE_METADATA_HOST", &host)], &Who::Process);
    for _ in 0..3 {
        assert_eq!(issue(&issuer).await.unwrap(), granted("google-token"));
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_service_account_of_gke_is_exchanged_within_the_pool_of_its_project() {
    let (metadata, sts) = (Cloud::start(metadata), Cloud::start(|_| token()));
    let (host, sts_url) = (host(&metadata), sts.url());
    let tokens = Arc::new(ApiServer::default());
    let variables = [
        ("GCE_METADATA_HOST", host.as_str()),
        ("sts.googleapis.com", &sts_url),
    ];
    let who = account("mirror", &[], &tokens);
    assert_eq!(
        issue(&issuer(GAR, &variables, &who)).await.unwrap(),
        granted("google-token")
    );
    let asked = &sts.requests()[0];
    let field = |name| form_values(&asked.body, name).join(" ");
    assert_eq!(
        field("grant_type"),
        "urn:ietf:params:oauth:grant-type:token-exchange"
    );
    assert_eq!(
        field("audience"),
        "identitynamespace:my-project.svc.id.goog:https://container.googleapis.com/v1/projects/my-project/locations/europe-west3/clusters/prod"
    );
    assert_eq!(field("scope"), SCOPE);
    assert_eq!(
        field("requested_token_type"),
        "urn:ietf:params:oauth:token-type:access_token"
    );
    assert_eq!(
        field("subject_token_type"),
        "urn:ietf:params:oauth:token-type:jwt"
    );
    let aud = claims(&field("subject_token"))["aud"].clone();
    assert_eq!(aud, json!(["my-project.svc.id.goog"]));
}

#[tokio::test]
async fn a_service_account_elsewhere_names_its_provider_and_whom_it_stands_for() {
    let (sts, iam) = (
        Cloud::start(|_| token()),
        Cloud::start(|_| generated(&time(3600))),
    );
    let (sts_url, iam_url) = (sts.url(), iam.url());
    let tokens = Arc::new(ApiServer::default());
    let variables = [
        ("sts.googleapis.com", sts_url.as_str()),
        ("iamcredentials.googleapis.com", &iam_url),
    ];
    let provider = "projects/1/locations/global/workloadIdentityPools/pool/providers/eks";
    let email = "mirror@my-project.iam.gserviceaccount.com";
    let annotations = [
        ("gcp.auth.fluxcd.io/workload-identity-provider", provider),
        ("iam.gke.io/gcp-service-account", email),
    ];
    let who = account("mirror", &annotations, &tokens);
    assert_eq!(
        issue(&issuer(GAR, &variables, &who)).await.unwrap(),
        granted("impersonated")
    );
    let audience = format!("//iam.googleapis.com/{provider}");
    let asked = &sts.requests()[0];
    assert_eq!(form_values(&asked.body, "audience"), [audience.as_str()]);
    let subject = form_values(&asked.body, "subject_token").remove(0);
    assert_eq!(claims(&subject)["aud"], json!([audience]));
    let asked = &iam.requests()[0];
    assert_eq!(
        asked.path,
        format!("/v1/projects/-/serviceAccounts/{email}:generateAccessToken")
    );
    assert_eq!(
        asked.headers.value("authorization"),
        Some("Bearer google-token")
    );
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body, json!({"scope": [SCOPE], "lifetime": "3600s"}));

    for wrong in ["../evil?x@y", "nobody"] {
        let annotations = [annotations[0], ("iam.gke.io/gcp-service-account", wrong)];
        let who = account("wrong", &annotations, &tokens);
        let words = words(&issuer(GAR, &variables, &who)).await;
        assert!(words.contains("is not the e-mail address"), "{words}");
    }
}

fn generated(expire_time: &str) -> Reply {
    Reply::json(
        200,
        &json!({"accessToken": "impersonated", "expireTime": expire_time}),
    )
}

/// A file that `GOOGLE_APPLICATION_CREDENTIALS` names.
struct File(TempDir);

impl File {
    fn new(content: &Value) -> Self {
        let file = Self(TempDir::new().unwrap());
        fs::write(file.path(), content.to_string()).unwrap();
        file
    }

    fn path(&self) -> String {
        self.0.path().join("adc.json").to_str().unwrap().to_owned()
    }

    fn issuer(&self) -> Arc<dyn transship::registry::Issuer> {
        let path = self.path();
        let variables = [("GOOGLE_APPLICATION_CREDENTIALS", path.as_str())];
        issuer(GAR, &variables, &Who::Process)
    }
}

#[tokio::test]
async fn an_external_account_has_its_token_in_a_file() {
    let (sts, iam) = (
        Cloud::start(|_| token()),
        Cloud::start(|_| generated(&time(3600))),
    );
    let directory = TempDir::new().unwrap();
    let subject = directory.path().join("subject");
    let own = jwt(600, json!({}));
    fs::write(&subject, json!({"id_token": own}).to_string()).unwrap();
    let audience =
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b";
    let file = File::new(&json!({
        "type": "external_account",
        "audience": audience,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": sts.url() + "/v1/token",
        "service_account_impersonation_url": iam.url() + "/v1/x:generateAccessToken",
        "credential_source": {
            "file": subject,
            "format": {"type": "json", "subject_token_field_name": "id_token"},
        },
    }));
    assert_eq!(
        issue(&file.issuer()).await.unwrap(),
        granted("impersonated")
    );
    let asked = &sts.requests()[0];
    assert_eq!(form_values(&asked.body, "audience"), [audience]);
    assert_eq!(form_values(&asked.body, "subject_token"), [own]);

    fs::write(
        &subject,
        json!({"id_token": jwt(-60, json!({}))}).to_string(),
    )
    .unwrap();
    let over = words(&file.issuer()).await;
    assert!(
        over.starts_with("Identity: the token for Google ended at "),
        "{over}"
    );
    fs::write(&subject, "{}").unwrap();
    assert_eq!(
        words(&file.issuer()).await,
        "Identity: the token for Google is to be in the field \"id_token\" of JSON, and is not"
    );
}

#[tokio::test]
async fn a_job_of_a_ci_system_is_asked_for_its_token() {
    let own = jwt(600, json!({}));
    let value = own.clone();
    let ci = Cloud::start(
        move |request| match request.headers.value("authorization") {
            Some("Bearer canary-ci") => Reply::json(200, &json!({"value": value})),
            _ => Reply::new(401),
        },
    );
    let sts = Cloud::start(|_| token());
    let file = File::new(&json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": sts.url(),
        "credential_source": {
            "url": ci.url() + "/token",
            "headers": {"Authorization": "Bearer canary-ci"},
            "format": {"type": "json", "subject_token_field_name": "value"},
        },
    }));
    assert_eq!(
        issue(&file.issuer()).await.unwrap(),
        granted("google-token")
    );
    let asked = &sts.requests()[0];
    assert_eq!(form_values(&asked.body, "subject_token"), [own]);
}

#[tokio::test]
async fn files_that_cannot_be_used_have_their_words() {
    let cases = [
        (
            json!({"type": "impersonated_service_account"}),
            "of a kind that is used, which are service_account, external_account and authorized_user",
        ),
        (json!({"client_email": "canary"}), "of a kind that is used"),
        (
            json!({"type": "service_account", "client_email": "a@b", "private_key": "canary"}),
            "the private_key of a@b is not an RSA key (PKCS #8, PEM)",
        ),
        (
            json!({
                "type": "external_account", "audience": "a", "subject_token_type": "b",
                "token_url": "https://sts.test", "credential_source": {"executable": {"command": "rm"}},
            }),
            "names neither a file nor a url: others are not used",
        ),
        (
            json!({
                "type": "external_account", "audience": "a", "subject_token_type": "b",
                "token_url": "http://sts.test", "credential_source": {"file": "/dev/null"},
            }),
            "the token for Google in /dev/null is empty",
        ),
    ];
    for (content, expected) in cases {
        let words = words(&File::new(&content).issuer()).await;
        assert!(words.contains(expected), "{words}");
    }
}

#[tokio::test]
async fn each_wrong_answer_has_its_words() {
    let cases = [
        (
            json!({"expires_in": 5}),
            "Answer: SERVER gave an access token that cannot be used: it has no access_token",
        ),
        (
            json!({"access_token": "canary"}),
            "Answer: SERVER gave an access token that cannot be used: it has no expires_in",
        ),
        (
            json!({"access_token": "canary", "expires_in": "soon"}),
            "Answer: SERVER gave an access token that cannot be used: its expires_in is no number of seconds",
        ),
        (
            json!({"access_token": "canary", "expires_in": 0}),
            "Answer: SERVER gave an access token that cannot be used: it has ended already",
        ),
    ];
    for (answer, expected) in cases {
        let server = Cloud::start(move |_| Reply::json(200, &answer));
        let host = host(&server);
        let issuer = issuer(GAR, &[("GCE_METADATA_HOST", &host)], &Who::Process);
        assert_eq!(words(&issuer).await, expected);
    }
    let none = issuer(GAR, &[("GCE_METADATA_HOST", "127.0.0.1:1")], &Who::Process);
    insta::assert_snapshot!(words(&none).await, @"Identity: no identity of Google was found: GOOGLE_APPLICATION_CREDENTIALS is not set, and there is no metadata server of Google");
}

#[tokio::test]
async fn what_the_exchange_and_impersonation_refuse_is_told() {
    let metadata = Cloud::start(metadata);
    let sts = Cloud::start(|_| {
        let error = json!({"error": "invalid_target", "error_description": "The target service does not exist"});
        Reply::json(400, &error)
    });
    let iam = Cloud::start(|_| {
        let error = json!({"code": 403, "status": "PERMISSION_DENIED", "message": "Permission 'iam.serviceAccounts.getAccessToken' denied"});
        Reply::json(403, &json!({"error": error}))
    });
    let (host, sts_url, iam_url) = (host(&metadata), sts.url(), iam.url());
    let variables = [
        ("GCE_METADATA_HOST", host.as_str()),
        ("sts.googleapis.com", &sts_url),
        ("iamcredentials.googleapis.com", &iam_url),
    ];
    let tokens = Arc::new(ApiServer::default());
    let annotations = [(
        "iam.gke.io/gcp-service-account",
        "a@b.iam.gserviceaccount.com",
    )];
    let ask = async || {
        words(&issuer(
            GAR,
            &variables,
            &account("mirror", &annotations, &tokens),
        ))
        .await
    };
    insta::assert_snapshot!(ask().await, @r#"Identity: SERVER refuses an access token with 400; that says "invalid_target: The target service does not exist""#);
    sts.answers(|_| token());
    insta::assert_snapshot!(ask().await, @r#"Forbidden: SERVER refuses a token of the service account with 403; that says "PERMISSION_DENIED: Permission 'iam.serviceAccounts.getAccessToken' denied""#);
    iam.answers(|_| generated("2015-01-01T00:00:00Z"));
    insta::assert_snapshot!(ask().await, @"Answer: SERVER gave a token of the service account that cannot be used: it ended at 2015-01-01T00:00:00Z: is the clock of this machine right?");
    iam.answers(|_| generated("soon"));
    insta::assert_snapshot!(ask().await, @"Answer: SERVER gave a token of the service account that cannot be used: its expireTime is no time");
}

#[tokio::test]
async fn keys_of_google_are_kept_and_asked_for_again_once_in_a_while() {
    let server = Cloud::start(|_| Reply::json(200, &json!({"keys": [{"kid": "a"}]})));
    let url = server.url();
    let identities = super::identities(&[("www.googleapis.com", &url)]);
    for _ in 0..3 {
        let keys = identities.google_keys().await.unwrap();
        assert_eq!(&*keys, r#"{"keys":[{"kid":"a"}]}"#);
        // They are new.
        identities.google_keys_are_old();
    }
    let asked = server.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/oauth2/v3/certs");
    let cases = [
        (
            Reply::json(200, &json!({})),
            "its answer is not what is documented, see line 1, column 2",
        ),
        (Reply::new(404), "refuses the keys of Google with 404"),
        (
            Reply::new(302).header("location", "http://evil.test/"),
            "it answers 302",
        ),
    ];
    for (reply, expected) in cases {
        let server = Cloud::start(move |_| reply.clone());
        let url = server.url();
        let identities = super::identities(&[("www.googleapis.com", &url)]);
        let error = identities.google_keys().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
