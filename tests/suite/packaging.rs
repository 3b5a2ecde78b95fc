// SPDX-License-Identifier: Apache-2.0

//! What is installed: the chart, what is rendered from it, the container image, and what is downloaded.

mod chart;
mod copies;
mod helm;
mod image;
mod installed;
mod linters;
mod monitoring;
mod pods;
mod release;
mod rights;
mod values;
