// SPDX-License-Identifier: Apache-2.0

//! Registries of the clouds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::events::body;
use crate::events::hint::{Said, text, time};
use crate::oci::clouds::Partition;

/// Azure Container Registry: the form of distribution, one event each. A `ping` says nothing.
/// <https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference>
pub(super) fn acr(event: &Value) -> Vec<Said> {
    let read = || {
        if text(event, "/action")? != "push" {
            return None;
        }
        let tag = Some(text(event, "/target/tag")?);
        let repository = text(event, "/target/repository")?;
        let said = Said::of_parts(text(event, "/request/host"), repository, tag);
        Some(said.at(time(event.get("timestamp"))))
    };
    read().into_iter().collect()
}

/// Artifact Registry: a message of Pub/Sub, pushed, with the event inside.
/// <https://cloud.google.com/artifact-registry/docs/configure-notifications>
pub(super) fn gar(event: &Value) -> Vec<Said> {
    let read = || {
        let data = STANDARD.decode(text(event, "/message/data")?).ok()?;
        let inner = body::parse(&data).ok()?;
        if text(&inner, "/action")? != "INSERT" {
            return None;
        }
        // One that only has a digest was pushed without a tag.
        let said = Said::of_image(text(&inner, "/tag")?);
        Some(said.at(time(event.pointer("/message/publishTime"))))
    };
    read().into_iter().collect()
}

/// Amazon ECR: an event of `EventBridge`, or one that came by a topic of SNS and is the text of its message.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>
pub(super) fn ecr(event: &Value) -> Vec<Said> {
    let inner = match text(event, "/Type") {
        Some("Notification") => text(event, "/Message"),
        Some(_) | None => None,
    };
    let inner = inner.and_then(|inner| body::parse(inner.as_bytes()).ok());
    let event = inner.as_ref().unwrap_or(event);
    let read = || {
        let is_push = text(event, "/source")? == "aws.ecr"
            && text(event, "/detail-type")? == "ECR Image Action"
            && text(event, "/detail/action-type")? == "PUSH"
            && text(event, "/detail/result")? == "SUCCESS";
        if !is_push {
            return None;
        }
        let (account, region) = (text(event, "/account")?, text(event, "/region")?);
        let suffix = Partition::of(region)?.suffix();
        let registry = format!("{account}.dkr.ecr.{region}.{suffix}");
        let tag = text(event, "/detail/image-tag").filter(|tag| !tag.is_empty())?;
        let repository = text(event, "/detail/repository-name")?;
        let said = Said::of_parts(Some(&registry), repository, Some(tag));
        Some(said.at(time(event.get("time"))))
    };
    read().into_iter().collect()
}
