// SPDX-License-Identifier: Apache-2.0

//! Managers of artifacts of every kind.

use serde_json::Value;

use crate::events::hint::{Said, text, time};

/// Nexus: a component of a Docker repository that came or changed.
/// <https://help.sonatype.com/en/example-headers-and-payloads.html>
pub(super) fn nexus(event: &Value) -> Vec<Said> {
    let read = || {
        let is_push = matches!(text(event, "/action")?, "CREATED" | "UPDATED")
            && text(event, "/component/format")? == "docker";
        if !is_push {
            return None;
        }
        let tag = text(event, "/component/version").filter(|tag| !tag.is_empty());
        let said = Said::of_parts(None, text(event, "/component/name")?, tag);
        Some(said.at(time(event.get("timestamp"))))
    };
    read().into_iter().collect()
}

/// Artifactory: a tag that was pushed or promoted. The repository is that of the image alone, or stands behind the
/// key of Artifactory's own repository, as the registry is set up.
/// <https://jfrog.com/help/r/jfrog-platform-administration-documentation/domain-docker>
pub(super) fn artifactory(event: &Value) -> Vec<Said> {
    let read = || {
        let is_push = text(event, "/domain")? == "docker"
            && matches!(text(event, "/event_type")?, "pushed" | "promoted");
        if !is_push {
            return None;
        }
        let image = text(event, "/data/image_name")?;
        let tag = text(event, "/data/tag").filter(|tag| !tag.is_empty())?;
        let below = text(event, "/data/repo_key").map(|key| format!("{key}/{image}"));
        let names = std::iter::once(image.to_owned()).chain(below);
        Some(
            names
                .map(move |name| Said::of_parts(None, &name, Some(tag)))
                .collect(),
        )
    };
    read().unwrap_or_default()
}
