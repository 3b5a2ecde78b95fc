// SPDX-License-Identifier: Apache-2.0

//! What is sent of the news of a mirror, in each of the forms that receivers of messages understand.

mod samples;
mod slack;
mod told;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::told::Told;
use super::news::News;
use super::outbox::Bulletin;
use crate::api::{API_VERSION, NewsKind};
use crate::oci::Digest;
use crate::policy::{TextTemplate, TextTemplateError};

/// Largest body, in bytes.
const BODY_BYTES: usize = 64 * 1024;
/// The type of our events.
const EVENT_TYPE: &str = "dev.transship.imagemirror.changed";

/// How many entries of each list a message has that would be too large with all of them.
const FEWER: [usize; 3] = [5, 1, 0];

/// How a message is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageForm {
    /// An event of CloudEvents 1.0, as one document of JSON.
    CloudEvents,
    /// A text for Slack.
    Slack,
    /// All that there is to say, as JSON.
    Json,
    /// What a template makes of that, which is JSON, too.
    Template(TextTemplate),
}

/// Why a message is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The template does not fit.
    #[error(transparent)]
    Template(#[from] TextTemplateError),
    /// What it makes is no JSON.
    #[error(
        "it makes no JSON ({0}): check its braces and commas, and write {{{{json .summary}}}} without quotation marks around it"
    )]
    NoJson(String),
    /// What it makes is large.
    #[error("it makes more than {BODY_BYTES} bytes")]
    TooLarge,
}

/// A message that is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("in a message about {}, {cause}", listed(.kinds))]
pub struct UnwrittenMessage {
    /// What it was to tell.
    pub kinds: BTreeSet<NewsKind>,
    /// Why not.
    pub cause: MessageError,
}

/// A message, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageBody {
    /// The same for the same news, so that a receiver knows what came twice.
    pub id: String,
    /// The type of `text`.
    pub content_type: &'static str,
    /// The body.
    pub text: String,
}

impl MessageForm {
    /// The message about news of a mirror of a namespace, for the notification of this name.
    pub fn write(
        &self,
        namespace: &str,
        notification: &str,
        bulletin: &Bulletin,
    ) -> Result<MessageBody, UnwrittenMessage> {
        let mut told = Told::of(namespace, bulletin);
        let mut data = serde_json::to_value(&told).unwrap_or_default();
        let id = Digest::sha256(format!("{notification}\n{data}").as_bytes());
        let id = id.short().to_owned() + "-" + &bulletin.since.as_millisecond().to_string();
        let mut text = self.text(&id, &told, &data);
        for most in FEWER {
            if text == Err(MessageError::TooLarge) && told.keep(most) {
                data = serde_json::to_value(&told).unwrap_or_default();
                text = self.text(&id, &told, &data);
            }
        }
        let content_type = match self {
            Self::CloudEvents => "application/cloudevents+json",
            Self::Slack | Self::Json | Self::Template(_) => "application/json",
        };
        let text = text.map_err(|cause| UnwrittenMessage {
            kinds: bulletin.news.iter().map(News::kind).collect(),
            cause,
        })?;
        Ok(MessageBody {
            id,
            content_type,
            text,
        })
    }

    /// The body, unless it is too large.
    fn text(&self, id: &str, told: &Told<'_>, data: &Value) -> Result<String, MessageError> {
        let text = match self {
            Self::CloudEvents => cloud_event(id, told, data).to_string(),
            Self::Slack => slack::body(told).to_string(),
            Self::Json => with_id(id, data).to_string(),
            Self::Template(template) => {
                let text = template.render(&with_id(id, data), BODY_BYTES);
                let text = text.map_err(|error| {
                    if matches!(error, TextTemplateError::TooLong(_)) {
                        return MessageError::TooLarge;
                    }
                    error.into()
                })?;
                let checked: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&text);
                checked.map_err(|error| MessageError::NoJson(error.to_string()))?;
                text
            }
        };
        if text.len() > BODY_BYTES {
            return Err(MessageError::TooLarge);
        }
        Ok(text)
    }

    /// Whether messages about these kinds of news can be written, whichever come together.
    pub(super) fn check(&self, kinds: &BTreeSet<NewsKind>) -> Result<(), UnwrittenMessage> {
        for news in samples::of(kinds) {
            let bulletin = Bulletin {
                mirror: "example".to_owned(),
                since: jiff::Timestamp::UNIX_EPOCH,
                news,
            };
            self.write("example", "example", &bulletin)?;
        }
        Ok(())
    }
}

fn listed(kinds: &BTreeSet<NewsKind>) -> String {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    kinds.join(" and ")
}

fn with_id(id: &str, data: &Value) -> Value {
    let mut data = data.clone();
    data["id"] = id.into();
    data
}

fn cloud_event(id: &str, told: &Told<'_>, data: &Value) -> Value {
    let Told {
        namespace, mirror, ..
    } = told;
    json!({
        "specversion": "1.0",
        "id": id,
        "source": format!("/apis/{API_VERSION}/namespaces/{namespace}/imagemirrors/{mirror}"),
        "type": EVENT_TYPE,
        "subject": format!("{namespace}/{mirror}"),
        "time": told.time,
        "datacontenttype": "application/json",
        "data": data,
    })
}

#[cfg(test)]
mod tests;
