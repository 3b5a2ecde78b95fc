// SPDX-License-Identifier: Apache-2.0

//! Queues of the clouds in which events of registries wait, by the only forms of their names: no name leads to a host
//! that is none of the cloud's.

use super::ecr::Partition;

/// Digits of an account of AWS.
const ACCOUNT_LENGTH: usize = 12;
/// Longest name of a queue of SQS.
const SQS_NAME_LENGTH: usize = 80;
/// How a name ends of a queue that keeps the order.
const FIFO: &str = ".fifo";
/// Longest names of a project and a subscription of Pub/Sub.
const PROJECT_LENGTH: usize = 63;
const SUBSCRIPTION_LENGTH: usize = 255;

/// Where events of a registry wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Queue {
    /// A queue of Amazon SQS.
    Sqs(SqsQueue),
    /// A subscription of Google's Pub/Sub.
    PubSub(Subscription),
}

/// A queue of Amazon SQS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqsQueue {
    /// Its URL, as SQS names it.
    pub url: String,
    /// The region of its host.
    pub region: String,
    /// The partition of the region.
    pub partition: Partition,
}

/// A subscription of Pub/Sub: `projects/PROJECT/subscriptions/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription(String);

/// A text that names no queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// It is not the URL of a queue of SQS.
    #[error(
        "is not the URL of a queue of SQS, such as https://sqs.eu-central-1.amazonaws.com/123456789012/pushes"
    )]
    Sqs,
    /// It is not the name of a subscription.
    #[error("is not the name of a subscription, such as projects/my-project/subscriptions/pushes")]
    PubSub,
}

// === impl SqsQueue ===

impl SqsQueue {
    /// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME` and its variants: of all partitions, with FIPS, with IPv6.
    pub fn parse(text: &str) -> Result<Self, QueueError> {
        let read = || {
            let (host, path) = text.strip_prefix("https://")?.split_once('/')?;
            let (region, partition) = region_of(host)?;
            let (account, name) = path.split_once('/')?;
            let is_account = account.len() == ACCOUNT_LENGTH
                && account.bytes().all(|byte| byte.is_ascii_digit());
            (is_account && is_sqs_name(name)).then(|| Self {
                url: text.to_owned(),
                region: region.to_owned(),
                partition,
            })
        };
        read().ok_or(QueueError::Sqs)
    }

    /// Where it is asked: the host of its URL.
    pub fn server(&self) -> &str {
        let path = self.url.match_indices('/').nth(2);
        path.map_or(&self.url, |(place, _)| {
            self.url.get(..place).unwrap_or_default()
        })
    }
}

/// The region of a host of SQS (the SDKs' endpoint rules of `sqs`).
fn region_of(host: &str) -> Option<(&str, Partition)> {
    let rest = host
        .strip_prefix("sqs.")
        .or_else(|| host.strip_prefix("sqs-fips."))?;
    let (region, end) = rest.split_once('.')?;
    let partition = Partition::of(region)?;
    let is_end = end == partition.suffix() || end == partition.dual_stack_suffix();
    is_end.then_some((region, partition))
}

fn is_sqs_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let stem = name.strip_suffix(FIFO).unwrap_or(name);
    !stem.is_empty() && name.len() <= SQS_NAME_LENGTH && stem.bytes().all(is_allowed)
}

// === impl Subscription ===

impl Subscription {
    /// `projects/PROJECT/subscriptions/NAME`
    pub fn parse(text: &str) -> Result<Self, QueueError> {
        let read = || {
            let (project, name) = text
                .strip_prefix("projects/")?
                .split_once("/subscriptions/")?;
            // One of an organisation has its domain in front.
            let may_be_in_project = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte)
            };
            let may_be_in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
            let is_project = (1..=PROJECT_LENGTH).contains(&project.len())
                && project.bytes().all(may_be_in_project);
            let is_name = (1..=SUBSCRIPTION_LENGTH).contains(&name.len())
                && name.bytes().all(may_be_in_name)
                && name.starts_with(|first: char| first.is_ascii_alphabetic());
            (is_project && is_name).then(|| Self(text.to_owned()))
        };
        read().ok_or(QueueError::PubSub)
    }

    /// The name, as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_of_all_partitions_and_the_hosts_that_are_asked() {
        let cases = [
            ("sqs.eu-west-1.amazonaws.com", "eu-west-1"),
            ("sqs-fips.us-east-1.amazonaws.com", "us-east-1"),
            ("sqs.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("sqs.eu-west-1.api.aws", "eu-west-1"),
            ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("sqs.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
            ("sqs.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
            ("sqs.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
            ("sqs.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
            ("sqs.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        ];
        for (host, region) in cases {
            for name in ["pushes", "Team_a-1", "pushes.fifo"] {
                let queue =
                    SqsQueue::parse(&format!("https://{host}/123456789012/{name}")).unwrap();
                assert_eq!(queue.region, region);
                assert_eq!(queue.server(), format!("https://{host}"));
            }
        }
    }

    #[test]
    fn what_leads_elsewhere_is_no_queue() {
        let long = format!(
            "https://sqs.eu-west-1.amazonaws.com/123456789012/{}",
            "a".repeat(81)
        );
        for text in [
            "",
            "https://",
            "http://sqs.eu-west-1.amazonaws.com/123456789012/pushes",
            "https://sqs.eu-west-1.amazonaws.com/123456789012/",
            "https://sqs.eu-west-1.amazonaws.com/123456789012/.fifo",
            "https://sqs.eu-west-1.amazonaws.com/123456789012/a/b",
            "https://sqs.eu-west-1.amazonaws.com/123456789012/a?b",
            "https://sqs.eu-west-1.amazonaws.com/12345678901/pushes",
            "https://sqs.eu-west-1.amazonaws.com:8443/123456789012/pushes",
            "https://sqs.eu-west-1.amazonaws.com@evil.test/123456789012/pushes",
            "https://sqs.eu-west-1.amazonaws.com.evil.test/123456789012/pushes",
            "https://sqs.eu-west-1.evil.test/123456789012/pushes",
            "https://sqs.cn-north-1.amazonaws.com/123456789012/pushes",
            "https://sqs.evil.amazonaws.com/123456789012/pushes",
            "https://ecr.eu-west-1.amazonaws.com/123456789012/pushes",
            "https://169.254.169.254/123456789012/pushes",
            &long,
        ] {
            assert_eq!(SqsQueue::parse(text), Err(QueueError::Sqs), "{text}");
        }
    }

    #[test]
    fn subscriptions_have_a_project_and_a_name() {
        for text in [
            "projects/my-project/subscriptions/pushes",
            "projects/example.com:my-project/subscriptions/a.b_c~1-2",
        ] {
            assert_eq!(Subscription::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "pushes",
            "projects//subscriptions/a",
            "projects/p/subscriptions/",
            "projects/p/topics/gcr",
            "projects/p/subscriptions/1a",
            "projects/p/subscriptions/a/b",
            "projects/p/subscriptions/a:pull",
            "projects/p/../q/subscriptions/a",
            "projects/p/subscriptions/a%2fb",
            "/projects/p/subscriptions/a",
        ] {
            assert_eq!(Subscription::parse(text), Err(QueueError::PubSub), "{text}");
        }
    }
}
