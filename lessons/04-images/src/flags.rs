//! The flags of the lessons' programs that are about images.

use std::path::PathBuf;

use namespaces::flags::Flags;

use crate::{PullOptions, Store, data_folder};

/// Those that are read here.
pub const FLAGS: [&str; 2] = ["store", "platform"];

impl Store {
    /// Where images are kept: `--store FOLDER`, or the folder that all lessons' programs share.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub fn from_flags(flags: &Flags) -> namespaces::Result<Self> {
        let folder = flags.value("store").map_or_else(|| data_folder("canoa-lessons"), PathBuf::from);
        Ok(Store::open(&folder)?)
    }
}

impl PullOptions {
    /// For which machine: `--platform OS/ARCH`, or this one.
    ///
    /// # Errors
    /// For a value that is no platform.
    pub fn from_flags(flags: &Flags) -> namespaces::Result<Self> {
        let platform = flags.text("platform")?.map(str::parse).transpose()?;
        Ok(PullOptions { platform, credentials: None })
    }
}
