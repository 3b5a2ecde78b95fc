// SPDX-License-Identifier: Apache-2.0

//! AWS as moto plays it, from the keys of an instance to the last delete. Each signature is recomputed before.

use std::sync::Arc;

use serde_json::{Value, json};
use transship::identity::{Environment, Identities, Who};
use transship::oci::CloudRegistry;
use transship::registry::{Creation, Issuer, Removed};

use super::amazon::{ECR, mirror_of, operation};
use super::{image, tag};
use crate::support::cloud::Cloud;
use crate::support::faults::FaultRegistry;
use crate::support::http::{Request, form_values};
use crate::support::moto::Moto;
use crate::support::named::NamedRegistry;
use crate::support::sigv4::verify;

const ROLE: &str = "arn:aws:iam::123456789012:role/mirror";

fn call(moto: &Moto, name: &str, body: &Value) -> Value {
    let target = format!("AmazonEC2ContainerRegistry_V20150921.{name}");
    moto.call("ecr", "application/x-amz-json-1.1", &target, body)
}

/// Who signs for a registry with these variables beside those that lead to a server.
fn issuer(url: &str, variables: &[(&str, &str)]) -> Arc<dyn Issuer> {
    let urls = [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url),
    ];
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment = Environment::new(urls.iter().chain(variables).map(owned));
    let identities = Identities::new("transship/test", None, environment).unwrap();
    let registry = ECR.parse().unwrap();
    let cloud = CloudRegistry::of(&registry).unwrap();
    identities.issuer(&registry, &cloud, &Who::Process)
}

/// What was called, and who signed.
fn calls(cloud: &Cloud) -> Vec<String> {
    let requests = cloud.requests();
    let told = requests.iter().map(|request| {
        let action = form_values(&request.body, "Action");
        let name = match action.first() {
            Some(action) => action.clone(),
            None if request.path == "/" => operation(request),
            None => format!("{} {}", request.method, request.path),
        };
        match request.headers.value("authorization") {
            Some(_) => format!("{name} {}", verify(request).unwrap()),
            None => name,
        }
    });
    told.collect()
}

/// `by` without the name of a key that moto made up.
fn nameless(calls: Vec<String>) -> Vec<String> {
    let nameless = calls.into_iter().map(|call| {
        let words: Vec<&str> = call.split(' ').collect();
        match words[..] {
            [name, key, region, service] if key.starts_with("ASIA") => {
                format!("{name} ASIA {region} {service}")
            }
            _ => call,
        }
    });
    nameless.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_an_instance_take_a_role_that_makes_lists_and_deletes() {
    let moto = Arc::new(Moto::start().await);
    let shared = Arc::clone(&moto);
    let cloud = Cloud::start(move |request| shared.answer(request));
    let issuer = issuer(&cloud.url(), &[("TRANSSHIP_AWS_ASSUME_ROLE", ROLE)]);
    issuer.issue().await.unwrap();
    let signed = issuer.signed().unwrap();
    let (repository, tag) = ("team/app".parse().unwrap(), tag("v1"));
    // There is no repository: there is no tag.
    let removed = signed.delete_tag(&repository, &tag).await.unwrap();
    assert_eq!(removed, Removed::Before);
    let policy = json!({"rules": [{
        "rulePriority": 1, "selection": {
            "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1,
        }, "action": {"type": "expire"},
    }]});
    let creation = Creation {
        tags: [("team".to_owned(), "a".to_owned())].into(),
        immutable_tags: true,
        scan_on_push: true,
        lifecycle_policy: Some(policy.to_string()),
        ..Creation::default()
    };
    signed.create(&repository, &creation).await.unwrap();
    // Another one that finds it made.
    signed.create(&repository, &creation).await.unwrap();
    assert_eq!(signed.list(None).await.unwrap().names, ["team/app"]);
    let made = call(&moto, "DescribeRepositories", &json!({}));
    let made = &made["repositories"][0];
    assert_eq!(made["imageTagMutability"], "IMMUTABLE");
    assert_eq!(made["imageScanningConfiguration"]["scanOnPush"], true);
    let named = json!({"repositoryName": "team/app"});
    let rules = call(&moto, "GetLifecyclePolicy", &named);
    let rules: Value =
        serde_json::from_str(rules["lifecyclePolicyText"].as_str().unwrap()).unwrap();
    assert_eq!(rules, policy);

    let manifest = String::from_utf8(image(1).root.bytes.to_vec()).unwrap();
    let put = json!({"repositoryName": "team/app", "imageManifest": manifest, "imageTag": "v1"});
    call(&moto, "PutImage", &put);
    assert_eq!(
        signed.delete_tag(&repository, &tag).await.unwrap(),
        Removed::Now
    );
    assert_eq!(
        signed.delete_tag(&repository, &tag).await.unwrap(),
        Removed::Before
    );
    let listed = call(&moto, "ListImages", &named);
    assert_eq!(listed["imageIds"], json!([]));

    let list = "/latest/meta-data/iam/security-credentials/";
    let expected = [
        "PUT /latest/api/token".to_owned(),
        format!("GET {list}"),
        format!("GET {list}default-role"),
        "AssumeRole test-key eu-west-1 sts".to_owned(),
        "GetAuthorizationToken ASIA eu-west-1 ecr".to_owned(),
        "BatchDeleteImage ASIA eu-west-1 ecr".to_owned(),
        "CreateRepository ASIA eu-west-1 ecr".to_owned(),
        "PutLifecyclePolicy ASIA eu-west-1 ecr".to_owned(),
        "CreateRepository ASIA eu-west-1 ecr".to_owned(),
        "DescribeRepositories ASIA eu-west-1 ecr".to_owned(),
        "BatchDeleteImage ASIA eu-west-1 ecr".to_owned(),
        "BatchDeleteImage ASIA eu-west-1 ecr".to_owned(),
    ];
    assert_eq!(nameless(calls(&cloud)), expected);
}

/// What is done by ECR's API is seen by the registry.
fn follow(registry: &FaultRegistry, request: &Request) {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let name = body["repositoryName"].as_str().unwrap_or_default();
    match operation(request).as_str() {
        "CreateRepository" => {
            registry.make_repository(name);
        }
        "BatchDeleteImage" => {
            let tag = body["imageIds"][0]["imageTag"].as_str().unwrap_or_default();
            registry.lose_tag(name, tag);
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_synced_and_pruned_with_a_role_that_a_token_takes() {
    let moto = Arc::new(Moto::start().await);
    let options = FaultRegistry::options()
        .deleting_nothing()
        .wanting_repositories();
    let named = Arc::new(NamedRegistry::start_with(&["source.test", ECR], options));
    for (tag, seed) in [("keep", 1), ("drop", 2)] {
        named.registry.load("app", tag, &image(seed));
    }
    let (shared, played) = (Arc::clone(&named), Arc::clone(&moto));
    let cloud = Cloud::start(move |request| {
        let answer = played.answer(request);
        if answer.status == 200 {
            follow(&shared.registry, request);
        }
        answer
    });
    named.write("token", &crate::identity::jwt(600, json!({})));
    let run = async |tags: &str, arguments: &[&str]| {
        named.write("mirror.yaml", &mirror_of(tags, ", createRepository: {}"));
        let end = ["-f", "mirror.yaml", "--state", "state.json", "-o", "json"];
        let program = named
            .transship(&[arguments, &end].concat())
            .environment("AWS_WEB_IDENTITY_TOKEN_FILE", "token")
            .environment("AWS_ROLE_ARN", ROLE)
            .environment("AWS_ENDPOINT_URL", cloud.url());
        program.run().await
    };
    run("*", &["sync"]).await.assert_success();
    assert_eq!(named.registry.tags("team/app"), ["drop", "keep"]);
    for (tag, seed) in [("keep", 1), ("drop", 2)] {
        let manifest = String::from_utf8(image(seed).root.bytes.to_vec()).unwrap();
        let put = json!({"repositoryName": "team/app", "imageManifest": manifest, "imageTag": tag});
        call(&moto, "PutImage", &put);
    }
    for _ in 0..2 {
        run("keep", &["prune", "--delete"]).await;
    }
    assert_eq!(named.registry.tags("team/app"), ["keep"]);
    let listed = call(&moto, "ListImages", &json!({"repositoryName": "team/app"}));
    let left: Vec<&Value> = listed["imageIds"].as_array().unwrap().iter().collect();
    assert_eq!(left.len(), 1, "{listed}");
    assert_eq!(left[0]["imageTag"], "keep");
    let calls = nameless(calls(&cloud));
    let count = |name: &str| calls.iter().filter(|call| call.starts_with(name)).count();
    assert_eq!(count("CreateRepository ASIA eu-west-1 ecr"), 1, "{calls:?}");
    assert_eq!(count("BatchDeleteImage ASIA eu-west-1 ecr"), 1, "{calls:?}");
    assert!(count("AssumeRoleWithWebIdentity") >= 1, "{calls:?}");
}
