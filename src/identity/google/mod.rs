// SPDX-License-Identifier: Apache-2.0

//! Google: an access token, from wherever the identity has it, is the password of Artifact Registry and gcr.io.

mod assertion;
mod exchange;
mod file;
mod keys;
mod metadata;
mod principal;
mod pubsub;
mod token;

pub(super) use self::keys::keys;
pub(super) use self::principal::Google;
pub(super) use self::pubsub::PubSub;
