// SPDX-License-Identifier: Apache-2.0

//! The spec of a notification, checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use url::Url;

use super::fields::{Fields, InvalidField};
use super::message::MessageForm;
use super::news::News;
use crate::api::{
    ImageNotification, LocalObjectReference, MirrorSelection, NewsKind, NotificationType,
    ObjectName,
};
use crate::policy::TextTemplate;

/// Who is told of what, where and how.
#[derive(Clone, Debug)]
pub struct Notification {
    /// The type, as it is written.
    pub kind: NotificationType,
    /// How messages are written.
    pub form: MessageForm,
    /// The address; that of the Secret where there is none.
    pub address: Option<MessageAddress>,
    /// The Secret with address, token and key.
    pub secret: Option<ObjectName>,
    /// The Secret with certificates.
    pub cert_secret: Option<ObjectName>,
    /// The Secret of a proxy.
    pub proxy_secret: Option<ObjectName>,
    mirrors: Option<MirrorSelection>,
    kinds: Option<BTreeSet<NewsKind>>,
}

/// Where messages are sent. It may be a secret, and is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageAddress(Url);

/// Why a text is no address. It is not repeated: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageAddressError {
    /// It is no URL of the web.
    #[error("is a URL such as https://events.example.com/transship")]
    NoUrl,
    /// It carries a user name or password.
    #[error("has no user name and password: put a token into the Secret of secretRef")]
    Credentials,
}

// === impl MessageAddress ===

impl MessageAddress {
    /// Reads an address. One that was made with echo ends in a line break.
    pub fn parse(text: &str) -> Result<Self, MessageAddressError> {
        let url: Url = text
            .trim()
            .parse()
            .map_err(|_| MessageAddressError::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(MessageAddressError::NoUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(MessageAddressError::Credentials);
        }
        Ok(Self(url))
    }

    /// The URL, for a request.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for MessageAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MessageAddress")
    }
}

// === impl Notification ===

impl Notification {
    /// Checks the spec of a notification, or says everything that is wrong.
    pub fn of(object: &ImageNotification) -> Result<Self, Vec<InvalidField>> {
        let spec = &object.spec;
        let mut fields = Fields::default();
        let is_slack = spec.form == NotificationType::Slack;
        if is_slack && spec.address.is_some() {
            let message = "is a secret with type: Slack: put it into the key address of the Secret of secretRef";
            fields.refuse("spec.address", message);
        }
        if spec.address.is_none() && spec.secret_ref.is_none() {
            let message = "is needed where address is absent: its key address says where to send";
            fields.refuse("spec.secretRef", message);
        }
        let address = spec.address.as_deref().map(MessageAddress::parse);
        let address = address.and_then(|address| fields.accept("spec.address", address));
        let form = match (spec.form, spec.template.as_deref()) {
            (NotificationType::CloudEvents, None) => Some(MessageForm::CloudEvents),
            (NotificationType::Slack, None) => Some(MessageForm::Slack),
            (NotificationType::Generic, None) => Some(MessageForm::Json),
            (NotificationType::Generic, Some(text)) => {
                let template = fields.accept("spec.template", TextTemplate::parse(text));
                template.and_then(|template| {
                    let form = MessageForm::Template(template);
                    fields.accept("spec.template", form.check().map(|()| form))
                })
            }
            (NotificationType::CloudEvents | NotificationType::Slack, Some(_)) => {
                fields.refuse("spec.template", "is only used with type: Generic");
                None
            }
        };
        let name = |reference: &Option<LocalObjectReference>| {
            reference.as_ref().map(|reference| reference.name.clone())
        };
        match form {
            Some(form) if fields.is_valid() => Ok(Self {
                kind: spec.form,
                form,
                address,
                secret: name(&spec.secret_ref),
                cert_secret: name(&spec.cert_secret_ref),
                proxy_secret: name(&spec.proxy_secret_ref),
                mirrors: spec.mirrors.clone(),
                kinds: spec.events.clone(),
            }),
            Some(_) | None => Err(fields.into_invalid()),
        }
    }

    /// What is told of the news of a mirror of the same namespace.
    pub fn choose(
        &self,
        mirror: &str,
        labels: &BTreeMap<String, String>,
        news: &[News],
    ) -> Vec<News> {
        if !self.takes(mirror, labels) {
            return Vec::new();
        }
        let is_told = |news: &&News| {
            let kinds = self.kinds.as_ref();
            kinds.is_none_or(|kinds| kinds.contains(&news.kind()))
        };
        news.iter().filter(is_told).cloned().collect()
    }

    fn takes(&self, mirror: &str, labels: &BTreeMap<String, String>) -> bool {
        let Some(MirrorSelection {
            names,
            match_labels,
        }) = &self.mirrors
        else {
            return true;
        };
        let is_named = names.iter().any(|name| name.as_str() == mirror);
        let mut wanted = match_labels.iter();
        let is_like =
            !match_labels.is_empty() && wanted.all(|(name, value)| labels.get(name) == Some(value));
        is_named || is_like
    }
}

#[cfg(test)]
mod tests;
