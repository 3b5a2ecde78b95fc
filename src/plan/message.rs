// SPDX-License-Identifier: Apache-2.0

//! What is sent of the news of a mirror, in each of the forms that receivers of messages understand.

mod slack;
mod told;

use serde_json::{Value, json};

use self::told::Told;
use super::news::News;
use super::outbox::Bulletin;
use crate::api::conditions::MESSAGE_LENGTH;
use crate::api::image_mirror::{Action, FailureStatus, RecentCopy, RefusalStatus};
use crate::api::image_policy::PolicyMode;
use crate::api::{API_VERSION, Reason};
use crate::oci::Digest;
use crate::policy::{TextTemplate, TextTemplateError};

/// Largest body, in bytes.
const BODY_BYTES: usize = 64 * 1024;
/// The type of our events.
const EVENT_TYPE: &str = "dev.transship.imagemirror.changed";

/// How a message is written.
#[derive(Clone, Debug)]
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
    ) -> Result<MessageBody, MessageError> {
        let told = Told::of(namespace, bulletin);
        let data = serde_json::to_value(&told).unwrap_or_default();
        let id = Digest::sha256(format!("{notification}\n{data}").as_bytes());
        let id = id.short().to_owned() + "-" + &bulletin.since.as_millisecond().to_string();
        let (content_type, text) = match self {
            Self::CloudEvents => (
                "application/cloudevents+json",
                cloud_event(&id, &told, &data).to_string(),
            ),
            Self::Slack => ("application/json", slack::body(&told).to_string()),
            Self::Json => ("application/json", with_id(&id, data).to_string()),
            Self::Template(template) => {
                let text = template.render(&with_id(&id, data))?;
                let checked: Result<serde::de::IgnoredAny, _> = serde_json::from_str(&text);
                checked.map_err(|error| MessageError::NoJson(error.to_string()))?;
                ("application/json", text)
            }
        };
        if text.len() > BODY_BYTES {
            return Err(MessageError::TooLarge);
        }
        Ok(MessageBody {
            id,
            content_type,
            text,
        })
    }

    /// Whether messages can be written, with as much and as little in them as there may be.
    pub(super) fn check(&self) -> Result<(), MessageError> {
        for news in [everything(), vec![News::Recovered]] {
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

fn with_id(id: &str, mut data: Value) -> Value {
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

/// News with everything in them that a template may name, and with what must not break JSON.
fn everything() -> Vec<News> {
    let words = || "\"\\\n".repeat(MESSAGE_LENGTH / 8);
    let digest = Digest::sha256(b"");
    let copy = |previous_digest| RecentCopy {
        image: "registry.example.com/app:1".to_owned(),
        destination: "main".to_owned(),
        digest: digest.clone(),
        source_digest: digest.clone(),
        previous_digest,
        action: Action::Copied,
        time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH),
    };
    let failures = vec![FailureStatus {
        image: "registry.example.com/app:1".to_owned(),
        destination: Some("main".to_owned()),
        reason: Reason::NotFound.to_string(),
        message: words(),
        attempts: 1,
        next_attempt_time: None,
    }];
    let policy = "policy".parse();
    let refusal = |policy| RefusalStatus {
        image: "registry.example.com/app:1".to_owned(),
        policy,
        gate: "require.user".to_owned(),
        reason: Reason::PolicyViolation.to_string(),
        message: words(),
        mode: PolicyMode::Enforce,
    };
    vec![
        News::New {
            count: 1,
            images: vec![copy(None)],
        },
        News::Moved {
            count: 1,
            images: vec![copy(Some(digest.clone()))],
        },
        News::Refused(policy.into_iter().map(refusal).collect()),
        News::PruneWaits {
            plan: digest.clone(),
            candidates: 1,
            message: words(),
        },
        News::Failed {
            reason: Reason::Unreachable.to_string(),
            message: words(),
            failures,
        },
    ]
}

#[cfg(test)]
mod tests;
