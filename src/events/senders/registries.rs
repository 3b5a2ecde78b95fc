// SPDX-License-Identifier: Apache-2.0

//! Registries that send by themselves.

use serde_json::Value;

use crate::events::Delivery;
use crate::events::hint::{Said, items, text, time};
use crate::oci::Registry;

/// Docker Hub: one push. Its `callback_url` is not called: it could be anybody's.
/// <https://docs.docker.com/docker-hub/repos/manage/webhooks/#example-webhook-payload>
pub(super) fn docker_hub(event: &Value) -> Vec<Said> {
    let hub = Registry::docker_hub();
    let said = text(event, "/repository/repo_name").map(|repository| {
        let tag = text(event, "/push_data/tag");
        let said = Said::of_parts(Some(hub.as_str()), repository, tag);
        said.at(time(event.pointer("/push_data/pushed_at")))
    });
    said.into_iter().collect()
}

/// Quay: a repository with the tags that were updated, a list, and a map of them before version 3.
/// <https://docs.redhat.com/en/documentation/red_hat_quay/3/html/use_red_hat_quay/repository-notifications>
pub(super) fn quay(event: &Value) -> Vec<Said> {
    let Some(image) = text(event, "/docker_url") else {
        return Vec::new();
    };
    let of_tag = |tag: &str| Said {
        tag: Some(tag.to_owned()),
        ..Said::of_image(image)
    };
    match event.get("updated_tags") {
        Some(Value::Array(_)) => items(event, "/updated_tags")
            .filter_map(Value::as_str)
            .map(of_tag)
            .collect(),
        Some(Value::Object(tags)) => tags.keys().map(|tag| of_tag(tag)).collect(),
        Some(_) | None => Vec::new(),
    }
}

/// Harbor, in its own format and as a `CloudEvent`: the artifacts that were pushed.
/// <https://goharbor.io/docs/2.12.0/working-with-projects/project-configuration/configure-webhooks/>
pub(super) fn harbor(event: &Value) -> Vec<Said> {
    let (data, pushed) = match text(event, "/type") {
        Some("PUSH_ARTIFACT") => (event.get("event_data"), event.get("occur_at")),
        Some("harbor.artifact.pushed") => (event.get("data"), event.get("time")),
        Some(_) | None => return Vec::new(),
    };
    let Some(data) = data else {
        return Vec::new();
    };
    let of_artifact = |artifact: &Value| {
        let image = Said::of_image(text(artifact, "/resource_url")?);
        let tag = text(artifact, "/tag").map(str::to_owned);
        // Untagged ones are parts of others.
        let tag = tag.filter(|tag| !tag.is_empty()).or(image.tag.clone())?;
        let said = Said {
            tag: Some(tag),
            ..image
        };
        Some(said.at(time(pushed)))
    };
    items(data, "/resources").filter_map(of_artifact).collect()
}

/// Distribution: blobs and manifests, pulled, pushed, mounted and deleted. Only what is pushed by a tag is news.
/// <https://distribution.github.io/distribution/about/notifications/#envelope>
pub(super) fn distribution(event: &Value) -> Vec<Said> {
    let of_event = |event: &Value| {
        if text(event, "/action")? != "push" {
            return None;
        }
        let repository = text(event, "/target/repository")?;
        let tag = Some(text(event, "/target/tag")?);
        let said = Said::of_parts(text(event, "/request/host"), repository, tag);
        Some(said.at(time(event.get("timestamp"))))
    };
    items(event, "/events").filter_map(of_event).collect()
}

/// zot: a `CloudEvent`, whose type stands in a header or in the body. Its prefix is the operator's.
/// <https://zotregistry.dev/v2.1.21/articles/events/>
pub(super) fn zot(delivery: &Delivery<'_>, event: &Value) -> Vec<Said> {
    let (kind, data, pushed) = match (delivery.header)("ce-type") {
        Some(kind) => {
            let pushed = (delivery.header)("ce-time").and_then(|time| time.parse().ok());
            (Some(kind), Some(event), pushed)
        }
        None => (
            text(event, "/type"),
            event.get("data"),
            time(event.get("time")),
        ),
    };
    let is_update = kind.is_some_and(|kind| kind.ends_with(".image.updated"));
    let said = data.filter(|_| is_update).and_then(|data| {
        let reference = text(data, "/reference")?;
        // A push by digest: its tag comes in an event of its own.
        let tag = Some(reference).filter(|reference| !reference.contains(':'))?;
        Some(Said::of_parts(None, text(data, "/name")?, Some(tag)).at(pushed))
    });
    said.into_iter().collect()
}
