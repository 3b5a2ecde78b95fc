// SPDX-License-Identifier: Apache-2.0

//! AWS: STS, the agent of Pod Identity, the metadata of an instance and ECR.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use transship::identity::Who;
use transship::oci::CloudRegistry;
use transship::registry::{Credential, Kind, Pool, Settings};

use super::{ApiServer, ECR, account, claims, identities, issue, issuer, jwt, login, time, words};
use crate::support::cloud::Cloud;
use crate::support::credentials::Login;
use crate::support::faults::FaultRegistry;
use crate::support::http::{Reply, Request, form_values};
use crate::support::sigv4::verify;

const ROLE: &str = "arn:aws:iam::123456789012:role/mirror";
/// The keys of the tests.
const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKID"),
    ("AWS_SECRET_ACCESS_KEY", "canary-key"),
    ("AWS_SESSION_TOKEN", "canary-session"),
];

fn password(expires_at: &Value) -> Reply {
    let data = json!({"authorizationToken": login(), "expiresAt": expires_at});
    Reply::json(200, &json!({"authorizationData": [data]}))
}

/// ECR as it is.
fn ecr() -> Cloud {
    Cloud::start(|_| password(&json!(super::end(43_200).as_second())))
}

fn credentials() -> Value {
    json!({
        "AccessKeyId": "TEMP",
        "SecretAccessKey": "canary-temp",
        "Token": "canary-session",
        "Expiration": time(3600),
    })
}

fn sts_answer(expiration: &str) -> Reply {
    Reply::new(200).body(format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>TEMP</AccessKeyId>\
         <SecretAccessKey>canary-temp</SecretAccessKey><SessionToken>canary-session</SessionToken>\
         <Expiration>{expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
         </AssumeRoleWithWebIdentityResponse>"
    ))
}

/// STS as it is.
fn sts() -> Cloud {
    Cloud::start(|_| sts_answer(&time(3600)))
}

/// ECR got a signed request with keys, and answered with a password.
fn assert_signed(ecr: &Cloud, by: &str) {
    let requests = ecr.requests();
    let [request] = &requests[..] else {
        panic!("{} requests", requests.len())
    };
    assert_eq!(verify(request).unwrap(), by);
    assert_eq!(request.body.as_ref(), b"{}");
    let header = |name| request.headers.value(name);
    assert_eq!(header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(header("x-amz-security-token"), Some("canary-session"));
    assert_eq!(
        header("x-amz-target"),
        Some("AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken")
    );
}

#[tokio::test]
async fn keys_of_the_environment_open_a_registry_with_a_password_that_is_asked_for_once() {
    let (ecr, registry) = (ecr(), FaultRegistry::options().basic().start());
    let image = crate::support::content::ImageBuilder::new(7)
        .layers(&[100_000])
        .build();
    registry.load("team/app", "v1", &image);
    let url = ecr.url();
    let variables = [&KEYS[..], &[("AWS_ENDPOINT_URL_ECR", &url)]].concat();
    let issuer = issuer(ECR, &variables, &Who::Process);
    let settings = Settings {
        credential: Credential::Issued(issuer),
        insecure: true,
        ..Settings::default()
    };
    let host = registry.host().parse().unwrap();
    for _ in 0..2 {
        let client = Pool::new("transship/test")
            .client(&host, &settings)
            .unwrap();
        let (repository, tag) = ("team/app".parse().unwrap(), "v1".parse().unwrap());
        let tag = transship::oci::TagOrDigest::Tag(tag);
        let found = client.resolve(&repository, &tag, None).await;
        assert!(found.unwrap().is_some());
    }
    assert_signed(&ecr, "AKID eu-west-1 ecr");
}

#[tokio::test]
async fn a_registry_that_refuses_the_password_is_told_so_and_not_asked_in_a_loop() {
    let registry = FaultRegistry::options().basic().start();
    let ecr = Cloud::start(|_| {
        let token = "QVdTOmNhbmFyeQ==";
        Reply::json(
            200,
            &json!({"authorizationData": [{"authorizationToken": token}]}),
        )
    });
    let url = ecr.url();
    let variables = [&KEYS[..], &[("AWS_ENDPOINT_URL_ECR", &url)]].concat();
    let settings = Settings {
        credential: Credential::Issued(issuer(ECR, &variables, &Who::Process)),
        insecure: true,
        ..Settings::default()
    };
    let host = registry.host().parse().unwrap();
    let client = Pool::new("transship/test")
        .client(&host, &settings)
        .unwrap();
    for _ in 0..3 {
        let error = client.ping().await.unwrap_err();
        assert_eq!(error.kind(), Kind::AuthenticationFailed);
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    assert_eq!(ecr.requests().len(), 1);
}

#[tokio::test]
async fn a_token_in_a_file_is_exchanged_for_the_role_and_read_anew() {
    let (ecr, sts, directory) = (ecr(), sts(), TempDir::new().unwrap());
    let path = directory.path().join("token");
    let path = path.to_str().unwrap();
    let (ecr_url, sts_url) = (ecr.url(), sts.url());
    let variables = [
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path),
        ("AWS_ROLE_SESSION_NAME", "job-7"),
        ("AWS_ENDPOINT_URL_ECR", &ecr_url),
        ("AWS_ENDPOINT_URL_STS", &sts_url),
    ];
    let issuer = issuer(ECR, &variables, &Who::Process);
    fs::write(path, jwt(-5, json!({}))).unwrap();
    let over = words(&issuer).await;
    assert!(over.starts_with("Identity: the token in "), "{over}");
    assert!(over.contains(" ended at "), "{over}");

    let token = jwt(600, json!({"aud": ["sts.amazonaws.com"]}));
    fs::write(path, &token).unwrap();
    let issuer = super::issuer(ECR, &variables, &Who::Process);
    let Login { username, password } = Login::valid();
    assert_eq!(issue(&issuer).await.unwrap(), (username, password));
    assert_signed(&ecr, "TEMP eu-west-1 ecr");
    let asked = sts.requests();
    let field = |name| form_values(&asked[0].body, name);
    assert_eq!(asked.len(), 1);
    assert_eq!(field("Action"), ["AssumeRoleWithWebIdentity"]);
    assert_eq!(field("Version"), ["2011-06-15"]);
    assert_eq!(field("RoleArn"), [ROLE]);
    assert_eq!(field("RoleSessionName"), ["job-7"]);
    assert_eq!(field("WebIdentityToken"), [token]);
    assert_eq!(asked[0].headers.value("authorization"), None);
}

#[tokio::test]
async fn a_service_account_is_the_role_that_its_annotation_names() {
    let (ecr, sts, tokens) = (ecr(), sts(), Arc::new(ApiServer::default()));
    let (ecr_url, sts_url) = (ecr.url(), sts.url());
    // What the controller's own pod has is of no use to it.
    let variables = [
        &KEYS[..],
        &[
            ("AWS_ENDPOINT_URL_ECR", ecr_url.as_str()),
            ("AWS_ENDPOINT_URL_STS", &sts_url),
        ],
    ]
    .concat();
    let role = [("eks.amazonaws.com/role-arn", ROLE)];
    issue(&issuer(ECR, &variables, &account("mirror", &role, &tokens)))
        .await
        .unwrap();
    assert_signed(&ecr, "TEMP eu-west-1 ecr");
    let asked = sts.requests();
    let token = form_values(&asked[0].body, "WebIdentityToken").remove(0);
    assert_eq!(claims(&token)["aud"], json!(["sts.amazonaws.com"]));
    assert_eq!(
        form_values(&asked[0].body, "RoleSessionName"),
        ["team.mirror"]
    );

    let without = issuer(ECR, &variables, &account("plain", &[], &tokens));
    insta::assert_snapshot!(words(&without).await, @r#"Identity: service account "plain" of namespace "team" has no annotation eks.amazonaws.com/role-arn: it names the identity that the account stands for"#);
    let china = [(
        "eks.amazonaws.com/role-arn",
        "arn:aws-cn:iam::123456789012:role/a",
    )];
    let china = issuer(ECR, &variables, &account("china", &china, &tokens));
    insta::assert_snapshot!(words(&china).await, @"Identity: the role arn:aws-cn:iam::123456789012:role/a is of another partition than the registry, which is of aws");
    assert_eq!(tokens.audiences.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_agent_of_pod_identity_gets_the_token_of_the_pod() {
    let (ecr, agent) = (ecr(), Cloud::start(|_| Reply::json(200, &credentials())));
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("token");
    fs::write(&path, "canary-pod\n").unwrap();
    let (ecr_url, agent_url) = (ecr.url(), format!("{}/v1/credentials", agent.url()));
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent_url.as_str()),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            path.to_str().unwrap(),
        ),
        ("AWS_ENDPOINT_URL_ECR", &ecr_url),
    ];
    issue(&issuer(ECR, &variables, &Who::Process))
        .await
        .unwrap();
    assert_signed(&ecr, "TEMP eu-west-1 ecr");
    let asked = &agent.requests()[0];
    assert_eq!(asked.path, "/v1/credentials");
    assert_eq!(asked.headers.value("authorization"), Some("canary-pod"));
}

/// The metadata of an instance, which is told nothing without a session.
fn instance(request: &Request) -> Reply {
    let roles = "/latest/meta-data/iam/security-credentials/";
    let header = |name| request.headers.value(name);
    match (request.method.as_str(), request.path.as_str()) {
        ("PUT", "/latest/api/token")
            if header("x-aws-ec2-metadata-token-ttl-seconds").is_some() =>
        {
            Reply::new(200).body("canary-imds")
        }
        ("GET", _) if header("x-aws-ec2-metadata-token") != Some("canary-imds") => Reply::new(401),
        ("GET", path) if path == roles => Reply::new(200).body("node-role"),
        ("GET", path) if path == format!("{roles}node-role") => Reply::json(200, &credentials()),
        _ => Reply::new(404),
    }
}

#[tokio::test]
async fn an_instance_is_asked_within_a_session() {
    let (ecr, metadata) = (ecr(), Cloud::start(instance));
    let (ecr_url, metadata_url) = (ecr.url(), metadata.url());
    let variables = [
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata_url.as_str()),
        ("AWS_ENDPOINT_URL_ECR", &ecr_url),
    ];
    issue(&issuer(ECR, &variables, &Who::Process))
        .await
        .unwrap();
    assert_signed(&ecr, "TEMP eu-west-1 ecr");
}

#[tokio::test]
async fn another_role_is_assumed_with_signed_keys() {
    let (ecr, sts) = (ecr(), sts());
    let (ecr_url, sts_url) = (ecr.url(), sts.url());
    let variables = [
        &KEYS[..],
        &[
            ("AWS_REGION", "eu-central-1"),
            ("TRANSSHIP_AWS_ASSUME_ROLE", ROLE),
            ("AWS_ENDPOINT_URL_ECR", &ecr_url),
            ("AWS_ENDPOINT_URL_STS", &sts_url),
        ],
    ]
    .concat();
    issue(&issuer(ECR, &variables, &Who::Process))
        .await
        .unwrap();
    assert_signed(&ecr, "TEMP eu-west-1 ecr");
    let asked = &sts.requests()[0];
    assert_eq!(verify(asked).unwrap(), "AKID eu-central-1 sts");
    assert_eq!(form_values(&asked.body, "Action"), ["AssumeRole"]);
}

#[tokio::test]
async fn the_public_registry_is_asked_in_its_own_way() {
    let public = Cloud::start(|_| {
        let data =
            json!({"authorizationToken": login(), "expiresAt": super::end(43_200).as_second()});
        Reply::json(200, &json!({"authorizationData": data}))
    });
    let url = public.url();
    let variables = [&KEYS[..], &[("AWS_ENDPOINT_URL_ECR_PUBLIC", &url)]].concat();
    issue(&issuer("public.ecr.aws", &variables, &Who::Process))
        .await
        .unwrap();
    let asked = &public.requests()[0];
    assert_eq!(verify(asked).unwrap(), "AKID us-east-1 ecr-public");
    assert_eq!(
        asked.headers.value("x-amz-target"),
        Some("SpencerFrontendService.GetAuthorizationToken")
    );
}

/// What moto says is always in 2015.
#[tokio::test]
async fn a_password_that_ended_in_2015_is_used_and_not_asked_for_in_a_loop() {
    let ecr = Cloud::start(|_| password(&json!(1_420_070_400)));
    let url = ecr.url();
    let variables = [&KEYS[..], &[("AWS_ENDPOINT_URL", &url)]].concat();
    let issuer = issuer(ECR, &variables, &Who::Process);
    for _ in 0..10 {
        issue(&issuer).await.unwrap();
    }
    assert_eq!(ecr.requests().len(), 1);
}

#[tokio::test]
async fn each_wrong_answer_of_ecr_has_its_words() {
    let data = |data: Value| Reply::json(200, &json!({"authorizationData": data}));
    let fault = |status, kind: &str, message: &str| {
        Reply::json(status, &json!({"__type": kind, "message": message}))
    };
    let cases: Vec<(Reply, &str)> = vec![
        (
            data(json!([])),
            "Answer: SERVER gave a password for ECR that cannot be used: its authorizationData is empty",
        ),
        (
            data(json!([{"expiresAt": 1}])),
            "Answer: SERVER gave a password for ECR that cannot be used: it has no authorizationToken",
        ),
        (
            data(json!([{"authorizationToken": "canary"}])),
            "Answer: SERVER gave a password for ECR that cannot be used: its authorizationToken is not a user name and password",
        ),
        (
            data(json!([{"authorizationToken": login(), "expiresAt": 1e20}])),
            "Answer: SERVER gave a password for ECR that cannot be used: its expiresAt is no time",
        ),
        (
            Reply::new(200).body("canary"),
            "Answer: SERVER gave a password for ECR that cannot be used: its answer is not what is documented, see line 1, column 1",
        ),
        (
            Reply::new(302).header("location", "http://evil.test/"),
            "Answer: SERVER gave a password for ECR that cannot be used: it answers 302",
        ),
        (
            fault(
                400,
                "AccessDeniedException",
                "User: arn:aws:iam::1:user/a is not authorized with canary-key",
            ),
            "Forbidden: SERVER refuses a password for ECR with 400; that says \"AccessDeniedException: User: arn:aws:iam::1:user/a is not authorized with ***\"",
        ),
        (
            fault(
                400,
                "com.amazon.coral.service#ExpiredTokenException",
                "The security token is expired",
            ),
            "Identity: SERVER refuses a password for ECR with 400; that says \"ExpiredTokenException: The security token is expired\"",
        ),
        (
            Reply::json(
                400,
                &json!({
                    "__type": "com.amazonaws.ecr#AccessDeniedException:http://internal.test/coral/a#b",
                    "message": "as one says", "Message": "as the other says",
                }),
            ),
            "Forbidden: SERVER refuses a password for ECR with 400; that says \"AccessDeniedException: as one says\"",
        ),
        (
            fault(400, "ThrottlingException", "Rate exceeded"),
            "RateLimited: SERVER is asked too much: try again later",
        ),
        (
            Reply::new(403).body("<html>"),
            "Forbidden: SERVER refuses a password for ECR with 403; that says \"<html>\"",
        ),
        (
            Reply::new(200).body("a".repeat(65 * 1024)),
            "Unreachable: SERVER cannot be used: its answer has more than 65536 bytes; try again later",
        ),
        (
            Reply::new(503),
            "Unreachable: SERVER cannot be used: it answers 503; try again later",
        ),
    ];
    for (reply, expected) in cases {
        let ecr = Cloud::start(move |_| reply.clone());
        let url = ecr.url();
        let variables = [&KEYS[..], &[("AWS_ENDPOINT_URL_ECR", &url)]].concat();
        let issuer = issuer(ECR, &variables, &Who::Process);
        assert_eq!(words(&issuer).await, expected);
    }
}

#[tokio::test]
async fn each_wrong_answer_of_sts_has_its_words() {
    let whole = sts_answer(&time(3600));
    let without = |name: &str| {
        let text = String::from_utf8(whole.body.to_vec()).unwrap();
        Reply::new(200).body(text.replace(name, "Other"))
    };
    let error = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>No OpenIDConnect provider found for \
                 https://issuer.test</Message></Error></ErrorResponse>";
    let cases: Vec<(Reply, &str)> = vec![
        (without("Credentials"), "it has no Credentials"),
        (without("AccessKeyId"), "it has no AccessKeyId"),
        (without("SecretAccessKey"), "it has no SecretAccessKey"),
        (without("SessionToken"), "it has no SessionToken"),
        (without("Expiration"), "it has no Expiration"),
        (sts_answer("soon"), "its Expiration is no time"),
        (
            sts_answer("2015-01-01T00:00:00Z"),
            "it ended at 2015-01-01T00:00:00Z: is the clock of this machine right?",
        ),
        (
            Reply::new(400).body(error),
            "InvalidIdentityToken: No OpenIDConnect provider found for https://issuer.test",
        ),
    ];
    let tokens = Arc::new(ApiServer::default());
    let who = account("mirror", &[("eks.amazonaws.com/role-arn", ROLE)], &tokens);
    for (reply, expected) in cases {
        let sts = Cloud::start(move |_| reply.clone());
        let url = sts.url();
        let found = words(&issuer(ECR, &[("AWS_ENDPOINT_URL_STS", &url)], &who)).await;
        assert!(found.contains(expected), "{found}");
    }
}

#[tokio::test]
async fn each_wrong_answer_of_metadata_has_its_words() {
    let without = |name: &str| {
        let mut keys = credentials();
        keys.as_object_mut().unwrap().remove(name);
        Reply::json(200, &keys)
    };
    let with = |name: &str, value: &str| {
        let mut keys = credentials();
        keys[name] = json!(value);
        Reply::json(200, &keys)
    };
    let cases: Vec<(Reply, &str)> = vec![
        (without("AccessKeyId"), "it has no AccessKeyId"),
        (without("SecretAccessKey"), "it has no SecretAccessKey"),
        (without("Token"), "it has no Token"),
        (with("Expiration", "soon"), "its Expiration is no time"),
        (
            with("Expiration", "2015-01-01T00:00:00Z"),
            "it ended at 2015-01-01T00:00:00Z",
        ),
        (
            with("Code", "AssumeRoleUnauthorizedAccess"),
            "its Code is not Success",
        ),
        (Reply::new(404), "refuses keys of the pod with 404"),
    ];
    for (reply, expected) in cases {
        let agent = Cloud::start(move |_| reply.clone());
        let url = agent.url();
        let variables = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str())];
        let found = words(&issuer(ECR, &variables, &Who::Process)).await;
        assert!(found.contains(expected), "{found}");
    }
}

#[tokio::test]
async fn without_any_identity_the_places_are_told() {
    let cases: [(&[(&str, &str)], &str); 4] = [
        (
            &[("AWS_EC2_METADATA_DISABLED", "true")],
            "Identity: no identity of AWS was found: AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_CONTAINER_CREDENTIALS_FULL_URI are not set, and AWS_EC2_METADATA_DISABLED keeps from asking the instance",
        ),
        (
            &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")],
            "Identity: no identity of AWS was found: AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_CONTAINER_CREDENTIALS_FULL_URI are not set, and there is no metadata of an EC2 instance",
        ),
        (
            &[("AWS_ACCESS_KEY_ID", "AKID")],
            "Identity: of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY one is set and the other is not",
        ),
        (
            &[(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "http://evil.test/canary",
            )],
            "Identity: AWS_CONTAINER_CREDENTIALS_FULL_URI is neither HTTPS nor an address of the agent or this machine",
        ),
    ];
    for (variables, expected) in cases {
        assert_eq!(
            words(&issuer(ECR, variables, &Who::Process)).await,
            expected
        );
    }
}

#[test]
fn an_identity_is_not_shown() {
    let identities = identities(&KEYS);
    let registry = ECR.parse().unwrap();
    let cloud = CloudRegistry::of(&registry).unwrap();
    let issuer = identities.issuer(&registry, &cloud, &Who::Process);
    let credential = Credential::Issued(issuer.clone());
    let shown = format!("{identities:?} {issuer:?} {credential:?}");
    assert_eq!(shown, "Identities Issuing Credential(issued)");
}

/// What is wrong with a request that is signed so.
fn fault(time: &str, credential: &str, names: &str) -> String {
    let mut request = Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        ..Request::default()
    };
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature=00");
    for (name, value) in [
        ("host", "127.0.0.1"),
        ("x-amz-date", time),
        ("authorization", &authorization),
    ] {
        request.headers.add(name, value);
    }
    verify(&request).unwrap_err()
}

#[test]
fn a_signature_that_is_wrong_late_or_for_less_is_not_believed() {
    let time = crate::support::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let of = |key: &str| format!("{key}/{}/us-east-1/ecr/aws4_request", &time[..8]);
    let names = "host;x-amz-date";
    let cases = [
        (
            &*time,
            "AKID/1".to_owned(),
            names,
            "the credential is AKID/1",
        ),
        (&time, of("OTHER"), names, "no key OTHER"),
        (&time, of("AKID"), "host", "x-amz-date is not signed"),
        (
            &time,
            of("AKID"),
            "x-amz-date;host",
            "x-amz-date;host are not the signed headers",
        ),
        (&time, of("AKID"), names, "the signature is wrong"),
        (
            "20150830T123600Z",
            of("AKID"),
            names,
            "20150830T123600Z is too far away",
        ),
    ];
    for (time, credential, names, expected) in cases {
        assert_eq!(fault(time, &credential, names), expected);
    }
}
