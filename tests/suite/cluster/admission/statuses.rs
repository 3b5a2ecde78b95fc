// SPDX-License-Identifier: Apache-2.0

//! Statuses in which every field is written, and every list of a record is as long as it may be.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use transship::api::conditions::{self, Holds, READY, Statement};
use transship::api::image_mirror::{
    Action, DestinationStatus, FailureStatus, JobStatus, PruneStatus, Reachable, RecentCopy,
    RefusalStatus, RoundResult, RoundSummary, TagCounts,
};
use transship::api::image_policy::{ExcludedBy, PolicyMode};
use transship::api::mirrored_repository::{
    DeletedTag, KeptManifest, MEDIA_TYPE_LENGTH, OBJECT_BYTES, OBJECT_MANIFESTS, OWN_REFERRERS,
    PROTECTED_BY_LENGTH, PruneCandidate, RecordedTag, SHAPE_LENGTH, SHARERS, TAGS, TagState,
    VerifiedBy, WaitingTag,
};
use transship::api::{ImageMirrorStatus, ImagePolicyStatus, MirroredRepositoryStatus, Reason};
use transship::oci::Digest;

/// A year of the past, so that columns of ages are the same in every run.
const NOW: i64 = 1_600_000_000;

fn time() -> Time {
    Time(Timestamp::from_second(NOW).unwrap())
}

fn sha256() -> Digest {
    Digest::sha256(b"content")
}

fn sha512() -> Digest {
    format!("sha512:{}", "a".repeat(128)).parse().unwrap()
}

fn conditions() -> Vec<Condition> {
    let ready = Statement {
        r#type: READY,
        holds: Holds::False,
        reason: Reason::Unreachable,
        message: "r.example.com does not answer",
        generation: 1,
    };
    let mut conditions = Vec::new();
    conditions::set(&mut conditions, &ready, time().0);
    conditions
}

pub(super) fn mirror() -> ImageMirrorStatus {
    ImageMirrorStatus {
        observed_generation: 1,
        conditions: conditions(),
        synced: Some("1/6".to_owned()),
        tags: Some(TagCounts {
            selected: 6,
            synced: 1,
            pending: 1,
            failed: 1,
            refused: 1,
            quarantined: 1,
            frozen: 1,
        }),
        destinations: vec![DestinationStatus {
            name: "eu".to_owned(),
            synced: 1,
            failed: 1,
            reachable: Reachable::False,
        }],
        failures: vec![FailureStatus {
            image: "docker.io/library/alpine:3.20".to_owned(),
            destination: Some("eu".to_owned()),
            reason: Reason::Unreachable.to_string(),
            message: "r.example.com does not answer".to_owned(),
            attempts: 2,
            next_attempt_time: Some(time()),
        }],
        refusals: vec![RefusalStatus {
            image: "docker.io/library/alpine:edge".to_owned(),
            policy: "strict".parse().unwrap(),
            gate: "require.user".to_owned(),
            reason: Reason::PolicyViolation.to_string(),
            message: "linux/amd64 runs as root".to_owned(),
            mode: PolicyMode::Audit,
        }],
        recent: vec![RecentCopy {
            image: "r.example.com/library/alpine:3.19".to_owned(),
            destination: "eu".to_owned(),
            digest: sha256(),
            source_digest: sha512(),
            previous_digest: Some(sha256()),
            action: Action::Copied,
            time: time(),
        }],
        history: vec![RoundSummary {
            start_time: time(),
            end_time: time(),
            result: RoundResult::Failed,
            copied: 1,
            moved: 1,
            bytes: i64::from(i32::MAX) + 1,
        }],
        prune: Some(PruneStatus {
            candidates: 4,
            protected: 2,
            deleted: 11,
            plan: Some(sha256()),
            approved: Some(sha256()),
        }),
        job: Some(JobStatus {
            name: "web-0123456789".parse().unwrap(),
            uid: "0f6a".to_owned(),
            indexes: 4,
            succeeded: 1,
            failed: 1,
            stopping: true,
        }),
        policy_revision: Some(sha256()),
        revision: Some(sha256()),
        last_sync_time: Some(time()),
        next_sync_time: Some(time()),
        last_handled_reconcile_at: Some("now".to_owned()),
        last_handled_requested_at: Some("then".to_owned()),
    }
}

pub(super) fn policy() -> ImagePolicyStatus {
    ImagePolicyStatus {
        observed_generation: 1,
        conditions: conditions(),
        mirrors: Some(1),
        selected: Some(2),
        excluded_by: Some(ExcludedBy {
            include: 1,
            exclude: 2,
            semver: 3,
            newest: 4,
            min_age: 5,
            verify: 6,
            require: 7,
        }),
    }
}

/// Tags that are deleted at a time.
const BATCH: usize = 20;

/// The largest record there is.
pub(super) fn record() -> MirroredRepositoryStatus {
    let tag = |number: usize| format!("{number:0128}").parse().unwrap();
    let tags = (0..TAGS).map(|number| RecordedTag {
        tag: tag(number),
        source: "s".repeat(644),
        source_digest: sha256(),
        digest: sha256(),
        shape: "s".repeat(SHAPE_LENGTH),
        first_seen: time(),
        copied_at: Some(time()),
        adopted: true,
        registry: None,
        verified_by: Some(VerifiedBy {
            policy: "p".repeat(253).parse().unwrap(),
            authority: "a".repeat(63),
            evidence: sha256(),
        }),
        verified_at: Some(time()),
        referrers_checked_at: Some(time()),
        referrers_found: Some(format!("index+list:{0}:{0}", "f".repeat(16))),
        state: Some(TagState::Refused),
        checked_at: Some(time()),
        own_referrers: vec![sha256(); OWN_REFERRERS],
    });
    // What is no longer wanted waits for nothing, and candidates are larger.
    let waiting = WaitingTag {
        tag: tag(0),
        source_digest: sha512(),
        first_seen: time(),
    };
    let candidates = (1..TAGS).map(|number| PruneCandidate {
        tag: tag(number),
        digest: sha256(),
        reason: "RepositoryRemoved".to_owned(),
        since: time(),
        seen: Some(time()),
        protected_by: Some("p".repeat(PROTECTED_BY_LENGTH)),
    });
    // What is being deleted is still on record, a batch at a time.
    let deleted = (1..=BATCH).map(|number| DeletedTag {
        approved: true,
        cleared: true,
        tag: tag(number),
        source: "s".repeat(644),
        source_digest: sha256(),
        digest: sha256(),
        shape: "s".repeat(SHAPE_LENGTH),
        deleted_at: time(),
        referrers: vec![sha256(); OWN_REFERRERS],
        shared_with: vec![tag(0); SHARERS],
        took: None,
    });
    MirroredRepositoryStatus {
        tag_count: 300,
        candidate_count: 299,
        tags: tags.collect(),
        waiting: vec![waiting],
        candidates: candidates.collect(),
        deleted: deleted.collect(),
        manifests: Vec::new(),
    }
}

/// The largest record of what restores deleted tags.
pub(super) fn manifests() -> MirroredRepositoryStatus {
    let text = |bytes: usize| "A".repeat(bytes.div_ceil(3) * 4);
    let kept = |data| KeptManifest {
        digest: sha256(),
        media_type: "m".repeat(MEDIA_TYPE_LENGTH),
        data,
    };
    let each = OBJECT_BYTES / OBJECT_MANIFESTS;
    MirroredRepositoryStatus {
        manifests: vec![kept(text(each)); OBJECT_MANIFESTS],
        ..MirroredRepositoryStatus::default()
    }
}

/// The same with one manifest.
pub(super) fn large_manifest() -> MirroredRepositoryStatus {
    MirroredRepositoryStatus {
        manifests: vec![KeptManifest {
            digest: sha256(),
            media_type: "m".to_owned(),
            data: "A".repeat(OBJECT_BYTES.div_ceil(3) * 4),
        }],
        ..MirroredRepositoryStatus::default()
    }
}
