// SPDX-License-Identifier: Apache-2.0

//! What ECR does by its own API with repositories and tags
//! (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/>): `BatchDeleteImage`, `CreateRepository`,
//! `PutLifecyclePolicy`, `DescribeRepositories`. The public registry has the first and the last alike.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Aws;
use super::ecr::Ecr;
use super::fault::{OF_IDENTITY, fault, refusal};
use crate::identity::answer::Answer;
use crate::identity::error::Error;
use crate::identity::http::Request;
use crate::identity::words::words;
use crate::oci::{Repository, Tag};
use crate::registry::{Creation, Encryption, Removed, RepositoryPage};

/// How many repositories a page has.
const PAGE: u32 = 100;
/// The longest page, in bytes: of a repository it has names, ARN, address and keys.
const PAGE_BYTES: usize = 1024 * 1024;
/// What ECR says of a repository that is there.
const EXISTS: &str = "RepositoryAlreadyExistsException";
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deleted {
    #[serde(default)]
    image_ids: Vec<Value>,
    #[serde(default)]
    failures: Vec<Failed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    #[serde(default)]
    failure_code: String,
    #[serde(default)]
    failure_reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    repositories: Vec<Described>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    repository_name: String,
}

// === impl Aws ===

impl Aws {
    /// Deletes a tag by its name.
    pub(super) async fn remove(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<Removed, Error> {
        let asked = ("BatchDeleteImage", "the deletion of a tag");
        let body = self.of(
            repository,
            json!({"imageIds": [{"imageTag": tag.as_str()}]}),
        );
        let answer = self
            .http
            .send_once(self.request(asked, &body).await?)
            .await?;
        match checked(&answer) {
            Ok(()) => removed(&answer),
            Err(Error::NoRepository { .. }) => Ok(Removed::Before),
            Err(error) => Err(self.principal.noticed(error)),
        }
    }

    /// Makes a repository, unless it is there.
    pub(super) async fn make(
        &self,
        repository: &Repository,
        creation: &Creation,
    ) -> Result<(), Error> {
        let asked = ("CreateRepository", "the creation of a repository");
        let body = self.of(repository, describe(creation));
        let answer = self
            .http
            .send_once(self.request(asked, &body).await?)
            .await?;
        let Some(policy) = &creation.lifecycle_policy else {
            return if is_fault(&answer, EXISTS) {
                Ok(())
            } else {
                checked(&answer).map_err(|error| self.principal.noticed(error))
            };
        };
        if is_fault(&answer, EXISTS) {
            // A try before made it, and came no further.
            if !self.unruled.has(repository) {
                return Ok(());
            }
        } else {
            checked(&answer).map_err(|error| self.principal.noticed(error))?;
            self.unruled.add(repository);
        }
        self.rule(repository, policy).await?;
        self.unruled.remove(repository);
        Ok(())
    }

    /// Sets the lifecycle policy of a repository that was made.
    async fn rule(&self, repository: &Repository, policy: &str) -> Result<(), Error> {
        let asked = (
            "PutLifecyclePolicy",
            "the lifecycle policy of the repository that was created",
        );
        let body = self.of(repository, json!({"lifecyclePolicyText": policy}));
        // Seldom does anybody come back to this: the repository is there now.
        let answer = self.http.send(self.request(asked, &body).await?).await?;
        checked(&answer)
    }

    /// A page of the repositories.
    pub(super) async fn page(&self, next: Option<&str>) -> Result<RepositoryPage, Error> {
        let asked = ("DescribeRepositories", "the list of its repositories");
        let mut body = json!({"maxResults": PAGE});
        if let Some(next) = next {
            body["nextToken"] = next.into();
        }
        if let Ecr::Private(host) = &self.registry {
            body["registryId"] = host.account.as_str().into();
        }
        let request = self.request(asked, &body).await?;
        let limit = PAGE_BYTES;
        let answer = self.http.send_once(Request { limit, ..request }).await?;
        checked(&answer).map_err(|error| self.principal.noticed(error))?;
        let Page {
            repositories,
            next_token,
        } = answer.json()?;
        let names = repositories.into_iter().map(|one| one.repository_name);
        Ok(RepositoryPage {
            names: names.collect(),
            next: next_token.filter(|token| !token.is_empty()),
        })
    }

    async fn request(&self, asked: (&str, &'static str), body: &Value) -> Result<Request, Error> {
        let keys = self.principal.keys().await?;
        let body = body.to_string();
        self.registry.call(&self.environment, &keys, asked, body)
    }

    /// A body with the repository that it is about, in the account of the registry.
    fn of(&self, repository: &Repository, mut body: Value) -> Value {
        body["repositoryName"] = repository.as_str().into();
        if let Ecr::Private(host) = &self.registry {
            body["registryId"] = host.account.as_str().into();
        }
        body
    }
}

/// What a repository is made like, in the words of `CreateRepository`.
fn describe(creation: &Creation) -> Value {
    let Creation {
        tags,
        immutable_tags,
        scan_on_push,
        encryption,
        lifecycle_policy: _,
    } = creation;
    let mutability = if *immutable_tags {
        "IMMUTABLE"
    } else {
        "MUTABLE"
    };
    let tags = tags.iter();
    let tags: Vec<Value> = tags
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    let mut body = json!({
        "imageTagMutability": mutability,
        "imageScanningConfiguration": {"scanOnPush": scan_on_push},
        "tags": tags,
    });
    if let Some(Encryption { kind, key }) = encryption {
        body["encryptionConfiguration"] = match key {
            Some(key) => json!({"encryptionType": kind, "kmsKey": key}),
            None => json!({"encryptionType": kind}),
        };
    }
    body
}

fn removed(answer: &Answer) -> Result<Removed, Error> {
    let Deleted {
        image_ids,
        failures,
    } = answer.json()?;
    let Some(Failed {
        failure_code,
        failure_reason,
    }) = failures.into_iter().next()
    else {
        return if image_ids.is_empty() {
            Err(answer.wrong("it names neither what was deleted nor why it was not"))
        } else {
            Ok(Removed::Now)
        };
    };
    match failure_code.as_str() {
        "ImageNotFound" => Ok(Removed::Before),
        "ImageReferencedByManifestList" => Ok(Removed::Needed),
        _ => Err(rejected(answer, &failure_code, &failure_reason)),
    }
}

fn is_fault(answer: &Answer, name: &str) -> bool {
    !answer.status.is_success() && fault(answer).is_some_and(|(kind, _)| kind == name)
}

/// Whether it was done.
fn checked(answer: &Answer) -> Result<(), Error> {
    if answer.status.is_success() {
        return Ok(());
    }
    match (refusal(answer), fault(answer)) {
        (Error::Refused { server, asked, .. }, Some((kind, _)))
            if kind == "RepositoryNotFoundException" =>
        {
            Err(Error::NoRepository { server, asked })
        }
        (
            Error::Refused {
                is_known: false, ..
            },
            Some((kind, message)),
        ) if !OF_IDENTITY.contains(&kind.as_str()) => Err(rejected(answer, &kind, &message)),
        (error, _) => Err(error),
    }
}

fn rejected(answer: &Answer, kind: &str, message: &str) -> Error {
    Error::Rejected {
        server: answer.server.clone(),
        asked: answer.asked,
        said: words(&format!("{kind}: {message}"), &answer.hidden).unwrap_or_default(),
    }
}
