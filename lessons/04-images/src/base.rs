//! thin
use crate::{Error, Image, Reference, Result, Store};

/// The reserved name.
pub const NAME: &str = "base";

/// Whether this reference means the image that is made here.
pub fn is_base(reference: &Reference) -> bool {
    reference.familiar() == "base:latest"
}

/// Makes the base image afresh.
///
/// # Errors
/// Something can't be copied or kept.
pub fn base(store: &Store) -> Result<Image> {
    let _ = store;
    Err(Error::NoSuchImage(NAME.to_owned()))
}
