//! Process services that know nothing of images.

pub mod clock;
pub mod telemetry;
