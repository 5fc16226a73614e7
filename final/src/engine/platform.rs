//! `--platform`: an image for another kind of machine than this one.

use images::{Image, Platform};

use super::error::{Error, Result};

/// Whether an image is for the platform that was asked for. Some old ones don't say.
///
/// # Errors
/// "Not found", in Docker's words: clients pull it then for the platform that they want.
pub fn check(image: &Image, name: &str, wanted: &Platform) -> Result<()> {
    let found = image.config.platform();
    if found.architecture.is_empty() || wanted.accepts(&found).is_some() {
        return Ok(());
    }
    Err(Error::not_found(format!(
        "image with reference {name} was found but its platform ({found}) does not match the specified \
         platform ({wanted})"
    )))
}

/// What is said to who starts a foreign image without having asked for one.
pub fn warning(image: &Image) -> Option<String> {
    let (found, here) = (image.config.platform(), Platform::host());
    let foreign = !found.architecture.is_empty() && here.accepts(&found).is_none();
    foreign.then(|| {
        format!(
            "The requested image's platform ({found}) does not match the detected host platform ({here}) \
             and no specific platform was requested"
        )
    })
}
