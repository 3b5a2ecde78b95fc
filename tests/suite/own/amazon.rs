// SPDX-License-Identifier: Apache-2.0

//! Amazon ECR: deletes, lists and repositories by signed calls.

use std::sync::Arc;

use serde_json::{Value, json};
use transship::identity::{Environment, Identities, Who};
use transship::oci::{CloudRegistry, Registry};
use transship::registry::{
    Client, Creation, Credential, Deletion, Encryption, Kind, Pool, Settings, Upload,
};

use super::{Named, delete, digest, image};
use crate::support::cloud::Cloud;
use crate::support::faults::FaultRegistry;
use crate::support::http::{Reply, Request};
use crate::support::named::NamedRegistry;
use crate::support::program::Finished;
use crate::support::sigv4::verify;

pub(super) const ECR: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

struct Amazon {
    named: Arc<Named>,
    api: Cloud,
}

impl Amazon {
    fn start() -> Self {
        Self::start_as(ECR)
    }

    fn start_as(name: &'static str) -> Self {
        let options = FaultRegistry::options()
            .deleting_nothing()
            .wanting_repositories();
        let named = Arc::new(Named::start_with(name, options));
        let shared = Arc::clone(&named);
        let api = Cloud::start(move |request| answer(&shared.registry, request));
        Self { named, api }
    }

    fn settings(&self) -> Settings {
        let url = self.api.url();
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "canary-key"),
            ("AWS_ENDPOINT_URL", &url),
        ];
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = Environment::new(owned);
        let identities = Identities::new("transship/test", None, environment).unwrap();
        let registry: Registry = self.named.name.parse().unwrap();
        let cloud = CloudRegistry::of(&registry).unwrap();
        let issuer = identities.issuer(&registry, &cloud, &Who::Process);
        self.named.settings(Credential::Issued(issuer))
    }

    fn client(&self) -> Client {
        self.client_with(&self.settings())
    }

    fn client_with(&self, settings: &Settings) -> Client {
        let name = self.named.name.parse().unwrap();
        Pool::new("transship/test").client(&name, settings).unwrap()
    }

    fn load(&self, name: &str, seed: u64) {
        self.named.registry.load("team/app", name, &image(seed));
    }

    /// The calls by their names, with their bodies. Each was signed with the key.
    fn calls(&self) -> Vec<(String, Value)> {
        let requests = self.api.requests();
        let signed = requests.iter().map(|request| {
            let scope = if self.named.name == ECR {
                "eu-west-1 ecr"
            } else {
                "us-east-1 ecr-public"
            };
            let by = verify(request).unwrap();
            assert_eq!(by, format!("AKID {scope}"));
            (
                operation(request),
                serde_json::from_slice(&request.body).unwrap(),
            )
        });
        signed
            .filter(|(name, _)| name != "GetAuthorizationToken")
            .collect()
    }
}

pub(super) fn operation(request: &Request) -> String {
    let target = request.headers.value("x-amz-target").unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default().to_owned()
}

fn fault(kind: &str) -> Reply {
    let body = json!({"__type": format!("com.amazonaws.ecr#{kind}"), "message": "as documented"});
    Reply::json(400, &body)
}

/// ECR as its API reference describes it.
fn answer(registry: &FaultRegistry, request: &Request) -> Reply {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let name = body["repositoryName"].as_str().unwrap_or_default();
    match operation(request).as_str() {
        "GetAuthorizationToken" => {
            let data = json!({"authorizationToken": "QVdTOnB3", "expiresAt": 4_000_000_000_u64});
            Reply::json(200, &json!({"authorizationData": [data]}))
        }
        "BatchDeleteImage" => {
            let id = &body["imageIds"][0];
            let tag = id["imageTag"].as_str().unwrap_or_default();
            let Some(manifest) = registry.manifest(name, tag) else {
                let failure =
                    json!({"imageId": id, "failureCode": "ImageNotFound", "failureReason": "gone"});
                return Reply::json(200, &json!({"imageIds": [], "failures": [failure]}));
            };
            registry.lose_tag(name, tag);
            let others = registry
                .tags(name)
                .into_iter()
                .filter_map(|tag| registry.manifest(name, &tag));
            if !others
                .into_iter()
                .any(|other| other.digest == manifest.digest)
            {
                registry.lose_manifest(name, &manifest.digest);
            }
            Reply::json(200, &json!({"imageIds": [id], "failures": []}))
        }
        "CreateRepository" if registry.make_repository(name) => {
            Reply::json(200, &json!({"repository": {"repositoryName": name}}))
        }
        "CreateRepository" => fault("RepositoryAlreadyExistsException"),
        "PutLifecyclePolicy" => Reply::json(200, &json!({})),
        "DescribeRepositories" => {
            let from: usize = body["nextToken"]
                .as_str()
                .map_or(0, |token| token.parse().unwrap());
            let names = registry.repositories();
            let page: Vec<Value> = names
                .iter()
                .skip(from)
                .take(2)
                .map(|name| json!({"repositoryName": name}))
                .collect();
            let next = (from + 2 < names.len()).then(|| (from + 2).to_string());
            Reply::json(200, &json!({"repositories": page, "nextToken": next}))
        }
        _ => fault("UnknownOperationException"),
    }
}

#[tokio::test]
async fn a_tag_goes_by_its_name_and_an_image_with_its_last_one() {
    for name in [ECR, "public.ecr.aws"] {
        let amazon = Amazon::start_as(name);
        for tag in ["v1", "latest"] {
            amazon.load(tag, 1);
        }
        let client = amazon.client();
        assert_eq!(
            delete(&client, &image(1), &[]).await,
            Ok(Deletion::Deleted),
            "{name}"
        );
        assert_eq!(amazon.named.registry.tags("team/app"), ["latest"]);
        assert_eq!(
            delete(&client, &image(1), &[]).await,
            Ok(Deletion::Missing),
            "{name}"
        );
        let mut expected = json!({"repositoryName": "team/app", "imageIds": [{"imageTag": "v1"}]});
        if name == ECR {
            expected["registryId"] = "123456789012".into();
        }
        assert_eq!(amazon.calls(), [("BatchDeleteImage".to_owned(), expected)]);
        assert!(
            amazon.named.deletes().is_empty(),
            "the registry itself is not asked"
        );
    }
}

#[tokio::test]
async fn every_answer_has_its_outcome() {
    let failure = |code: &str| {
        let failure = json!({"failureCode": code, "failureReason": "as documented"});
        Reply::json(200, &json!({"imageIds": [], "failures": [failure]}))
    };
    let cases: Vec<(&str, Reply, Kind)> = vec![
        (
            "no right",
            fault("AccessDeniedException"),
            Kind::AccessDenied,
        ),
        (
            "keys that are over",
            fault("ExpiredTokenException"),
            Kind::AuthenticationFailed,
        ),
        (
            "a parameter",
            fault("InvalidParameterException"),
            Kind::Rejected,
        ),
        ("a key", failure("KmsError"), Kind::Rejected),
        (
            "nothing is said",
            Reply::json(200, &json!({})),
            Kind::Protocol,
        ),
        ("no JSON", Reply::new(200).body("<html>"), Kind::Protocol),
    ];
    for (what, reply, expected) in cases {
        let amazon = Amazon::start();
        amazon.load("v1", 1);
        let registry = Arc::clone(&amazon.named);
        amazon
            .api
            .answers(move |request| match operation(request).as_str() {
                "BatchDeleteImage" => reply.clone(),
                _ => answer(&registry.registry, request),
            });
        let (kind, message) = delete(&amazon.client(), &image(1), &[]).await.unwrap_err();
        assert_eq!(kind, expected, "{what}: {message}");
        assert_eq!(amazon.named.registry.tags("team/app"), ["v1"], "{what}");
    }
}

/// ECR where the image of this tag is listed by an index.
fn answer_listed(registry: &FaultRegistry, request: &Request, tag: &str) -> Reply {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let id = &body["imageIds"][0];
    if operation(request) != "BatchDeleteImage" || id["imageTag"] != tag {
        return answer(registry, request);
    }
    let failure = json!({
        "imageId": id,
        "failureCode": "ImageReferencedByManifestList",
        "failureReason": "Requested image referenced by manifest list",
    });
    Reply::json(200, &json!({"imageIds": [], "failures": [failure]}))
}

#[tokio::test]
async fn the_last_tag_of_an_image_that_an_index_lists_is_left_alone() {
    let amazon = Amazon::start();
    amazon.load("v1", 1);
    let registry = Arc::clone(&amazon.named);
    amazon
        .api
        .answers(move |request| answer_listed(&registry.registry, request, "v1"));
    let found = delete(&amazon.client(), &image(1), &[]).await;
    assert_eq!(found, Ok(Deletion::Needed));
    assert_eq!(amazon.named.registry.tags("team/app"), ["v1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_that_indexes_list_keep_no_other_tag_from_being_pruned() {
    let options = FaultRegistry::options().deleting_nothing();
    let named = Arc::new(NamedRegistry::start_with(&["source.test", ECR], options));
    let held = ["a1", "a2", "a3", "a4"];
    for (tag, seed) in held.into_iter().chain(["keep", "z"]).zip(1..) {
        named.registry.load("app", tag, &image(seed));
    }
    let shared = Arc::clone(&named);
    let api = Cloud::start(move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let tag = body["imageIds"][0]["imageTag"].as_str().unwrap_or_default();
        let listed = held.into_iter().find(|one| *one == tag);
        answer_listed(&shared.registry, request, listed.unwrap_or("none"))
    });
    run(&named, &api, ("*", ""), &["sync"])
        .await
        .assert_success();
    for _ in 0..2 {
        run(&named, &api, ("keep", ""), &["prune", "--delete"]).await;
    }
    let report = run(&named, &api, ("keep", ""), &["prune", "--delete"]).await;
    assert_eq!(
        named.registry.tags("team/app"),
        ["a1", "a2", "a3", "a4", "keep"]
    );
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    let words = "deletes an image with its last tag, and none that is listed";
    assert!(report.to_string().contains(words), "{report}");
}

#[tokio::test]
async fn throttling_is_waited_for_and_the_tag_is_looked_at_before_every_try() {
    let amazon = Amazon::start();
    amazon.load("v1", 1);
    let registry = Arc::clone(&amazon.named);
    let tries = std::sync::atomic::AtomicUsize::new(0);
    amazon.api.answers(move |request| {
        let is_delete = operation(request) == "BatchDeleteImage";
        if is_delete && tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 {
            return fault("ThrottlingException");
        }
        answer(&registry.registry, request)
    });
    let found = delete(&amazon.client(), &image(1), &[]).await;
    assert_eq!(found, Ok(Deletion::Deleted));
    let requests = amazon.named.registry.requests();
    let looks = requests.iter().filter(|one| one.method == "HEAD").count();
    assert_eq!(looks, 4, "one first, and one before each of three tries");
}

#[tokio::test]
async fn without_the_lease_nothing_is_deleted_and_nothing_made() {
    let amazon = Amazon::start();
    amazon.load("v1", 1);
    let pool = Pool::builder("transship/test")
        .write_guard(Arc::new(|| false))
        .build();
    let client = pool
        .client(&ECR.parse().unwrap(), &amazon.settings())
        .unwrap();
    let (kind, _) = delete(&client, &image(1), &[]).await.unwrap_err();
    assert_eq!(kind, Kind::Interrupted);
    assert!(amazon.calls().is_empty());
}

fn creation() -> Creation {
    Creation {
        tags: [("team".to_owned(), "a".to_owned())].into(),
        immutable_tags: true,
        scan_on_push: true,
        encryption: Some(Encryption {
            kind: "KMS".to_owned(),
            key: Some("alias/mirror".to_owned()),
        }),
        lifecycle_policy: Some("{\"rules\": []}".to_owned()),
    }
}

async fn start_upload(client: &Client, repository: &str, seed: u64) -> Result<(), Kind> {
    let repository = repository.parse().unwrap();
    let started = client
        .start_upload(&repository, &digest(&image(seed)), None)
        .await;
    match started {
        Ok(Upload::Session(_) | Upload::Mounted) => Ok(()),
        Err(error) => Err(error.kind()),
    }
}

#[tokio::test]
async fn a_missing_repository_is_made_once_before_the_first_push() {
    let amazon = Amazon::start();
    let settings = Settings {
        creation: Some(Arc::new(creation())),
        ..amazon.settings()
    };
    let client = amazon.client_with(&settings);
    let starts = (0..8).map(|seed| start_upload(&client, "team/new", seed));
    let started = futures::future::join_all(starts).await;
    assert_eq!(started, vec![Ok(()); 8]);
    assert_eq!(
        amazon.calls(),
        [
            (
                "CreateRepository".to_owned(),
                json!({
                    "repositoryName": "team/new",
                    "registryId": "123456789012",
                    "tags": [{"Key": "team", "Value": "a"}],
                    "imageTagMutability": "IMMUTABLE",
                    "imageScanningConfiguration": {"scanOnPush": true},
                    "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/mirror"},
                })
            ),
            (
                "PutLifecyclePolicy".to_owned(),
                json!({
                    "repositoryName": "team/new",
                    "registryId": "123456789012",
                    "lifecyclePolicyText": "{\"rules\": []}",
                })
            ),
        ]
    );
}

#[tokio::test]
async fn a_policy_that_could_not_be_set_at_once_is_set_by_the_next_try() {
    let amazon = Amazon::start();
    let registry = Arc::clone(&amazon.named);
    let tries = std::sync::atomic::AtomicUsize::new(0);
    amazon.api.answers(move |request| {
        let is_policy = operation(request) == "PutLifecyclePolicy";
        if is_policy && tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            return fault("ThrottlingException");
        }
        answer(&registry.registry, request)
    });
    let settings = Settings {
        creation: Some(Arc::new(creation())),
        ..amazon.settings()
    };
    let client = amazon.client_with(&settings);
    assert_eq!(start_upload(&client, "team/new", 1).await, Ok(()));
    let calls: Vec<String> = amazon.calls().into_iter().map(|(name, _)| name).collect();
    let [made, ruled] = ["CreateRepository", "PutLifecyclePolicy"];
    assert_eq!(calls, [made, ruled, made, ruled]);
}

#[tokio::test]
async fn one_that_somebody_deletes_is_made_again() {
    let amazon = Amazon::start();
    let settings = Settings {
        creation: Some(Arc::default()),
        ..amazon.settings()
    };
    let client = amazon.client_with(&settings);
    for round in 1..4 {
        assert_eq!(start_upload(&client, "team/new", round).await, Ok(()));
        assert_eq!(start_upload(&client, "team/new", round).await, Ok(()));
        let made = amazon.calls().len();
        assert_eq!(u64::try_from(made), Ok(round), "made once each time");
        amazon.named.registry.lose_repository("team/new");
    }
}

#[tokio::test]
async fn without_being_told_nothing_is_made_and_the_repository_is_told_to_be_missing() {
    let amazon = Amazon::start();
    let found = start_upload(&amazon.client(), "team/new", 1).await;
    assert_eq!(found, Err(Kind::RepositoryMissing));
    assert!(amazon.calls().is_empty());
    assert!(amazon.named.registry.repositories().is_empty());
}

#[tokio::test]
async fn one_that_somebody_else_makes_meanwhile_is_as_good() {
    let amazon = Amazon::start();
    let registry = Arc::clone(&amazon.named);
    amazon.api.answers(move |request| {
        if operation(request) == "CreateRepository" {
            registry.registry.make_repository("team/new");
        }
        answer(&registry.registry, request)
    });
    let settings = Settings {
        creation: Some(Arc::new(creation())),
        ..amazon.settings()
    };
    let client = amazon.client_with(&settings);
    assert_eq!(start_upload(&client, "team/new", 1).await, Ok(()));
    let calls: Vec<String> = amazon.calls().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        calls,
        ["CreateRepository"],
        "its policy is that of whoever made it"
    );
}

#[tokio::test]
async fn what_keeps_a_repository_from_being_made_is_told() {
    let cases = [
        ("AccessDeniedException", Kind::AccessDenied),
        ("LimitExceededException", Kind::Rejected),
        ("InvalidParameterException", Kind::Rejected),
    ];
    for (kind, expected) in cases {
        let amazon = Amazon::start();
        let registry = Arc::clone(&amazon.named);
        amazon
            .api
            .answers(move |request| match operation(request).as_str() {
                "CreateRepository" => fault(kind),
                _ => answer(&registry.registry, request),
            });
        let settings = Settings {
            creation: Some(Arc::default()),
            ..amazon.settings()
        };
        let client = amazon.client_with(&settings);
        assert_eq!(
            start_upload(&client, "team/new", 1).await,
            Err(expected),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn repositories_are_listed_page_by_page() {
    let amazon = Amazon::start();
    for number in 0..5 {
        amazon
            .named
            .registry
            .make_repository(&format!("team/app{number}"));
    }
    let listed = amazon.client().list_repositories().await.unwrap();
    assert_eq!(listed.len(), 5);
    let tokens: Vec<Value> = amazon
        .calls()
        .iter()
        .map(|(_, body)| body["nextToken"].clone())
        .collect();
    assert_eq!(tokens, [Value::Null, json!("2"), json!("4")]);
}

#[tokio::test]
async fn a_token_that_comes_again_ends_the_list() {
    let amazon = Amazon::start();
    amazon.api.answers(|_| {
        Reply::json(
            200,
            &json!({"repositories": [{"repositoryName": "a"}], "nextToken": "x"}),
        )
    });
    let error = amazon.client().list_repositories().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().contains("have no end"), "{error}");
}

/// A mirror of `app` at `source.test` to `team/app`, with more fields of its destination.
pub(super) fn mirror_of(tags: &str, more: &str) -> String {
    format!(
        "apiVersion: transship.dev/v1alpha1
kind: ImageMirror
metadata: {{name: m}}
spec:
  source: {{registry: source.test}}
  images: [{{repository: app, tags: ['{tags}']}}]
  destinations: [{{name: d, registry: {ECR}, repository: team/app, provider: AWS{more}}}]
  prune: {{mode: Delete, grace: 1ms, inUse: Ignore, maxPercent: 100}}
"
    )
}

/// The mirror, as the program runs it.
async fn run(
    named: &NamedRegistry,
    api: &Cloud,
    spec: (&str, &str),
    arguments: &[&str],
) -> Finished {
    let (tags, more) = spec;
    named.write("mirror.yaml", &mirror_of(tags, more));
    let end = ["-f", "mirror.yaml", "--state", "state.json", "-o", "json"];
    let program = named
        .transship(&[arguments, &end].concat())
        .environment("AWS_ACCESS_KEY_ID", "AKID")
        .environment("AWS_SECRET_ACCESS_KEY", "canary-key")
        .environment("AWS_ENDPOINT_URL", api.url());
    let finished = program.run().await;
    let text = format!("{}{}", finished.stdout, finished.stderr);
    assert!(!text.contains("canary"), "{text}");
    finished
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_makes_its_repository_prunes_and_restores() {
    let options = FaultRegistry::options()
        .deleting_nothing()
        .wanting_repositories();
    let named = Arc::new(NamedRegistry::start_with(&["source.test", ECR], options));
    for (tag, seed) in [("keep", 1), ("drop", 2)] {
        named.registry.load("app", tag, &image(seed));
    }
    let shared = Arc::clone(&named);
    let api = Cloud::start(move |request| answer(&shared.registry, request));
    let tags = || named.registry.tags("team/app");
    let missing = run(&named, &api, ("*", ""), &["sync"]).await;
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.stdout.contains("RepositoryMissing"),
        "{}",
        missing.stdout
    );
    assert!(tags().is_empty());

    let create = ", createRepository: {}";
    run(&named, &api, ("*", create), &["sync"])
        .await
        .assert_success();
    assert_eq!(tags(), ["drop", "keep"]);
    for _ in 0..2 {
        run(&named, &api, ("keep", create), &["prune", "--delete"]).await;
    }
    assert_eq!(tags(), ["keep"]);
    let digest = image(2).digest().to_owned();
    let is_there = || named.registry.manifest("team/app", &digest).is_some();
    assert!(
        !is_there(),
        "an image goes with its last tag, and is not pushed again"
    );

    run(&named, &api, ("keep", create), &["restore", "--all"])
        .await
        .assert_success();
    assert_eq!(tags(), ["drop", "keep"]);
    let requests = api.requests();
    let count = |name: &str| requests.iter().filter(|one| operation(one) == name).count();
    assert_eq!(count("CreateRepository"), 1);
    assert_eq!(count("BatchDeleteImage"), 1);
}
