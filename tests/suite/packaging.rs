//! What is installed: the chart, what is rendered from it, and the container image.

mod chart;
mod copies;
mod helm;
mod image;
mod installed;
mod linters;
mod monitoring;
mod pods;
mod rights;
mod values;
