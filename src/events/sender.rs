// SPDX-License-Identifier: Apache-2.0

//! The spec of a receiver, checked.

use crate::api::image_receiver::{GenericEvent, OidcProof};
use crate::api::{ImageReceiver, Reason, SenderType};
use crate::oci::Registry;
use crate::plan::InvalidField;

/// Who sends events to a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The type.
    pub kind: SenderType,
    /// The registry that events are of, whatever they say.
    pub registry: Option<Registry>,
    /// Where things stand in what it sends, where that is any JSON.
    pub generic: Option<GenericEvent>,
    /// What a token of Google has to say, where one has to be there.
    pub oidc: Option<OidcProof>,
}

impl Sender {
    /// Checks the spec of a receiver, or says everything that is wrong.
    pub fn of(receiver: &ImageReceiver) -> Result<Self, Vec<InvalidField>> {
        let spec = &receiver.spec;
        let mut invalid = Vec::new();
        let mut refuse = |path: &str, message: String| {
            invalid.push(InvalidField {
                path: path.to_owned(),
                message,
                reason: Reason::InvalidSpec,
            });
        };
        let mut registry = None;
        match spec.registry.as_deref().map(str::parse) {
            Some(Ok(named)) => registry = Some(named),
            Some(Err(error)) => refuse("spec.registry", format!("{error}")),
            None => {}
        }
        let is_generic = spec.sender == SenderType::Generic;
        if is_generic != spec.generic.is_some() {
            let message = "is needed with type: Generic, and only there";
            refuse("spec.generic", message.to_owned());
        }
        if spec.oidc.is_some() && spec.sender != SenderType::Gar {
            let message = "is only used with type: GAR: others send no tokens of Google";
            refuse("spec.oidc", message.to_owned());
        }
        let told = spec.generic.as_ref();
        let tells_registry = told.is_some_and(|told| told.registry.is_some());
        if spec.registry.is_none() && is_silent(spec.sender) && !tells_registry {
            let message = "is needed: events of this type do not say which registry they are of";
            refuse("spec.registry", message.to_owned());
        }
        if invalid.is_empty() {
            Ok(Self {
                kind: spec.sender,
                registry,
                generic: spec.generic.clone(),
                oidc: spec.oidc.clone(),
            })
        } else {
            Err(invalid)
        }
    }
}

/// Whether events of a type do not say which registry they are of.
fn is_silent(kind: SenderType) -> bool {
    match kind {
        SenderType::Zot | SenderType::Nexus | SenderType::Artifactory | SenderType::Generic => true,
        SenderType::DockerHub
        | SenderType::Ghcr
        | SenderType::Harbor
        | SenderType::Quay
        | SenderType::Acr
        | SenderType::Gar
        | SenderType::Ecr
        | SenderType::Gitea
        | SenderType::Distribution => false,
    }
}
