//! # Lesson 4: images
//!
//! A container's root comes from an image: some layers of files, one above the other, and a
//! little JSON that says what to run in them. This lesson takes one from its name to a folder
//! tree, and each file of it holds one concept, in the order in which they are needed:
//!
//! 1. [`reference`]: `ubuntu` means `docker.io/library/ubuntu:latest`.
//! 2. [`registry`] and [`token`]: asking the registry for it, over HTTP.
//! 3. [`manifest`], [`platform`] and [`config`]: which layers, for which machine, and how to run.
//! 4. [`digest`]: nothing is believed that doesn't hash to its own name.
//! 5. [`pull`]: downloading, several layers at once.
//! 6. [`compression`], [`archive`] and [`unpack`]: from a layer's bytes to a folder, whatever
//!    its author had in mind.
//! 7. [`store`]: what is here, on disk.
//! 8. [`overlay`] and [`writable`]: the layers as one tree, with a writable one on top.
//!
//! [`pack`] is the way back, from a tree to an archive, [`usage`] says how much room files take, and
//! [`base`] is an image for which no network is needed.

pub mod archive;
pub mod base;
pub mod compression;
pub mod config;
pub mod digest;
pub mod error;
mod flags;
pub mod manifest;
pub mod overlay;
pub mod ownership;
pub mod pack;
mod place;
pub mod platform;
pub mod pull;
pub mod reference;
pub mod registry;
pub mod store;
pub mod token;
pub mod unpack;
pub mod usage;
pub mod writable;
mod xattr;

pub use config::ImageConfig;
pub use digest::Digest;
pub use error::{Error, Result};
pub use flags::FLAGS;
pub use overlay::Overlay;
pub use place::data_folder;
pub use platform::Platform;
pub use pull::{Progress, PullOptions, Pulled, Status, fetch, find_or_pull, pull};
pub use reference::Reference;
pub use registry::Credentials;
pub use store::{Image, Removed, Store};
pub use usage::usage;
pub use writable::WritableLayer;
