//! Tokens: how a registry asks who is there.
//!
//! A registry doesn't know passwords. It answers 401 and names a place that does, the *realm*:
//!
//! ```text
//! WWW-Authenticate: Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/ubuntu:pull"
//! ```
//!
//! There one asks, with a password or without, for a token that is good for that scope and for
//! some minutes, and then asks the registry again with the token.
//! [token authentication](https://distribution.github.io/distribution/spec/auth/token/)

use serde::Deserialize;

// ANCHOR: challenge
/// What a `WWW-Authenticate` header asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// A token from this realm.
    Bearer {
        /// An URL.
        realm: String,
        /// The registry's name for itself.
        service: Option<String>,
        /// What the token must be good for.
        scope: Option<String>,
    },
    /// User name and password, to the registry itself.
    Basic,
}
// ANCHOR_END: challenge

/// What a realm answers. Older ones say `token`, those that follow OAuth `access_token`.
#[derive(Deserialize)]
pub(crate) struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Answer {
    pub(crate) fn token(self) -> Option<String> {
        self.token.or(self.access_token).filter(|token| !token.is_empty())
    }
}

impl Challenge {
    /// Reads one header; of several challenges in it the first that is known.
    /// [RFC 9110, section 11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)
    pub fn parse(header: &str) -> Option<Challenge> {
        // ANCHOR: ex-04-2
        let mut rest = header.trim_start();
        loop {
            // 1. A challenge begins with its scheme, a word that ends at a space, a comma or the header's
            //    end. `parameters` reads what follows, and says what comes after that.
            let (scheme, after) = rest.split_at(rest.find([' ', ',']).unwrap_or(rest.len()));
            let (parameters, after) = parameters(after);
            // 2. Neither in a scheme nor in a parameter's name do capitals matter.
            let get = |name: &str| {
                let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.clone())
            };
            // 3. `basic` is known as it is, `bearer` if it has a realm.
            if scheme.eq_ignore_ascii_case("basic") {
                return Some(Challenge::Basic);
            }
            if scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = get("realm")
            {
                return Some(Challenge::Bearer { realm, service: get("service"), scope: get("scope") });
            }
            // 4. Any other: on to the next one, if there is one. Each round must be shorter than the one
            //    before, or a hostile header keeps us here for ever.
            if after.is_empty() || after.len() >= rest.len() {
                return None;
            }
            rest = after;
        }
        // ANCHOR_END: ex-04-2
    }
}

/// `key=value, key="value"` as far as they go, and what comes after them.
fn parameters(mut text: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    loop {
        text = text.trim_start_matches([' ', '\t', ',']);
        let end = text.find(['=', ' ', ',']).unwrap_or(text.len());
        // A word without `=` is the next challenge's scheme.
        if !text[end..].starts_with('=') {
            return (found, text);
        }
        let key = text[..end].to_owned();
        let (value, rest) = value(&text[end + 1..]);
        found.push((key, value));
        text = rest;
    }
}

/// A word, or a string in quotes, in which a backslash takes the next character as it is.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (word, rest) = text.split_at(text.find([',', ' ']).unwrap_or(text.len()));
        return (word.to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.into(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        })
    }

    #[test]
    fn docker_hubs_challenge_is_understood() {
        let header = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/ubuntu:pull,push""#;
        let expected = bearer(
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            Some("repository:library/ubuntu:pull,push"),
        );
        assert_eq!(Challenge::parse(header), expected, "ex-04-2: {header}");
    }

    #[test]
    fn spaces_case_and_unknown_schemes_are_no_obstacle() {
        for (header, expected) in [
            ("bearer  realm=https://a , Service=s", bearer("https://a", Some("s"), None)),
            ("Negotiate, Basic realm=\"x\"", Some(Challenge::Basic)),
            (r#"Digest realm="a\"b", nonce="n", Bearer realm="https://r""#, bearer("https://r", None, None)),
        ] {
            let found = Challenge::parse(header);
            assert_eq!(
                found, expected,
                "ex-04-2: case doesn't matter, and unknown schemes are passed over: {header}"
            );
        }
        for nothing in ["", "Negotiate", "Bearer", "Bearer service=x", ",", "= = =", "Digest realm=\""] {
            assert_eq!(
                Challenge::parse(nothing),
                None,
                "ex-04-2: there is nothing that we know in {nothing:?}"
            );
        }
    }

    #[test]
    fn no_header_makes_it_panic_or_hang() {
        proptest::proptest!(|(header: String)| {
            let _ = Challenge::parse(&header);
            let _ = Challenge::parse(&format!("Bearer {header}"));
        });
    }
}
