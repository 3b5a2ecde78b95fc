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
use super::pulls::Work;
use super::secrets::{SecretError, read_one};
use super::watch::Look;
use crate::api::image_receiver::ImageReceiverStatus;
use crate::api::{ImageReceiver, ObjectName, Reason};
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
/// The same for whoever may take the messages of a queue: some may have been granted meanwhile.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// What is said where nobody listens.
const NOT_LISTENING: &str =
    "the controller takes no events: set events.enabled of the Helm chart (--events-address)";

/// What is said where several processes share the work: an event would have to reach the one that works on the mirror.
const SHARED_WORK: &str = "the controller runs in shards and takes no events: mirrors are looked at by their \
    intervals; set shards of the Helm chart to 0 (--shards) for events";

/// How events come to a receiver.
enum Way {
    /// They are sent to a path.
    Door(Door),
    /// They are taken from a queue.
    Queue(Work),
}

/// Follows receivers: nothing is said of their paths before they were looked at.
pub(super) struct ReceiverLook(pub(super) Arc<Context>);

impl Look<ImageReceiver> for ReceiverLook {
    fn observe(&self, receiver: &ImageReceiver, _: Option<&ImageReceiver>) {
        let Self(context) = self;
        context.shared.doors.expect(&full_name(receiver));
        let (namespace, name) = (
            receiver.namespace().unwrap_or_default(),
            receiver.name_any(),
        );
        let hinted = &context.shared.hinted;
        if receiver.spec.pull.is_some() {
            hinted.hear(&namespace, &name);
        } else {
            hinted.unhear(&namespace, &name);
        }
    }

    fn remove(&self, receiver: &ImageReceiver) {
        let Self(context) = self;
        let namespace = receiver.namespace().unwrap_or_default();
        let hinted = &context.shared.hinted;
        hinted.unhear(&namespace, &receiver.name_any());
        forget(receiver, &context.shared);
    }
}

/// Opens the door of a receiver, or closes it, and says so.
pub(super) async fn reconcile(
    object: &ImageReceiver,
    context: &Context,
) -> Result<Action, WriteError> {
    let shared = &*context.shared;
    let reception = receive(object, context).await;
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
        Reception::Waiting { .. } if object.spec.pull.is_some() => Action::requeue(ASK_AGAIN),
        Reception::Open(_)
        | Reception::Pulling { .. }
        | Reception::Suspended
        | Reception::Waiting { .. } => Action::requeue(LOOK_AGAIN),
    })
}

/// Opens what a receiver takes events by, and closes what it does not.
async fn receive(object: &ImageReceiver, context: &Context) -> Reception {
    let shared = &*context.shared;
    let name = full_name(object);
    let (reception, door) = match open(object, shared).await {
        Ok(Way::Door(door)) if door.is_suspended => (Reception::Suspended, Some(door)),
        Ok(Way::Door(door)) => (Reception::Open(String::new()), Some(door)),
        Ok(Way::Queue(work)) => {
            shared.doors.place(&name, None);
            let namespace = object.namespace().unwrap_or_default();
            context.tell_wanted(&namespace);
            return shared.pulls.place(&name, work);
        }
        Err(reception) => (reception, None),
    };
    shared.pulls.stop(&name);
    match (reception, shared.doors.place(&name, door)) {
        (Reception::Open(_), Some(path)) => Reception::Open(path),
        (reception, _) => reception,
    }
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
    shared.pulls.stop(&full_name(receiver));
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
    let name = format!("{namespace}/{}", metadata.name_any());
    shared.doors.forget(&name);
    shared.pulls.stop(&name);
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

/// How events come to a receiver, or why none do.
async fn open(object: &ImageReceiver, shared: &Shared) -> Result<Way, Reception> {
    let sender = Sender::of(object).map_err(|invalid| {
        let messages: Vec<String> = invalid.iter().map(ToString::to_string).collect();
        Reception::Invalid(messages.join("; "))
    })?;
    if shared.portion.is_shared() {
        return Err(Reception::Waiting {
            reason: Reason::DependencyNotReady,
            message: SHARED_WORK.to_owned(),
        });
    }
    let namespace = object.namespace().unwrap_or_default();
    if let Some(pull) = &sender.pull {
        if object.spec.suspend {
            return Err(Reception::Suspended);
        }
        let identities = &shared.identities;
        let puller = identities.puller(&shared.client, &namespace, pull).await;
        let puller = puller.map_err(|error| Reception::Waiting {
            reason: error.reason(),
            message: format!("spec.pull.serviceAccountName: {error}"),
        })?;
        return Ok(Way::Queue(Work { puller, sender }));
    }
    if !shared.doors.is_listening() {
        return Err(Reception::Waiting {
            reason: Reason::DependencyNotReady,
            message: NOT_LISTENING.to_owned(),
        });
    }
    // One without is invalid.
    let Some(reference) = &object.spec.secret_ref else {
        return Err(Reception::Invalid("spec.secretRef: is needed".to_owned()));
    };
    let token = read_token(&reference.name, &namespace, shared).await?;
    let name = (namespace, object.name_any());
    let door = Door::new(name, sender, token, object.spec.suspend);
    Ok(Way::Door(door))
}

async fn read_token(
    name: &ObjectName,
    namespace: &str,
    shared: &Shared,
) -> Result<SecretString, Reception> {
    let waiting = |reason, message: String| Reception::Waiting {
        reason,
        message: format!("spec.secretRef.name: {message}"),
    };
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
