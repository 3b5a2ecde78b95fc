// SPDX-License-Identifier: Apache-2.0

//! Who shares what was given out, and who does not.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;
use transship::identity::Who;

use super::{ApiServer, ECR, account, identities, issue, of};
use crate::support::cloud::Cloud;
use crate::support::http::{Reply, form_values};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// STS and ECR, whose password is the key that it was asked with.
fn clouds() -> (Cloud, Cloud) {
    let sts = Cloud::start(|request| {
        let role = form_values(&request.body, "RoleArn").remove(0);
        let name = role.rsplit('/').next().unwrap_or_default().to_owned();
        let end = super::time(3600);
        Reply::new(200).body(format!(
            "<Credentials><AccessKeyId>{name}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>t</SessionToken><Expiration>{end}</Expiration></Credentials>"
        ))
    });
    let ecr = Cloud::start(|request| {
        let authorization = request.headers.value("authorization").unwrap_or_default();
        let key = authorization.split(['=', '/']).nth(1).unwrap_or_default();
        let token = STANDARD.encode(format!("AWS:{key}"));
        Reply::json(
            200,
            &json!({"authorizationData": [{"authorizationToken": token}]}),
        )
    });
    (sts, ecr)
}

#[tokio::test]
async fn five_identities_on_one_host_share_nothing() {
    let (sts, ecr) = clouds();
    let (sts_url, ecr_url) = (sts.url(), ecr.url());
    let identities = identities(&[
        ("AWS_ACCESS_KEY_ID", "own"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_ENDPOINT_URL_STS", &sts_url),
        ("AWS_ENDPOINT_URL_ECR", &ecr_url),
    ]);
    let tokens = Arc::new(ApiServer::default());
    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    let roles = ["a", "b", "c", "d"].map(role);
    let accounts = ["one", "two", "three", "four"];
    let mut members: Vec<(String, Who)> = accounts
        .iter()
        .zip(&roles)
        .map(|(name, role)| {
            let annotations = [("eks.amazonaws.com/role-arn", role.as_str())];
            let key = role.rsplit('/').next().unwrap_or_default();
            (key.to_owned(), account(name, &annotations, &tokens))
        })
        .collect();
    members.push(("own".to_owned(), Who::Process));
    for _ in 0..2 {
        let asking = members.iter().map(async |(expected, who)| {
            let issuer = of(&identities, ECR, who);
            assert_eq!(
                issue(&issuer).await.unwrap(),
                ("AWS".to_owned(), expected.clone())
            );
            issuer.fingerprint()
        });
        let fingerprints: HashSet<_> = join_all(asking).await.into_iter().collect();
        assert_eq!(fingerprints.len(), 5);
    }
    assert_eq!((sts.requests().len(), ecr.requests().len()), (4, 5));

    // An account that stands for another role by now is another identity.
    let annotations = [("eks.amazonaws.com/role-arn", roles[1].as_str())];
    let changed = of(&identities, ECR, &account("one", &annotations, &tokens));
    assert_eq!(issue(&changed).await.unwrap().1, "b");
}

#[tokio::test]
async fn a_hundred_who_ask_at_once_are_one_request() {
    let (_, ecr) = clouds();
    let ecr_url = ecr.url();
    let identities = identities(&[
        ("AWS_ACCESS_KEY_ID", "own"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_ENDPOINT_URL_ECR", &ecr_url),
    ]);
    let asking = (0..100).map(async |_| issue(&of(&identities, ECR, &Who::Process)).await.unwrap());
    join_all(asking).await;
    assert_eq!(ecr.requests().len(), 1);
    // Another registry has its own.
    let other = of(
        &identities,
        "210987654321.dkr.ecr.eu-west-1.amazonaws.com",
        &Who::Process,
    );
    issue(&other).await.unwrap();
    assert_eq!(ecr.requests().len(), 2);
}
