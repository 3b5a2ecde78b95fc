// SPDX-License-Identifier: Apache-2.0

//! What Amazon's own helper for `docker login` makes of the answers that we are given, too.

use serde_json::{Value, json};
use transship::identity::Who;

use super::*;
use crate::support::cloud::Cloud;
use crate::support::http::{Reply, Request};
use crate::support::program::Program;
use crate::support::sigv4::verify;
use crate::support::tools;

/// The keys of the tests.
const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKID"),
    ("AWS_SECRET_ACCESS_KEY", "canary-key"),
];

/// ECR with a password, as the helper wants to be answered: it looks at all of it.
fn ecr(password: &str) -> Cloud {
    let token = STANDARD.encode(format!("AWS:{password}"));
    Cloud::start(move |_| {
        let data = json!({
            "authorizationToken": token, "expiresAt": end(43_200).as_second(),
            "proxyEndpoint": format!("https://{ECR}"),
        });
        Reply::json(200, &json!({"authorizationData": [data]}))
    })
}

/// What ECR was asked, and by whom.
fn asked(request: &Request) -> (String, String) {
    let operation = request.headers.value("x-amz-target").unwrap_or_default();
    (operation.to_owned(), verify(request).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_helper_of_amazon_asks_the_same_and_finds_the_same_login() {
    // As ECR gives them: base64 of JSON. And with what may stand in one and divides other things.
    let long = STANDARD.encode(json!({"payload": "p".repeat(1_500), "version": "2"}).to_string());
    for password in [long.as_str(), "a:b", "with=padding==", "plus+slash/"] {
        let cloud = ecr(password);
        let program = tools::built("docker-credential-ecr-login");
        let mut helper = Program::at(&program, &["get"])
            .input(ECR)
            .environment("AWS_ENDPOINT_URL_ECR", cloud.url())
            .environment("AWS_EC2_METADATA_DISABLED", "true");
        for (name, value) in KEYS {
            helper = helper.environment(name, value);
        }
        let finished = helper.run().await;
        finished.assert_success();
        let theirs: Value = serde_json::from_str(&finished.stdout).unwrap();
        let theirs = ["Username", "Secret"].map(|field| theirs[field].as_str().unwrap().to_owned());

        let url = cloud.url();
        let variables = [&KEYS[..], &[("AWS_ENDPOINT_URL_ECR", &url)]].concat();
        let (name, secret) = issue(&issuer(ECR, &variables, &Who::Process))
            .await
            .unwrap();
        assert_eq!([name, secret], theirs);
        assert_eq!(theirs, ["AWS", password]);
        let requests = cloud.requests();
        let [helper, own] = &requests[..] else {
            panic!("{} requests", requests.len());
        };
        assert_eq!(asked(own), asked(helper));
    }
}
