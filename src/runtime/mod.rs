//! Process services that know nothing of images.
