// SPDX-License-Identifier: Apache-2.0

//! Forges with a registry beside the code. GitLab's tells of packages nothing; its registry is a distribution, and
//! sends as one where its administrator says so.

use serde_json::Value;

use crate::events::hint::{Said, text, time};

/// GitHub: the event `package`, or `registry_package` as it was called, for a container.
/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#package>
pub(super) fn ghcr(event: &Value) -> Vec<Said> {
    let read = || {
        if !matches!(text(event, "/action")?, "published" | "updated") {
            return None;
        }
        let package = event
            .get("package")
            .or_else(|| event.get("registry_package"))?;
        let kind = text(package, "/package_type").or_else(|| text(package, "/ecosystem"))?;
        if !kind.eq_ignore_ascii_case("container") && !kind.eq_ignore_ascii_case("docker") {
            return None;
        }
        let version = package.get("package_version")?;
        // An untagged image has a colon at its end, or a digest.
        let image = Said::of_image(text(version, "/package_url")?.trim_end_matches(':'));
        let named = text(version, "/container_metadata/tag/name").map(str::to_owned);
        let tag = named.filter(|tag| !tag.is_empty()).or(image.tag.clone())?;
        let pushed = version
            .get("updated_at")
            .or_else(|| version.get("created_at"));
        let said = Said {
            tag: Some(tag),
            // Repositories are lower case, owners need not be.
            repository: image.repository.map(|repository| repository.to_lowercase()),
            ..image
        };
        Some(said.at(time(pushed)))
    };
    read().into_iter().collect()
}

/// Gitea and Forgejo: the event `package`, whose version is the tag of a container.
/// <https://docs.gitea.com/usage/packages/container>
pub(super) fn gitea(event: &Value) -> Vec<Said> {
    let read = || {
        let package = event.get("package")?;
        if text(event, "/action")? != "created" || text(package, "/type")? != "container" {
            return None;
        }
        let owner = text(package, "/owner/login").or_else(|| text(package, "/owner/username"))?;
        let repository = format!("{owner}/{}", text(package, "/name")?).to_lowercase();
        let host = host_of(text(package, "/html_url")?)?;
        // Parts of an image have their digest for a version.
        let tag = text(package, "/version").filter(|version| !version.contains(':'))?;
        let said = Said::of_parts(Some(host), &repository, Some(tag));
        Some(said.at(time(package.get("created_at"))))
    };
    read().into_iter().collect()
}

/// The host of a URL, with its port.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}
