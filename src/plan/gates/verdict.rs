// SPDX-License-Identifier: Apache-2.0

//! What all policies together make of an image.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::facts::ImageFacts;
use super::gate::Gate;
use super::require::Breach;
use super::rules::Gates;
use super::testimony::{Testimony, Voucher};
use crate::api::image_policy::PolicyMode;
use crate::api::{ObjectName, Reason};
use crate::oci::Tag;
use crate::plan::Policy;

/// Why a policy does not admit an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The policy.
    pub policy: ObjectName,
    /// What the image does not prove.
    pub gate: Gate,
    /// The category.
    pub reason: Reason,
    /// What is wrong, and what to do.
    pub message: String,
}

/// An image that is let through later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quarantine {
    /// When.
    pub until: Timestamp,
    /// Why not now.
    #[serde(flatten)]
    pub refusal: Refusal,
}

/// What becomes of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is copied.
    Admitted,
    /// It is not, until it or a policy changes.
    Refused(Refusal),
    /// It is not, until a time.
    Quarantined(Quarantine),
}

/// An image on its way through the gates of its policies.
#[derive(Debug, Default)]
pub struct Judgement {
    /// At most one for each policy: the first rule that is broken counts.
    findings: Vec<Finding>,
    /// The first policy that an authority vouches for the image by.
    voucher: Option<Voucher>,
}

/// The end of a [`Judgement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// What becomes of the image.
    pub verdict: Verdict,
    /// What the policies found that are only to report.
    pub audited: Vec<Refusal>,
    /// Each policy that does not admit the image, and the first gate at which.
    pub broken: Vec<(ObjectName, Gate)>,
    /// Who vouches for the image, by the first policy that asks for it.
    pub voucher: Option<Voucher>,
}

#[derive(Debug)]
struct Finding {
    mode: PolicyMode,
    refusal: Refusal,
    until: Option<Timestamp>,
}

// === impl Judgement ===

impl Judgement {
    /// Judges the name of an image.
    pub fn judge_tag(&mut self, policies: &[impl AsRef<Policy>], tag: &Tag) {
        self.judge(policies, |gates| {
            let breach = gates.require.as_ref()?.judge_tag(tag)?;
            Some((breach, None))
        });
    }

    /// Judges what would be copied: one image for each platform.
    pub fn judge_images(
        &mut self,
        policies: &[impl AsRef<Policy>],
        images: &[ImageFacts],
        now: Timestamp,
    ) {
        self.judge(policies, |gates| {
            let breach = gates.require.as_ref()?.judge_images(images, now)?;
            Some((breach, None))
        });
    }

    /// Judges what the authorities of a policy say of the image. `testimony` is about the policy of
    /// this name only.
    pub fn judge_testimony(&mut self, policy: &Policy, testimony: &Testimony) {
        self.judge_by(policy, |gates| {
            let breach = testimony.judge_signature();
            let breach = breach.or_else(|| testimony.judge_scans(gates))?;
            Some((breach, None))
        });
        let Ok(signature) = &testimony.signature else {
            return;
        };
        let known = self.voucher.get_or_insert_with(|| Voucher {
            policy: policy.name.clone(),
            vouched: signature.clone(),
            used: Vec::new(),
        });
        known.used.extend(testimony.used.iter().cloned());
    }

    /// Whether the policy has refused the image already.
    pub fn is_broken(&self, policy: &Policy) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.refusal.policy == policy.name)
    }

    /// Judges how long the digest of a tag has been seen.
    pub fn judge_age(
        &mut self,
        policies: &[impl AsRef<Policy>],
        first_seen: Timestamp,
        now: Timestamp,
    ) {
        self.judge(policies, |gates| {
            let age = gates.min_age?;
            let until = first_seen
                .checked_add(age.as_std())
                .unwrap_or(Timestamp::MAX);
            let message = format!(
                "first seen at {first_seen:.0}, let through {age} later, at {until:.0}: wait until then"
            );
            (until > now).then_some(((Gate::MinAge, message), Some(until)))
        });
    }

    /// Whether nothing can let the image through any more.
    pub fn is_refused(&self) -> bool {
        self.enforced().any(|finding| finding.until.is_none())
    }

    /// What it comes to. A refusal comes before a quarantine, which ends by itself; of several the
    /// first refusal counts, and the quarantine that ends last.
    pub fn conclude(self) -> Conclusion {
        let refused = self.enforced().find(|finding| finding.until.is_none());
        let quarantined = self
            .enforced()
            .filter_map(|finding| Some((finding.until?, finding)))
            .max_by_key(|(until, _)| *until);
        let verdict = match (refused, quarantined) {
            (Some(refused), _) => Verdict::Refused(refused.refusal.clone()),
            (None, Some((until, finding))) => Verdict::Quarantined(Quarantine {
                until,
                refusal: finding.refusal.clone(),
            }),
            (None, None) => Verdict::Admitted,
        };
        let findings = self.findings.iter();
        let broken = findings.map(|Finding { refusal, .. }| (refusal.policy.clone(), refusal.gate));
        Conclusion {
            verdict,
            broken: broken.collect(),
            voucher: self.voucher,
            audited: self
                .findings
                .into_iter()
                .filter(|finding| finding.mode == PolicyMode::Audit)
                .map(|finding| finding.refusal)
                .collect(),
        }
    }

    fn judge(
        &mut self,
        policies: &[impl AsRef<Policy>],
        find: impl Fn(&Gates) -> Option<(Breach, Option<Timestamp>)>,
    ) {
        for policy in policies {
            self.judge_by(policy.as_ref(), &find);
        }
    }

    fn judge_by(
        &mut self,
        policy: &Policy,
        find: impl Fn(&Gates) -> Option<(Breach, Option<Timestamp>)>,
    ) {
        let Policy { name, gates, .. } = policy;
        let Some(gates) = gates.as_ref().filter(|_| !self.is_broken(policy)) else {
            return;
        };
        if let Some(((gate, problem), until)) = find(gates) {
            self.findings.push(Finding {
                mode: gates.mode,
                refusal: Refusal {
                    policy: name.clone(),
                    gate,
                    reason: gate.reason(),
                    message: format!("policy {:?}, {gate}: {problem}", name.as_str()),
                },
                until,
            });
        }
    }

    fn enforced(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.mode == PolicyMode::Enforce)
    }
}
