// SPDX-License-Identifier: Apache-2.0

//! What refers to images: which tags and lists say so, and what comes after its image was copied.

mod attached;
mod costs;
mod gone;
mod lab;
mod late;
mod watched;
