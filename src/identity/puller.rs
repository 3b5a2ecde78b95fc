// SPDX-License-Identifier: Apache-2.0

//! Takes the messages of one queue as one identity.

use secrecy::SecretString;

use super::aws::Sqs;
use super::environment::Environment;
use super::error::Error;
use super::google::PubSub;
use super::http::Http;
use super::message::{Batch, QueueMessage, Wait};
use super::who::Who;
use crate::oci::clouds::Queue;

/// Takes the messages of one queue as one identity.
#[derive(Debug)]
pub struct Puller {
    key: String,
    queue: Pulled,
}

#[derive(Debug)]
enum Pulled {
    Sqs(Box<Sqs>),
    PubSub(Box<PubSub>),
}

// === impl Puller ===

impl Puller {
    pub(super) fn new(http: Http, environment: Environment, queue: &Queue, who: &Who) -> Self {
        let key = format!("{queue:?} {}", who.key());
        let who = who.clone();
        let queue = match queue {
            Queue::Sqs(queue) => {
                let sqs = Sqs::new(http, environment, queue.clone(), who);
                Pulled::Sqs(Box::new(sqs))
            }
            Queue::PubSub(subscription) => {
                let pubsub = PubSub::new(http, environment, subscription.clone(), who);
                Pulled::PubSub(Box::new(pubsub))
            }
        };
        Self { key, queue }
    }

    /// Whether another one is of the same queue and identity.
    pub fn is_like(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// Some messages. None in time is no error.
    pub async fn receive(&self, batch: Batch, wait: Wait) -> Result<Vec<QueueMessage>, Error> {
        match &self.queue {
            Pulled::Sqs(sqs) => sqs.receive(batch, wait).await,
            Pulled::PubSub(pubsub) => pubsub.receive(batch, wait).await,
        }
    }

    /// Says that messages are done: they do not come again.
    pub async fn done(&self, receipts: &[SecretString]) -> Result<(), Error> {
        match &self.queue {
            Pulled::Sqs(sqs) => sqs.done(receipts).await,
            Pulled::PubSub(pubsub) => pubsub.done(receipts).await,
        }
    }
}
