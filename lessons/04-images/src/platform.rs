//! Platforms: the kind of machine that an image is for.
//!
//! An image of one name is often several: an *index* lists one manifest for each operating
//! system and processor. The names are Go's (`amd64`, not `x86_64`), since Docker is written
//! in it. [OCI image index](https://github.com/opencontainers/image-spec/blob/main/image-index.md)

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::clean;

/// `linux/arm64/v8`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// `amd64`, `arm64`, …
    #[serde(default)]
    pub architecture: String,
    /// Which version of the processor's architecture: `v7`, `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// The machine that this runs on.
    pub fn host() -> Platform {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "x86" => ("386", None),
            "aarch64" => ("arm64", Some("v8")),
            "arm" => ("arm", Some("v7")),
            "powerpc64" => ("ppc64le", None),
            "loongarch64" => ("loong64", None),
            same => (same, None),
        };
        Platform {
            os: "linux".into(),
            architecture: architecture.into(),
            variant: variant.map(str::to_owned),
        }
    }

    // ANCHOR: accepts
    /// How well an image for `offered` runs where `self` is wanted: `None` not at all, else the
    /// higher the better.
    ///
    /// A variant is a promise that only goes one way: a v7 processor runs v6, not the reverse.
    pub fn accepts(&self, offered: &Platform) -> Option<u32> {
        let wanted = self.normal();
        let offered = offered.normal();
        if wanted.os != offered.os || wanted.architecture != offered.architecture {
            return None;
        }
        if wanted.variant == offered.variant {
            return Some(u32::MAX);
        }
        let version = |platform: &Platform| -> Option<u32> {
            platform.variant.as_deref()?.strip_prefix('v')?.parse().ok()
        };
        match (version(&wanted), version(&offered)) {
            (Some(wanted), Some(offered)) if offered <= wanted => Some(offered),
            _ => None,
        }
    }
    // ANCHOR_END: accepts

    /// The best of those offered, by its place in the list.
    pub fn choose<'a>(&self, offered: impl IntoIterator<Item = &'a Platform>) -> Option<usize> {
        let mut best: Option<(usize, u32)> = None;
        for (place, platform) in offered.into_iter().enumerate() {
            if let Some(score) = self.accepts(platform)
                && best.is_none_or(|(_, other)| score > other)
            {
                best = Some((place, score));
            }
        }
        best.map(|(place, _)| place)
    }

    /// Where people and tools leave the variant out, they mean this one; and some write the
    /// processor in another way.
    fn normal(&self) -> Platform {
        let architecture = match self.architecture.to_ascii_lowercase().as_str() {
            "x86_64" | "x86-64" => "amd64".to_owned(),
            "aarch64" => "arm64".to_owned(),
            "i386" => "386".to_owned(),
            "armhf" => "arm".to_owned(),
            same => same.to_owned(),
        };
        let variant = match (architecture.as_str(), self.variant.as_deref()) {
            ("arm64", None | Some("" | "8")) => Some("v8".to_owned()),
            ("arm", None | Some("" | "7")) => Some("v7".to_owned()),
            ("amd64", None | Some("")) => Some("v1".to_owned()),
            (_, Some("")) => None,
            (_, variant) => variant.map(str::to_owned),
        };
        Platform { os: self.os.to_ascii_lowercase(), architecture, variant }
    }
}

impl FromStr for Platform {
    type Err = Error;

    /// # Errors
    /// [`Error::InvalidPlatform`].
    fn from_str(text: &str) -> Result<Platform, Error> {
        let parts: Vec<&str> = text.split('/').collect();
        let good = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant)),
            _ => return Err(Error::InvalidPlatform(clean(text))),
        };
        if !parts.iter().all(good) {
            return Err(Error::InvalidPlatform(clean(text)));
        }
        Ok(Platform {
            os: os.to_ascii_lowercase(),
            architecture: architecture.to_ascii_lowercase(),
            variant: variant.map(|variant| variant.to_ascii_lowercase()),
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", clean(&self.os), clean(&self.architecture))?;
        match &self.variant {
            Some(variant) if !variant.is_empty() => write!(f, "/{}", clean(variant)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    fn chosen(wanted: &str, offered: &[&str]) -> Option<usize> {
        let offered: Vec<Platform> = offered.iter().map(|text| platform(text)).collect();
        platform(wanted).choose(&offered)
    }

    #[test]
    fn the_same_platform_is_chosen_whatever_its_place() {
        assert_eq!(chosen("linux/amd64", &["windows/amd64", "linux/arm64", "linux/amd64"]), Some(2));
        assert_eq!(chosen("linux/amd64", &["linux/arm64", "linux/386"]), None);
    }

    #[test]
    fn an_older_variant_will_do_and_a_newer_one_will_not() {
        assert_eq!(chosen("linux/arm/v7", &["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"]), Some(1));
        assert_eq!(chosen("linux/arm/v6", &["linux/arm/v7"]), None);
        assert_eq!(chosen("linux/amd64", &["linux/amd64/v3", "linux/amd64"]), Some(1));
    }

    #[test]
    fn a_variant_left_out_means_the_usual_one() {
        assert_eq!(chosen("linux/arm64", &["linux/arm64/v8"]), Some(0));
        assert_eq!(chosen("linux/arm64/v8", &["linux/arm64"]), Some(0));
        assert_eq!(chosen("linux/arm", &["linux/arm/v7"]), Some(0));
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for bad in ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/am d64", "linux/\x1b"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
        assert_eq!(platform("Linux/ARM64/v8").to_string(), "linux/arm64/v8");
    }
    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_what_is_read_is_written_the_same(
            any: String,
            text in "[a-z0-9._-]{1,9}(/[a-z0-9._-]{1,9}){0,3}",
        ) {
            for text in [any.as_str(), text.as_str()] {
                match text.parse::<Platform>() {
                    Ok(platform) => {
                        proptest::prop_assert_eq!(platform.to_string(), text.to_ascii_lowercase());
                        proptest::prop_assert_eq!(platform.accepts(&platform), Some(u32::MAX));
                    }
                    Err(error) => proptest::prop_assert_eq!(error.to_string().lines().count(), 1),
                }
            }
        }
    }
}
