// SPDX-License-Identifier: Apache-2.0

//! Reconciles an `ImageReceiver`: is it valid, which token does it have, and at which path does it listen.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::core::PartialObjectMetaExt;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use secrecy::{ExposeSecret as _, SecretString};

use super::cluster::WriteError;
use super::context::{Context, Shared};
use super::hooks::Door;
use super::secrets::{SecretError, read_one};
use super::watch::Look;
use crate::api::image_receiver::ImageReceiverStatus;
use crate::api::{ImageReceiver, Reason};
use crate::events::Sender;
use crate::events::path::TOKEN_LENGTH;
use crate::events::receiver_status::{Reception, receiver_status};
use crate::runtime::clock;

/// The kind of receivers, in metrics.
const RECEIVER: &str = "ImageReceiver";
/// The key of the token in its Secret.
const TOKEN_KEY: &str = "token";
/// Time until the Secret is read anew: nothing tells when it changes.
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);
/// What is said where nobody listens.
const NOT_LISTENING: &str =
    "the controller takes no events: set events.enabled of the Helm chart (--events-address)";

/// Follows receivers: nothing is said of their paths before they were looked at.
pub(super) struct ReceiverLook(pub(super) Arc<Shared>);

impl Look<ImageReceiver> for ReceiverLook {
    fn observe(&self, receiver: &ImageReceiver, _: Option<&ImageReceiver>) {
        self.0.doors.expect(&full_name(receiver));
    }

    fn remove(&self, receiver: &ImageReceiver) {
        forget(receiver, &self.0);
    }
}

/// Opens the door of a receiver, or closes it, and says so.
pub(super) async fn reconcile(
    object: &ImageReceiver,
    context: &Context,
) -> Result<Action, WriteError> {
    let shared = &*context.shared;
    let name = full_name(object);
    let (reception, door) = match open(object, shared).await {
        Ok(door) if door.is_suspended => (Reception::Suspended, Some(door)),
        Ok(door) => (Reception::Open(String::new()), Some(door)),
        Err(reception) => (reception, None),
    };
    let path = shared.doors.place(&name, door);
    let reception = match (reception, path) {
        (Reception::Open(_), Some(path)) => Reception::Open(path),
        (reception, _) => reception,
    };
    let previous = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let status = receiver_status(&previous, generation, &reception, clock::now());
    tell_ready(object, &status, shared);
    // It may have gone while its Secret was read: then the watch has told so already, and tells it no more.
    if forget_if_gone(object, context) {
        return Ok(Action::await_change());
    }
    if status != previous {
        shared.cluster.write_status(object, &status).await?;
    }
    Ok(match reception {
        Reception::Invalid(_) => Action::await_change(),
        Reception::Open(_) | Reception::Suspended | Reception::Waiting { .. } => {
            Action::requeue(LOOK_AGAIN)
        }
    })
}

/// Forgets a receiver that the API server has no more. Another one of its name is looked at next.
fn forget_if_gone(object: &ImageReceiver, context: &Context) -> bool {
    let namespace = object.namespace().unwrap_or_default();
    let name = ObjectRef::new(&object.name_any()).within(&namespace);
    let current = context.receivers.get(&name);
    if current
        .as_ref()
        .is_some_and(|current| current.uid() == object.uid())
    {
        return false;
    }
    forget(object, &context.shared);
    if current.is_some() {
        context.shared.doors.expect(&full_name(object));
    }
    true
}

fn forget(receiver: &ImageReceiver, shared: &Shared) {
    shared.doors.forget(&full_name(receiver));
    let namespace = receiver.namespace().unwrap_or_default();
    let name = receiver.name_any();
    shared.metrics.forget(RECEIVER, &namespace, &name);
}

fn tell_ready(object: &ImageReceiver, status: &ImageReceiverStatus, shared: &Shared) {
    shared.metrics.observe_ready(
        RECEIVER,
        &object.namespace().unwrap_or_default(),
        &object.name_any(),
        &status.conditions,
        object.spec.suspend,
    );
}

/// Says that an object cannot be understood, such as one of a newer version.
pub(super) async fn refuse(object: &InvalidObject, shared: &Shared) -> Result<Action, WriteError> {
    let metadata = object.metadata.clone();
    let metadata = metadata.into_request_partial::<ImageReceiver>();
    let namespace = metadata.namespace().unwrap_or_default();
    shared
        .doors
        .forget(&format!("{namespace}/{}", metadata.name_any()));
    let reception = Reception::Invalid(format!(
        "this version of transship does not understand it: {}",
        object.error
    ));
    let generation = object.metadata.generation.unwrap_or_default();
    // Nothing is known of what was written before: the same object must give the same status.
    let time = metadata.creation_timestamp().map(|time| time.0);
    let status = receiver_status(
        &ImageReceiverStatus::default(),
        generation,
        &reception,
        time.unwrap_or_default(),
    );
    shared.cluster.write_status(&metadata, &status).await?;
    Ok(Action::await_change())
}

/// The door of a receiver, or why it has none.
async fn open(object: &ImageReceiver, shared: &Shared) -> Result<Door, Reception> {
    let sender = Sender::of(object).map_err(|invalid| {
        let messages: Vec<String> = invalid.iter().map(ToString::to_string).collect();
        Reception::Invalid(messages.join("; "))
    })?;
    if !shared.doors.is_listening() {
        return Err(Reception::Waiting {
            reason: Reason::DependencyNotReady,
            message: NOT_LISTENING.to_owned(),
        });
    }
    let namespace = object.namespace().unwrap_or_default();
    let token = read_token(object, &namespace, shared).await?;
    Ok(Door::new(
        (namespace, object.name_any()),
        sender,
        token,
        object.spec.suspend,
    ))
}

async fn read_token(
    object: &ImageReceiver,
    namespace: &str,
    shared: &Shared,
) -> Result<SecretString, Reception> {
    let waiting = |reason, message: String| Reception::Waiting {
        reason,
        message: format!("spec.secretRef.name: {message}"),
    };
    let name = &object.spec.secret_ref.name;
    let secret = read_one(&shared.client, namespace, name).await;
    let secret = secret.map_err(|error: SecretError| waiting(error.reason(), error.to_string()))?;
    let token = secret
        .required_text(TOKEN_KEY)
        .map_err(|error| waiting(Reason::DependencyNotReady, error.to_string()))?;
    // One that was made with echo ends in a line break, which no sender sends.
    let token = SecretString::from(token.expose_secret().trim_end_matches(['\r', '\n']));
    if token.expose_secret().chars().count() < TOKEN_LENGTH {
        let message = format!(
            "{TOKEN_KEY} of secret {:?} has fewer than {TOKEN_LENGTH} characters, and could be guessed",
            name.as_str()
        );
        return Err(waiting(Reason::DependencyNotReady, message));
    }
    Ok(token)
}

/// `namespace/name`
fn full_name(receiver: &ImageReceiver) -> String {
    let namespace = receiver.namespace().unwrap_or_default();
    format!("{namespace}/{}", receiver.name_any())
}
