// SPDX-License-Identifier: Apache-2.0

//! Which registries a receiver may tell of, by what is known before any event comes.

use crate::api::{ImageReceiverSpec, SenderType};
use crate::oci::{CloudRegistry, Registry};

/// The host of GitHub's registry.
const GHCR: &str = "ghcr.io";

/// Whether events of a receiver may be about this registry: the one that it names, or one that its sender has.
pub fn may_tell_of(receiver: &ImageReceiverSpec, registry: &Registry) -> bool {
    let named = receiver.registry.as_deref();
    if let Some(named) = named {
        let named: Result<Registry, _> = named.parse();
        return named.is_ok_and(|named| registry.may_be(&named));
    }
    let home = Home::of(registry);
    match receiver.sender {
        SenderType::DockerHub => home == Home::DockerHub,
        // GitHub has a registry of its own in the house of an enterprise, too.
        SenderType::Ghcr => matches!(home, Home::Ghcr | Home::Own),
        SenderType::Quay => matches!(home, Home::Quay | Home::Own),
        SenderType::Acr => home == Home::Azure,
        SenderType::Gar => home == Home::Google,
        SenderType::Ecr => home == Home::Amazon,
        SenderType::Harbor
        | SenderType::Gitea
        | SenderType::Distribution
        | SenderType::Zot
        | SenderType::Nexus
        | SenderType::Artifactory => home == Home::Own,
        SenderType::Generic => true,
    }
}

/// Whose a registry is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    DockerHub,
    Ghcr,
    Quay,
    Azure,
    Google,
    Amazon,
    /// Of whom, its operators know.
    Own,
}

// === impl Home ===

impl Home {
    fn of(registry: &Registry) -> Self {
        if registry.may_be(&Registry::docker_hub()) {
            return Self::DockerHub;
        }
        match CloudRegistry::of(registry) {
            Some(CloudRegistry::Ecr(_) | CloudRegistry::EcrPublic) => Self::Amazon,
            Some(CloudRegistry::Google) => Self::Google,
            Some(CloudRegistry::Azure(_)) => Self::Azure,
            Some(CloudRegistry::Quay) => Self::Quay,
            None if registry.host() == GHCR => Self::Ghcr,
            None => Self::Own,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_receiver_tells_of_the_registries_of_its_sender() {
        let hosts = [
            "docker.io",
            "ghcr.io",
            "quay.io",
            "acme.azurecr.io",
            "europe-docker.pkg.dev",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "registry.example.com",
        ];
        for (sender, named, expected) in [
            ("DockerHub", None, &hosts[..1]),
            ("GHCR", None, &["ghcr.io", "registry.example.com"]),
            ("Quay", None, &["quay.io", "registry.example.com"]),
            ("ACR", None, &hosts[3..4]),
            ("GAR", None, &hosts[4..5]),
            ("ECR", None, &hosts[5..6]),
            ("Harbor", None, &hosts[6..]),
            ("Zot", Some("registry.example.com:443"), &hosts[6..]),
            ("Harbor", Some("index.docker.io"), &hosts[..1]),
            ("Generic", None, &hosts[..]),
        ] {
            let receiver: ImageReceiverSpec =
                serde_json::from_value(json!({"type": sender, "registry": named})).unwrap();
            let told = hosts.into_iter();
            let told = told.filter(|host| may_tell_of(&receiver, &host.parse().unwrap()));
            assert_eq!(told.collect::<Vec<_>>(), expected, "{sender}");
        }
    }
}
