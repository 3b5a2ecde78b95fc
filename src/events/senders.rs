// SPDX-License-Identifier: Apache-2.0

//! What each sender says. A format that is not understood, or an event of another thing than a push, says nothing.

mod clouds;
mod forges;
mod generic;
mod managers;
mod registries;

use serde_json::Value;

use super::Delivery;
use super::hint::Said;
use super::sender::Sender;
use crate::api::SenderType;

/// What an event says was pushed.
pub(super) fn read(sender: &Sender, delivery: &Delivery<'_>, event: &Value) -> Vec<Said> {
    match sender.kind {
        SenderType::DockerHub => registries::docker_hub(event),
        SenderType::Quay => registries::quay(event),
        SenderType::Harbor => registries::harbor(event),
        SenderType::Distribution => registries::distribution(event),
        SenderType::Zot => registries::zot(delivery, event),
        SenderType::Acr => clouds::acr(event),
        SenderType::Gar => clouds::gar(event),
        SenderType::Ecr => clouds::ecr(event),
        SenderType::Ghcr => forges::ghcr(event),
        SenderType::Gitea => forges::gitea(event),
        SenderType::Nexus => managers::nexus(event),
        SenderType::Artifactory => managers::artifactory(event),
        SenderType::Generic => sender
            .generic
            .as_ref()
            .map_or_else(Vec::new, |places| generic::generic(places, event)),
    }
}
