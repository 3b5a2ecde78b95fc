// SPDX-License-Identifier: Apache-2.0

//! Messages of Amazon SQS: `ReceiveMessage` and `DeleteMessageBatch`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/>

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::fault::{fault, refusal};
use super::principal::Principal;
use super::sigv4::Scope;
use crate::identity::answer::Answer;
use crate::identity::environment::Environment;
use crate::identity::error::Error;
use crate::identity::http::{Http, Request};
use crate::identity::message::{Batch, QueueMessage, Wait};
use crate::identity::who::Who;
use crate::identity::words::words;
use crate::oci::clouds::SqsQueue;

/// How long an empty queue is waited for, in seconds: the longest that SQS does.
const WAIT_SECONDS: u32 = 20;
/// The longest time for its answer then.
const PATIENCE: Duration = Duration::from_secs(30);

/// A queue and whoever takes its messages.
#[derive(Debug)]
pub(in crate::identity) struct Sqs {
    http: Http,
    environment: Environment,
    principal: Principal,
    queue: SqsQueue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Received {
    #[serde(default)]
    messages: Vec<One>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct One {
    body: String,
    receipt_handle: SecretString,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    #[serde(default)]
    failed: Vec<Failed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    #[serde(default)]
    code: String,
    message: Option<String>,
    /// Whether whoever asked is to blame.
    #[serde(default)]
    sender_fault: bool,
}

// === impl Failed ===

impl Failed {
    /// A message that could not be deleted, as an error. The others of the batch are gone.
    fn of(self, answer: &Answer) -> Error {
        let said = match self.message {
            Some(message) => format!("{}: {message}", self.code),
            None => self.code,
        };
        let said = words(&said, &answer.hidden).unwrap_or_default();
        let (server, asked) = (answer.server.clone(), answer.asked);
        if self.sender_fault {
            return Error::Rejected {
                server,
                asked,
                said,
            };
        }
        let detail = format!("{asked} failed with \"{said}\"");
        Error::Unreachable { server, detail }
    }
}

// === impl Sqs ===

impl Sqs {
    pub(in crate::identity) fn new(
        http: Http,
        environment: Environment,
        queue: SqsQueue,
        who: Who,
    ) -> Self {
        let place = (queue.region.as_str(), queue.partition);
        let principal = Principal::new(http.clone(), environment.clone(), who, place);
        Self {
            http,
            environment,
            principal,
            queue,
        }
    }

    /// Some messages, which nobody else is given for a while.
    pub(in crate::identity) async fn receive(
        &self,
        batch: Batch,
        wait: Wait,
    ) -> Result<Vec<QueueMessage>, Error> {
        let seconds = match wait {
            Wait::AtOnce => 0,
            Wait::Long => WAIT_SECONDS,
        };
        let body = json!({"MaxNumberOfMessages": batch.most(), "WaitTimeSeconds": seconds});
        let request = self.request(("ReceiveMessage", "messages"), body).await?;
        let request = Request {
            limit: batch.bytes(),
            patience: PATIENCE,
            ..request
        };
        let answer = self.checked(self.http.send_once(request).await?)?;
        let Received { messages } = answer.json()?;
        let of = |One {
                      body,
                      receipt_handle,
                  }| QueueMessage {
            body,
            receipt: receipt_handle,
        };
        Ok(messages.into_iter().take(batch.most()).map(of).collect())
    }

    /// Deletes messages.
    pub(in crate::identity) async fn done(&self, receipts: &[SecretString]) -> Result<(), Error> {
        let entries = receipts.iter().enumerate();
        let entries: Vec<Value> = entries
            .map(|(number, receipt)| {
                json!({"Id": number.to_string(), "ReceiptHandle": receipt.expose_secret()})
            })
            .collect();
        let asked = ("DeleteMessageBatch", "the deletion of messages");
        let request = self.request(asked, json!({"Entries": entries})).await?;
        let answer = self.checked(self.http.send(request).await?)?;
        let Deleted { failed } = answer.json()?;
        // Of several, one that somebody has to do something about.
        let worst = failed.into_iter().max_by_key(|failed| failed.sender_fault);
        worst.map_or(Ok(()), |failed| Err(failed.of(&answer)))
    }

    async fn request(
        &self,
        (operation, asked): (&str, &'static str),
        mut body: Value,
    ) -> Result<Request, Error> {
        let names = ["AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"];
        let url = self.environment.server(&names, self.queue.server())?;
        body["QueueUrl"] = self.queue.url.as_str().into();
        let call = Call {
            url,
            scope: Scope {
                region: &self.queue.region,
                service: "sqs",
            },
            target: format!("AmazonSQS.{operation}"),
            content_type: "application/x-amz-json-1.0",
            asked,
        };
        let keys = self.principal.keys().await?;
        Ok(call.sign(&keys, body.to_string()))
    }

    fn checked(&self, answer: Answer) -> Result<Answer, Error> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let kind = fault(&answer).map(|(kind, _)| kind).unwrap_or_default();
        if kind.ends_with("QueueDoesNotExist") || kind.ends_with("NonExistentQueue") {
            return Err(Error::NoQueue {
                server: answer.server,
                queue: self.queue.url.clone(),
            });
        }
        Err(self.principal.noticed(refusal(&answer)))
    }
}
