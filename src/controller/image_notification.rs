// SPDX-License-Identifier: Apache-2.0

//! Reconciles an `ImageNotification`: is it valid, what do its Secrets say, and do messages arrive.

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
use super::notifications::courier::reason;
use super::notifications::{Channel, Target};
use super::secrets::{SecretError, read_one};
use super::watch::Look;
use crate::api::image_notification::ImageNotificationStatus;
use crate::api::{ImageNotification, ObjectName, Reason, Secret};
use crate::plan::notification::{MessageAddress, Notification};
use crate::plan::notification_status::{Telling, notification_status};
use crate::registry::Settings;
use crate::runtime::clock;
use crate::sync::reach::{read_proxy, read_tls};
use crate::sync::secrets::ReachError;

/// The kind of notifications, in metrics.
const NOTIFICATION: &str = "ImageNotification";
/// Keys of the Secret: the URL, a Bearer token, and what messages are signed with.
const ADDRESS_KEY: &str = "address";
const TOKEN_KEY: &str = "token";
const SIGNING_KEY: &str = "key";
/// Time until the Secrets are read anew: nothing tells when they change.
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);
/// The same where one of them is missing.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// Follows notifications: what happens before their Secrets were read waits for them.
pub(super) struct NotificationLook(pub(super) Arc<Context>);

impl Look<ImageNotification> for NotificationLook {
    fn observe(&self, notification: &ImageNotification, _: Option<&ImageNotification>) {
        let Self(context) = self;
        context.shared.notifier.follow(notification);
    }

    fn remove(&self, notification: &ImageNotification) {
        let Self(context) = self;
        forget(notification, &context.shared);
    }
}

/// Lets messages be sent, or not, and says so.
pub(super) async fn reconcile(
    object: &ImageNotification,
    context: &Context,
) -> Result<Action, WriteError> {
    let shared = &*context.shared;
    let target = Target::of(object);
    let opened = open(object, shared).await;
    let is_open = opened.is_ok();
    // There may be room for it now.
    shared.notifier.follow(object);
    let telling = match opened {
        Ok(channel) => shared.notifier.place(&target, channel),
        Err(telling) => {
            shared.notifier.halt(&target);
            telling
        }
    };
    // It may have gone while its Secrets were read: then the watch has told so already, and tells it no more.
    if is_gone(object, context) {
        shared.notifier.forget(&target);
        return Ok(Action::await_change());
    }
    let previous = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let status = notification_status(&previous, generation, &telling, clock::now());
    // Each member tells of its mirrors, and one says how that goes.
    if shared.portion.leads() {
        shared.metrics.observe_ready(
            NOTIFICATION,
            &target.namespace,
            &target.name,
            &status.conditions,
            object.spec.suspend,
        );
        if status != previous {
            shared.cluster.write_status(object, &status).await?;
        }
    }
    Ok(match telling {
        Telling::Invalid(_) | Telling::Suspended => Action::await_change(),
        Telling::Waiting { .. } if !is_open => Action::requeue(ASK_AGAIN),
        Telling::Ready { .. } | Telling::Waiting { .. } => Action::requeue(LOOK_AGAIN),
    })
}

/// Says that an object cannot be understood, such as one of a newer version.
pub(super) async fn refuse(object: &InvalidObject, shared: &Shared) -> Result<Action, WriteError> {
    let metadata = object.metadata.clone();
    let metadata = metadata.into_request_partial::<ImageNotification>();
    shared.notifier.forget(&Target {
        namespace: metadata.namespace().unwrap_or_default(),
        name: metadata.name_any(),
    });
    let telling = Telling::Invalid(format!(
        "this version of transship does not understand it: {}",
        object.error
    ));
    let generation = object.metadata.generation.unwrap_or_default();
    // Nothing is known of what was written before: the same object must give the same status.
    let time = metadata.creation_timestamp().map(|time| time.0);
    let status = notification_status(
        &ImageNotificationStatus::default(),
        generation,
        &telling,
        time.unwrap_or_default(),
    );
    if shared.portion.leads() {
        shared.cluster.write_status(&metadata, &status).await?;
    }
    Ok(Action::await_change())
}

fn is_gone(object: &ImageNotification, context: &Context) -> bool {
    let name = ObjectRef::new(&object.name_any()).within(&object.namespace().unwrap_or_default());
    let current = context.notifications.get(&name);
    current.is_none_or(|current| current.uid() != object.uid())
}

fn forget(notification: &ImageNotification, shared: &Shared) {
    let target = Target::of(notification);
    shared.notifier.forget(&target);
    let Target { namespace, name } = &target;
    shared.metrics.forget(NOTIFICATION, namespace, name);
}

/// The way to whoever is told, or why there is none.
async fn open(object: &ImageNotification, shared: &Shared) -> Result<Channel, Telling> {
    let notification = Notification::of(object).map_err(|invalid| {
        let messages: Vec<String> = invalid.iter().map(ToString::to_string).collect();
        Telling::Invalid(messages.join("; "))
    })?;
    if object.spec.suspend {
        return Err(Telling::Suspended);
    }
    let namespace = object.namespace().unwrap_or_default();
    let read = async |field: &str, name: &Option<ObjectName>| {
        let Some(name) = name else { return Ok(None) };
        let secret = read_one(&shared.client, &namespace, name).await;
        let secret = secret.map_err(|error| waiting(field, error.reason(), &error));
        secret.map(Some)
    };
    let secret = read("secretRef", &notification.secret).await?;
    let certificates = read("certSecretRef", &notification.cert_secret).await?;
    let proxy = read("proxySecretRef", &notification.proxy_secret).await?;
    let wrong = |field: &'static str| {
        move |error: ReachError<SecretError>| waiting(field, Reason::DependencyNotReady, &error)
    };
    let tls = certificates.as_ref().map(read_tls).transpose();
    let proxy = proxy.as_ref().map(read_proxy).transpose();
    let settings = Settings {
        tls: tls.map_err(wrong("certSecretRef"))?.unwrap_or_default(),
        proxy: proxy.map_err(wrong("proxySecretRef"))?,
        ..Settings::default()
    };
    let address = match notification.address {
        Some(address) => address,
        None => address_of(secret.as_ref())?,
    };
    let outlet = shared.connector.outlet(address.as_url(), settings);
    let outlet = outlet.map_err(|error| Telling::Waiting {
        reason: reason(&error),
        message: error.to_string(),
    })?;
    Ok(Channel {
        outlet,
        token: text(secret.as_ref(), TOKEN_KEY)?,
        key: text(secret.as_ref(), SIGNING_KEY)?,
    })
}

/// The address in a Secret.
fn address_of(secret: Option<&Secret>) -> Result<MessageAddress, Telling> {
    // A notification without either is invalid.
    let secret = secret.ok_or_else(|| Telling::Invalid("spec.secretRef: is needed".to_owned()))?;
    let not_ready = |message: String| waiting("secretRef", Reason::DependencyNotReady, &message);
    let address = secret.required_text(ADDRESS_KEY);
    let address = address.map_err(|error| not_ready(error.to_string()))?;
    MessageAddress::parse(address.expose_secret()).map_err(|error| {
        let name = secret.metadata.name.as_str();
        not_ready(format!("{ADDRESS_KEY} of secret {name:?} {error}"))
    })
}

/// What a Secret has for a key. What was made with echo ends in a line break.
fn text(secret: Option<&Secret>, key: &str) -> Result<Option<SecretString>, Telling> {
    let Some(secret) = secret else {
        return Ok(None);
    };
    let text = secret.text(key);
    let text = text.map_err(|error| waiting("secretRef", Reason::DependencyNotReady, &error))?;
    Ok(text.map(|text| SecretString::from(text.expose_secret().trim_end_matches(['\r', '\n']))))
}

fn waiting(field: &str, reason: Reason, error: &impl ToString) -> Telling {
    let message = format!("spec.{field}.name: {}", error.to_string());
    Telling::Waiting { reason, message }
}
