// SPDX-License-Identifier: Apache-2.0

//! The spec of a receiver, checked.

use crate::api::image_receiver::{EventQueue, GenericEvent, OidcProof};
use crate::api::{ImageReceiver, ObjectName, Reason, SenderType};
use crate::oci::Registry;
use crate::oci::clouds::{Queue, SqsQueue, Subscription};
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
    /// The queue that events are taken from, where nobody sends them.
    pub pull: Option<Pull>,
}

/// A queue, and who takes what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// The queue.
    pub queue: Queue,
    /// The ServiceAccount of the namespace that takes it; the controller itself where there is none.
    pub service_account: Option<ObjectName>,
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
        if spec.secret_ref.is_some() == spec.pull.is_some() {
            let message =
                "is needed, but with pull, where nothing is sent that a token could prove";
            refuse("spec.secretRef", message.to_owned());
        }
        let pull = spec.pull.as_ref().map(|written| pull(spec.sender, written));
        let pull = match pull.transpose() {
            Ok(pull) => pull,
            Err((path, message)) => {
                refuse(path, message);
                None
            }
        };
        if spec.oidc.is_some() && spec.pull.is_some() {
            let message = "is not used with pull: nothing is pushed";
            refuse("spec.oidc", message.to_owned());
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
                pull,
            })
        } else {
            Err(invalid)
        }
    }
}

/// The queue of a receiver, or which field is wrong and why.
fn pull(kind: SenderType, written: &EventQueue) -> Result<Pull, (&'static str, String)> {
    let EventQueue {
        from,
        service_account_name,
    } = written;
    let queue = match kind {
        SenderType::Ecr => SqsQueue::parse(from).map(Queue::Sqs),
        SenderType::Gar => Subscription::parse(from).map(Queue::PubSub),
        SenderType::DockerHub
        | SenderType::Ghcr
        | SenderType::Harbor
        | SenderType::Quay
        | SenderType::Acr
        | SenderType::Gitea
        | SenderType::Distribution
        | SenderType::Zot
        | SenderType::Nexus
        | SenderType::Artifactory
        | SenderType::Generic => {
            let message = "is only used with type: ECR or GAR: events of others wait in no queue";
            return Err(("spec.pull", message.to_owned()));
        }
    };
    let queue = queue.map_err(|error| ("spec.pull.from", error.to_string()))?;
    Ok(Pull {
        queue,
        service_account: service_account_name.clone(),
    })
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
