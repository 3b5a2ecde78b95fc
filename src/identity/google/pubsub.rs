// SPDX-License-Identifier: Apache-2.0

//! Messages of Pub/Sub: `pull` and `acknowledge` of a subscription.
//! <https://docs.cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions/pull>

use std::time::Duration;

use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::principal::Google;
use crate::identity::answer::Answer;
use crate::identity::environment::Environment;
use crate::identity::error::Error;
use crate::identity::http::{Http, Request};
use crate::identity::message::{Batch, QueueMessage, Wait};
use crate::identity::oauth::refusal;
use crate::identity::renewed::Renewed;
use crate::identity::who::Who;
use crate::oci::clouds::Subscription;

/// The host of its API.
const HOST: &str = "pubsub.googleapis.com";
/// The longest time for an answer of an empty subscription: Pub/Sub decides how long it waits.
const PATIENCE: Duration = Duration::from_secs(100);

/// A subscription and whoever takes its messages.
#[derive(Debug)]
pub(in crate::identity) struct PubSub {
    http: Http,
    environment: Environment,
    google: Google,
    token: Renewed<SecretString>,
    subscription: Subscription,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pulled {
    #[serde(default)]
    received_messages: Vec<One>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct One {
    ack_id: SecretString,
    #[serde(default)]
    message: Value,
}

// === impl PubSub ===

impl PubSub {
    pub(in crate::identity) fn new(
        http: Http,
        environment: Environment,
        subscription: Subscription,
        who: Who,
    ) -> Self {
        Self {
            google: Google::new(http.clone(), environment.clone(), who),
            http,
            environment,
            token: Renewed::default(),
            subscription,
        }
    }

    /// Some messages, in the form in which Pub/Sub pushes them. Nobody else is given them for a while.
    pub(in crate::identity) async fn receive(
        &self,
        batch: Batch,
        wait: Wait,
    ) -> Result<Vec<QueueMessage>, Error> {
        let mut body = json!({"maxMessages": batch.most()});
        if wait == Wait::AtOnce {
            body["returnImmediately"] = true.into();
        }
        let request = self.request(("pull", "messages"), &body).await?;
        let request = Request {
            limit: batch.bytes(),
            patience: PATIENCE,
            ..request
        };
        let answer = self.checked(self.http.send_once(request).await?)?;
        let Pulled { received_messages } = answer.json()?;
        let of = |One { ack_id, message }| QueueMessage {
            body: json!({"message": message}).to_string(),
            receipt: ack_id,
        };
        let messages = received_messages.into_iter().take(batch.most());
        Ok(messages.map(of).collect())
    }

    /// Acknowledges messages.
    pub(in crate::identity) async fn done(&self, receipts: &[SecretString]) -> Result<(), Error> {
        let receipts: Vec<&str> = receipts.iter().map(ExposeSecret::expose_secret).collect();
        let asked = ("acknowledge", "the acknowledgement of messages");
        let request = self.request(asked, &json!({"ackIds": receipts})).await?;
        self.checked(self.http.send(request).await?).map(drop)
    }

    async fn request(
        &self,
        (operation, asked): (&str, &'static str),
        body: &Value,
    ) -> Result<Request, Error> {
        let fixed = format!("https://{HOST}");
        let server = self.environment.server(&[HOST], &fixed)?;
        let url = server.join(&format!("/v1/{}:{operation}", self.subscription.as_str()));
        let url = url.map_err(|_| Error::Wrong("the address of Pub/Sub is wrong".to_owned()))?;
        let token = self.token.get(async || self.google.token().await).await?;
        let request = Request {
            method: Method::POST,
            body: body.to_string().into(),
            ..Request::get(url, asked)
        };
        Ok(request
            .header("content-type", "application/json".to_owned())
            .header("authorization", format!("Bearer {}", token.expose_secret()))
            .hide(&token))
    }

    fn checked(&self, answer: Answer) -> Result<Answer, Error> {
        match answer.status {
            status if status.is_success() => Ok(answer),
            StatusCode::NOT_FOUND => Err(Error::NoQueue {
                server: answer.server,
                queue: self.subscription.as_str().to_owned(),
            }),
            StatusCode::UNAUTHORIZED => {
                self.token.refused();
                Err(refusal(&answer))
            }
            _ => Err(refusal(&answer)),
        }
    }
}
